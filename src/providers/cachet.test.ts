// Cachet 3 at the family's conformance suite, and what is particular to it: reads that prove nothing, an API that may be switched off, no
// ability chosen that means all, and the checksum of a token.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { loadOpenApi } from '../../test/support/openapi.ts';
import {
  type CachetState,
  cachetToken,
  cachetTwin,
  cachetTwinSwitchedOff,
  newCachetToken,
} from '../../twins/cachet.ts';
import { startTwin } from '../../twins/kit.io.ts';
import type { KitDefinition } from '../../twins/kit.ts';
import { ALPHANUMERIC, prng } from '../../twins/prng.ts';
import type { Json } from '../model/json.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { cachetAbilities, cachetActions } from './cachet.actions.ts';
import { cachet, hasRightChecksum } from './cachet.ts';
import type { Parts } from './provider.ts';

const FILE = 'specs/cachet/cachet-v3.subset.openapi.json';
const random = prng(11);
const kind = cachet.kinds[0]!;
let made = 0;

const twinOf = (definition: KitDefinition<CachetState>) =>
  kitTwin({
    definition,
    documents: [{ file: FILE, base: '/api' }],
    issuer: () => ({ acting: { parts: {}, places: kind.places }, settings: {} }),
    byHand: (_, control) => control.mint(cachetToken(random, String(++made), ['components.manage'])),
  });

providerConformance(cachet, () => twinOf(cachetTwin), { unsound: () => twinOf(cachetTwinSwitchedOff) });

async function atTwin(run: (tools: Bench) => Promise<void>, definition = cachetTwin) {
  const tools = await bench(definition);
  try {
    await run(tools);
    assert.deepEqual(tools.problems, []);
  } finally {
    await tools.twin.close();
  }
}

type Bench = Awaited<ReturnType<typeof bench>>;

async function bench(definition: KitDefinition<CachetState>) {
  const document = loadOpenApi(FILE, '/api');
  const problems: string[] = [];
  const twin = await startTwin(definition, {
    onExchange: (exchange) => problems.push(...(document?.validateExchange(exchange) ?? [])),
  });
  const call = directCall(twin.origin);
  const probe = async (parts: Parts) => {
    const request = kind.probe.request({ settings: {} });
    return kind.probe.read(await call(request, { parts, places: kind.places }), { settings: {} });
  };
  const preflight = async () => {
    const answer = await call(kind.preflight!.request({ settings: {} }), { parts: {}, places: [] });
    return kind.preflight!.read(answer, { settings: {} });
  };
  const send = (method: 'GET' | 'POST' | 'DELETE', target: string, parts: Parts, json?: Json) =>
    call({ method, path: target, ...(json === undefined ? {} : { json }) }, { parts, places: kind.places });
  return { twin, problems, probe, preflight, send };
}

test('each answer is read as the facts say: nobody finds a subscriber 0 who was not let in', () => {
  const read = (status: number, json: Json) =>
    kind.probe.read({ status, headers: {}, json, text: JSON.stringify(json) }, { settings: {} }).is;
  const rows: readonly [number, Json, string][] = [
    [404, { message: 'No query results for model [Cachet\\Models\\Subscriber] 0' }, 'alive'],
    [404, { message: 'Not Found' }, 'alive'],
    [404, { message: 'The route api/subscribers/0 could not be found.' }, 'unknown'],
    [403, { message: 'Invalid ability provided.' }, 'alive'],
    [401, { message: 'Unauthenticated.' }, 'dead'],
    [404, null, 'unknown'],
    [200, { data: {} }, 'unknown'],
    [401, { message: 'Unauthorized.' }, 'unknown'],
    [401, null, 'unknown'],
    [403, { message: 'Forbidden' }, 'unknown'],
    [200, { message: 'Unauthenticated.' }, 'unknown'],
    [429, { message: 'Too Many Attempts.' }, 'unknown'],
    [500, { message: 'Server Error' }, 'unknown'],
    [503, { message: 'Unauthenticated.' }, 'unknown'],
  ];
  for (const [status, json, expected] of rows) assert.equal(read(status, json), expected, JSON.stringify(json));
});

test('a probe counts where somebody answers the ping, with or without a token', () => {
  const read = (status: number, json: Json) =>
    kind.preflight!.read({ status, headers: {}, json, text: '' }, { settings: {} }).is;
  const rows: readonly [number, Json, string][] = [
    [200, { data: 'Pong!' }, 'sound'],
    [401, { message: 'Unauthenticated.' }, 'sound'],
    [200, { data: 'pong' }, 'unknown'],
    [200, null, 'unknown'],
    [404, { message: 'Not Found' }, 'unsound'],
    [401, null, 'unknown'],
    [429, { message: 'Too Many Attempts.' }, 'unknown'],
    [503, { data: 'Pong!' }, 'unknown'],
  ];
  for (const [status, json, expected] of rows) assert.equal(read(status, json), expected, JSON.stringify(json));
});

test('a token of any ability is alive, by its id or without it; a deleted and an expired one are dead', () =>
  atTwin(async ({ twin, probe }) => {
    const narrow = twin.control.mint(cachetToken(random, '17', ['metric-points.manage']));
    const wide = twin.control.mint(cachetToken(random, '18', ['subscribers.manage']));
    assert.deepEqual(
      [(await probe(secretParts(narrow))).evidence.signature, (await probe(secretParts(wide))).evidence.signature],
      ['cachet.404.no-such-subscriber', 'cachet.404.no-such-subscriber'],
    );
    const [, withoutId] = narrow.parts['key']!.split('|');
    assert.match(withoutId!, kind.format['key']!);
    assert.equal((await probe({ key: new Secret(withoutId!) })).is, 'alive');
    twin.control.endByHand('17');
    assert.equal((await probe(secretParts(narrow))).is, 'dead');
    assert.equal((await probe({ key: new Secret(withoutId!) })).is, 'dead');
    const expiring = twin.control.mint({ ...cachetToken(random, '19', ['*']), expiresAt: Date.now() - 1 });
    assert.equal((await probe(secretParts(expiring))).is, 'dead');
  }));

test('where the API is switched off, every token looks alive, and the ping says that it means nothing', () =>
  atTwin(async ({ probe, preflight }) => {
    assert.equal((await probe({ key: new Secret(newCachetToken(random, '21')) })).is, 'alive');
    assert.equal((await preflight()).is, 'unsound');
  }, cachetTwinSwitchedOff));

test('where reads ask for a token too, the ping is refused, and a probe counts', () =>
  atTwin(async ({ twin, probe, preflight }) => {
    assert.equal((await preflight()).is, 'sound');
    twin.control.state.isProtected = true;
    assert.equal((await preflight()).is, 'sound');
    const token = twin.control.mint(cachetToken(random, '22', ['*']));
    assert.equal((await probe(secretParts(token))).is, 'alive');
  }));

test('the twin: reads are public unless it is protected, abilities are asked for, and none chosen is all', () =>
  atTwin(async ({ twin, send }) => {
    const dead = { key: new Secret(newCachetToken(random, '99')) };
    assert.equal((await send('GET', '/api/components', dead)).status, 200, 'a read proves nothing');
    twin.control.state.isProtected = true;
    assert.equal((await send('GET', '/api/ping', dead)).status, 401);
    const reader = secretParts(twin.control.mint(cachetToken(random, '30', ['metrics.manage'])));
    assert.equal((await send('GET', '/api/components', reader)).status, 200, 'any token will do');
    assert.equal((await send('POST', '/api/components', reader, { name: 'Web' })).status, 403);
    assert.equal((await send('GET', '/api/subscribers/0', reader)).status, 404, 'looked up before abilities are');
    assert.equal((await send('GET', '/api/subscribers/1', reader)).status, 403);
    const unchosen = secretParts(twin.control.mint(cachetToken(random, '31', [])));
    assert.equal((await send('POST', '/api/components', unchosen, { name: 'Web' })).status, 201);
    assert.equal((await send('DELETE', '/api/components/2', unchosen)).status, 204);
    assert.equal((await send('GET', '/api/subscribers/0', dead)).status, 401);
  }));

test('the checksum is the CRC-32 of the forty characters before it, whatever stands in front of them', () => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom('', '17|', '17|cachet_', 'cachet-'), (seed, before) => {
      const text = prng(seed).text(40, ALPHANUMERIC);
      const right = crc32(text).toString(16).padStart(8, '0');
      assert(hasRightChecksum(before + text + right));
      assert.match(before + text + right, kind.format['key']!);
      const wrong = ((Number.parseInt(right, 16) ^ 1) >>> 0).toString(16).padStart(8, '0');
      assert(!hasRightChecksum(before + text + wrong));
    }),
  );
  for (const text of [
    '',
    '17|',
    'a'.repeat(48),
    `${'a'.repeat(40)}${'0'.repeat(8)}`,
    `${newCachetToken(random, '1')} `,
  ])
    assert(!hasRightChecksum(text), 'no token of Cachet');
});

test('a token that the twin makes has the form and the checksum of one', () => {
  const parts = secretParts(cachetToken(random, '7', ['*']));
  assert.match(revealSecretText(parts['key']!), kind.format['key']!);
  assert(hasRightChecksum(revealSecretText(parts['key']!)));
});

const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');

test('catalogue: the document’s operations and the actions are the same, and so are the abilities', (t) => {
  const document = loadOpenApi(FILE, '/api');
  if (document === null) return t.skip(`NOT CHECKED: ${FILE} is not in the shared folder`);
  assert.deepEqual(
    cachetActions.map((action) => `${action.method} ${action.path}`).sort(),
    document.operations.map((operation) => `${operation.method} ${operation.path}`).sort(),
  );
  const file = path.join(shared, 'specs/derived/cachet-v3.abilities-by-operation.json');
  const { operations } = JSON.parse(readFileSync(file, 'utf8')) as {
    operations: readonly { method: string; path: string; ability: string | null }[];
  };
  for (const { method, path: template, ability } of operations) {
    const action = cachetActions.find((one) => one.method === method && one.path === `/api${template}`);
    assert.deepEqual(action?.scopes, ability === null ? [] : [ability], `${method} ${template}`);
  }
});

test('twenty abilities and the one that is all of them, which no key should have', () => {
  assert.equal(cachetAbilities.length, 21);
  assert.deepEqual(kind.scopes?.everything, ['*']);
  assert.equal(kind.scopes?.includes?.['*']?.length, 20);
  for (const action of cachetActions) for (const scope of action.scopes ?? []) assert(cachetAbilities.includes(scope));
});
