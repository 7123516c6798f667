// Sends the same query three times with Apollo Client, by hash, and prints the requests that were sent.
import { createHash } from 'node:crypto';
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';

const [url, token, method] = process.argv.slice(2);
const requests = [];

async function watched(address, init) {
  const parameters = init.method === 'GET' ? Object.fromEntries(new URL(address).searchParams) : JSON.parse(init.body);
  requests.push({ method: init.method, hasQuery: 'query' in parameters });
  return fetch(address, init);
}

const persisted = new PersistedQueryLink({
  sha256: (text) => createHash('sha256').update(text).digest('hex'),
  useGETForHashedQueries: method === 'GET',
});
const headers = { authorization: `Bearer ${token}` };
const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: persisted.concat(new HttpLink({ uri: url, fetch: watched, headers, useGETForQueries: method === 'GET' })),
});
const tenants = [];
for (let time = 0; time < 3; time += 1) {
  const { data } = await client.query({ query: gql`query Mine { viewer { id } }`, fetchPolicy: 'no-cache' });
  tenants.push(data.viewer.id);
}
console.log(JSON.stringify({ tenants, requests }));
client.stop();
