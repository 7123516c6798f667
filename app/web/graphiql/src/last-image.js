// "@last" in the variables stands for the image that was met last in this browser, so that no ID has to be copied.

const KEY = 'gateway:last-image';
const PLACEHOLDER = '@last';

/** Note the image of an answer, if there is one; the answer itself. */
export function remember(answer) {
  const id = imageIn(answer?.data);
  if (id) localStorage.setItem(KEY, id);
  return answer;
}

/** The variables with the image's ID in them; an Error when there is none yet. */
export function filledIn(variables) {
  if (!JSON.stringify(variables ?? null).includes(`"${PLACEHOLDER}"`)) return variables;
  const id = localStorage.getItem(KEY);
  if (!id) return new Error(`There is no image yet that ${PLACEHOLDER} could stand for. Run Register or Inbox first.`);
  return JSON.parse(JSON.stringify(variables), (_, value) => (value === PLACEHOLDER ? id : value));
}

function imageIn(value) {
  if (value === null || typeof value !== 'object') return undefined;
  return value.image?.id ?? value.imageId ?? Object.values(value).map(imageIn).find(Boolean);
}
