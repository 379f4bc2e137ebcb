// Cachet 2.4 at the family's conformance suite, and what is particular to it: one key a user, which the next one ends.
import assert from 'node:assert/strict';
import test from 'node:test';
import { providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { loadOpenApi } from '../../test/support/openapi.ts';
import { cachetV2Twin, regenerate } from '../../twins/cachet-v2.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { prng } from '../../twins/prng.ts';
import type { Json } from '../model/json.ts';
import { cachetV2Actions } from './cachet-v2.actions.ts';
import { cachetV2 } from './cachet-v2.ts';
import type { Parts } from './provider.ts';

const FILE = 'specs/cachet/cachet-v2.subset.openapi.json';
const random = prng(13);
const kind = cachetV2.kinds[0]!;

providerConformance(cachetV2, () =>
  kitTwin({
    definition: cachetV2Twin,
    documents: [{ file: FILE, base: '/api/v1' }],
    issuer: () => ({ acting: { parts: {}, places: kind.places }, settings: {} }),
    byHand: (_, control) => regenerate(control, random),
  }),
);

test('each answer is read as the facts say, and death only in Cachet’s own form', () => {
  const read = (status: number, json: Json) =>
    kind.probe.read({ status, headers: {}, json, text: JSON.stringify(json) }, { settings: {} }).is;
  const error = (status: number) => ({ errors: [{ status, title: 'Unauthorized' }] });
  const rows: readonly [number, Json, string][] = [
    [200, { meta: { pagination: { total: 0 } }, data: [] }, 'alive'],
    [401, error(401), 'dead'],
    [401, null, 'unknown'],
    [401, { message: 'Unauthenticated.' }, 'unknown'],
    [401, error(500), 'unknown'],
    [400, error(400), 'unknown'],
    [403, error(403), 'unknown'],
    [404, error(404), 'unknown'],
    [429, error(401), 'unknown'],
    [503, error(401), 'unknown'],
    [200, { data: [] }, 'unknown'],
  ];
  for (const [status, json, expected] of rows) assert.equal(read(status, json), expected, `${status}`);
});

test('a user has one key: the next one ends it in the same moment, and another user’s key stays', async () => {
  const document = loadOpenApi(FILE, '/api/v1');
  const problems: string[] = [];
  const twin = await startTwin(cachetV2Twin, {
    onExchange(exchange) {
      // The document leaves open what `data` holds.
      const found = document?.validateExchange(exchange) ?? [];
      problems.push(...found.filter((one) => !one.includes('response /data/')));
    },
  });
  const call = directCall(twin.origin);
  const acting = (parts: Parts) => ({ parts, places: kind.places });
  const probe = async (parts: Parts) =>
    kind.probe.read(await call(kind.probe.request({ settings: {} }), acting(parts)), { settings: {} }).is;
  try {
    const first = secretParts(regenerate(twin.control, random));
    const other = secretParts(regenerate(twin.control, random, 'user-2'));
    assert.deepEqual([await probe(first), await probe(other)], ['alive', 'alive']);
    const second = secretParts(regenerate(twin.control, random));
    assert.deepEqual([await probe(first), await probe(second), await probe(other)], ['dead', 'alive', 'alive']);
    assert.equal((await call({ method: 'GET', path: '/api/v1/components' }, acting(first))).status, 200, 'no proof');
    const create = { method: 'POST', path: '/api/v1/components', json: { name: 'Web', status: 1 } } as const;
    assert.equal((await call(create, acting(first))).status, 401);
    assert.equal((await call(create, acting(second))).status, 200);
    assert.deepEqual(problems, []);
  } finally {
    await twin.close();
  }
});

test('catalogue: the document’s operations and the actions are the same', (t) => {
  const document = loadOpenApi(FILE, '/api/v1');
  if (document === null) return t.skip(`NOT CHECKED: ${FILE} is not in the shared folder`);
  assert.deepEqual(
    cachetV2Actions.map((action) => `${action.method} ${action.path}`).sort(),
    document.operations.map((operation) => `${operation.method} ${operation.path}`).sort(),
  );
});
