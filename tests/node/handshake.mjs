// One handshake by graphql-ws, as a front end would do it: node handshake.mjs '{"url", "producer", "consumer"}'
// where producer and consumer are {id, token}. Prints as JSON what each of them received.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const { url, producer, consumer } = JSON.parse(process.argv[2]);

const MEMBER = 'member { status } errors { code message }';
const REGISTER = 'mutation($input: RegisterImageInput!) { registerImage(input: $input) { image { id } errors { code } } }';
const OFFER = 'mutation($input: OfferImageInput!) { offerImage(input: $input) { members { status } errors { code } } }';
const ACCEPT = `mutation($input: AcceptOfferInput!) { acceptOffer(input: $input) { ${MEMBER} } }`;
const REJECT = `mutation($input: RejectOfferInput!) { rejectOffer(input: $input) { ${MEMBER} } }`;
const OFFERS = 'query { offers(status: [ACCEPTED]) { nodes { image { id } } } }';
const WATCH = `subscription($after: Cursor) { watchOffers(after: $after) {
  __typename cursor ... on MemberStatusChanged { kind previousStatus status imageId }
} }`;

function connect({ token }, options = {}) {
  return createClient({
    url,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization: `Bearer ${token}` },
    ...options,
  });
}

async function ask(client, query, variables) {
  let answer;
  for await (const result of client.iterate({ query, variables })) answer = result;
  if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  const [payload] = Object.values(answer.data);
  if (payload.errors?.length) throw new Error(JSON.stringify(payload.errors));
  return payload;
}

async function next(items) {
  const { value, done } = await items.next();
  if (done || value.errors) throw new Error(`the watch ended: ${JSON.stringify(value)}`);
  return value.data.watchOffers;
}

async function changes(items, count) {
  const received = [];
  while (received.length < count) {
    const item = await next(items);
    if (item.__typename === 'MemberStatusChanged') received.push(item);
  }
  return received;
}

async function watch(client, after) {
  const items = client.iterate({ query: WATCH, variables: { after } });
  if (after === undefined) await next(items); // the first bookmark: the watch is live
  return items;
}

const asProducer = connect(producer);
const asConsumer = connect(consumer);
let watchingConsumer = connect(consumer);

const image = { name: 'ubuntu', origin: 'IMPORT', sourceUrl: 'https://images.example.org/ubuntu.img' };
const imageId = (await ask(asProducer, REGISTER, { input: image })).image.id;
const producersWatch = await watch(asProducer);
const consumersWatch = await watch(watchingConsumer);

await ask(asProducer, OFFER, { input: { imageId, tenantIds: [consumer.id] } });
await ask(asConsumer, ACCEPT, { input: { imageId } });
const received = {
  imageId,
  producer: await changes(producersWatch, 2),
  consumer: await changes(consumersWatch, 2),
  accepted: (await ask(asConsumer, OFFERS)).nodes.map((node) => node.image.id),
};

// The consumer's socket is cut. Changes made meanwhile are received after the last cursor, without duplicates.
const cursor = received.consumer.at(-1).cursor;
watchingConsumer.terminate();
await consumersWatch.next().catch(() => {});
await ask(asConsumer, REJECT, { input: { imageId } });
await ask(asConsumer, ACCEPT, { input: { imageId } });
watchingConsumer = connect(consumer);
const resumedWatch = await watch(watchingConsumer, cursor);
received.resumed = await changes(resumedWatch, 2);
await ask(asConsumer, REJECT, { input: { imageId } });
received.resumed.push(...(await changes(resumedWatch, 1)));

await new Promise((done) => process.stdout.write(JSON.stringify(received), done));
process.exit(0);
