// <watch-log>: each item of both watches as it was received, newest first, with its cursor.
import { glow, part, put, stamp } from './element.js';
import { copyButton } from './copying.js';
import { pill } from './status-pill.js';
import { clock, howItWent, nameOf, shortened, whatHappened } from './words.js';

const ROWS = 200;

class WatchLog extends HTMLElement {
  join(side) {
    const told = (make) => ({ detail }) => make(side, detail);
    side.addEventListener('item', told((...heard) => this.#receive(...heard)));
    side.addEventListener('line', told(() => this.#break(side)));
    side.addEventListener('resuming', told((...heard) => this.#resume(...heard)));
    side.addEventListener('resumed', told((...heard) => this.#resumed(...heard)));
    side.addEventListener('begun', told((_, reason) => this.#divide(side, `begins without a cursor${reason}`)));
  }

  #receive(side, item) {
    if (item.__typename === 'WatchBookmark' && this.#countBookmark(side, item)) return;
    const row = this.#row(side, item.occurredAt ?? Date.now());
    row.dataset.item = item.__typename;
    row.dataset.isCaughtUp = String(Boolean(side.resuming));
    put(row, 'what', whatHappened(item));
    if (item.imageId) this.#name(row, side, item.imageId);
    part(row, 'status').append(...statusOf(item));
    showCursor(row, item.cursor);
    if (item.__typename === 'MemberStatusChanged') glow(row);
  }

  /** Silence is told in one row, which counts. */
  #countBookmark(side, item) {
    const row = this.querySelector(`tr[data-side=${side.role}]`);
    if (row?.dataset.item !== 'WatchBookmark') return false;
    row.dataset.times = Number(row.dataset.times ?? 1) + 1;
    put(row, 'what', `${whatHappened(item)} (${row.dataset.times} times)`);
    put(row, 'time', clock(Date.now()));
    showCursor(row, item.cursor);
    this.querySelector('tbody').prepend(row);
    return true;
  }

  async #name(row, side, imageId) {
    const { images } = side;
    put(row, 'image', nameOf(images.get(imageId), imageId));
    const image = await images.find(imageId).catch(() => null);
    put(row, 'image', nameOf(image, imageId));
    part(row, 'image').title = imageId;
  }

  #break(side) {
    if (side.line.state !== 'cut' || !side.line.cursor) return;
    this.#divide(side, `was cut; the last cursor is ${shortened(side.line.cursor)}`);
  }

  #resume(side, resuming) {
    resuming.row = this.#divide(side, `resumes after cursor ${shortened(resuming.after)}…`);
    resuming.row.dataset.resumed = '';
  }

  #resumed(side, resuming) {
    put(resuming.row, 'what', howItWent(resuming));
    resuming.row.dataset.missed = resuming.reset ? 'not known' : resuming.missed;
  }

  #divide(side, what) {
    const row = this.#row(side, Date.now());
    row.classList.add('divider');
    row.replaceChildren(...stampedCells('log-divider'));
    fillHead(row, side, Date.now());
    put(row, 'what', what);
    return row;
  }

  #row(side, when) {
    const row = stamp('log-row');
    row.dataset.side = side.role;
    fillHead(row, side, when);
    const body = this.querySelector('tbody');
    body.prepend(row);
    while (body.rows.length > ROWS) body.lastElementChild.remove();
    part(this, 'empty').hidden = true;
    return row;
  }
}
customElements.define('watch-log', WatchLog);

const stampedCells = (id) => stamp(id).childNodes;

function fillHead(row, side, when) {
  put(row, 'time', clock(when));
  put(row, 'who', side.name);
}

function showCursor(row, cursor) {
  row.dataset.cursor = cursor;
  const code = Object.assign(document.createElement('code'), { textContent: shortened(cursor), title: cursor });
  part(row, 'cursor-cell').replaceChildren(code, copyButton(cursor));
}

function statusOf({ __typename, previousStatus, status }) {
  if (__typename === 'MemberState') return [pill(status)];
  if (__typename !== 'MemberStatusChanged') return [];
  const arrow = Object.assign(document.createElement('span'), { textContent: ' → ', className: 'arrow' });
  return [previousStatus ? pill(previousStatus) : word('new'), arrow, status ? pill(status) : word('ended')];
}

function word(text) {
  return Object.assign(document.createElement('span'), { textContent: text, className: 'word' });
}
