// The set-up relay.js, used by a consumer: node relay.mjs '{"folder", "url", "producer", "consumer"}'
import Relay from 'relay-runtime';
import { story } from './story.mjs';
import { snippet } from './surroundings.mjs';

const { environment, page: fetchPage, accept, watchInbox, codeOf } = await snippet('relay.js');
const { default: query } = await snippet('__generated__/relayInboxQuery.graphql.js');

const inbox = Relay.createOperationDescriptor(query, {});
environment.retain(inbox);
const rows = () => environment.lookup(inbox.fragment).data.offers.edges.map((edge) => edge.node);
const page = async (after) => (await fetchPage(after)).offers;

await story({ rows, page, accept, watchInbox, codeOf, gateway: await snippet('gateway.js') });
