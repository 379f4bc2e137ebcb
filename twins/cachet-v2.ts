// A twin of Cachet 2.4: one key for each user, in clear in the user's row, renewed by hand. Shapes follow the hand-written document of its
// API v1; a stand-in for tests. docs/providers/cachet-v2.md says what was never compared with a real installation.
import type { Json } from '../src/model/json.ts';
import type { KitAnswer, KitContext, KitControl, KitDefinition, KitKey } from './kit.ts';
import { member } from './kit.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

function failure(status: number, title: string): KitAnswer {
  return {
    status,
    body: { errors: [{ id: '00000000-0000-4000-8000-000000000000', status, title, detail: `${title}.` }] },
  };
}

function page(context: KitContext<null>, data: readonly Json[]): KitAnswer {
  const number = Number(context.request.query.get('page') ?? '1');
  const perPage = Number(context.request.query.get('per_page') ?? '20');
  const shown = data.slice((number - 1) * perPage, number * perPage);
  const pagination = {
    total: data.length,
    count: shown.length,
    per_page: perPage,
    current_page: number,
    total_pages: Math.ceil(data.length / perPage),
    links: {},
  };
  return { status: 200, body: { meta: { pagination }, data: shown } };
}

/** What a user does on its page: a new key, and from that moment the old one is refused. */
export function regenerate(control: KitControl<null>, random: Prng, account = 'user-1'): KitKey {
  for (const old of control.keys.all())
    if (old.account === account && old.revokedAt === null) control.endByHand(old.id);
  const key = `canary${random.text(14, ALPHANUMERIC)}`;
  return control.mint({ kind: 'user-key', name: account, account, parts: { key } });
}

export const cachetV2Twin: KitDefinition<null> = {
  name: 'cachet-v2',
  state: () => null,
  keyOf: (request, keys) => keys.byText(request.headers['x-cachet-token'] ?? ''),
  refused: () => failure(401, 'Unauthorized'),
  notFound: () => failure(404, 'Not Found'),
  rateLimited: (retryAfter) => ({
    ...failure(429, 'Too Many Requests'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => failure(status, 'Internal Server Error'),
  routes: [
    {
      line: 'GET /api/v1/ping',
      class: 'other',
      asks: 'none',
      handle: () => ({ status: 200, body: { data: 'Pong!' } }),
    },
    {
      line: 'GET /api/v1/components',
      class: 'other',
      asks: 'none',
      handle: (context) => page(context, [{ id: 1, name: 'API', status: 1 }]),
    },
    {
      line: 'POST /api/v1/components',
      class: 'other',
      asks: 'key',
      handle({ request }) {
        const name = member(request.body, 'name');
        const status = member(request.body, 'status');
        if (typeof name !== 'string' || typeof status !== 'number') return failure(400, 'Bad Request');
        return { status: 200, body: { data: { id: 2, name, status } } };
      },
    },
    {
      line: 'GET /api/v1/subscribers',
      class: 'auth',
      asks: 'key',
      handle: (context) => page(context, [{ id: 1, email: 'reader@example.com' }]),
    },
  ],
};
