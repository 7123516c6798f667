// One side of the demo: a tenant in one role, its watch, and what it has learned. Elements listen to its events.
import { act, ask, inWords } from './asking.js';
import { Images } from './images.js';
import { Ledger } from './ledger.js';
import { Line } from './line.js';
import { Resuming } from './resuming.js';

const ANOTHER_LOG = ['CURSOR_INVALID', 'CURSOR_EXPIRED'];

export class Side extends EventTarget {
  constructor(role) {
    super();
    this.role = role;
    this.filter = { role };
  }

  get name() {
    return `${this.role === 'PRODUCER' ? 'Producer' : 'Consumer'} ${this.tenantId}`;
  }

  /** Begin as this tenant, from nothing; the reason is told in the log. */
  play(tenantId, reason = '') {
    this.line?.end();
    this.tenantId = tenantId;
    this.resuming = null;
    this.ledger = new Ledger();
    this.images = new Images((query, variables) => ask(tenantId, query, variables));
    this.line = new Line(tenantId, this.filter, {
      state: () => this.tell('line'),
      item: (item) => this.#take(item),
      resuming: (cursor) => this.#resume(cursor),
      over: (error) => this.#over(error),
    });
    this.tell('begun', reason);
    this.#readOwn();
  }

  /** Let the tenant do something. What comes of it is learned from the watch. */
  act(mutation, input) {
    return act(this.tenantId, mutation, input);
  }

  /** Take an image in that the tenant has just registered: the watch tells of memberships only. */
  registered(image) {
    this.images.put(image);
    this.tell('change', { imageId: image.id });
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #take(item) {
    this.ledger.take(item);
    this.tell('item', item);
    if (item.__typename === 'WatchReset') this.#forgetImages();
    if (item.kind === 'IMAGE_DELETED') this.images.forget(item.imageId);
    else if (item.imageId) this.#learn(item.imageId);
    this.tell('change', item);
    this.resuming?.take(item);
    this.#lookAtResume();
  }

  #learn(imageId) {
    if (this.images.get(imageId)) return;
    this.#reading(this.images.find(imageId));
  }

  #forgetImages() {
    this.images.known.clear();
    this.#readOwn();
  }

  #readOwn() {
    if (this.role === 'PRODUCER') this.#reading(this.images.readOwn(this.tenantId));
  }

  async #reading(read) {
    const { images } = this;
    try {
      await read;
      if (images === this.images) this.tell('change', {});
    } catch (error) {
      if (images === this.images) this.tell('problem', error.message);
    }
  }

  async #resume(cursor) {
    const { tenantId } = this;
    const resuming = new Resuming(cursor);
    this.resuming = resuming;
    this.tell('resuming', resuming);
    try {
      await resuming.pull((query, variables) => ask(tenantId, query, variables), this.filter);
    } catch (error) {
      if (resuming === this.resuming) this.tell('problem', `The log could not be pulled to compare: ${error.message}`);
    }
    if (resuming === this.resuming) this.#lookAtResume();
  }

  #lookAtResume() {
    const { resuming } = this;
    if (!resuming?.isDone) return;
    this.resuming = null;
    this.tell('resumed', resuming);
  }

  #over(error) {
    const codes = Array.isArray(error) ? error.map(({ extensions }) => extensions?.code) : [];
    if (codes.some((code) => ANOTHER_LOG.includes(code))) {
      this.play(this.tenantId, ', since the gateway keeps another log now');
    } else {
      this.tell('problem', `The watch has ended: ${reasonOf(error)}`);
    }
  }
}

function reasonOf(error) {
  if (Array.isArray(error)) return error.map(inWords).join(' ');
  return error instanceof CloseEvent ? `closed with ${error.code}. ${error.reason}` : error.message;
}
