import * as Relay from 'relay-runtime';
import { graphql } from 'relay-runtime';
import { follower, post, socket } from './gateway.js';
import { resumable } from './resumable.js';

const watching = resumable(socket);
const operation = ({ name, text }, variables) => ({ query: text, variables, operationName: name });

export const environment = new Relay.Environment({
  network: Relay.Network.create(
    (request, variables) => post(operation(request, variables)),
    (request, variables) => Relay.Observable.create((sink) => watching.subscribe(operation(request, variables), sink)),
  ),
  store: new Relay.Store(new Relay.RecordSource()),
});
export const codeOf = (error) => error.source?.errors[0].extensions.code;  // undefined when there was no response

const INBOX = graphql`query relayInboxQuery($after: String) {
  offers(status: [PENDING, ACCEPTED, REJECTED], first: 20, after: $after) @connection(key: "Inbox_offers", filters: []) {
    watchCursor edges { node { id status image { id name } } }
  }
}`;
const ACCEPT = graphql`mutation relayAcceptMutation($input: AcceptOfferInput!) {
  acceptOffer(input: $input) { member { id status } errors { code message path } }
}`;
const WATCH = graphql`subscription relayInboxSubscription($after: Cursor) {
  watchOffers(after: $after, filter: { role: CONSUMER }) {
    __typename cursor ... on MemberStatusChanged { kind status imageId member { id status } }
  }
}`;

// Relay merges the pages in its store; components read them with usePaginationFragment.
export const page = (after = null) => Relay.fetchQuery(environment, INBOX, { after }).toPromise();
export const accept = ({ id, image }) => new Promise((onDone, onError) => {
  Relay.commitMutation(environment, {
    mutation: ACCEPT,
    variables: { input: { imageId: image.id, idempotencyKey: crypto.randomUUID() } },
    optimisticResponse: { acceptOffer: { member: { id, status: 'ACCEPTED' }, errors: [] } },
    onCompleted: (data) => onDone(data.acceptOffer.errors),
    onError,
  });
});

const follow = follower(() => page(), ({ id, status }) =>
  Relay.commitLocalUpdate(environment, (store) => store.get(id)?.setValue(status, 'status')));
export const watchInbox = (after, show) => Relay.requestSubscription(environment, {
  subscription: WATCH,
  variables: { after },
  onNext({ watchOffers: item }) { follow(item); show(item); },
  onError: console.error,
});
