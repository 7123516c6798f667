// A watch that resumes by itself: node resume.mjs '{"client", "url", "module", "tokens", "until"}'
// client is graphql-ws, graphql-sse, urql or apollo; module is where resumable.js is served; tokens is a file with the current token.
// Prints a line of JSON for each change, and ends when the image named `until` is the last word.
import { readFileSync } from 'node:fs';
import { createClient as createEvents } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const { client: kind, url, module, tokens, until } = JSON.parse(process.argv[2]);

const code = await (await fetch(module)).text();
const { resumable, persistent } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

const QUERY = `subscription Watch($after: Cursor) { watchOffers(after: $after) {
  __typename cursor ... on MemberStatusChanged { kind status tenant { id } }
} }`;

const ws = resumable(createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: () => ({ Authorization: `Bearer ${readFileSync(tokens, 'utf8')}` }),
  ...persistent,
  retryWait: () => new Promise((done) => { setTimeout(done, 100); }),
}));

function hear(item) {
  console.log(JSON.stringify(item));
  // Not before everything is written, because the buffer of a pipe is limited.
  if (item.tenant?.id === until) process.stdout.write('', () => process.exit(0));
}

function over(what) {
  console.log(JSON.stringify({ over: String(what?.reason ?? what?.message ?? what), code: what?.code }));
  process.exit(3);
}

const events = () => resumable(createEvents({
  url: url.replace('ws', 'http'),
  headers: () => ({ Authorization: `Bearer ${readFileSync(tokens, 'utf8')}` }),
  retryAttempts: 1e9,
  retry: () => new Promise((done) => { setTimeout(done, 100); }),
}));

const START = {
  'graphql-sse': () => events().subscribe({ query: QUERY, variables: { after: null } }, {
    next: (result) => (result.errors ? over(result.errors[0]) : hear(result.data.watchOffers)),
    error: over,
    complete: () => over('complete'),
  }),
  'graphql-ws': () => ws.subscribe({ query: QUERY, variables: { after: null } }, {
    next: (result) => hear(result.data.watchOffers),
    error: over,
    complete: () => over('complete'),
  }),
  urql: async () => {
    const { Client, fetchExchange, subscriptionExchange } = await import('@urql/core');
    const client = new Client({
      url: url.replace('ws', 'http'),
      preferGetMethod: false,
      exchanges: [fetchExchange, subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => ({ unsubscribe: ws.subscribe({ query, variables }, sink) }),
        }),
      })],
    });
    client.subscription(QUERY, { after: null }).subscribe((result) => {
      if (result.error) over(result.error);
      else hear(result.data.watchOffers);
    });
  },
  apollo: async () => {
    const { ApolloClient, InMemoryCache, gql } = await import('@apollo/client');
    const { GraphQLWsLink } = await import('@apollo/client/link/subscriptions');
    const client = new ApolloClient({ link: new GraphQLWsLink(ws), cache: new InMemoryCache() });
    client.subscribe({ query: gql(QUERY), variables: { after: null }, fetchPolicy: 'no-cache' }).subscribe({
      next: (result) => (result.error ? over(result.error) : hear(result.data.watchOffers)),
      error: over,
      complete: () => over('complete'),
    });
  },
};
await START[kind]();
