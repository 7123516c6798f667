// Mercurius with its JIT and its loaders, as its documentation has it.
import { readFileSync } from 'node:fs';
import Fastify from 'fastify';
import mercurius from 'mercurius';
import { caller } from './identity.mjs';
import * as store from './store.mjs';

const schema = readFileSync(new URL('schema.graphql', import.meta.url), 'utf8');
const resolvers = {
  Query: {
    image: (_, { id }, { me }) => store.image(me, id),
    images: (_, { first }, { me }) => store.images(me, first),
    offers: (_, { first }, { me }) => store.offers(me, first),
  },
  Mutation: {
    offerImage: (_, { input }, { me }) => store.offer(me, input.imageId, input.tenantIds),
    acceptOffer: (_, { input }, { me }) => store.accept(me, input.imageId),
  },
  Image: { owner: (image) => (image.ownerId === null ? null : { id: image.ownerId }) },
  Member: { tenant: (member) => ({ id: member.tenantId }) },
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
