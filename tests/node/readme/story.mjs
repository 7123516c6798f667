// A scenario for every client with a cache: show an inbox, accept an offer, lose the connection and reconnect.
// A client consists of rows(), which returns its cache, page(after), accept(member) and watchInbox(after, show).
import { offer, reject, register, revoke } from './others.mjs';
import { cut, end, heldReadings, parameters, until } from './surroundings.mjs';

const NOBODY = '00000000-0000-4000-8000-000000000000';
const NAMES = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth'];

export async function story({ rows, page, accept, watchInbox, codeOf, gateway }) {
  globalThis.token = parameters.consumer.token;
  const images = Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, await register(name)])));
  const shown = () => Object.fromEntries(rows().map((row) => [row.image.name, row.status]));
  const result = { received: [], resets: 0 };
  const hear = (item) => {
    if (item.__typename === 'WatchReset') result.resets += 1;
    const name = NAMES.find((name) => images[name] === item.imageId);
    if (item.kind) result.received.push([name, item.kind, item.cursor]);
  };
  const hasReceived = (name, kind) => () => result.received.some((item) => item[0] === name && item[1] === kind);

  async function opened() {
    await offer(images.first);
    await offer(images.second);
    const { watchCursor } = await page();
    await pause(50); // a person sees the page before clicking
    result.before = shown();
    return watchInbox(watchCursor, hear);
  }

  async function accepted() {
    const accepting = accept(rows().find((row) => row.image.name === 'first'));
    result.atOnce = shown();
    result.accepted = await accepting;
    await until(() => shown().first === 'ACCEPTED');
    await until(hasReceived('first', 'ANSWERED'));
  }

  async function cutOff() {
    await cut(async () => {
      await offer(images.third);
      await revoke(images.second);
      const { members } = await offer(images.fourth);
      await accept({ id: members[0].id, image: { id: images.fourth } });
    });
    await offer(images.fifth);
    await until(hasReceived('fifth', 'OFFERED'));
    await until(() => shown().fifth);
    result.after = shown();
  }

  // Accepting twice has no effect, but a client may refetch. The response is older than the offer.
  async function readingByItself() {
    await pause(500); // what the follower has begun is over
    const held = heldReadings(1);
    await accept(rows().find((row) => row.image.name === 'fourth'));
    await pause(50);
    await offer(images.sixth);
    await until(hasReceived('sixth', 'OFFERED'));
    await until(() => held.count > 0);
    await pause(200); // a second reading would overtake the first
    held.release();
    await until(() => shown().sixth);
    await pause(50);
    result.overtaken = !shown().sixth;
  }

  // The response to the page's query is delayed, and older than the changes received meanwhile.
  async function readingSlowly() {
    const held = heldReadings();
    await offer(images.seventh);
    await until(() => held.count > 0);
    await reject(images.first);
    await offer(images.eighth);
    await until(hasReceived('eighth', 'OFFERED'));
    held.release();
    await until(() => shown().eighth && shown().first === 'REJECTED');
    result.late = shown();
  }

  // Changes made while nothing watches are missing in the cache until a watch is reset.
  async function forgotten(watch) {
    const inside = await cursorFromInsideASnapshot(gateway);
    (watch.unsubscribe ?? watch.dispose).call(watch);
    await revoke(images.third);
    result.unaware = shown();
    watchInbox(inside, hear);
    await until(() => !shown().third);
    result.aware = shown();
  }

  async function wrong() {
    result.refused = (await accept({ id: NOBODY, image: { id: NOBODY } })).map((error) => error.code);
    result.wrongCursor = await code(() => page('nonsense'), codeOf);
    globalThis.token = 'nonsense';
    result.wrongToken = await code(() => page('any'), codeOf);
  }

  const watch = await opened();
  await accepted();
  await cutOff();
  await readingByItself();
  await readingSlowly();
  await forgotten(watch);
  await wrong();
  await end(result);
}

const pause = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

async function code(failing, codeOf) {
  try {
    await failing();
  } catch (error) {
    return codeOf(error);
  }
  return 'nothing was wrong';
}

/** The cursor of the first item of a snapshot, from which a watch can't resume without a reset. */
async function cursorFromInsideASnapshot({ socket }) {
  const query = 'subscription { watchOffers(initial: SNAPSHOT, filter: { role: CONSUMER }) { cursor } }';
  for await (const { data } of socket.iterate({ query })) return data.watchOffers.cursor;
}
