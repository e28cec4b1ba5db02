// node listen.mjs CLIENT ADDRESS TOKEN REVISION: listens to two changes after a revision by one of the clients below, leaves,
// asks a query by the same client, and listens to what may not be listened to. One line of JSON for each thing heard.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , name, url, token, revision] = process.argv;
const packages = createRequire(join(process.env.CLIENTS_HOME, 'package.json'));
const load = (path) => import(pathToFileURL(packages.resolve(path)).href);
const headers = { authorization: `Bearer ${token}` };
const CHANGES = 'subscription Changes($after: Revision) { changes(after: $after) { revision action } }';
const WHO = 'query Who { viewer { user { userName } } }';
const FAULTY = 'subscription Faulty { changes(after: "999999") { revision } }';
const tell = (what, value) => console.log(JSON.stringify({ [what]: value }));
const within = (ms, promise) => Promise.race([
  promise, new Promise((_, reject) => setTimeout(() => reject(new Error('nothing came')), ms)),
]);

// Each gives { listen(query, variables, sink) -> stop, ask(query) -> data }; a sink has next({data, errors}) and complete().
const CLIENTS = {
  'graphql-sse': async () => {
    const { createClient } = await load('graphql-sse');
    const client = createClient({ url, headers, retryAttempts: 0 });
    return {
      listen: (query, variables, sink) => client.subscribe({ query, variables }, { ...sink, error: (e) => sink.next({ errors: [e] }) }),
      ask: async (query) => { for await (const answer of client.iterate({ query })) return answer.data; },
    };
  },
  urql: async () => {
    const { Client, fetchExchange } = await load('@urql/core');
    const client = new Client({ url, exchanges: [fetchExchange], fetchSubscriptions: true, preferGetMethod: false, fetchOptions: { headers } });
    return {
      listen: (query, variables, sink) => {
        const source = client.subscription(query, variables);
        const { unsubscribe } = source.subscribe(({ data, error, hasNext }) => {
          if (hasNext === false) sink.complete(); // it shows the last one again, then
          else sink.next({ data, errors: error?.graphQLErrors });
        });
        return unsubscribe;
      },
      ask: async (query) => (await client.query(query, {}).toPromise()).data,
    };
  },
  apollo: async () => {
    const { ApolloClient, ApolloLink, HttpLink, InMemoryCache, Observable, gql } = await load('@apollo/client/core');
    const { CombinedGraphQLErrors } = await load('@apollo/client/errors');
    const { print } = await load('graphql');
    const { createClient } = await load('graphql-sse');
    const events = createClient({ url, headers, retryAttempts: 0 });
    const listening = new ApolloLink((operation) => new Observable((sink) => events.subscribe(
      { query: print(operation.query), variables: operation.variables, operationName: operation.operationName },
      { next: (v) => sink.next(v), error: (e) => sink.error(e), complete: () => sink.complete() },
    )));
    const link = ApolloLink.split(({ operationType }) => operationType === 'subscription', listening, new HttpLink({ uri: url, headers }));
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    return {
      listen: (query, variables, sink) => {
        const found = client.subscribe({ query: gql(query), variables }).subscribe({
          next: ({ data, error }) => sink.next({ data, errors: CombinedGraphQLErrors.is(error) ? error.errors : error && [error] }),
          error: (error) => sink.next({ errors: [error] }), complete: sink.complete,
        });
        return () => found.unsubscribe();
      },
      ask: async (query) => (await client.query({ query: gql(query) })).data,
    };
  },
};

const client = await CLIENTS[name]();
await within(30_000, new Promise((resolve, reject) => {
  let heard = 0;
  const stop = client.listen(CHANGES, { after: revision }, {
    next: ({ data, errors }) => {
      if (errors) { reject(new Error(JSON.stringify(errors))); return; }
      tell('change', { revision: data.changes.revision, action: data.changes.action });
      heard += 1;
      if (heard === 2) setTimeout(() => { stop(); resolve(); });
    },
    complete: () => {},
  });
}));
tell('answer', (await within(30_000, client.ask(WHO))).viewer.user.userName);
await within(30_000, new Promise((resolve) => {
  client.listen(FAULTY, {}, {
    next: ({ errors }) => { if (errors) tell('errors', errors.map(({ message, extensions }) => ({ message, code: extensions?.code }))); },
    complete: () => { tell('complete', true); resolve(); },
  });
}));
process.exit(0);
