// One image, which Relay fetches again by its ID alone, with all its members, and the watch that keeps them fresh.
import { graphql } from 'relay-runtime'

export const page = graphql`
  query imageQuery($id: ID!) {
    node(id: $id) {
      __typename
      ...image_members @alias
    }
  }
`

export const members = graphql`
  fragment image_members on Image
  @refetchable(queryName: "imageRefetchQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
    name
    status
    members(first: $count, after: $cursor) @connection(key: "image_members") {
      edges {
        node {
          ...inbox_offer
        }
      }
    }
  }
`

export const watch = graphql`
  subscription imageWatchSubscription($after: Cursor, $filter: OfferWatchFilter) {
    watchOffers(after: $after, filter: $filter) {
      __typename
      cursor
      ... on MemberStatusChanged {
        memberId
        status
        member {
          ...inbox_offer
        }
      }
      ... on WatchReset {
        reason
      }
    }
  }
`
