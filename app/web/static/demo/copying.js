// A button that copies a cursor.
import { announce } from './news.js';

const SHOWN_MS = 1_500;

export function copyButton(text) {
  const button = Object.assign(document.createElement('button'), { className: 'copy', textContent: 'Copy' });
  button.ariaLabel = 'Copy the cursor';
  button.addEventListener('click', async () => {
    const isCopied = await copied(text);
    button.textContent = isCopied ? 'Copied' : 'Not allowed';
    announce(isCopied ? 'The cursor is copied.' : 'The browser does not let this page copy.');
    setTimeout(() => { button.textContent = 'Copy'; }, SHOWN_MS);
  });
  return button;
}

/** Browsers give the clipboard only to pages that came over TLS, or from this machine. */
function copied(text) {
  return navigator.clipboard ? navigator.clipboard.writeText(text).then(() => true, () => false) : false;
}
