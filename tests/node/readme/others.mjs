// Everyone else: a producer whose images are offered to the page's tenant, and another page of that tenant.
import { parameters } from './surroundings.mjs';

const FIELDS = {
  registerImage: 'image { id }', offerImage: 'members { id }', revokeMember: 'revokedMemberId', rejectOffer: 'member { id }',
};

async function ask({ token }, mutation, input) {
  const name = `${mutation[0].toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation($input: ${name}!) { ${mutation}(input: $input) { ${FIELDS[mutation]} errors { message } } }`;
  const response = await fetch(parameters.url, {
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
  return (await ask(parameters.producer, 'registerImage', input)).image.id;
}

export const offer = (imageId) => ask(parameters.producer, 'offerImage', { imageId, tenantIds: [parameters.consumer.id] });
export const revoke = (imageId) => ask(parameters.producer, 'revokeMember', { imageId, tenantId: parameters.consumer.id });
export const reject = (imageId) => ask(parameters.consumer, 'rejectOffer', { imageId });
