"""The documents that every server receives, without imports, so that peers don't load the gateway."""

POINT = "query($id: ID!) { image(id: $id) { id name status } }"
LIST = """query($first: Int!, $inner: Int!) { images(first: $first) {
  edges { cursor node {
    id name status visibility createdAt updatedAt owner { id }
    members(first: $inner) { edges { node { id status createdAt updatedAt tenant { id } } } }
  } }
  pageInfo { hasNextPage endCursor }
} }"""
INBOX = """query($first: Int!) { offers(first: $first) {
  edges { cursor node { id status createdAt image { id name status owner { id } } } }
  pageInfo { hasNextPage endCursor }
} }"""
DEEP = """query($id: ID!) { image(id: $id) { id name members(first: 7) { edges { cursor node {
  id status image { id name status owner { id } members(first: 7) { edges { node {
    id status createdAt tenant { id } image { id name }
  } } } }
} } } } }"""
OFFER = """mutation($input: OfferImageInput!) { offerImage(input: $input) { members { id status } errors { code } } }"""
ACCEPT = (
    """mutation($input: AcceptOfferInput!) { acceptOffer(input: $input) { member { id status } errors { code } } }"""
)
