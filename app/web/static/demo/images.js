// The images that a side has read. The watch tells of memberships by ID; what is not known yet is asked for, once.
import { IMAGES, OWN_IMAGES } from './operations.js';

// The items of a snapshot come one by one, and their images are read together.
const TOGETHER_MS = 20;

export class Images {
  constructor(ask) {
    this.ask = ask;
    this.known = new Map();
    this.wanted = new Map();
    this.reading = null;
  }

  get(id) {
    return this.known.get(id);
  }

  put(image) {
    this.known.set(image.id, image);
  }

  forget(id) {
    this.known.delete(id);
  }

  ownedBy(tenantId) {
    const own = [...this.known.values()].filter((image) => image.owner?.id === tenantId);
    return own.sort((one, other) => other.createdAt.localeCompare(one.createdAt));
  }

  async readOwn(ownerId) {
    let page = { hasNextPage: true, endCursor: null };
    while (page.hasNextPage) {
      const { images } = await this.ask(OWN_IMAGES, { ownerId, after: page.endCursor });
      images.nodes.forEach((image) => this.put(image));
      page = images.pageInfo;
    }
  }

  /** The image, or null when the tenant may not see it any more. */
  find(id) {
    if (this.known.has(id)) return Promise.resolve(this.known.get(id));
    if (!this.wanted.has(id)) {
      this.reading ??= new Promise((done) => { setTimeout(done, TOGETHER_MS); }).then(() => this.#read());
      this.wanted.set(id, this.reading.then(() => this.known.get(id) ?? null));
    }
    return this.wanted.get(id);
  }

  async #read() {
    const ids = [...this.wanted.keys()];
    this.reading = null;
    this.wanted.clear();
    for (let start = 0; start < ids.length; start += 100) {
      const { nodes } = await this.ask(IMAGES, { ids: ids.slice(start, start + 100) });
      nodes.filter((image) => image?.id).forEach((image) => this.put(image));
    }
  }
}
