// Whether a watch that went on behind its cursor has missed anything: the log is pulled as well, and the two compared.
import { EVENTS } from './operations.js';

export class Resuming {
  constructor(after) {
    this.after = after;
    this.heard = [];
    this.expected = null;
    this.reset = null;
  }

  /** Read from the log what stands behind the cursor. */
  async pull(ask, filter) {
    const cursors = [];
    let page = { hasNextPage: true, endCursor: this.after };
    while (page.hasNextPage) {
      const { offerEvents } = await ask(EVENTS, { after: page.endCursor, filter });
      cursors.push(...offerEvents.nodes.map((event) => event.cursor));
      page = offerEvents.pageInfo;
    }
    this.expected = cursors;
  }

  take(item) {
    if (item.__typename === 'MemberStatusChanged') this.heard.push(item.cursor);
    if (item.__typename === 'WatchReset') this.reset = item.reason;
  }

  /** Whether the watch has come as far as the log had come. */
  get isDone() {
    if (this.reset) return true;
    return this.expected !== null && (!this.expected.length || this.heard.includes(this.expected.at(-1)));
  }

  /** How many changes stand in the log that the watch has not told. */
  get missed() {
    return this.expected.filter((cursor) => !this.heard.includes(cursor)).length;
  }

  /** How many the watch has told more than once. */
  get repeated() {
    return this.heard.length - new Set(this.heard).size;
  }
}
