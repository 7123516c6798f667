// The set-up urql.js, used by a consumer: node urql.mjs '{"folder", "url", "producer", "consumer"}'
import { story } from './story.mjs';
import { snippet } from './surroundings.mjs';

const { page: query, accept, watchInbox, codeOf } = await snippet('urql.js');

let shown;
const rows = () => shown.edges.map((edge) => edge.node);

async function page(after) {
  const { data, error } = await query(after);
  if (error) throw error;
  if (!after) query().subscribe((result) => { shown = result.data.offers; });
  return data.offers;
}

await story({ rows, page, accept, watchInbox, codeOf, gateway: await snippet('gateway.js') });
