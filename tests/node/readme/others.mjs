// Everyone else: a producer whose images are offered to the page's tenant, and another page of that tenant.
import { told } from './surroundings.mjs';

const FIELDS = {
  registerImage: 'image { id }', offerImage: 'members { id }', revokeMember: 'revokedMemberId', rejectOffer: 'member { id }',
};

async function ask({ token }, mutation, input) {
  const name = `${mutation[0].toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation($input: ${name}!) { ${mutation}(input: $input) { ${FIELDS[mutation]} errors { message } } }`;
  const response = await fetch(told.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data, errors } = await response.json();
  const refused = errors ?? data[mutation].errors;
  if (refused.length) throw new Error(JSON.stringify(refused));
  return data[mutation];
}

export async function register(name) {
  const input = { name, origin: 'IMPORT', sourceUrl: 'https://images.example.org/some.img' };
  return (await ask(told.producer, 'registerImage', input)).image.id;
}

export const offer = (imageId) => ask(told.producer, 'offerImage', { imageId, tenantIds: [told.consumer.id] });
export const revoke = (imageId) => ask(told.producer, 'revokeMember', { imageId, tenantId: told.consumer.id });
export const reject = (imageId) => ask(told.consumer, 'rejectOffer', { imageId });
