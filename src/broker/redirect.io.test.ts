// A provider that redirects to an absolute address made of the Host that it was asked for, as Prefect Server does: the caller must stay at the
// broker, for its token would go along.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY, TOKEN } from '../../test/support/plans.ts';
import { startPrefectServerTwin } from '../../twins/prefect-server.sockets.io.ts';
import { catalogueLines } from '../access/catalogue.ts';
import { prefectServer } from '../providers/prefect-server.ts';
import { serveBroker } from './test-support.io.ts';

/** The catalogue knows collections with their slash alone: a server that moved one, or a framework that adds it, still redirects. */
const BARE = 'flow.create-bare write POST /api/flows';

test('an absolute redirect of Prefect Server leads back to the mount, and whoever follows it arrives', async (t) => {
  const twin = await startPrefectServerTwin();
  t.after(() => twin.close());
  twin.control.mint({ kind: 'auth-string', name: 'auth-string', account: 'server', parts: { key: KEY } });
  const actions = [...catalogueLines(prefectServer), BARE];
  const credential = { provider: 'prefect-server', places: prefectServer.kinds[0]!.places, origin: twin.origin };
  const catalogue = { id: 'cat_2', rowVersion: 1, provider: 'prefect-server', actions };
  for (const [bound, mount] of [
    [null, '/prefect-server/prod'],
    ['crd_1', ''],
  ] as const) {
    const broker = await serveBroker(t, {
      upstreamPort: twin.port,
      credential,
      token: { credentialId: bound },
      more: [{ noun: 'catalogue', row: catalogue as never }],
    });
    const origin = `http://127.0.0.1:${broker.port}`;
    const headers = {
      authorization: `Basic ${Buffer.from(`x:${TOKEN}`).toString('base64')}`,
      'content-type': 'application/json',
    };
    const asked = { method: 'POST', headers, body: '{"name":"f"}' };
    const answer = await fetch(`${origin}${mount}/api/flows`, { ...asked, redirect: 'manual' });
    assert.deepEqual([answer.status, answer.headers.get('location')], [307, `${mount}/api/flows/`]);
    const followed = await fetch(`${origin}${mount}/api/flows`, asked);
    assert.equal(followed.url, `${origin}${mount}/api/flows/`);
    assert.equal(((await followed.json()) as { name: string }).name, 'f');
  }
});
