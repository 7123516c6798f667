// <line-switch>: whether a side's watch is live, and the button that cuts it and lets it come back.
import { part, put, stamp } from './element.js';
import { clock, howItWent, shortened } from './words.js';

const STATES = {
  connecting: 'Connecting…',
  live: 'Live',
  cut: 'Cut',
  reconnecting: 'Reconnecting…',
  over: 'Ended',
};
const DEEDS = { cut: 'Reconnect', over: 'Begin anew' };

class LineSwitch extends HTMLElement {
  join(side) {
    this.side = side;
    this.replaceChildren(...stamp('line-switch').childNodes);
    part(this, 'switch').addEventListener('click', () => this.#throw());
    side.addEventListener('begun', () => this.#begin());
    side.addEventListener('line', () => this.#show());
    side.addEventListener('item', () => this.#show());
    side.addEventListener('resuming', ({ detail }) => this.#note(`Going on after cursor ${shortened(detail.after)}…`));
    side.addEventListener('resumed', ({ detail }) => this.#note(`${sentence(howItWent(detail))}.`));
  }

  #throw() {
    const { line } = this.side;
    if (line.state === 'over') this.side.play(this.side.tenantId);
    else if (line.gate) line.reconnect();
    else line.cut();
  }

  #begin() {
    this.#note('');
    this.#show();
  }

  #show() {
    const { state, gate, cursor } = this.side.line;
    this.dataset.line = state;
    put(this, 'state', STATES[state]);
    put(this, 'switch', DEEDS[gate ? 'cut' : state] ?? 'Cut the connection');
    put(this, 'position', cursor ? shortened(cursor) : 'none yet');
    part(this, 'position').title = cursor ?? '';
    if (state === 'cut' && this.shown !== 'cut') {
      this.#note(`What you see here is as of ${clock(Date.now())}. Act on the other side, then reconnect.`);
    }
    this.shown = state;
  }

  #note(text) {
    put(this, 'note', text);
    part(this, 'note').hidden = !text;
  }
}
customElements.define('line-switch', LineSwitch);

const sentence = (words) => words[0].toUpperCase() + words.slice(1);
