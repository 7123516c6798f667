// <consumer-side>: what is offered to a tenant, its answers, and the buttons to change them.
import { arrange, attempt, complain, glow, part, put, redraw, stamp } from './element.js';
import { ANSWERS } from './operations.js';
import { factsOf, isolated, nameOf } from './words.js';

const DEEDS = { ACCEPTED: 'Accept', REJECTED: 'Reject', PENDING: 'Decide later' };

class ConsumerSide extends HTMLElement {
  join(side) {
    this.side = side;
    side.addEventListener('begun', () => this.#begin());
    side.addEventListener('change', ({ detail }) => this.#show(detail));
    side.addEventListener('problem', ({ detail }) => complain(this, detail));
    side.addEventListener('line', () => side.line.state === 'live' && complain(this, null));
  }

  #begin() {
    complain(this, null);
    this.#show({});
  }

  #show({ memberId }) {
    redraw(this, () => Object.keys(DEEDS).forEach((status) => this.#list(status)));
    const changed = memberId && [...this.querySelectorAll('.card')].find((card) => card.key === memberId);
    if (changed && this.side.ledger.isComplete) glow(changed);
  }

  #list(status) {
    const { images, ledger } = this.side;
    const offers = ledger.withStatus(status).reverse();
    const section = this.querySelector(`[data-list=${status}]`).closest('section');
    arrange(part(section, 'list'), offers, () => this.#card(status), (card, offer) => {
      fill(card, offer, images.get(offer.imageId));
    });
    put(section, 'count', offers.length ? String(offers.length) : '');
    part(section, 'empty').hidden = offers.length > 0 || !ledger.isComplete;
  }

  #card(status) {
    const card = stamp('offer-card');
    const others = Object.keys(DEEDS).filter((answer) => answer !== status);
    card.querySelector('.answers').append(...others.map((answer) => this.#button(card, answer)));
    return card;
  }

  #button(card, answer) {
    const button = Object.assign(document.createElement('button'), { textContent: DEEDS[answer] });
    button.className = answer === 'ACCEPTED' ? 'primary' : 'quiet';
    button.dataset.answer = answer;
    button.addEventListener('click', () => attempt(card, () => this.side.act(ANSWERS[answer], { imageId: card.imageId })));
    return button;
  }
}
customElements.define('consumer-side', ConsumerSide);

function fill(card, offer, image) {
  const name = nameOf(image, offer.imageId);
  card.imageId = offer.imageId;
  put(card, 'name', name);
  put(card, 'owner', offer.ownerId);
  put(card, 'facts', image ? factsOf(image) : '');
  card.querySelector('status-pill').setAttribute('status', offer.status);
  for (const button of card.querySelectorAll('[data-answer]')) {
    button.ariaLabel = `${DEEDS[button.dataset.answer]}: ${isolated(name)}`;
  }
}
