// The set-up apollo.js, used by a consumer: node apollo.mjs '{"folder", "url", "producer", "consumer"}'
import { story } from './story.mjs';
import { snippet } from './surroundings.mjs';

const { inbox, accept, watchInbox, codeOf } = await snippet('apollo.js');

const rows = () => inbox.getCurrentResult().data.offers.edges.map((edge) => edge.node);

async function page(after) {
  if (after) return inbox.fetchMore({ variables: { after } });
  await new Promise((done) => { inbox.subscribe(({ data }) => data && done()); });
  return inbox.getCurrentResult().data.offers;
}

await story({ rows, page, accept, watchInbox, codeOf, gateway: await snippet('gateway.js') });
