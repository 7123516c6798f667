// How GraphiQL asks: queries and mutations over HTTP, watches over graphql-transport-ws from the same page.
import { Kind, parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { persistent, resumable } from '../../static/resumable.js';
import { filledIn, remember } from './last-image.js';

const HTTP_URL = new URL('/graphql', location.href);
const SOCKET_URL = Object.assign(new URL(HTTP_URL), { protocol: HTTP_URL.protocol.replace('http', 'ws') });
const TOKEN_EXPIRED = 4403;
const ADVICE = { 4401: ' If the demo was started again, reload this page.', 4403: ' Give a fresh token, then run it again.' };
const ACCEPT = 'application/graphql-response+json, application/json;q=0.9';

/** `token` tells the present token; an Authorization in GraphiQL's headers counts before it. */
export function createFetcher(token) {
  return (params, options) => {
    // The schema is told without a token, and so GraphiQL works before there is one.
    if (params.operationName === 'IntrospectionQuery') return ask(params, {});
    const headers = withToken(options?.headers ?? {}, token());
    const operation = operationOf(params);
    const variables = filledIn(params.variables);
    if (variables instanceof Error) return refusal(variables.message);
    const asked = { ...params, operationName: operation?.name?.value, variables };
    return operation?.operation === 'subscription' ? watch(asked, headers) : ask(asked, headers).then(remember);
  };
}

/** What is to be run. GraphiQL may still name the operation of the tab before, when the tab was changed just now. */
function operationOf({ query, operationName }) {
  try {
    const operations = parse(query).definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
    return operations.find(({ name }) => name?.value === operationName) ?? operations[0];
  } catch {
    return undefined; // the gateway tells what is wrong with it
  }
}

function withToken(headers, token) {
  const hasOwn = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
  return hasOwn || !token ? headers : { ...headers, Authorization: `Bearer ${token}` };
}

async function ask(params, headers) {
  const response = await fetch(HTTP_URL, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: ACCEPT, ...headers },
    body: JSON.stringify(params),
  }).catch(() => null);
  return response ? response.json() : refusal('The gateway can\'t be reached.');
}

/** A watch that goes on by itself when its line is lost, from where it was if its variables name `after`. */
function watch(params, headers) {
  return {
    subscribe(observer) {
      // The headers go to connection_init, since a browser sends none with a WebSocket.
      const client = resumable(createClient({
        url: SOCKET_URL.href,
        connectionParams: headers,
        ...persistent,
        // The same token would be refused for ever.
        shouldRetry: (closed) => closed?.code !== TOKEN_EXPIRED,
      }));
      const stop = client.subscribe(params, { ...sinkOf(observer), next: (result) => observer.next(remember(result)) });
      return {
        unsubscribe() {
          stop();
          client.dispose();
        },
      };
    },
  };
}

function sinkOf(observer) {
  const told = (error) => (error instanceof CloseEvent ? { message: `Closed with ${error.code}: ${error.reason}${ADVICE[error.code] ?? ''}` } : error);
  return { error: (error) => observer.error(told(error)), complete: () => observer.complete() };
}

/** In the form of an answer, since GraphiQL shows the stack of an error. */
const refusal = (message) => ({ errors: [{ message }] });
