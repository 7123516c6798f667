// The strip above GraphiQL: in the demo a switch of tenants, otherwise a place for the token.
import { createElement as h } from 'react';

export function Strip({ identity, tenants, onChange }) {
  return h('header', { className: 'strip' },
    h('strong', { className: 'strip-name' }, 'Image-sharing gateway'),
    tenants.length ? h(TenantSwitch, { identity, tenants, onChange }) : h(TokenField, { identity, onChange }),
    h('nav', { className: 'strip-links', 'aria-label': 'More' },
      tenants.length ? h('a', { href: '/demo' }, 'Live demo') : null,
      h('a', { href: '/schema.graphql' }, 'Schema')));
}

function TenantSwitch({ identity, tenants, onChange }) {
  return h('label', { className: 'strip-field' }, 'Act as',
    h('select', { value: identity.tenantId, onChange: (event) => onChange(event.target.value) },
      tenants.map(({ tenantId, story }) => h('option', { key: tenantId, value: tenantId }, `${tenantId} · ${story}`))),
    h('span', { className: 'strip-hint' }, 'Each browser tab may act as another tenant.'));
}

function TokenField({ identity, onChange }) {
  return h('form', { className: 'strip-field', onSubmit: (event) => event.preventDefault() },
    h('label', { htmlFor: 'token' }, 'Token'),
    h('input', {
      id: 'token',
      type: 'password',
      value: identity.token,
      placeholder: 'Paste what image-gateway token prints',
      autoComplete: 'off',
      spellCheck: false,
      onChange: (event) => onChange(event.target.value),
    }),
    h('span', { className: 'strip-hint' }, 'Sent as Authorization with every operation; forgotten with this tab.'));
}
