// The little that the elements of this page share: markup from templates, lists that keep their elements, and focus.
const NEWS_MS = 4_000;

/** A copy of what a <template> of the page holds. */
export const stamp = (id) => document.getElementById(id).content.cloneNode(true).firstElementChild;

/** The part of an element that is named by a data attribute. */
export const part = (root, name) => root.querySelector(`[data-${name}]`);

export function put(root, name, text) {
  const place = part(root, name);
  if (place.textContent !== text) place.textContent = text;
}

/** Make the list show the items in order. An item that stays keeps its element, and so its focus. */
export function arrange(list, items, make, fill) {
  const there = new Map([...list.children].map((child) => [child.key, child]));
  const staying = new Set(items.map((item) => item.id));
  for (const [key, child] of there) if (!staying.has(key)) child.remove();
  items.forEach((item, place) => {
    const element = there.get(item.id) ?? Object.assign(make(item), { key: item.id });
    if (list.children[place] !== element) list.insertBefore(element, list.children[place] ?? null);
    fill(element, item);
  });
}

/** Draw anew. Whoever stood with the keyboard in a row that moved or went away finds themselves beside it. */
export function redraw(root, draw) {
  const focused = root.contains(document.activeElement) ? document.activeElement : root;
  const keys = [focused.closest('.member')?.key, focused.closest('.card')?.key].filter(Boolean);
  draw();
  if (!keys.length || root.contains(document.activeElement)) return;
  const rows = [...root.querySelectorAll('.member, .card')];
  const row = keys.map((key) => rows.find((one) => one.key === key)).find(Boolean) ?? root.querySelector('h3');
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
}

/** Mark what has just changed, for a while. */
export function glow(element) {
  clearTimeout(element.glowing);
  element.classList.remove('news');
  void element.offsetWidth; // the animation begins again only after a layout without it
  element.classList.add('news');
  element.glowing = setTimeout(() => element.classList.remove('news'), NEWS_MS);
}

/** Say or take back, near the place where it arose, what went wrong. */
export function complain(place, sentence) {
  const told = part(place, 'problem');
  told.textContent = sentence ?? '';
  told.hidden = !sentence;
  if (sentence) told.scrollIntoView({ block: 'nearest' });
}

/** Do something that may be refused; only one at a time in one place. */
export async function attempt(place, work) {
  if (place.hasAttribute('aria-busy')) return;
  place.setAttribute('aria-busy', 'true');
  complain(place, null);
  try {
    await work();
  } catch (error) {
    complain(place, error.message);
  } finally {
    place.removeAttribute('aria-busy');
  }
}
