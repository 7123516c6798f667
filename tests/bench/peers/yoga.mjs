// GraphQL Yoga on node:http with DataLoaders, as its documentation has it.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import DataLoader from 'dataloader';
import { createSchema, createYoga } from 'graphql-yoga';
import { caller } from './identity.mjs';
import * as store from './store.mjs';

const typeDefs = readFileSync(new URL('schema.graphql', import.meta.url), 'utf8');
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
  Image: {
    owner: (image) => (image.ownerId === null ? null : { id: image.ownerId }),
    members: (image, { first }, { members }) => members.load({ id: image.id, first }),
  },
  Member: {
    tenant: (member) => ({ id: member.tenantId }),
    image: (member, _, { image }) => image.load(member.imageId),
  },
};

function context({ request }) {
  const me = caller(request.headers.get('authorization'));
  return {
    me,
    image: new DataLoader(async (ids) => store.imagesById(me, ids)),
    members: new DataLoader(async (asked) => store.membersById(me, asked), {
      cacheKeyFn: ({ id, first }) => `${id} ${first}`,
    }),
  };
}

const yoga = createYoga({ schema: createSchema({ typeDefs, resolvers }), context, logging: false, graphiql: false });
createServer(yoga).listen(Number(process.argv[3]), '127.0.0.1');
