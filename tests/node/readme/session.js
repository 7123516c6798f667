// The page's own module which the snippets ask for tokens.
export const freshToken = async () => globalThis.token;
