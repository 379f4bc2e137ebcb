// A certificate as it is read: the verdict comes first and is earned, each refusal stands on its line with its controls, times are UTC, and a
// forged one is neither believed nor obeyed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialRow, versionRow } from '../../test/support/rows.ts';
import type { ReadingRecord, RefusalRecord } from '../credentials/probing.ts';
import type { Json, JsonObject } from '../model/json.ts';
import { deathStatement } from '../revocation/certificate.ts';
import { certificateText } from './certificate-text.ts';
import { createPaint } from './paint.ts';
import { call, NOW, recordingServer } from './test-support.io.ts';
import { createView } from './view.ts';

const view = createView({ paint: createPaint(false), columns: null, now: () => NOW });
const AT = Date.parse('2026-09-21T10:00:00.000Z');

function reading(at: number, is: ReadingRecord['is']): ReadingRecord {
  const status = is === 'alive' ? 200 : is === 'dead' ? 401 : null;
  return { at, is, status, signature: `neon.${is}`, requestId: null };
}

function refusal(at: number, is: ReadingRecord['is'] = 'dead', after: ReadingRecord['is'] = 'alive'): RefusalRecord {
  const control = { versionId: 'ver_issuer', before: reading(at - 20, 'alive'), after: reading(at + 15, after) };
  return { at, target: reading(at, is), control };
}

function statementOf(refusals: readonly RefusalRecord[]): JsonObject {
  return deathStatement({
    instance: '0a1b2c3d',
    credential: credentialRow({ name: 'billing', provider: 'neon', environment: 'prod' }),
    version: versionRow({ id: 'ver_old', number: 3, providerKeyId: '165432' }),
    reason: 'compromised',
    actor: 'prn_1',
    requestedAt: AT - 60_000,
    revokeCalledAt: AT - 5_000,
    refusals,
    issuedAt: AT + 1_000,
  });
}
const lines = (statement: JsonObject) => certificateText(statement, view).split('\n');

test('the verdict comes first, then whose key it was, then one line for each refusal with its controls beside it', () => {
  const shown = lines(statementOf([refusal(AT), refusal(AT + 5_001), refusal(AT + 10_002)]));
  assert.equal(
    shown[0],
    'dead: the provider refused this key 3 times, each time between two acceptances of a key that lives',
  );
  assert.ok(shown.some((line) => /^credential +prod\/neon\/billing$/.test(line)));
  assert.ok(shown.some((line) => /^provider asked +2026-09-21 09:59:55Z \(4 h ago\)$/.test(line)));
  assert.deepEqual(
    shown.slice(-3).map((line) => line.split(/ {2,}/)),
    [
      ['2026-09-21 10:00:00.000Z', '09:59:59.980Z alive 200', '10:00:00.015Z alive 200'],
      ['2026-09-21 10:00:05.001Z', '10:00:04.981Z alive 200', '10:00:05.016Z alive 200'],
      ['2026-09-21 10:00:10.002Z', '10:00:09.982Z alive 200', '10:00:10.017Z alive 200'],
    ].map(([at, before, after]) => [at, '401', 'neon.dead', before, after, 'ver_issuer']),
  );
});

test('a verdict that the refusals do not earn is not given', () => {
  const table: [RefusalRecord[], RegExp][] = [
    [[], /^NOT PROVEN: no refusal is named/],
    [[refusal(AT), refusal(AT + 5_000, 'dead', 'dead')], /^NOT PROVEN: 1 of 2 refusals count/],
    [[refusal(AT, 'unknown')], /^NOT PROVEN: 0 of 1 /],
    [[refusal(AT, 'alive')], /^NOT PROVEN: 0 of 1 /],
  ];
  for (const [refusals, verdict] of table) assert.match(lines(statementOf(refusals))[0]!, verdict);
  for (const refusals of ['three', 3, null, [null, 'x', {}], [[]]] as Json[]) {
    assert.match(lines({ ...statementOf([]), refusals })[0]!, /^NOT PROVEN/);
  }
});

test('what a forged statement says stays text on its line', () => {
  const hostile = 'x\u001b[2J\ndead: forged';
  const forged = {
    ...statementOf([refusal(AT)]),
    reason: hostile,
    credential: { name: hostile },
    requestedAt: hostile,
  };
  const shown = certificateText(forged, view);
  assert.ok(!shown.includes('\u001b'));
  assert.equal(shown.split('\n').filter((line) => line.startsWith('dead')).length, 1);
});

test('certificate show is read by people, and --signed gives the note byte for byte', async (t) => {
  const note = '{"type":"claviger/certificate-of-death/v1"}\n\n— claviger AAAA\n';
  const row = { id: 'crt_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4', statement: statementOf([refusal(AT)]), note };
  const { env } = await recordingServer(t, { [`GET /v1/certificates/${row.id}`]: { json: row } });
  const show = ['certificate', 'show', row.id];
  assert.match((await call(show, { env })).out, /^dead: the provider refused this key once, /);
  assert.equal((await call([...show, '--signed'], { env })).out, note);
  assert.deepEqual(JSON.parse((await call([...show, '--json'], { env })).out), row);
});
