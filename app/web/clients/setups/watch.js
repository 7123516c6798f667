import { socket } from './gateway.js';
import { resumable } from './resumable.js';

const stored = JSON.parse(localStorage.getItem('offers') ?? '{"cursor": null, "offers": []}');
export const offers = new Map(stored.offers);
const watching = resumable(socket, {
  onCursor: (cursor) => localStorage.setItem('offers', JSON.stringify({ cursor, offers: [...offers] })),
});
const query = `subscription($after: Cursor) {
  watchOffers(after: $after, initial: SNAPSHOT) {
    __typename cursor
    ... on MemberState { memberId imageId status owner { id } tenant { id } }
    ... on MemberStatusChanged { memberId imageId status owner { id } tenant { id } }
  }
}`;

export const watchOffers = (show) => watching.subscribe({ query, variables: { after: stored.cursor } }, {
  next({ data: { watchOffers: item } }) {
    if (item.__typename === 'WatchReset') offers.clear();
    else if (item.status === null) offers.delete(item.memberId);  // the membership has ended
    else if (item.memberId) offers.set(item.memberId, item);
    show(item);
  },
  error: console.error,  // permanent: a list of errors, or the event of a close code such as 4401
  complete() {},
});
