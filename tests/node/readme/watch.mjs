// The set-up watch.js, over a reload: node watch.mjs '{"folder", "url", "producer", "consumer", "last"}'
// It ends when the image named `last` is offered. With `stored`, the page is loaded for the second time.
import { offer, register, revoke } from './others.mjs';
import { cut, end, kept, snippet, parameters, until } from './surroundings.mjs';

globalThis.token = parameters.consumer.token;
const { offers, watchOffers } = await snippet('watch.js');
const received = [];
const images = {};
for (const name of ['first', 'second', 'third', parameters.last]) images[name] = await register(name);

if (parameters.stored) {
  watchOffers((item) => received.push(item));
} else {
  await offer(images.first);
  await offer(images.second);
  watchOffers((item) => received.push(item));
  await until(() => received.at(-1)?.__typename === 'WatchSynced');
  await cut(async () => {
    await revoke(images.first);
    await offer(images.third);
  });
}
await offer(images[parameters.last]);
await until(() => received.some((item) => item.imageId === images[parameters.last]));
await end({
  images,
  shown: [...offers.values()].map((item) => item.imageId),
  received: received.map((item) => [item.__typename, item.imageId ?? null, item.cursor]),
  stored: kept(),
});
