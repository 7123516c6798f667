// The tabs that a newcomer finds: one handshake, step by step.

const variables = (value) => JSON.stringify(value, null, 2);

const REGISTER = `# 1. The producer (1001 in the demo) registers an
#    image. In the next tabs "@last" stands for it:
#    the image that you met last in this browser.
#    (A red mark below is the editor's mistake: fields
#    with a default may be left out.)
mutation Register($input: RegisterImageInput!) {
  registerImage(input: $input) {
    image { id name status visibility owner { id } }
    errors { code message path }
  }
}
`;

const OFFER = `# 2. The producer offers it to a consumer, by its
#    tenant ID. Nothing tells whether that tenant
#    exists: an offer to nobody stays PENDING.
mutation Offer($input: OfferImageInput!) {
  offerImage(input: $input) {
    members {
      id status
      tenant { id }
      image { id name }
    }
    errors { code message path tenantId }
  }
}
`;

const INBOX = `# 3. The consumer looks into its inbox. In the demo,
#    act as 2002 in a second tab of the browser.
query Inbox($first: Int = 10) {
  offers(first: $first) {
    totalCount
    nodes {
      status createdAt
      image { id name sizeBytes owner { id } }
    }
    pageInfo { hasNextPage endCursor }
    watchCursor
  }
}
`;

const ACCEPT = `# 4. The consumer accepts. rejectOffer and deferOffer
#    take the same input.
mutation Accept($input: AcceptOfferInput!) {
  acceptOffer(input: $input) {
    member { status updatedAt image { id name } }
    errors { code message }
  }
}
`;

const WATCH = `# 5. Run this and stay here: turning to another
#    example ends it. Act as the other tenant in
#    another tab of the browser. A line that is lost
#    is taken up again after its last cursor, since
#    $after is declared.
subscription Watch($after: Cursor) {
  watchOffers(after: $after, bookmarks: false) {
    __typename
    cursor
    ... on MemberStatusChanged {
      occurredAt kind previousStatus status
      imageId owner { id } tenant { id }
    }
    ... on WatchReset { reason }
  }
}
`;

export const EXAMPLES = [
  {
    query: REGISTER,
    variables: variables({ input: {
      name: 'debian-13-golden', origin: 'IMPORT', sourceUrl: 'https://images.example.org/debian-13-golden.qcow2',
    } }),
  },
  { query: OFFER, variables: variables({ input: { imageId: '@last', tenantIds: ['2002'] } }) },
  { query: INBOX, variables: variables({ first: 10 }) },
  { query: ACCEPT, variables: variables({ input: { imageId: '@last' } }) },
  { query: WATCH, variables: variables({ after: null }) },
];
