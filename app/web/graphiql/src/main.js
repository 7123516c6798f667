// The page: GraphiQL below a strip that says who is calling.
import { createElement as h, StrictMode, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { GraphiQL } from 'graphiql';
import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './page.css';
import './workers.js';
import { EXAMPLES } from './examples.js';
import { createFetcher } from './fetcher.js';
import { keep, kept } from './identity.js';
import { Strip } from './strip.js';
import { storage } from './storage.js';

const isDemo = document.documentElement.dataset.mode === 'demo';
// Two tabs of one browser play two tenants in the demo, each with its own operations.
const editorStorage = storage(isDemo, EXAMPLES[0]);
const plugins = [HISTORY_PLUGIN, explorerPlugin({ showAttribution: false })];

function Page({ tenants }) {
  const [identity, setIdentity] = useState(() => kept(tenants));
  // GraphiQL asks for the schema anew when it gets another fetcher, so it keeps one that looks the identity up.
  const fetcher = useMemo(() => createFetcher(() => kept(tenants).token), [tenants]);
  const onChange = (chosen) => {
    keep(chosen);
    setIdentity(kept(tenants));
  };
  return h('div', { className: 'page' },
    h(Strip, { identity, tenants, onChange }),
    h(GraphiQL, {
      fetcher,
      plugins,
      defaultTabs: EXAMPLES,
      defaultEditorToolsVisibility: 'variables',
      inputValueDeprecation: true,
      schemaDescription: true,
      storage: editorStorage,
    }));
}

async function start() {
  const tenants = isDemo ? await (await fetch('/demo/tenants')).json() : [];
  createRoot(document.getElementById('page')).render(h(StrictMode, null, h(Page, { tenants })));
}

start().catch((error) => {
  document.querySelector('.loading').textContent = `GraphiQL could not start: ${error.message}. Reload the page.`;
});
