// What the servers in Node answer alike, however they load what belongs to many rows.
import * as store from './store.mjs';

export const Query = {
  image: (_, { id }, { me }) => store.image(me, id),
  images: (_, { first }, { me }) => store.images(me, first),
  offers: (_, { first }, { me }) => store.offers(me, first),
};

export const Mutation = {
  offerImage: (_, { input }, { me }) => store.offer(me, input.imageId, input.tenantIds),
  acceptOffer: (_, { input }, { me }) => store.accept(me, input.imageId),
};

export const owner = (image) => (image.ownerId === null ? null : { id: image.ownerId });
export const tenant = (member) => ({ id: member.tenantId });
