// A graphql-ws client whose watches go on where they were: after each reconnect a subscription asks for what comes
// behind the last cursor that your code has processed. No dependencies; Apache-2.0, as the gateway.
//
//   import { createClient } from 'graphql-ws';
//   import { resumable, persistent } from 'https://your-gateway.example/resumable.js';
//
//   const client = resumable(createClient({ url, connectionParams, ...persistent }));
//   client.subscribe({ query: 'subscription($after: Cursor) { watchOffers(after: $after) { cursor } }',
//                      variables: { after: lastCursorOrNull } }, sink);
//
// The subscription declares the variable and is given it, if only as null. urql and Apollo take the client as it is.

/**
 * @param client what createClient of graphql-ws gives
 * @param options.variable the variable that holds the position; `after` unless told otherwise
 * @param options.onCursor called with each cursor once its item is processed, to keep it over a reload
 */
export function resumable(client, { variable = 'after', onCursor = () => {} } = {}) {
  function subscribe(payload, sink) {
    if (!payload.variables || !(variable in payload.variables)) return client.subscribe(payload, sink);
    // graphql-ws writes this object anew at every attempt, so a changed variable goes out with the next one.
    const variables = { ...payload.variables };
    return client.subscribe({ ...payload, variables }, {
      next(result) {
        sink.next(result);
        const cursor = result.extensions?.cursor;
        // Only now: what was not processed must come again.
        if (cursor) onCursor((variables[variable] = cursor));
      },
      error: (error) => sink.error(error),
      complete: () => sink.complete(),
    });
  }
  return { ...client, subscribe };
}

/** Options of createClient for a client that never gives up: a gateway that restarts refuses connections for a while. */
export const persistent = {
  retryAttempts: Infinity,
  shouldRetry: () => true,
  keepAlive: 10_000,
  retryWait: (attempt) => new Promise((done) => {
    setTimeout(done, Math.min(250 * 2 ** attempt, 10_000) * (0.5 + Math.random()));
  }),
};
