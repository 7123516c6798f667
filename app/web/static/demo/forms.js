// <register-form> and <offer-form>: how the producer makes an image known, and offers it.
import { attempt } from './element.js';
import { OFFER, REGISTER } from './operations.js';
import { isolated } from './words.js';

const NAMES = ['alpine-edge-router', 'fedora-ci-runner', 'ubuntu-golden', 'rocky-batch-node', 'nixos-build-farm'];

class RegisterForm extends HTMLElement {
  join(side) {
    this.side = side;
    this.form = this.querySelector('form');
    this.count = 0;
    this.form.addEventListener('submit', (event) => this.#submit(event));
    this.form.elements.origin.addEventListener('change', () => this.#showOrigin());
    this.form.elements.name.addEventListener('input', () => this.#fillPlaces());
    this.#propose();
  }

  #propose() {
    const { name } = this.form.elements;
    name.value = `${NAMES[this.count % NAMES.length]}-${++this.count}`;
    this.#fillPlaces();
  }

  #fillPlaces() {
    const { name, sourceUrl, serverId } = this.form.elements;
    const word = name.value.trim().toLowerCase().replaceAll(/[^a-z0-9]+/g, '-') || 'image';
    sourceUrl.value = `https://images.example.org/${word}.qcow2`;
    serverId.value = `srv-${word}`;
  }

  #showOrigin() {
    const { origin } = this.form.elements;
    for (const field of this.querySelectorAll('[data-of]')) field.hidden = field.dataset.of !== origin.value;
  }

  #submit(event) {
    event.preventDefault();
    return attempt(this.form, async () => {
      const { name, origin, sourceUrl, serverId } = this.form.elements;
      const place = origin.value === 'IMPORT' ? { sourceUrl: sourceUrl.value } : { serverId: serverId.value };
      const { image } = await this.side.act(REGISTER, { name: name.value, origin: origin.value, ...place });
      this.side.registered(image);
      this.side.tell('registered', image);
      this.#propose();
    });
  }
}
customElements.define('register-form', RegisterForm);

class OfferForm extends HTMLElement {
  join(side, consumer) {
    this.side = side;
    this.form = this.querySelector('form');
    this.form.addEventListener('submit', (event) => this.#submit(event));
    side.addEventListener('change', () => this.#list());
    side.addEventListener('begun', () => this.#list());
    side.addEventListener('registered', ({ detail }) => { this.form.elements.imageId.value = detail.id; });
    consumer.addEventListener('begun', () => { this.form.elements.tenantId.value = consumer.tenantId; });
  }

  #list() {
    const { imageId } = this.form.elements;
    const own = this.side.images.ownedBy(this.side.tenantId);
    const texts = own.map(({ name, visibility }) => (visibility === 'SHARED' ? isolated(name) : `${isolated(name)} (${visibility})`));
    if ([...imageId.options].map((option) => option.text).join('\n') === texts.join('\n')) return;
    const chosen = imageId.value;
    imageId.replaceChildren(...own.map(({ id }, place) => new Option(texts[place], id)));
    const open = own.find(({ visibility }) => visibility === 'SHARED') ?? own[0];
    imageId.value = own.some(({ id }) => id === chosen) ? chosen : open?.id;
  }

  #submit(event) {
    event.preventDefault();
    const { imageId, tenantId } = this.form.elements;
    return attempt(this.form, async () => {
      if (!imageId.value) throw new Error('There is no image to offer yet. Register one first.');
      await this.side.act(OFFER, { imageId: imageId.value, tenantIds: [tenantId.value.trim()] });
    });
  }
}
customElements.define('offer-form', OfferForm);
