// The live demo: two sides, the log of what both hear, and nothing between this page and the public API.
import './consumer-side.js';
import './first-steps.js';
import './forms.js';
import './line-switch.js';
import './producer-side.js';
import './watch-log.js';
import { follow } from './news.js';
import { Side } from './side.js';
import { tenants } from './tenants.js';

const producer = new Side('PRODUCER');
const consumer = new Side('CONSUMER');
const element = (name) => document.querySelector(name);

for (const [side, panel] of [[producer, element('producer-side')], [consumer, element('consumer-side')]]) {
  panel.join(side);
  panel.querySelector('line-switch').join(side);
  element('watch-log').join(side);
  follow(side);
}
element('register-form').join(producer);
element('offer-form').join(producer, consumer);
element('first-steps').join(producer, consumer);

try {
  const [first, second] = await tenants();
  await seat(producer, element('producer-side select[data-tenant]'), first);
  await seat(consumer, element('consumer-side select[data-tenant]'), second);
} catch {
  const problem = document.getElementById('problem');
  problem.textContent = 'The demo’s tenants can’t be read. Is the gateway still running? Reload the page to try again.';
  problem.hidden = false;
}

async function seat(side, choice, tenant) {
  choice.replaceChildren(...(await tenants()).map(({ tenantId, story }) => new Option(`${tenantId}, ${story}`, tenantId)));
  choice.value = tenant.tenantId;
  choice.addEventListener('change', () => side.play(choice.value));
  side.play(tenant.tenantId);
}
