// Prefect Cloud's audit log: what is asked for, what an answer is taken for, and, at the twin, what stands in it of keys that are made, replaced
// and ended, page by page. What Claviger makes of it is credentials/provider-log.test.ts.
import assert from 'node:assert/strict';
import test from 'node:test';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import type { KitControl, KitKey } from '../../twins/kit.ts';
import {
  addBot,
  newPrefectKey,
  type PrefectBot,
  type PrefectCloudState,
  prefectCloudTwin,
} from '../../twins/prefect-cloud.ts';
import { prng } from '../../twins/prng.ts';
import { Failure } from '../model/failure.ts';
import type { Json, JsonObject } from '../model/json.ts';
import { prefectCloud } from './prefect-cloud.ts';
import { graceSeconds, type LoggedEvent, type LogInput, type ProviderAnswer } from './provider.ts';

const random = prng(23);
const userKey = prefectCloud.kinds.find((kind) => kind.name === 'user-key')!;
const botKey = prefectCloud.kinds.find((kind) => kind.name === 'service-account-key')!;
const ACCOUNT = '0198c1d2-e3f4-4081-92a3-b4c5d6e7f801';
const KEY = '0198c1d2-e3f4-4081-92a3-b4c5d6e7f802';
const PATH = `/api/accounts/${ACCOUNT}/events/filter`;
const INPUT: LogInput = { settings: { accountId: ACCOUNT }, since: 0, until: 1_000 };

function answer(status: number, json: Json, headers: Record<string, string> = {}): ProviderAnswer {
  return { status, headers, json, text: JSON.stringify(json) };
}

test('request: a span of time, oldest first, and the next page by its token alone', () => {
  for (const kind of [userKey, botKey]) {
    assert.deepEqual(kind.log!.request(INPUT), {
      method: 'POST',
      path: PATH,
      json: {
        limit: 200,
        filter: {
          occurred: { since: '1970-01-01T00:00:00.000Z', until: '1970-01-01T00:00:01.000Z' },
          event: {
            name: ['prefect-cloud.api-key.created', 'prefect-cloud.api-key.rotated', 'prefect-cloud.api-key.deleted'],
          },
          order: 'ASC',
        },
      },
    });
    const next = kind.log!.request({ ...INPUT, cursor: 'a/b&c=d' });
    assert.deepEqual(next, { method: 'GET', path: `${PATH}/next?page-token=a%2Fb%26c%3Dd` });
    assert(kind.logWindowMs! < 14 * 86_400_000);
  }
});

test('without an account there is no log to ask for', () => {
  for (const settings of [{}, { accountId: '' }, { accountId: '..' }, { accountId: `${ACCOUNT}/..` }] as Record<
    string,
    string
  >[])
    assert.throws(
      () => userKey.log!.request({ ...INPUT, settings }),
      (error) => Failure.is(error, 'invalid'),
    );
});

function event(change: JsonObject = {}): JsonObject {
  return {
    id: ACCOUNT,
    account: ACCOUNT,
    event: 'prefect-cloud.api-key.created',
    occurred: '2026-11-01T10:00:00.5Z',
    resource: { 'prefect.resource.id': `prefect-cloud.api-key.${KEY}`, 'prefect.resource.name': 'etl' },
    related: [
      { 'prefect.resource.id': 'prefect-cloud.account.a', 'prefect.resource.role': 'account' },
      {
        'prefect.resource.id': 'prefect-cloud.actor.b',
        'prefect.resource.role': 'actor',
        'prefect.resource.name': 'somebody',
      },
    ],
    ...change,
  };
}

function page(events: readonly Json[], next: Json = null): ProviderAnswer {
  return answer(200, { events: [...events], total: events.length, next_page: next });
}

function readEvents(...events: readonly Json[]): readonly LoggedEvent[] | string {
  const outcome = userKey.log!.read(page(events), INPUT);
  return outcome.is === 'read' ? outcome.events : outcome.is;
}

test('read: which key, when, by whom', () => {
  const expected = {
    id: ACCOUNT,
    at: Date.UTC(2026, 10, 1, 10, 0, 0, 500),
    is: 'made',
    event: 'prefect-cloud.api-key.created',
    providerKeyId: KEY,
    keyName: 'etl',
    by: 'somebody',
  };
  assert.deepEqual(readEvents(event()), [expected]);
  for (const [name, is] of [
    ['rotated', 'replaced'],
    ['deleted', 'ended'],
  ] as const) {
    const full = `prefect-cloud.api-key.${name}`;
    assert.deepEqual(readEvents(event({ event: full })), [{ ...expected, is, event: full }]);
  }
  assert.deepEqual(readEvents(event({ related: [] })), [{ ...expected, by: null }]);
  const { related: _, ...alone } = event();
  assert.deepEqual(readEvents(alone), [{ ...expected, by: null }]);
  const nameless = [{ 'prefect.resource.id': 'prefect-cloud.actor.b', 'prefect.resource.role': 'actor' }];
  assert.deepEqual(readEvents(event({ related: nameless })), [{ ...expected, by: 'prefect-cloud.actor.b' }]);
  const long = [{ 'prefect.resource.role': 'actor', 'prefect.resource.name': `\u0000${'x'.repeat(9_000)}` }];
  const [bounded] = readEvents(event({ related: long })) as readonly LoggedEvent[];
  assert.equal(bounded!.by, `\uFFFD${'x'.repeat(255)}`);
});

test('read: what is about no key is skipped, what is about one and cannot be read makes the page unknown', () => {
  const others = [
    'prefect-cloud.api-key.updated',
    'prefect-cloud.service-account.deleted',
    'prefect-cloud.user.logged-in',
  ];
  assert.deepEqual(readEvents(...others.map((name) => event({ event: name, resource: {} }))), []);
  assert.deepEqual(readEvents(event({ event: 'toString' })), []);
  const broken: Json[] = [
    null,
    'text',
    {},
    event({ id: null }),
    event({ id: 'e1' }),
    event({ occurred: null }),
    event({ occurred: 'yesterday' }),
    event({ occurred: '2026-11-01' }),
    event({ occurred: '2026-13-41T10:00:00Z' }),
    event({ occurred: 1_790_000_000 }),
    event({ resource: null }),
    event({ resource: {} }),
    event({ resource: { 'prefect.resource.id': `prefect-cloud.service-account.${KEY}` } }),
    event({ resource: { 'prefect.resource.id': 'prefect-cloud.api-key.' } }),
    event({ resource: { 'prefect.resource.id': `prefect-cloud.api-key.${KEY}.more` } }),
    event({ event: 7 }),
  ];
  for (const one of broken) assert.equal(readEvents(event(), one), 'unknown', JSON.stringify(one));
});

test('read: the next page is one of the same log, or nothing is read', () => {
  const next = (address: Json) => {
    const outcome = userKey.log!.read(page([event()], address), INPUT);
    return outcome.is === 'read' ? (outcome.next ?? 'last') : outcome.is;
  };
  const host = 'https://api.prefect.cloud';
  assert.equal(next(null), 'last');
  assert.equal(next(`${host}${PATH}/next?page-token=a%2Fb`), 'a/b');
  // Nothing is sent to the address: only the token is taken from it.
  assert.equal(next(`http://elsewhere.example${PATH}/next?page-token=t`), 't');
  for (const address of [
    '',
    't',
    7,
    {},
    `${PATH}/next?page-token=t`,
    `${host}${PATH}/next`,
    `${host}${PATH}/next?page-token=`,
    `${host}${PATH}/next?page-token=a&page-token=b`,
    `${host}${PATH}?page-token=t`,
    `${host}${PATH}/next/../other?page-token=t`,
    `${host}/api/accounts/${KEY}/events/filter/next?page-token=t`,
    `${host}${PATH}/next?page-token=${'t'.repeat(5_000)}`,
  ])
    assert.equal(next(address), 'unknown', JSON.stringify(address).slice(0, 120));
});

test('read: a refusal is told from doubt', () => {
  const table: [status: number, body: Json, is: string][] = [
    [403, { detail: 'Missing required permissions' }, 'refused'],
    [401, { detail: 'Invalid authentication credentials' }, 'refused'],
    [403, { message: 'a proxy' }, 'unknown'],
    [403, null, 'unknown'],
    [404, { detail: 'Not Found' }, 'unknown'],
    [422, { detail: [] }, 'unknown'],
    [500, { detail: 'no' }, 'unknown'],
    [200, null, 'unknown'],
    [200, [], 'unknown'],
    [200, { events: {}, next_page: null }, 'unknown'],
    [200, { events: [] }, 'unknown'],
    [201, { events: [], next_page: null }, 'unknown'],
    [200, { events: [], next_page: null }, 'read'],
  ];
  for (const [status, body, is] of table)
    assert.equal(botKey.log!.read(answer(status, body), INPUT).is, is, `${status} ${JSON.stringify(body)}`);
  const limited = botKey.log!.read(answer(429, null, { 'retry-after': '7' }), INPUT);
  assert(limited.is === 'unknown');
  assert.equal(limited.retryAfterMs, 7_000);
});

interface Bench {
  readonly control: KitControl<PrefectCloudState>;
  readonly bot: PrefectBot;
  readonly key: KitKey;
  /** Rotates the service account’s key, as this key’s owner. */
  rotate(by: KitKey): Promise<string>;
  end(by: KitKey, id: string): Promise<string>;
  read(by: KitKey, more?: Partial<LogInput>): Promise<ReturnType<NonNullable<typeof userKey.log>['read']>>;
  mint(kind: string, account: string): KitKey;
}

function at(name: string, run: (bench: Bench) => Promise<void>): void {
  test(name, async (t) => {
    let found: KitControl<PrefectCloudState> | undefined;
    const twin = await kitTwin<PrefectCloudState>({
      definition: prefectCloudTwin,
      documents: [{ file: 'specs/prefect/prefect-cloud.openapi.json', base: '' }],
      undocumentedStatuses: [401, 403, 404],
      issuer(_, control) {
        found = control;
        return { acting: { parts: {}, places: [] }, settings: {} };
      },
    });
    twin.issuer(userKey);
    const control = found!;
    const bot = addBot(control.state, random, { name: 'etl-prod' });
    const settings = { accountId: control.state.accountId, botId: bot.id };
    const mint = (kind: string, account: string) => {
      const parts = { key: newPrefectKey(random, kind === 'user-key' ? 'pnu' : 'pnb') };
      return control.mint({ kind, name: 'by hand', account, parts });
    };
    const acting = (key: KitKey) => ({ parts: secretParts(key), places: userKey.places });
    try {
      await run({
        control,
        bot,
        mint,
        key: mint('service-account-key', bot.id),
        async rotate(by) {
          const grace = graceSeconds(60, botKey.graceMaxSeconds!);
          const input = { settings, label: 'l', providerKeyId: 'k', grace };
          const made = botKey.replace!.read(await twin.call(botKey.replace!.request(input), acting(by)), input);
          assert(made.is === 'issued');
          return made.providerKeyId;
        },
        async end(by, providerKeyId) {
          const input = { settings, providerKeyId };
          return botKey.revoke!.read(await twin.call(botKey.revoke!.request(input), acting(by)), input).is;
        },
        async read(by, more = {}) {
          const input = { settings, since: Date.now() - 60_000, until: Date.now() + 60_000, ...more };
          return userKey.log!.read(await twin.call(userKey.log!.request(input), acting(by)), input);
        },
      });
      const problems = twin.problems();
      if (problems === null) t.diagnostic(twin.documentAbsent);
      else assert.deepEqual(problems, []);
    } finally {
      await twin.close();
    }
  });
}

at('at the twin: who made, replaced and ended which key, whichever of the two a rotation names', async (bench) => {
  const { control, bot, key, mint, rotate, end, read } = bench;
  const admin = mint('user-key', control.state.userId);
  const other = addBot(control.state, random, { name: 'terraform', role: 'Admin' });
  const robot = mint('service-account-key', other.id);
  const second = await rotate(admin);
  control.state.log.rotatedNames = 'old';
  const third = await rotate(robot);
  assert.equal(await end(admin, key.id), 'accepted');
  const outcome = await read(admin);
  assert(outcome.is === 'read' && outcome.next === undefined);
  const made = (one: KitKey) => ['made', one.id, 'a-user'];
  assert.deepEqual(
    new Set(outcome.events.map(({ is, providerKeyId, by }) => [is, providerKeyId, by].join(' '))),
    new Set([
      ...[key, admin, robot].map((one) => made(one).join(' ')),
      `replaced ${second} a-user`,
      `replaced ${second} terraform`,
      `ended ${key.id} a-user`,
    ]),
  );
  assert(!outcome.events.some(({ providerKeyId }) => providerKeyId === third), 'the log does not say what came of it');
  assert.equal(outcome.events.find(({ is }) => is === 'replaced')!.keyName, bot.name);
});

at('at the twin: page by page, and refused to whoever may not', async ({ control, key, mint, read }) => {
  const admin = mint('user-key', control.state.userId);
  const ids = Array.from({ length: 450 }, () => mint('user-key', control.state.userId).id);
  const seen: string[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const outcome = await read(admin, cursor === undefined ? {} : { cursor });
    assert(outcome.is === 'read');
    seen.push(...outcome.events.map(({ providerKeyId }) => providerKeyId));
    cursor = outcome.next;
    pages++;
  } while (cursor !== undefined);
  assert.deepEqual([pages, seen.length], [3, 452]);
  assert(ids.every((id) => seen.includes(id)));
  assert.equal((await read(key)).is, 'refused');
  assert.equal((await read(admin, { since: 0 })).is, 'unknown');
  control.state.log.nextPage = 'https://elsewhere.example/next?page-token=t';
  assert.equal((await read(admin)).is, 'unknown');
});
