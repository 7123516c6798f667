// PostGraphile on PostgreSQL: its own schema, made from the tables and from the functions of functions.sql.
import { createServer } from 'node:http';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { caller } from '../identity.mjs';

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ connectionString: process.env.BENCH_POSTGRES, schemas: ['public'] })],
  grafserv: { graphqlPath: '/graphql', graphiql: false },
  grafast: {
    context: ({ node }) => ({ pgSettings: { 'bench.tenant': caller(node.req.headers.authorization) } }),
    explain: false,
  },
};
const server = createServer();
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(Number(process.argv[3]), '127.0.0.1');
