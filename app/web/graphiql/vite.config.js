// Builds into ../static/built, which the gateway serves and the wheel carries.
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/static/',
  build: {
    target: 'es2022',
    outDir: '../static/built',
    emptyOutDir: true,
    chunkSizeWarningLimit: 5_000,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { graphiql: 'index.html', 'graphql-ws': 'src/graphql-ws.js' },
      onLog: (level, log, tell) => log.code === 'MODULE_LEVEL_DIRECTIVE' || tell(level, log),
      preserveEntrySignatures: 'strict',
      output: {
        entryFileNames: ({ name }) => (name === 'graphql-ws' ? 'graphql-ws.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
});
