// Runs the audits of GraphQL over HTTP against a URL: node audit.mjs http://HOST:PORT/graphql
import { serverAudits } from 'graphql-http';

const AUDITS = 61;
const [url] = process.argv.slice(2);
const audits = serverAudits({ url, fetchFn: fetch });
let passed = 0;
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status === 'ok') passed += 1;
  else console.log(result.status, audit.id, audit.name, '::', result.reason);
}
console.log(`${passed} of ${audits.length} audits passed`);
process.exit(passed === AUDITS && audits.length === AUDITS ? 0 : 1);
