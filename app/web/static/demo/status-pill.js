// <status-pill status="PENDING">: a member's status as a word, a sign and a colour.
const SIGNS = { PENDING: '•', ACCEPTED: '✓', REJECTED: '✕' };

class StatusPill extends HTMLElement {
  static observedAttributes = ['status'];

  attributeChangedCallback(name, before, status) {
    if (before === status) return;
    const sign = Object.assign(document.createElement('span'), { textContent: SIGNS[status] ?? '' });
    sign.ariaHidden = 'true';
    this.replaceChildren(sign, ` ${status}`);
  }
}
customElements.define('status-pill', StatusPill);

/** A pill with this status. */
export function pill(status) {
  const element = document.createElement('status-pill');
  element.setAttribute('status', status);
  return element;
}
