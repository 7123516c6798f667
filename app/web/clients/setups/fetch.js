import { post } from './gateway.js';

export async function request(query, variables) {
  const { data, errors } = await post({ query, variables });
  if (errors) throw Object.assign(new Error(errors[0].message), errors[0].extensions);  // has code and requestId
  return data;
}

const OFFER = `mutation($input: OfferImageInput!) {
  offerImage(input: $input) { members { id status tenant { id } } errors { code message path tenantId } }
}`;
// Returns the members that were created and, as data, an error for each consumer that was refused.
export async function offer(imageId, tenantIds) {
  const input = { imageId, tenantIds, idempotencyKey: crypto.randomUUID() };
  for (let tries = 1; ; tries += 1) {
    try {
      return (await request(OFFER, { input })).offerImage;
    } catch (problem) {
      // No response, or the store was unreachable. The mutation may have run; the key makes a retry safe.
      if (tries === 5 || (problem.code ?? 'UNAVAILABLE') !== 'UNAVAILABLE') throw problem;
      await new Promise((done) => { setTimeout(done, 200 * 2 ** tries); });
    }
  }
}

export async function* everyImage(first = 100) {
  for (let after = null, more = true; more;) {
    const { images } = await request(`query($first: Int, $after: String) {
      images(first: $first, after: $after) { nodes { id name status } pageInfo { hasNextPage endCursor } }
    }`, { first, after });
    yield* images.nodes;
    ({ endCursor: after, hasNextPage: more } = images.pageInfo);
  }
}
