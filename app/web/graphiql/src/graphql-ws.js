// graphql-ws for pages that have no build step, such as the demo.
export { createClient } from 'graphql-ws';
