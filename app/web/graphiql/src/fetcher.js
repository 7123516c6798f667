// How GraphiQL asks: queries and mutations over HTTP, watches over graphql-transport-ws from the same page.
import { createClient } from 'graphql-ws';
import { persistent, resumable } from '../../static/resumable.js';
import { filledIn, remember } from './last-image.js';

const HTTP_URL = new URL('/graphql', location.href);
const SOCKET_URL = Object.assign(new URL(HTTP_URL), { protocol: HTTP_URL.protocol.replace('http', 'ws') });
const ACCEPT = 'application/graphql-response+json, application/json;q=0.9';

/** `token` tells the present token; an Authorization in GraphiQL's headers counts before it. */
export function createFetcher(token) {
  return (params, options) => {
    // The schema is told without a token, and so GraphiQL works before there is one.
    if (params.operationName === 'IntrospectionQuery') return ask(params, {});
    const headers = withToken(options?.headers ?? {}, token());
    const asked = { ...params, variables: filledIn(params.variables) };
    return isWatch(params, options?.documentAST) ? watch(asked, headers) : ask(asked, headers).then(remember);
  };
}

function withToken(headers, token) {
  const hasOwn = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
  return hasOwn || !token ? headers : { ...headers, Authorization: `Bearer ${token}` };
}

function isWatch({ operationName }, document) {
  const operations = (document?.definitions ?? []).filter(({ kind }) => kind === 'OperationDefinition');
  const chosen = operations.length > 1 ? operations.find(({ name }) => name?.value === operationName) : operations[0];
  return chosen?.operation === 'subscription';
}

async function ask(params, headers) {
  const response = await fetch(HTTP_URL, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: ACCEPT, ...headers },
    body: JSON.stringify(params),
  }).catch(() => { throw new Error('The gateway can\'t be reached.'); });
  return response.json();
}

/** A watch that goes on by itself when its line is lost, from where it was if its variables name `after`. */
function watch(params, headers) {
  return {
    subscribe(observer) {
      // The headers go to connection_init, since a browser sends none with a WebSocket.
      const client = resumable(createClient({ url: SOCKET_URL.href, connectionParams: headers, ...persistent }));
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
  const told = (error) => (error instanceof CloseEvent ? new Error(`Closed with ${error.code}: ${error.reason}`) : error);
  return { error: (error) => observer.error(told(error)), complete: () => observer.complete() };
}
