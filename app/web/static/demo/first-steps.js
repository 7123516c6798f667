// <first-steps>: what to try first; each step is ticked off once it has happened.
class FirstSteps extends HTMLElement {
  join(producer, consumer) {
    producer.addEventListener('registered', () => this.#tick('registered'));
    for (const side of [producer, consumer]) {
      side.addEventListener('item', ({ detail }) => {
        if (detail.kind === 'OFFERED') this.#tick('offered');
        if (detail.kind === 'ANSWERED') this.#tick('answered');
      });
      side.addEventListener('resumed', () => this.#tick('resumed'));
    }
  }

  #tick(step) {
    const line = this.querySelector(`[data-step=${step}]`);
    if (line.dataset.done) return;
    line.dataset.done = 'true';
    line.append(Object.assign(document.createElement('span'), { className: 'unseen', textContent: ' Done.' }));
    const done = this.querySelectorAll('[data-done]').length;
    this.querySelector('.count').textContent = `${done} of ${this.querySelectorAll('[data-step]').length} done`;
  }
}
customElements.define('first-steps', FirstSteps);
