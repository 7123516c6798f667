// A front end of both sides: the producer registers and offers, the consumer reads its inbox and answers.
import type { Client } from '@urql/core'
import {
  AcceptOfferDocument,
  MemberPageFragmentDoc,
  MemberPartsFragmentDoc,
  OfferImageDocument,
  type OfferImageMutationVariables,
  OffersDocument,
  type OffersQueryVariables,
  PagePartsFragmentDoc,
  ImagePartsFragmentDoc,
  RefusalPartsFragmentDoc,
  RegisterImageDocument,
  type RegisterImageInput,
  type UserErrorCode,
} from './generated/graphql'
import { read } from './generated'

/** The ID of a new image; its size is a number of JavaScript, not a string. */
export async function register(client: Client, name: string, sizeBytes: number): Promise<string | undefined> {
  const input: RegisterImageInput = { name, origin: 'SNAPSHOT', serverId: 'server-1', sizeBytes, visibility: 'SHARED' }
  const { data } = await client.mutation(RegisterImageDocument, { input })
  return read(ImagePartsFragmentDoc, data?.registerImage.image)?.id
}

/** Why each consumer did not get its offer, by tenant ID. */
export async function offer(client: Client, variables: OfferImageMutationVariables): Promise<Map<string, UserErrorCode>> {
  const { data } = await client.mutation(OfferImageDocument, variables)
  const refusals = (data?.offerImage.errors ?? []).map((error) => read(RefusalPartsFragmentDoc, error))
  return new Map(refusals.map(({ tenantId, code }) => [tenantId ?? '', code]))
}

/** The images that are offered on one page of the inbox, and the variables of the next page if there is one. */
export async function inbox(client: Client, page: OffersQueryVariables): Promise<[string[], OffersQueryVariables?]> {
  const { data } = await client.query(OffersDocument, page)
  const offers = read(MemberPageFragmentDoc, data?.offers)
  if (!offers) return [[]]
  const images = offers.edges.map(({ node }) => read(MemberPartsFragmentDoc, node).image.id)
  const { hasNextPage, endCursor } = read(PagePartsFragmentDoc, offers.pageInfo)
  return hasNextPage ? [images, { ...page, after: endCursor }] : [images]
}

export async function accept(client: Client, imageId: string): Promise<boolean> {
  const { data } = await client.mutation(AcceptOfferDocument, { input: { imageId, idempotencyKey: `accept ${imageId}` } })
  return read(MemberPartsFragmentDoc, data?.acceptOffer.member)?.status === 'ACCEPTED'
}
