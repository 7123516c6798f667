// The set-up fetch.js, used by a producer: node fetch.mjs '{"folder", "url", "producer", "consumer"}'
import { register } from './others.mjs';
import { end, snippet, parameters } from './surroundings.mjs';

const { request, offer, everyImage } = await snippet('fetch.js');

globalThis.token = parameters.producer.token;
for (const name of ['first', 'second', 'third', 'fourth', 'last']) await register(name);

const images = [];
for await (const image of everyImage(2)) images.push(image);

// The response to the first attempt is lost, after the offer was made.
const send = globalThis.fetch;
const bodies = [];
globalThis.fetch = async (url, init) => {
  bodies.push(init.body);
  const response = await send(url, init);
  if (bodies.length > 1) return response;
  await response.text();
  throw new TypeError('fetch failed');
};
const offered = await offer(images[0].id, [parameters.consumer.id, 'no tenant ID']);
globalThis.fetch = send;

const code = (failing) => failing.then(() => 'nothing was wrong', (problem) => problem.code);
const wrongCursor = await code(request('{ images(after: "nonsense") { totalCount } }'));
globalThis.token = 'nonsense';
const wrongToken = await code(request('{ viewer { id } }'));
const tries = { count: bodies.length, same: new Set(bodies).size === 1 };
await end({ names: images.map((image) => image.name), offered, tries, wrongCursor, wrongToken });
