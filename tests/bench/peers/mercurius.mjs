// Mercurius with its JIT and its loaders, as its documentation has it.
import { readFileSync } from 'node:fs';
import Fastify from 'fastify';
import mercurius from 'mercurius';
import { caller } from './identity.mjs';
import { Mutation, Query, owner, tenant } from './resolvers.mjs';
import * as store from './store.mjs';

const schema = readFileSync(new URL('schema.graphql', import.meta.url), 'utf8');
const resolvers = {
  Query, Mutation,
  Image: { owner },
  Member: { tenant },
};
const loaders = {
  Image: {
    members: async (queries, { me }) =>
      store.membersById(me, queries.map(({ obj, params }) => ({ id: obj.id, first: params.first }))),
  },
  Member: {
    image: async (queries, { me }) => store.imagesById(me, queries.map(({ obj }) => obj.imageId)),
  },
};

const app = Fastify();
app.register(mercurius, {
  schema, resolvers, loaders, jit: 1, context: (request) => ({ me: caller(request.headers.authorization) }),
});
await app.listen({ port: Number(process.argv[3]), host: '127.0.0.1' });
