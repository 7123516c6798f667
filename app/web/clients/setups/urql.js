import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { ACCEPT, INBOX, WATCH, authorized, follower, socket, url } from './gateway.js';
import { resumable } from './resumable.js';

const watching = resumable(socket);
const forwardSubscription = ({ query, variables }) => ({
  subscribe: (sink) => ({ unsubscribe: watching.subscribe({ query, variables }, sink) }),
});

export const client = new Client({
  url, fetch: authorized, preferGetMethod: false,  // keeps variables out of URLs, which proxies log
  exchanges: [fetchExchange, subscriptionExchange({ forwardSubscription })],
});
export const codeOf = (error) => error.graphQLErrors[0]?.extensions.code;  // undefined when there was no response

// page().subscribe(({ data, error }) => ...) shows it, now and after each change; page(pageInfo.endCursor) is the next page.
export const page = (after = null) => client.query(INBOX, { after });

export async function accept({ image }) {
  const input = { imageId: image.id, idempotencyKey: crypto.randomUUID() };
  const { data, error } = await client.mutation(ACCEPT, { input });
  if (error) throw error;
  return data.acceptOffer.errors;
}

const follow = follower(() => page(), () => page());
export const watchInbox = (after, show) => client.subscription(WATCH, { after }).subscribe(({ data, error }) => {
  if (error) return console.error(error);
  follow(data.watchOffers);
  show(data.watchOffers);
});
