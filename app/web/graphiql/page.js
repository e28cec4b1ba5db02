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
  async function* readEvents(reader) {
    for (let waiting = ''; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const pieces = (waiting + value).split('\n\n');
      waiting = pieces.pop();
      for (const piece of pieces) {
        const data = piece.split('\n').find((line) => line.startsWith('data: '));
        if (data) yield JSON.parse(data.slice('data: '.length));
      }
    }
  }
  const follow = (answer) => { // of a subscription: all else is answered in JSON, where that is accepted
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const events = readEvents(reader);
    return { // a generator alone would hear that nobody listens any more only when the next event has come
      next: () => events.next(),
      return: async () => { await reader.cancel(); return { done: true, value: undefined }; },
      [Symbol.asyncIterator]() { return this; },
    };
  };
  const ask = async (body) => {
    const token = box.value.trim();
    if (!token) return { errors: [{ message: 'paste a token into the box above' }] };
    const headers = {
      'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${token}`,
    };
    const answer = await fetch('/graphql', { method: 'POST', headers, body: JSON.stringify(body) });
    const isStream = (answer.headers.get('content-type') ?? '').startsWith('text/event-stream');
    return isStream ? follow(answer) : answer.json();
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
  const say = (state, text) => { viewer.dataset.state = state; viewer.textContent = text; };
  const tell = async () => {
    const token = box.value;
    if (!token.trim()) { say('none', 'no token'); return; }
    const answer = await ask({ query: '{ viewer { user { userName displayName } } }' }).catch(() => null);
    if (box.value !== token) return; // another one was asked about since
    const user = answer?.data?.viewer?.user;
    if (user) say('good', `you are ${user.displayName} (${user.userName})`);
    else if (answer?.errors?.[0]?.extensions?.code === 'UNAUTHENTICATED') say('bad', 'this token is not good');
    else say('bad', answer?.errors?.[0]?.message ?? 'the gateway does not answer');
  };
  document.getElementById('who').addEventListener('submit', (event) => event.preventDefault());
  box.addEventListener('change', () => { tell(); show(); });
  tell();
  show();
})();
