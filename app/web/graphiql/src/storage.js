// Where GraphiQL keeps what is typed: in the demo for this browser tab alone, otherwise for all of them.

const OF_THIS_TAB = /^graphiql:(tabState|query|variables|headers|operationName)$/;

/** A store that gives the editors their first contents, which GraphiQL does not take and keep from its default tabs. */
export function storage(isDemo, first) {
  const chosen = isDemo ? storageOfThisTab() : localStorage;
  if (!chosen.getItem('graphiql:tabState')) {
    chosen.setItem('graphiql:query', first.query);
    chosen.setItem('graphiql:variables', first.variables);
  }
  return isDemo ? chosen : undefined;
}

function storageOfThisTab() {
  const place = (key) => (OF_THIS_TAB.test(key) ? sessionStorage : localStorage);
  return {
    getItem: (key) => place(key).getItem(key),
    setItem: (key, value) => place(key).setItem(key, value),
    removeItem: (key) => place(key).removeItem(key),
    clear: () => [sessionStorage, localStorage].forEach(forget),
    get length() { return ours(sessionStorage).length + ours(localStorage).length; },
  };
}

const ours = (storage) => Object.keys(storage).filter((key) => key.startsWith('graphiql:'));
const forget = (storage) => ours(storage).forEach((key) => storage.removeItem(key));
