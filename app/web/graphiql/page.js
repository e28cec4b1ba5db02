// The IDE: GraphiQL with a box for the token. The token lives in this page's memory alone: a fragment (#token=...) that
// brought it is taken off the address at once, and headers are not kept.
'use strict';
(() => {
  const box = document.getElementById('token');
  const viewer = document.getElementById('viewer');
  const brought = new URLSearchParams(location.hash.slice(1)).get('token');
  if (brought) {
    box.value = brought;
    history.replaceState(null, '', location.pathname);
  }
  const ask = async (body) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    if (box.value.trim()) headers.authorization = `Bearer ${box.value.trim()}`;
    const answer = await fetch('/graphql', { method: 'POST', headers, body: JSON.stringify(body) });
    return answer.json();
  };
  const store = new Map(); // what GraphiQL would keep in the browser, it keeps until the page is left
  const storage = {
    get length() { return store.size; },
    getItem: (key) => store.get(key) ?? null,
    setItem: (key, value) => store.set(key, value),
    removeItem: (key) => store.delete(key),
    clear: () => store.clear(),
  };
  const root = ReactDOM.createRoot(document.getElementById('graphiql'));
  let shown = 0;
  const show = () => {
    shown += 1; // another key mounts the IDE anew, so that the schema is asked for with the token that is there now
    root.render(React.createElement(GraphiQL, {
      key: shown, fetcher: ask, storage, defaultTabs: TOUR, shouldPersistHeaders: false, isHeadersEditorEnabled: false,
    }));
  };
  const tell = async () => {
    if (!box.value.trim()) { viewer.textContent = 'no token'; return; }
    const answer = await ask({ query: '{ viewer { user { userName displayName } } }' }).catch(() => null);
    const user = answer?.data?.viewer?.user;
    viewer.textContent = user ? `you are ${user.displayName} (${user.userName})` : 'this token is not good';
  };
  document.getElementById('who').addEventListener('submit', (event) => event.preventDefault());
  box.addEventListener('change', () => { tell(); show(); });
  tell();
  show();
})();
