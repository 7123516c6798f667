import { createClient } from 'graphql-ws';
import { persistent } from './resumable.js';
import { freshToken } from './session.js';  // yours: resolves to a token that is still valid

export const url = 'http://127.0.0.1:8000/graphql';
export const authorized = async (address, init) =>
  fetch(address, { ...init, headers: { ...init.headers, authorization: `Bearer ${await freshToken()}` } });
export const post = async (operation) => (await authorized(url, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(operation),
})).json();

export const socket = createClient({
  url: url.replace('http', 'ws'),
  connectionParams: async () => ({ Authorization: `Bearer ${await freshToken()}` }),
  ...persistent,  // never gives up: a restarting server refuses connections for a while
});

// Keeps a list up to date from a watch: refetches it when a row appears or disappears, and otherwise applies the changed
// member. Items are handled one after another, so that an older response never overwrites a newer change.
export function follower(refetch, change) {
  let turn = Promise.resolve();
  return ({ __typename, kind, status, member }) => {
    const refetches = __typename === 'WatchReset' || kind === 'OFFERED' || status === null;
    if (refetches || member) turn = turn.then(() => (refetches ? refetch() : change(member))).catch(console.error);
  };
}

export const INBOX = `query Inbox($after: String) {
  offers(status: [PENDING, ACCEPTED, REJECTED], first: 20, after: $after) {
    watchCursor edges { cursor node { id status image { id name } } } pageInfo { hasNextPage endCursor }
  }
}`;
export const ACCEPT = `mutation Accept($input: AcceptOfferInput!) {
  acceptOffer(input: $input) { member { id status } errors { code message path } }
}`;
export const WATCH = `subscription WatchInbox($after: Cursor) {
  watchOffers(after: $after, filter: { role: CONSUMER }) {
    __typename cursor ... on MemberStatusChanged { kind status imageId member { id status } }
  }
}`;
