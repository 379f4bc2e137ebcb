// The command that lets somebody consent: what it asks the server for, and how each end is told.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Answers, call, recordingServer } from '../test-support.io.ts';

const ID = 'crd_0198c1d2e3f4708192a3b4c5d6e7f801';
const APP = 'crd_0198c1d2e3f4708192a3b4c5d6e7f802';
const URL_TO_OPEN = 'https://social.example.org/oauth/authorize?response_type=code&state=abc';
const BEGUN = {
  state: 'waiting',
  why: null,
  app: APP,
  scopes: ['read:accounts'],
  account: null,
  startedAt: '2026-09-21T14:13:20.000Z',
  expiresAt: '2026-09-21T14:23:20.000Z',
};
const row = (id: string, name: string) => ({ id, name, provider: 'mastodon', environment: 'default', rowVersion: 1 });

/** A server whose consent goes through these states, one for each look. */
function serve(t: TestContext, ...states: readonly object[]) {
  let look = 0;
  const answers: Answers = {
    'GET /v1/credentials': { json: { items: [row(ID, 'bot'), row(APP, 'bot-app')], next: null } },
    [`POST /v1/credentials/${ID}/consent`]: { status: 201, json: { url: URL_TO_OPEN, consent: BEGUN } },
    [`GET /v1/credentials/${ID}/consent`]: () => ({
      json: { ...BEGUN, ...states[Math.min(look++, states.length - 1)] },
    }),
  };
  return recordingServer(t, answers);
}

test('the address is printed, and the end is waited for', async (t) => {
  const server = await serve(t, {}, {}, { state: 'brought', account: '42' });
  const { exit, out } = await call(['credential', 'consent', 'mastodon/bot'], { env: server.env });
  assert.equal(exit, 0);
  assert(out.startsWith(`Open this, sign in and agree:\n${URL_TO_OPEN}\n`), out);
  assert.match(out, /mastodon\/bot has its key, of the account 42\.\n$/);
  assert.equal(server.requests.filter(({ method }) => method === 'POST').length, 1);
});

test('an app and scopes of one’s own, and no waiting', async (t) => {
  const server = await serve(t);
  const args = ['bot', '--app', 'bot-app', '--scope', 'read:accounts', '--scope', 'write:statuses', '--no-wait'];
  const { exit, out } = await call(['credential', 'consent', ...args], { env: server.env });
  assert.deepEqual([exit, out], [0, `Open this, sign in and agree:\n${URL_TO_OPEN}\n`]);
  const posted = server.requests.find(({ method }) => method === 'POST')!;
  assert.deepEqual(posted.body, { app: APP, scopes: ['read:accounts', 'write:statuses'] });
  assert.equal(server.requests.at(-1), posted, 'nothing is looked at');
  const quiet = await call(['credential', 'consent', 'bot', '--no-wait', '--quiet'], { env: server.env });
  assert.equal(quiet.out, `${URL_TO_OPEN}\n`);
});

test('every other end is told, and is no success', async (t) => {
  const table: readonly (readonly [object, RegExp])[] = [
    [{ state: 'denied', why: 'the person did not agree' }, /did not agree: nothing was made/],
    [{ state: 'refused', why: 'another server \u001b[2J answered' }, /Not taken: another server [^\u001b]* answered/],
    [
      { state: 'expired', why: 'nobody came back in time' },
      /Begin again: claviger credential consent default\/mastodon\/bot/,
    ],
    [{ startedAt: '2026-09-21T14:15:00.000Z' }, /Not taken: somebody began another one/],
  ];
  for (const [state, text] of table) {
    const server = await serve(t, {}, state);
    const { exit, out } = await call(['credential', 'consent', 'bot'], { env: server.env });
    assert.equal(exit, 1);
    assert.match(out, text);
  }
});

test('as JSON: the address as soon as it is there, and then the end', async (t) => {
  const server = await serve(t, {}, { state: 'brought' });
  const { out } = await call(['credential', 'consent', 'bot', '--json'], { env: server.env });
  const [first, ...rest] = out.split('\n');
  assert.deepEqual(JSON.parse(first!), { url: URL_TO_OPEN });
  const last = JSON.parse(rest.join('\n')) as { url: string; consent: { state: string } };
  assert.deepEqual([last.url, last.consent.state], [URL_TO_OPEN, 'brought']);
});
