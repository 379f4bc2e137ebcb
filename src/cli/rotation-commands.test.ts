// Rotations in which a person has a part, on the command line: what to do is said where and when it is to be done, the key is brought through
// no argument, and nothing of it is shown.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createPaint } from './paint.ts';
import type { Rotation } from './rows.ts';
import { renderSteps, rotationNote, rotationSteps } from './steps.ts';
import { CREDENTIAL, PROVIDERS } from './test-rows.ts';
import { call, problem, recordingServer, temporaryFolder } from './test-support.io.ts';

const ID = 'rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4';
const TOKEN = 'canary-token';
const PAIR = { ...CREDENTIAL, kind: 'pair' };

function row(step: string, more: Readonly<Record<string, unknown>> = {}) {
  return {
    id: ID,
    credentialId: CREDENTIAL.id,
    trigger: 'operator',
    reason: 'superseded',
    requestedAt: '2026-09-21T14:00:00.000Z',
    endedAt: null,
    policy: { death: { refusals: 3 } },
    lastProblem: null,
    state: {
      protocol: 'overlap/1',
      means: { issue: 'person', revoke: 'person' },
      step,
      end: null,
      undoing: null,
      promoted: false,
      overdue: false,
      failures: 0,
      death: { refusals: 0 },
      reason: null,
      ...more,
    },
  };
}

const DUTY = {
  url: 'https://status.example.org/dashboard',
  steps: ['Sign in\u001b[2J.', 'Copy the token.'],
  until: '2026-09-28T14:13:20.000Z',
};
const AWAITING = { rotation: row('await'), steps: [], todo: DUTY };
const DONE = { rotation: row('sweep', { end: 'rotated' }), steps: [], todo: null };

/** What a person reads, with its steps numbered. */
const TOLD = [
  'At https://status.example.org/dashboard, until 2026-09-28 14:13:20Z (in 7 d):',
  '  1. Sign in\\u{1b}[2J.',
  '  2. Copy the token.',
  `Then: claviger rotation bring ${ID}`,
].join('\n');

function answers(details: readonly object[], credential: object = CREDENTIAL) {
  let asked = 0;
  return {
    'GET /v1/credentials': { json: { items: [credential], next: null } },
    [`GET /v1/credentials/${CREDENTIAL.id}`]: { json: { credential } },
    'GET /v1/providers': { json: PROVIDERS },
    'POST /v1/rotations': { status: 202, json: row('await') },
    [`POST /v1/rotations/${ID}/key`]: { status: 202, json: row('verify') },
    [`POST /v1/rotations/${ID}/cancel`]: { status: 202, json: row('prove', { end: 'aborted', reason: 'x' }) },
    [`GET /v1/rotations/${ID}`]: () => ({ json: details[Math.min(asked++, details.length - 1)] }),
  };
}

test('rotate --by-hand asks for it, says what to do and which command comes after it, and does not wait for what cannot come', async (t) => {
  const { env, requests } = await recordingServer(t, answers([AWAITING]));
  const { exit, out } = await call(['rotate', 'billing', '--by-hand'], { env });
  assert.equal(exit, 0);
  assert.deepEqual(requests.find(({ method }) => method === 'POST')?.body, { credential: CREDENTIAL.id, byHand: true });
  assert.equal(out, `It waits for you.\n${TOLD}\n`);
  const plain = await recordingServer(t, answers([DONE]));
  await call(['rotate', 'billing'], { env: plain.env });
  assert.deepEqual(plain.requests.find(({ method }) => method === 'POST')?.body, { credential: CREDENTIAL.id });
});

test('show says what to do between the steps and the journal; as JSON it is data', async (t) => {
  const { env } = await recordingServer(t, answers([AWAITING]));
  const { out } = await call(['rotation', 'show', ID], { env });
  const [at, steps, journal] = [out.indexOf(TOLD), out.indexOf('await …'), out.indexOf('Nothing is in its journal')];
  assert.ok(steps > 0 && at > steps && journal > at, out);
  assert.deepEqual(JSON.parse((await call(['rotation', 'show', ID, '--json'], { env })).out).todo, DUTY);
});

test('while it is followed, what is to be done is said once, when it is to be done', async (t) => {
  const ending = { rotation: row('prove'), steps: [], todo: { ...DUTY, steps: ['Delete the old key.'], until: null } };
  const { env } = await recordingServer(
    t,
    answers([{ ...DONE, rotation: row('drain') }, ending, ending, ending, DONE]),
  );
  const { exit, out, err } = await call(['rotation', 'show', ID, '--follow'], { env });
  assert.equal(exit, 0);
  assert.match(out, /^Rotated/);
  assert.equal(err.split('Delete the old key.').length, 2, err);
  assert.ok(err.indexOf('drain …') < err.indexOf('1. Delete the old key.'));
});

test('show --follow stays with a rotation that waits for a key', async (t) => {
  const { env } = await recordingServer(t, answers([AWAITING, AWAITING, DONE]));
  const { out, err } = await call(['rotation', 'show', ID, '--follow'], { env });
  assert.match(out, /^Rotated/);
  assert.equal(err.split('Copy the token.').length, 2);
});

test('blocked, or lost: what to do stands in the place of a general hint', async (t) => {
  const blocked = { rotation: row('prove', { end: 'blocked', reason: 'the key still works' }), steps: [], todo: DUTY };
  const { env } = await recordingServer(t, answers([blocked]));
  const { exit, out } = await call(['rotation', 'resume', ID], {
    env: (
      await recordingServer(t, { ...answers([blocked]), [`POST /v1/rotations/${ID}/resume`]: { json: row('prove') } })
    ).env,
  });
  assert.equal(exit, 1);
  assert.match(out, /^Blocked: the key still works\nAt https/);
  assert.ok(out.includes(`Then: claviger rotation resume ${ID}`));
  const lost = {
    rotation: row('resolve', { protocol: 'swap/1', source: 'provider', end: 'lost', reason: 'gone' }),
    steps: [],
    todo: { url: 'https://x.example', steps: ['claviger rotate a/b/c --by-hand'], until: null },
  };
  const other = await recordingServer(t, {
    ...answers([lost]),
    'POST /v1/rotations': { status: 202, json: row('hold', { protocol: 'swap/1' }) },
  });
  assert.match(
    (await call(['rotate', 'billing'], { env: other.env })).out,
    /^Lost: gone\nAt https:\/\/x\.example:\n {2}1\. claviger rotate/,
  );
  assert.ok((await call(['rotation', 'show', ID], { env })).out.includes('prove ✗'));
});

test('bring: each source, no argument, and nothing of the key in what is said', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'key'), `${TOKEN}\n`);
  writeFileSync(path.join(folder, '.env'), `NEW_KEY='${TOKEN}'\n`);
  const sources: [string[], { stdin?: string; answers?: string[] }][] = [
    [['--from-stdin'], { stdin: `${TOKEN}\n` }],
    [['--from-file', path.join(folder, 'key')], {}],
    [['--from-env-file', path.join(folder, '.env'), '--name', 'NEW_KEY'], {}],
    [['--part', `key=@${path.join(folder, 'key')}`], {}],
    [[], { answers: [TOKEN] }],
  ];
  for (const [more, options] of sources) {
    const { env, requests } = await recordingServer(t, answers([AWAITING, DONE]));
    const { exit, out, err } = await call(['rotation', 'bring', ID, ...more], { env, ...options });
    assert.deepEqual([exit, out], [0, 'Rotated: the old version is proven dead.\n'], err);
    const sent = requests.find(({ method }) => method === 'POST');
    assert.deepEqual([sent?.target, sent?.body], [`/v1/rotations/${ID}/key`, { parts: { key: TOKEN } }]);
    assert.ok(!`${out}${err}`.includes('canary'));
    // Who is asked is told what to do first.
    assert.equal(err.includes('1. Sign in'), more.length === 0, err);
  }
});

test('bring: a key of several parts, each by its name', async (t) => {
  const { env, requests } = await recordingServer(t, answers([AWAITING, DONE], PAIR));
  const { exit } = await call(['rotation', 'bring', ID], { env, answers: ['canary-id', 'canary-secret'] });
  assert.equal(exit, 0);
  assert.deepEqual(requests.find(({ method }) => method === 'POST')?.body, {
    parts: { id: 'canary-id', secret: 'canary-secret' },
  });
});

test('bring: where no key is waited for nobody is asked for one; a key that is not taken leaves the rotation waiting', async (t) => {
  const done = await recordingServer(t, answers([DONE]));
  const early = await call(['rotation', 'bring', ID, '--from-stdin'], { env: done.env, stdin: TOKEN });
  assert.deepEqual([early.exit, done.requests.filter(({ method }) => method === 'POST')], [4, []]);
  assert.match(early.err, /waits for no key/);
  const refusing = await recordingServer(t, {
    ...answers([AWAITING]),
    [`POST /v1/rotations/${ID}/key`]: problem(400, 'invalid', 'the provider refuses this key'),
  });
  const refused = await call(['rotation', 'bring', ID, '--from-stdin'], { env: refusing.env, stdin: TOKEN });
  assert.notEqual(refused.exit, 0);
  assert.match(refused.err, /the provider refuses this key/);
  assert.ok(!`${refused.out}${refused.err}`.includes('canary'));
  assert.equal((await call(['rotation', 'bring', 'billing'], { env: refusing.env })).exit, 2, 'a name is no rotation');
});

test('cancel undoes, and with --abandon only ends', async (t) => {
  const aborted = { rotation: row('sweep', { end: 'aborted', undoing: 'x', reason: 'x' }), steps: [] };
  const { env, requests } = await recordingServer(t, answers([aborted]));
  const undone = await call(['rotation', 'cancel', ID, '--reason', 'x'], { env });
  assert.deepEqual([undone.exit, requests[0]?.body], [0, { reason: 'x' }]);
  requests.length = 0;
  const abandoned = await call(['rotation', 'cancel', ID, '--reason', 'x', '--abandon'], { env });
  assert.deepEqual([abandoned.exit, requests.map(({ body }) => body)], [0, [{ reason: 'x', abandon: true }]]);
  assert.match(abandoned.out, /^Ended where it stood/);
});

test('a slip in --wait begins nothing', async (t) => {
  const { env, requests } = await recordingServer(t, answers([AWAITING]));
  for (const args of [
    ['rotate', 'billing'],
    ['rotation', 'bring', ID],
    ['rotation', 'cancel', ID, '--reason', 'x'],
  ]) {
    assert.equal((await call([...args, '--wait', '5'], { env, stdin: TOKEN })).exit, 2, args.join(' '));
  }
  assert.ok(requests.every(({ method }) => method === 'GET'));
});

test('the steps of each protocol on one line', () => {
  const swap = { protocol: 'swap/1', source: 'provider', heldSince: null };
  const table: [object, string, string | null][] = [
    [
      row('await'),
      'await …  store  verify  promote  drain  cover  confirm  revoke  prove  sweep',
      'waits for the new key',
    ],
    [
      row('prove'),
      'await ✓  store ✓  verify ✓  promote ✓  drain ✓  cover ✓  confirm ✓  revoke ✓  prove …  sweep',
      'until the provider refuses the old key',
    ],
    [
      row('hold', { ...swap, heldSince: { boot: 1, mono: 0 } }),
      'hold …  replace  verify  promote  cover  prove',
      'is held',
    ],
    [row('resolve', swap), 'hold ✓  replace …  verify  promote  cover  prove', 'the answer was lost'],
    [row('prepare', { ...swap, source: 'ours' }), 'prepare …  hold  replace  verify  promote  cover  prove', null],
    [
      row('verify', { ...swap, end: 'lost', reason: 'gone' }),
      'hold ✓  replace ✓  verify ✗  promote  cover  prove',
      'gone',
    ],
    [row('prove', { ...swap, end: 'rotated' }), 'hold ✓  replace ✓  verify ✓  promote ✓  cover ✓  prove ✓', null],
  ];
  for (const [given, line, note] of table) {
    const rotation = given as unknown as Rotation;
    assert.equal(renderSteps(rotationSteps(rotation), createPaint(false)), line);
    if (note !== null) assert.ok(rotationNote(rotation)?.includes(note), note);
  }
});
