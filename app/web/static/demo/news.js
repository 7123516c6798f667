// What is said aloud by screen readers: each change once, although both sides hear of it.
import { howItWent, isolated, nameOf, whatHappened } from './words.js';

const TOGETHER_MS = 300;
const said = new Set();
let waiting = [];

export function announce(sentence) {
  if (!waiting.length) setTimeout(say, TOGETHER_MS);
  waiting.push(sentence);
}

function say() {
  document.getElementById('news').textContent = waiting.join(' ');
  waiting = [];
}

/** Announce what a side hears. */
export function follow(side) {
  side.addEventListener('item', async ({ detail: item }) => {
    const key = `${item.memberId} ${item.occurredAt} ${item.kind}`;
    if (item.__typename !== 'MemberStatusChanged' || said.has(key)) return;
    said.add(key);
    const image = await side.images.find(item.imageId).catch(() => null);
    announce(`${isolated(nameOf(image, item.imageId))}: ${whatHappened(item)}.`);
  });
  side.addEventListener('line', () => {
    const words = { cut: 'The connection is cut.', live: 'Live.', over: 'The watch has ended.' }[side.line.state];
    if (words) announce(`${side.name}: ${words}`);
  });
  side.addEventListener('resumed', ({ detail }) => announce(`${side.name} ${howItWent(detail)}.`));
  side.addEventListener('registered', ({ detail }) => announce(`${isolated(detail.name)} is registered.`));
}
