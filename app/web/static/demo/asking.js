// Queries and mutations over HTTP, and what can go wrong with them, in words.
import { token } from './tenants.js';

const ACCEPT = 'application/graphql-response+json, application/json;q=0.9';

/** What the gateway did not do, as a sentence for people. */
export class Problem extends Error {}

/** The data of an operation, asked as a tenant. Throws a Problem for errors of any kind. */
export async function ask(tenantId, query, variables) {
  let answer = await post(await tokenOf(tenantId), query, variables);
  if (answer.status === 401) answer = await post(await tokenOf(tenantId, { fresh: true }), query, variables);
  const body = await answer.json().catch(() => null);
  if (!body) throw new Problem(`The gateway gave no answer that can be read (HTTP ${answer.status}).`);
  if (body.errors) throw new Problem(body.errors.map(inWords).join(' '));
  return body.data;
}

/** The payload of a mutation's only field. Its refusals are a Problem too. */
export async function act(tenantId, mutation, input) {
  const [payload] = Object.values(await ask(tenantId, mutation, { input }));
  if (payload.errors.length) throw new Problem(payload.errors.map(({ code, message }) => `${message} (${code})`).join(' '));
  return payload;
}

export function inWords({ message, extensions }) {
  return extensions?.code ? `${message} (${extensions.code})` : message;
}

function post(bearer, query, variables) {
  return reached(fetch('/graphql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: ACCEPT, Authorization: `Bearer ${bearer}` },
    body: JSON.stringify({ query, variables }),
  }));
}

const tokenOf = (tenantId, how) => reached(token(tenantId, how));

function reached(promise) {
  return promise.catch(() => { throw new Problem('The gateway can’t be reached. Is it still running?'); });
}
