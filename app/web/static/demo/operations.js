// What this page asks of the gateway: the public GraphQL API, and nothing else.
const IMAGE = 'id name origin status visibility sizeBytes createdAt owner { id }';
const ERRORS = 'errors { code message tenantId }';
const CHANGE = `__typename cursor occurredAt kind previousStatus status memberId imageId
  owner { id } tenant { id } actor { id }`;

export const WATCH = `subscription Watch($after: Cursor, $filter: OfferWatchFilter) {
  watchOffers(initial: SNAPSHOT, after: $after, filter: $filter) {
    __typename cursor
    ... on MemberState { memberId imageId owner { id } tenant { id } status }
    ... on MemberStatusChanged { ${CHANGE} }
    ... on WatchReset { reason }
  }
}`;
export const EVENTS = `query Events($after: Cursor, $filter: OfferWatchFilter) {
  offerEvents(after: $after, filter: $filter) { nodes { cursor } pageInfo { hasNextPage endCursor } }
}`;
export const OWN_IMAGES = `query OwnImages($ownerId: ID!, $after: String) {
  images(ownerId: $ownerId, hidden: null, first: 100, after: $after) {
    nodes { ${IMAGE} } pageInfo { hasNextPage endCursor }
  }
}`;
export const IMAGES = `query Images($ids: [ID!]!) { nodes(ids: $ids) { ... on Image { ${IMAGE} } } }`;

export const REGISTER = `mutation Register($input: RegisterImageInput!) {
  registerImage(input: $input) { image { ${IMAGE} } ${ERRORS} }
}`;
export const OFFER = `mutation Offer($input: OfferImageInput!) { offerImage(input: $input) { ${ERRORS} } }`;
export const REVOKE = `mutation Revoke($input: RevokeMemberInput!) { revokeMember(input: $input) { ${ERRORS} } }`;
export const ANSWERS = {
  ACCEPTED: `mutation Accept($input: AcceptOfferInput!) { acceptOffer(input: $input) { ${ERRORS} } }`,
  REJECTED: `mutation Reject($input: RejectOfferInput!) { rejectOffer(input: $input) { ${ERRORS} } }`,
  PENDING: `mutation Defer($input: DeferOfferInput!) { deferOffer(input: $input) { ${ERRORS} } }`,
};
