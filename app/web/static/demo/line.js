// The line of one watch: graphql-transport-ws, resumable, with a switch that cuts it and keeps it cut.
import { createClient } from '/static/graphql-ws.js';
import { persistent, resumable } from '/resumable.js';
import { WATCH } from './operations.js';
import { token } from './tenants.js';

const URL_OF_API = new URL('/graphql', location.href);
URL_OF_API.protocol = URL_OF_API.protocol.replace('http', 'ws');

export class Line {
  /** `hear` has functions for what happens: state(name), item(item), resuming(cursor), over(error). */
  constructor(tenantId, filter, hear) {
    this.cursor = null;
    this.state = 'connecting';
    this.hear = hear;
    this.client = resumable(createClient({
      url: URL_OF_API.href,
      connectionParams: async () => ({ Authorization: `Bearer ${await token(tenantId, { fresh: true })}` }),
      ...persistent,
      retryWait: (attempt) => this.#untilRetry(attempt),
      on: {
        connecting: () => this.#turn('connecting'),
        connected: (socket, payload, isRetry) => this.#connected(isRetry),
        closed: () => this.#turn(this.gate ? 'cut' : 'reconnecting'),
      },
    }), { onCursor: (cursor) => { this.cursor = cursor; } });
    this.leave = this.client.subscribe({ query: WATCH, variables: { after: null, filter } }, {
      next: (result) => this.#next(result),
      error: (error) => this.#over(error),
      complete: () => this.#over(new Error('The gateway has ended the watch.')),
    });
  }

  /** End the connection, and keep it ended until `reconnect`. */
  cut() {
    let open;
    const opened = new Promise((done) => { open = done; });
    this.gate = { opened, open };
    this.client.terminate();
    this.#turn('cut');
  }

  reconnect() {
    const { gate } = this;
    this.gate = null;
    this.#turn('reconnecting');
    gate?.open();
  }

  /** For good: another tenant takes this side. */
  end() {
    this.hear = null;
    this.reconnect();
    this.leave();
    this.client.dispose().catch(() => {}); // one that was just connecting has nothing to close
  }

  async #untilRetry(attempt) {
    // After a cut, come back at once; otherwise wait a little, as every client should.
    if (!this.gate) await persistent.retryWait(attempt);
    while (this.gate) await this.gate.opened;
  }

  #connected(isRetry) {
    this.#turn('live');
    if (isRetry && this.cursor) this.hear?.resuming(this.cursor);
  }

  #next(result) {
    if (result.data) this.hear?.item(result.data.watchOffers);
    else if (result.errors) this.#over(result.errors);
  }

  #over(error) {
    this.#turn('over');
    this.hear?.over(error);
  }

  #turn(state) {
    if (this.state === state) return;
    this.state = state;
    this.hear?.state(state);
  }
}
