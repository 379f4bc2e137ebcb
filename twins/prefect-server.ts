// A twin of Prefect Server's authentication: one string for everybody, or none at all. Answers are those of a server of version 3.8.8, which
// test/journeys/prefect-server.test.ts asks itself where it can be installed; shapes follow its OpenAPI document, API 0.8.4.
import type { Json } from '../src/model/json.ts';
import { type KitAnswer, type KitControl, type KitDefinition, type KitKey, type KitRequest, member } from './kit.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

export interface PrefectServerState {
  readonly flows: { readonly id: string; readonly name: string; readonly createdAt: number }[];
  /** What came over `/api/events/in`, oldest first (prefect-server.sockets.io.ts). */
  readonly events: Json[];
}

export interface PrefectServerOptions {
  /** Started without a string: every request passes, whatever it carries. */
  readonly isOpen?: boolean;
}

export function newAuthString(random: Prng): string {
  return `admin:canary-${random.text(32, ALPHANUMERIC)}`;
}

/** What a person does: another string, and a restart. The old one is refused from then on. */
export function restartWith(control: KitControl<PrefectServerState>, text: string): KitKey {
  for (const key of control.keys.all()) if (key.revokedAt === null) control.endByHand(key.id);
  return control.mint({ kind: 'auth-string', name: 'auth-string', account: 'server', parts: { key: text } });
}

/** The string of a request; the scheme is compared as it is spelt. */
function stringOf(request: KitRequest): string {
  const [, encoded] = /^Basic ([A-Za-z0-9+/]+={0,2})$/.exec(request.headers['authorization'] ?? '') ?? [];
  return encoded === undefined ? '' : new TextDecoder().decode(Uint8Array.fromBase64(encoded));
}

function exception(status: number, message: string): KitAnswer {
  return { status, body: { exception_message: message } };
}

function flowAnswer({ id, name, createdAt }: PrefectServerState['flows'][number]): Json {
  const created = new Date(createdAt).toISOString();
  return { id, created, updated: created, name, tags: [], labels: {} };
}

export function prefectServerTwin({ isOpen = false }: PrefectServerOptions = {}): KitDefinition<PrefectServerState> {
  const asks = isOpen ? 'none' : 'key';
  return {
    name: 'prefect-server',
    state: () => ({ flows: [], events: [] }),
    keyOf: (request, keys) => keys.byText(stringOf(request)),
    refused: () => exception(401, 'Unauthorized'),
    notFound: () => ({ status: 404, body: { detail: 'Not Found' } }),
    rateLimited: (retryAfter) => ({
      ...exception(429, 'Too many requests'),
      ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
    }),
    serverError: (status) => exception(status, 'Internal Server Error'),
    routes: [
      // These two answer everybody, and prove nothing of a key.
      { line: 'GET /api/health', class: 'other', asks: 'none', handle: () => ({ status: 200, body: true }) },
      {
        line: 'GET /api/ready',
        class: 'other',
        asks: 'none',
        handle: () => ({ status: 200, body: { message: 'OK' } }),
      },
      { line: 'GET /api/admin/version', class: 'auth', asks, handle: () => ({ status: 200, body: '3.8.8' }) },
      {
        line: 'GET /api/admin/settings',
        class: 'other',
        asks,
        handle: () => ({ status: 200, body: { server: { api: { auth_string: isOpen ? null : '**********' } } } }),
      },
      {
        line: 'POST /api/flows/',
        class: 'other',
        asks,
        handle({ request, random, now, state }) {
          const name = member(request.body, 'name');
          if (typeof name !== 'string') return exception(422, 'Invalid request received.');
          const before = state.flows.find((flow) => flow.name === name);
          const flow = before ?? { id: random.uuid(), name, createdAt: now };
          if (before === undefined) state.flows.push(flow);
          return { status: before === undefined ? 201 : 200, body: flowAnswer(flow) };
        },
      },
      {
        // As the framework of the server does it for every path that lacks its final slash: to the name that the request was sent to.
        line: 'POST /api/flows',
        class: 'other',
        asks,
        handle: ({ request }) => ({
          status: 307,
          body: null,
          headers: { location: `http://${request.headers['host']}/api/flows/` },
        }),
      },
      {
        line: 'POST /api/flows/filter',
        class: 'other',
        asks,
        handle: ({ state }) => ({ status: 200, body: state.flows.map(flowAnswer) }),
      },
    ],
  };
}
