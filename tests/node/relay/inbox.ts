// The inbox of a consumer: a list that Relay pages through by itself, and an answer to one of its rows.
import { graphql } from 'relay-runtime'

export const inbox = graphql`
  query inboxQuery($count: Int = 20, $cursor: String) {
    ...inbox_offers @arguments(count: $count, cursor: $cursor)
  }
`

export const offers = graphql`
  fragment inbox_offers on Query
  @refetchable(queryName: "inboxNextPageQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
    offers(first: $count, after: $cursor, status: [PENDING]) @connection(key: "inbox_offers") {
      edges {
        node {
          ...inbox_offer
        }
      }
      watchCursor
    }
  }
`

export const offer = graphql`
  fragment inbox_offer on Member {
    id
    status
    image {
      id
      name
    }
  }
`

export const accept = graphql`
  mutation inboxAcceptMutation($input: AcceptOfferInput!) {
    acceptOffer(input: $input) {
      member {
        ...inbox_offer
      }
      errors {
        code
        message
      }
    }
  }
`
