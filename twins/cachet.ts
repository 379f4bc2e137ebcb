// A twin of Cachet 3: tokens as Sanctum makes them, public reads, abilities. Shapes follow the hand-written document of its REST API; a
// stand-in for tests and demonstrations. docs/providers/cachet.md says what was never compared with a real installation.
import { crc32 } from 'node:zlib';
import type { Json } from '../src/model/json.ts';
import type { KitAnswer, KitContext, KitDefinition, KitKeys, KitRequest, KitRoute, NewKitKey } from './kit.ts';
import { bearerOf, isAlive, member } from './kit.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

export interface CachetState {
  readonly components: { readonly id: number; name: string; status: number }[];
  /** The setting `api_protected`: then reads too ask for a token, any token. */
  isProtected: boolean;
}

type Context = KitContext<CachetState>;

const PER_PAGE = 15;
const WHEN = { human: '1 minute ago', string: '2026-11-21 09:00:00' };
const STATUS = { human: 'Operational', value: 1 };

function message(status: number, text: string): KitAnswer {
  return { status, body: { message: text } };
}

const UNAUTHENTICATED = message(401, 'Unauthenticated.');

/** A token as Sanctum makes it: forty characters and their CRC-32, behind the id of its row. */
export function newCachetToken(random: Prng, id: string): string {
  const text = `canary${random.text(34, ALPHANUMERIC)}`;
  return `${id}|${text}${crc32(text).toString(16).padStart(8, '0')}`;
}

/** A token as the dashboard makes it: where no ability is chosen, it has all of them. */
export function cachetToken(random: Prng, id: string, abilities: readonly string[]): NewKitKey {
  const scopes = abilities.length === 0 ? ['*'] : abilities;
  return { id, kind: 'token', name: `token ${id}`, account: 'a', scopes, parts: { key: newCachetToken(random, id) } };
}

/** Sanctum looks a token up by its id, or, where none is shown, by what stands behind the bar. */
function keyOf(request: KitRequest, keys: KitKeys) {
  const shown = bearerOf(request);
  if (shown.includes('|')) return keys.byText(shown);
  return shown === '' ? null : (keys.all().find((key) => key.parts['key']!.split('|')[1] === shown) ?? null);
}

function may(context: Context, ability: string): boolean {
  return context.key!.scopes.some((one) => one === '*' || one === ability);
}

const LACKS_ABILITY = message(403, 'Invalid ability provided.');

/** A read that asks for no token, unless the installation is protected. */
function reading(line: string, handle: (context: Context) => KitAnswer): KitRoute<CachetState> {
  return {
    line,
    class: 'other',
    asks: 'none',
    handle(context) {
      const key = keyOf(context.request, context.keys);
      if (context.state.isProtected && (key === null || !isAlive(key, context.now))) return UNAUTHENTICATED;
      return handle(context);
    },
  };
}

function able(line: string, ability: string, handle: (context: Context) => KitAnswer): KitRoute<CachetState> {
  return {
    line,
    class: 'other',
    asks: 'key',
    handle: (context) => (may(context, ability) ? handle(context) : LACKS_ABILITY),
  };
}

function page(context: Context, data: readonly Json[]): KitAnswer {
  const number = Number(context.request.query.get('page') ?? '1');
  const perPage = Number(context.request.query.get('per_page') ?? String(PER_PAGE));
  const shown = data.slice((number - 1) * perPage, number * perPage);
  const from = shown.length === 0 ? null : (number - 1) * perPage + 1;
  const to = from === null ? null : from + shown.length - 1;
  return {
    status: 200,
    body: {
      data: shown,
      links: { first: null, last: null, prev: null, next: null },
      meta: { current_page: number, from, path: 'http://localhost/api', per_page: perPage, to },
    },
  };
}

function componentOf({ id, name, status }: CachetState['components'][number]): Json {
  const state = { ...STATUS, value: status };
  const attributes = { id, name, status: state, latest_status: state, enabled: true, created: WHEN, updated: WHEN };
  return { id: String(id), type: 'components', attributes: { ...attributes, description: null, link: null, order: 1 } };
}

const SUBSCRIBER: Json = {
  id: '1',
  type: 'subscribers',
  attributes: { id: 1, email: 'reader@example.com', global: true, verified: true, created: WHEN, updated: WHEN },
};

export const cachetTwin: KitDefinition<CachetState> = {
  name: 'cachet',
  state: () => ({ components: [{ id: 1, name: 'API', status: 1 }], isProtected: false }),
  keyOf,
  refused: () => UNAUTHENTICATED,
  notFound: () => message(404, 'Not Found'),
  rateLimited: (retryAfter) => ({
    ...message(429, 'Too Many Attempts.'),
    headers: {
      'x-ratelimit-limit': '300',
      'x-ratelimit-remaining': '0',
      ...(retryAfter === null ? {} : { 'retry-after': retryAfter }),
    },
  }),
  serverError: (status) => message(status, 'Server Error'),
  routes: [
    reading('GET /api/ping', () => ({ status: 200, body: { data: 'Pong!' } })),
    reading('GET /api/version', () => ({ status: 200, body: { data: { version: '3.x-dev' } } })),
    reading('GET /api/components', (context) => page(context, context.state.components.map(componentOf))),
    able('POST /api/components', 'components.manage', ({ request, state }) => {
      const name = member(request.body, 'name');
      if (typeof name !== 'string')
        return {
          status: 422,
          body: { message: 'The name field is required.', errors: { name: ['The name field is required.'] } },
        };
      const made = { id: state.components.length + 1, name, status: Number(member(request.body, 'status') ?? 1) };
      state.components.push(made);
      return { status: 201, body: { data: componentOf(made) } };
    }),
    able('DELETE /api/components/{component}', 'components.delete', ({ params, state }) => {
      const at = state.components.findIndex((one) => String(one.id) === params['component']);
      if (at < 0) return message(404, 'Not Found');
      state.components.splice(at, 1);
      return { status: 204, body: null };
    }),
    able('GET /api/subscribers', 'subscribers.manage', (context) => page(context, [SUBSCRIBER])),
    {
      // What a path names is looked up after the token and before its abilities.
      line: 'GET /api/subscribers/{subscriber}',
      class: 'auth',
      asks: 'key',
      handle(context) {
        if (context.params['subscriber'] !== '1') return message(404, 'Not Found');
        return may(context, 'subscribers.manage') ? { status: 200, body: { data: SUBSCRIBER } } : LACKS_ABILITY;
      },
    },
  ],
};

/** An installation whose API is switched off: it answers 404 to everything, whoever asks. */
export const cachetTwinSwitchedOff: KitDefinition<CachetState> = { ...cachetTwin, routes: [] };
