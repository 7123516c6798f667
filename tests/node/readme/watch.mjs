// The set-up watch.js, over a reload: node watch.mjs '{"folder", "url", "producer", "consumer", "last"}'
// It ends when the image named `last` is offered. With `stored` in it the page has been here before.
import { offer, register, revoke } from './others.mjs';
import { cut, end, kept, snippet, told, until } from './surroundings.mjs';

globalThis.token = told.consumer.token;
const { offers, watchOffers } = await snippet('watch.js');
const heard = [];
const images = {};
for (const name of ['first', 'second', 'third', told.last]) images[name] = await register(name);

if (told.stored) {
  watchOffers((item) => heard.push(item));
} else {
  await offer(images.first);
  await offer(images.second);
  watchOffers((item) => heard.push(item));
  await until(() => heard.at(-1)?.__typename === 'WatchSynced');
  await cut(async () => {
    await revoke(images.first);
    await offer(images.third);
  });
}
await offer(images[told.last]);
await until(() => heard.some((item) => item.imageId === images[told.last]));
await end({
  images,
  shown: [...offers.values()].map((item) => item.imageId),
  heard: heard.map((item) => [item.__typename, item.imageId ?? null, item.cursor]),
  stored: kept(),
});
