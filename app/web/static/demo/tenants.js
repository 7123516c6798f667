// The tenants of the demo, and tokens that speak for them.
let told;

/** The tenants, as `[{ tenantId, story, token }]`. */
export function tenants() {
  told ??= read().catch((error) => {
    told = undefined;
    throw error;
  });
  return told;
}

/** A token of the tenant; a fresh one when the last did not count any more. */
export async function token(tenantId, { fresh = false } = {}) {
  if (fresh) told = undefined;
  return (await tenants()).find((one) => one.tenantId === tenantId).token;
}

async function read() {
  const answer = await fetch('/demo/tenants', { cache: 'no-store' });
  if (!answer.ok) throw new Error(`The demo's tenants can't be read (HTTP ${answer.status}).`);
  return answer.json();
}
