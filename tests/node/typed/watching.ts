// A front end that follows both watches: what it writes down for every item that they may bring.
import type { Client } from '@urql/core'
import {
  ChangePartsFragmentDoc,
  ImagePartsFragmentDoc,
  WatchImagesDocument,
  type WatchImagesSubscription,
  WatchOffersDocument,
  type WatchOffersSubscription,
  type WatchOffersSubscriptionVariables,
} from './generated/graphql'
import { read } from './generated'
import { shown } from './statuses'

type OfferItem = WatchOffersSubscription['watchOffers']
type ImageItem = WatchImagesSubscription['watchImages']

export function offerLine(item: OfferItem): string {
  switch (item.__typename) {
    case 'MemberStatusChanged': {
      const { imageId, kind, status } = read(ChangePartsFragmentDoc, item)
      return `${kind} ${imageId}: ${status === null ? 'ended' : shown(status)}`
    }
    case 'MemberState':
      return `${item.imageId}: ${item.status === null ? 'ended' : shown(item.status)}`
    case 'WatchReset':
      return `forget everything: ${item.reason}`
    case 'WatchBookmark':
      return `nothing new at ${item.at}`
    case 'WatchSynced':
    case 'ImageChanged':
    case 'ImageState':
      return item.cursor
    default:
      return item satisfies never
  }
}

export function imageLine(item: ImageItem): string {
  switch (item.__typename) {
    case 'ImageChanged':
      return `${item.kind} ${item.imageId}: ${item.previousVisibility} to ${item.visibility}`
    case 'ImageState':
      return `${read(ImagePartsFragmentDoc, item.image)?.name}: ${item.status}`
    case 'WatchReset':
      return `forget everything: ${item.reason}`
    case 'WatchBookmark':
      return `nothing new at ${item.at}`
    case 'WatchSynced':
    case 'MemberStatusChanged':
    case 'MemberState':
      return item.cursor
    default:
      return item satisfies never
  }
}

export function follow(client: Client, after: string | null, write: (line: string) => void): () => void {
  const inbox: WatchOffersSubscriptionVariables = { after, filter: { role: 'CONSUMER', status: ['PENDING'] } }
  const offers = client
    .subscription(WatchOffersDocument, inbox)
    .subscribe(({ data }) => data && write(offerLine(data.watchOffers)))
  const images = client
    .subscription(WatchImagesDocument, { after, initial: 'SNAPSHOT', onGap: 'FAIL' })
    .subscribe(({ data }) => data && write(imageLine(data.watchImages)))
  return () => [offers, images].forEach((watch) => watch.unsubscribe())
}
