// Who this browser tab speaks for: one of the demo's tenants, or whoever the pasted token names. It ends with the tab.

const KEY = 'gateway:identity';

/** What was chosen in this tab; the first tenant of the demo when nothing was. */
export function kept(tenants) {
  const chosen = sessionStorage.getItem(KEY);
  const tenant = tenants.find(({ tenantId }) => tenantId === chosen) ?? tenants[0];
  return tenant ? { tenantId: tenant.tenantId, token: tenant.token } : { tenantId: null, token: chosen ?? '' };
}

/** Keep a tenant ID of the demo, or a token. */
export function keep(chosen) {
  sessionStorage.setItem(KEY, chosen.trim().replace(/^Bearer\s+/i, ''));
}
