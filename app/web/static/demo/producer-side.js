// <producer-side>: a tenant's own images, whom each is offered to, and what they answered.
import { arrange, attempt, complain, glow, part, put, redraw, stamp } from './element.js';
import { REVOKE } from './operations.js';
import { factsOf, isolated, nameOf } from './words.js';

class ProducerSide extends HTMLElement {
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

  #show({ memberId, imageId }) {
    const { images, ledger, tenantId } = this.side;
    const own = images.ownedBy(tenantId);
    redraw(this, () => {
      arrange(part(this, 'list'), own, () => stamp('image-card'), (card, image) => this.#fill(card, image));
    });
    put(this, 'count', own.length ? String(own.length) : '');
    this.querySelector('[data-empty=images]').hidden = own.length > 0 || !ledger.isComplete;
    if (memberId || imageId) this.#glow(memberId, imageId);
  }

  #fill(card, image) {
    const members = this.side.ledger.of(image.id).sort((one, other) => one.tenantId.localeCompare(other.tenantId));
    put(card, 'name', image.name);
    put(card, 'visibility', image.visibility);
    put(card, 'status', image.status);
    put(card, 'facts', factsOf(image));
    arrange(part(card, 'members'), members, () => this.#row(card), (row, member) => fillRow(row, member, image));
    part(card, 'empty').hidden = members.length > 0;
  }

  #row(card) {
    const row = stamp('member-row');
    part(row, 'revoke').addEventListener('click', () => attempt(card, () => this.#revoke(row.member)));
    return row;
  }

  #revoke({ imageId, tenantId }) {
    return this.side.act(REVOKE, { imageId, tenantId });
  }

  #glow(memberId, imageId) {
    const rows = [...this.querySelectorAll('.member, .card')];
    const changed = rows.find((row) => row.key === memberId) ?? rows.find((row) => row.key === imageId);
    if (changed && this.side.ledger.isComplete) glow(changed);
  }
}
customElements.define('producer-side', ProducerSide);

function fillRow(row, member, image) {
  row.member = member;
  put(row, 'tenant-id', member.tenantId);
  row.querySelector('status-pill').setAttribute('status', member.status);
  part(row, 'revoke').ariaLabel = `Revoke ${isolated(nameOf(image, image.id))} from tenant ${isolated(member.tenantId)}`;
}
