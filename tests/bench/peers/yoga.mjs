// GraphQL Yoga on node:http with DataLoaders, as its documentation has it.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import DataLoader from 'dataloader';
import { createSchema, createYoga } from 'graphql-yoga';
import { caller } from './identity.mjs';
import { Mutation, Query, owner, tenant } from './resolvers.mjs';
import * as store from './store.mjs';

const typeDefs = readFileSync(new URL('schema.graphql', import.meta.url), 'utf8');
const resolvers = {
  Query, Mutation,
  Image: {
    owner,
    members: (image, { first }, { members }) => members.load({ id: image.id, first }),
  },
  Member: {
    tenant,
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
