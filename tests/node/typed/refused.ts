// What the types must refuse: each line below an expected error is one, or the compiler says that it is not.
import type { Client } from '@urql/core'
import {
  type ImagePartsFragment,
  type MemberStatus,
  OfferImageDocument,
  OffersDocument,
  type WatchOffersSubscription,
} from './generated/graphql'

export function wrongVariables(client: Client): void {
  // @ts-expect-error  There is no such status.
  void client.query(OffersDocument, { status: ['WITHDRAWN'] })
  // @ts-expect-error  The inbox can't be filtered by its reader.
  void client.query(OffersDocument, { tenantId: '1' })
  // @ts-expect-error  An offer names its consumers.
  void client.mutation(OfferImageDocument, { input: { imageId: '1' } })
}

export function wrongResults(item: WatchOffersSubscription['watchOffers'], image: ImagePartsFragment): void {
  // @ts-expect-error  Only a reset has a reason.
  void item.reason
  // @ts-expect-error  The owner is not told to everyone.
  void image.owner.id
  // @ts-expect-error  A size is a number.
  void image.sizeBytes?.trim()
}

export function forgetful(status: MemberStatus, item: WatchOffersSubscription['watchOffers']): string {
  switch (status) {
    case 'PENDING':
    case 'ACCEPTED':
      break
    default:
      // @ts-expect-error  REJECTED was forgotten.
      return status satisfies never
  }
  // @ts-expect-error  Nothing but snapshots was thought of.
  return item.__typename satisfies 'MemberState' | 'WatchSynced'
}
