import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, ServerError, gql } from '@apollo/client';
import { RetryLink } from '@apollo/client/link/retry';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { ACCEPT, INBOX, WATCH, authorized, follower, socket, url } from './gateway.js';
import { resumable } from './resumable.js';

const cache = new InMemoryCache({
  typePolicies: {  // with keyFields, a query without the id is an error
    Image: { keyFields: ['id'], fields: { members: relayStylePagination(['status']) } },
    Member: { keyFields: ['id'] },
    Tenant: { keyFields: ['id'], fields: { images: relayStylePagination(['visibility', 'status', 'hidden']) } },
    Query: { fields: {  // the filters are part of a list's key
      images: relayStylePagination(['memberStatus', 'ownerId', 'visibility', 'status', 'name', 'hidden']),
      offers: relayStylePagination(['status', 'ownerId', 'imageId']),
      sentOffers: relayStylePagination(['status', 'imageId', 'tenantId']),
    } },
  },
});
// Retries when there was no response, which is safe: each mutation has its idempotencyKey.
const http = new RetryLink({ attempts: (count, _, error) => count < 5 && !ServerError.is(error) })
  .concat(new HttpLink({ uri: url, fetch: authorized }));
const ws = new GraphQLWsLink(resumable(socket));
const link = ApolloLink.split(({ operationType }) => operationType === 'subscription', ws, http);
export const client = new ApolloClient({ cache, link });
export const codeOf = (error) => (CombinedGraphQLErrors.is(error) ? error.errors[0].extensions.code
  : error.statusCode === 401 ? 'UNAUTHENTICATED' : undefined);  // undefined when there was no response

// inbox.subscribe(({ data }) => ...) shows it; inbox.fetchMore({ variables: { after: pageInfo.endCursor } }) adds a page.
export const inbox = client.watchQuery({ query: gql(INBOX) });

export async function accept({ id, image }) {
  const member = { __typename: 'Member', id, status: 'ACCEPTED' };
  const { data } = await client.mutate({
    mutation: gql(ACCEPT),
    variables: { input: { imageId: image.id, idempotencyKey: crypto.randomUUID() } },
    optimisticResponse: { acceptOffer: { __typename: 'AcceptOfferPayload', member, errors: [] } },
  });
  return data.acceptOffer.errors;
}

const answer = gql`fragment Answer on Member { id status }`;
const follow = follower(() => inbox.refetch(), (member) => cache.writeFragment({ fragment: answer, data: member }));
export const watchInbox = (after, show) =>
  client.subscribe({ query: gql(WATCH), variables: { after }, fetchPolicy: 'no-cache' }).subscribe(({ data, error }) => {
    if (error) return console.error(error);
    follow(data.watchOffers);
    show(data.watchOffers);
  });
