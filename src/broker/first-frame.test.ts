// Who is waited for before anybody is known, what a first message says, and what becomes of it: nothing of it may tell a stranger which
// credentials there are, and nothing of the caller's token may travel on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Asked,
  forwarded,
  type Given,
  headOf,
  KEY,
  snapshotWith,
  TOKEN,
  UNKNOWN_TOKEN,
} from '../../test/support/plans.ts';
import { NOW } from '../../test/support/rows.ts';
import { catalogueLines } from '../access/catalogue.ts';
import { prefectCloud } from '../providers/prefect-cloud.ts';
import { prefectServer } from '../providers/prefect-server.ts';
import type { Provider } from '../providers/provider.ts';
import { awaitedFrame, prepareUpgrade, tokenOfFrame } from './first-frame.ts';

const PREFECT = { pointer: '/token', subprotocol: 'prefect' };
const EVENTS = '/prefect-server/prod/api/events/out';
const catalogue = (id: string, provider: Provider) =>
  ({
    noun: 'catalogue',
    row: { id, rowVersion: 1, provider: provider.name, actions: catalogueLines(provider) },
  }) as never;

function snapshot(given: Given = {}) {
  const credential = {
    provider: 'prefect-server',
    places: [{ in: 'basic', user: null }] as const,
    ...given.credential,
  };
  return snapshotWith({
    ...given,
    credential,
    more: [catalogue('cat_2', prefectServer), catalogue('cat_3', prefectCloud)],
  });
}

function awaited(asked: Asked, given: Given = {}, protocols: readonly string[] = ['prefect']) {
  return awaitedFrame(headOf(asked), { key: '', protocols }, snapshot(given), { at: NOW, monoMs: 0 });
}

test('without a token the path alone says whether anybody is waited for: not which credentials there are, nor which providers', () => {
  const paths = ['/prefect-server/prod', '/prefect-server/none', '/nobody/nothing', '/neon/prod', ''];
  for (const mount of paths) {
    for (const path of ['/api/events/in', '/api/events/out', '/api/logs/out', '/api/work_pools/any/workers/connect']) {
      assert.deepEqual(awaited({ token: null, target: `${mount}${path}?x=1` }), PREFECT, mount + path);
    }
    for (const path of [
      '/api/events',
      '/api/flows/',
      '/api/events/out/',
      '/events/out',
      '/api/%65vents/out',
      '/x/../api/events/out',
    ]) {
      assert.equal(awaited({ token: null, target: `${mount}${path}` }), null, mount + path);
    }
  }
  const cloud = '/api/accounts/a/workspaces/w/events';
  assert.deepEqual(awaited({ token: null, target: `/x/y${cloud}/out` }), PREFECT);
  assert.equal(awaited({ token: null, target: `/x/y${cloud}/in` }), null, 'Cloud has its key in the handshake there');
  assert.equal(awaited({ token: null, target: EVENTS }, {}, ['other']), null);
  assert.equal(awaited({ token: null, target: EVENTS }, {}, []), null);
});

test('with a token in the handshake: only for who may know of the action; every other is judged, and refused, as it is', () => {
  assert.deepEqual(awaited({ target: EVENTS }), PREFECT);
  const table: [why: string, asked: Asked, given?: Given][] = [
    ['unknown', { target: EVENTS, token: UNKNOWN_TOKEN }],
    ['expired', { target: EVENTS }, { token: { expiresAt: NOW } }],
    ['from elsewhere', { target: EVENTS }, { token: { networks: ['10.0.0.0/8'] } }],
    ['no grant at all', { target: EVENTS }, { grants: [] }],
    ['only a revoked one', { target: EVENTS }, { grants: [{ revokedAt: NOW }] }],
    ['no such credential', { target: '/prefect-server/none/api/events/out' }],
    ['another action', { target: '/prefect-server/prod/api/flows/' }],
    ['a path that is refused', { target: '/prefect-server/prod/api//events/out' }],
  ];
  for (const [why, asked, given] of table) assert.equal(awaited(asked, given), null, why);
});

test('the token is what stands at the pointer, with a user before it or none', () => {
  const found = (message: unknown) => {
    const said = tokenOfFrame(typeof message === 'string' ? message : JSON.stringify(message), PREFECT);
    return said.is === 'token' ? said.token : said.reason;
  };
  for (const text of [TOKEN, `x:${TOKEN}`, `:${TOKEN}`, `a:b:${TOKEN}`]) {
    assert.equal(found({ type: 'auth', token: text }), TOKEN, text);
  }
  const table: [message: unknown, reason: string][] = [
    ['', 'first-frame'],
    ['hello', 'first-frame'],
    ['[]', 'first-frame'],
    ['"text"', 'first-frame'],
    [`{"token":"${TOKEN}","token":"${TOKEN}"}`, 'first-frame'],
    [`{"token":"${TOKEN}"} `.concat('x'), 'first-frame'],
    [{ type: 'auth' }, 'no-token'],
    [{ type: 'auth', token: null }, 'no-token'],
    [{ type: 'auth', token: 7 }, 'no-token'],
    [{ type: 'auth', token: { token: TOKEN } }, 'no-token'],
    [{ type: 'auth', token: 'admin:hunter2' }, 'no-token'],
    [{ type: 'auth', token: `${TOKEN} ${TOKEN}` }, 'token-place'],
    [{ type: 'auth', token: `${TOKEN}:${TOKEN}` }, 'token-place'],
    [{ type: 'auth', token: TOKEN, also: TOKEN }, 'token-place'],
    [{ type: 'auth', token: TOKEN, [TOKEN]: 1 }, 'token-place'],
  ];
  for (const [message, reason] of table) assert.equal(found(message), reason, JSON.stringify(message));
});

test('the key takes the token’s place, and nothing else of the message changes', () => {
  const made = forwarded(snapshot(), { target: EVENTS });
  const handshake = { key: '', protocols: ['other', 'prefect'] };
  const text = `{"type": "auth",\n "n": 12345678901234567890, "token": "x:${TOKEN}"}`;
  const said = { rule: PREFECT, text, token: TOKEN };
  const ready = prepareUpgrade(made, handshake, null, said);
  assert(ready.is === 'ready');
  assert.equal(ready.greeting, `{"type": "auth",\n "n": 12345678901234567890, "token": "${KEY}"}`);
  assert.deepEqual(ready.offered, ['prefect']);
  const refusals = [
    prepareUpgrade(made, handshake, null, null),
    prepareUpgrade(made, handshake, null, { ...said, rule: { ...PREFECT, pointer: '/key' } }),
    prepareUpgrade({ ...made, injection: { ...made.injection, bare: null } }, handshake, null, said),
    prepareUpgrade(forwarded(snapshot(), { target: '/prefect-server/prod/api/version' }), handshake, TOKEN, null),
  ];
  assert.deepEqual(
    refusals.map((one) => (one.is === 'refused' ? `${one.status} ${one.reason}` : one.is)),
    ['400 handshake', '403 upgrade-refused', '400 token-place', '403 upgrade-refused'],
  );
});
