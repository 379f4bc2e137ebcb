// Claviger's probe against a real Prefect Server, which its twin only stands in for: what each answer is read as, how a string is changed by
// a restart, and what a server without a string answers. Where Prefect cannot be installed the test is skipped, and says so.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Secret } from '../../src/model/secret.ts';
import { prefectServer } from '../../src/providers/prefect-server.ts';
import type { Call, Place } from '../../src/providers/provider.ts';
import { directCall } from '../support/direct-call.ts';
import { isPrefectReady, prefectDirectory, startPrefectServer } from '../support/prefect.ts';

/** With the installation less than a test file may take. What has not started by then fails. */
const STARTS_MS = 70_000;

const kind = prefectServer.kinds[0]!;
const PROBE = kind.probe.request({ settings: {} });

/** A server with a string, or open, and how it is asked. */
async function startServer(home: string, text: string | null, endsAt: number) {
  const { origin, stop } = await startPrefectServer(home, text, { endsAt, hasServices: false });
  return { call: directCall(origin), stop };
}

/** The status of a request without a key; null where nobody listens. */
async function statusWithout(call: Call, target: string): Promise<number | null> {
  return call({ method: 'GET', path: target, secrets: [] }, { parts: {}, places: [] }).then(
    (answer) => answer.status,
    () => null,
  );
}

async function livenessOf(call: Call, text: string, places: readonly Place[] = kind.places) {
  const { is, evidence } = kind.probe.read(await call(PROBE, { parts: { key: new Secret(text) }, places }), {
    settings: {},
  });
  return `${is} ${evidence.signature}`;
}

async function isAsking(call: Call): Promise<boolean | null> {
  const answer = await call({ method: 'GET', path: '/api/admin/settings', secrets: [] }, { parts: {}, places: [] });
  if (answer.status === 401) return true;
  const settings = answer.json as { server?: { api?: { auth_string?: string | null } } };
  return settings.server?.api?.auth_string === null ? false : null;
}

const ALIVE = 'alive prefect-server.200.version';
const DEAD = 'dead prefect-server.401.unauthorized';

test('a real Prefect Server: each answer to the probe, a string changed by a restart, a server without one', async (t) => {
  if (!isPrefectReady(t, 'a real Prefect Server')) return;
  const home = prefectDirectory(t, 'home');
  const [first, second] = ['admin:canary-first string: with a colon', 'admin:canary-second'];
  assert.match(first, kind.format['key']!);

  const endsAt = performance.now() + STARTS_MS;

  const before = await startServer(home, first, endsAt);
  try {
    const { call } = before;
    assert.equal(await livenessOf(call, first), ALIVE);
    assert.equal(await livenessOf(call, second), DEAD);
    const encoded = new TextEncoder().encode(first).toBase64();
    for (const scheme of ['Bearer', 'basic'])
      assert.equal(await livenessOf(call, encoded, [{ in: 'header', name: 'Authorization', scheme }]), DEAD, scheme);
    assert.equal(await statusWithout(call, PROBE.path), 401);
    for (const target of ['/api/health', '/api/ready']) assert.equal(await statusWithout(call, target), 200, target);
    assert.equal(await isAsking(call), true);
    // The settings say that there is a string, and not which.
    const settings = await call(
      { method: 'GET', path: '/api/admin/settings' },
      { parts: { key: new Secret(first) }, places: kind.places },
    );
    assert(settings.status === 200 && !settings.text.includes('canary'));
    const bare = await call(
      { method: 'POST', path: '/api/flows', json: { name: 'f' } },
      { parts: { key: new Secret(first) }, places: kind.places },
    );
    assert.equal(bare.status, 307);
    assert.match(bare.headers['location'] ?? '', /\/api\/flows\/$/);
  } finally {
    await before.stop();
  }

  const after = await startServer(home, second, endsAt);
  try {
    assert.equal(await livenessOf(after.call, first), DEAD);
    assert.equal(await livenessOf(after.call, second), ALIVE);
  } finally {
    await after.stop();
  }

  const open = await startServer(home, null, endsAt);
  try {
    // Whatever is sent is accepted, so nothing is proved; a request without a string gives the server away.
    assert.equal(await livenessOf(open.call, first), ALIVE);
    assert.equal(await statusWithout(open.call, PROBE.path), 200);
    assert.equal(await isAsking(open.call), false);
  } finally {
    await open.stop();
  }
});
