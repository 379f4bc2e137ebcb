// How soon the end of access reaches what is open: a download and an upload that never end by themselves, and each way in which access ends.
import assert from 'node:assert/strict';
import type http from 'node:http';
import { describe, type TestContext, test } from 'node:test';
import { assertProblem, type FaultHouse, type Handler, openFaultHouse, pause, until } from './fault-house.ts';

/** Streams without end, in both directions. */
const endless: Handler = (request, response) => {
  request.resume();
  if (request.method !== 'GET') return;
  response.writeHead(200);
  const timer = setInterval(() => response.write('drop'), 50);
  response.on('close', () => clearInterval(timer));
};

async function openStreams(house: FaultHouse): Promise<{ ended: Promise<number>; isOpen: () => boolean }> {
  house.upstream.handler = endless;
  const download = house.open('GET', 'download');
  download.end();
  const upload = house.open('PATCH', 'upload');
  upload.write('{"project":');
  const timer = setInterval(() => upload.write(' '), 50);
  upload.on('error', () => {});
  let open = 2;
  const endOf = (request: http.ClientRequest) =>
    new Promise<void>((resolve) => {
      request.on('error', () => resolve());
      request.on('close', () => resolve());
      request.on('response', (response) => {
        response.on('error', () => {});
        response.on('close', resolve).resume();
      });
    }).then(() => open--);
  const ended = Promise.all([endOf(download), endOf(upload)]).then(() => {
    clearInterval(timer);
    return performance.now();
  });
  await until(
    'both streams are open',
    () => house.upstream.arrived.length === 2 && house.serving.app.live.openUses === 2,
  );
  await pause(100);
  return { ended, isOpen: () => open === 2 };
}

/** Milliseconds within which the end of access must have reached what is open. */
const CUT_MAX_MS = 1_000;

describe('the end of access reaches what is open', () => {
  type Ending = (house: FaultHouse) => Promise<unknown>;
  const endings: readonly [string, Ending][] = [
    ['suspension', ({ api, ids }) => api('POST', `/v1/credentials/${ids.credential}/suspend`, { reason: 'test' })],
    [
      'revocation',
      ({ api, ids }) =>
        api('POST', '/v1/revocations', { credential: ids.credential, reason: 'compromised', order: 'revoke-first' }),
    ],
    ['revoked grant', ({ api, ids }) => api('POST', `/v1/grants/${ids.grant}/revoke`, {})],
    ['revoked token', ({ api, tokenId }) => api('POST', `/v1/tokens/${tokenId}/revoke`, {})],
    ['sealed vault', ({ api }) => api('POST', '/v1/seal', {})],
    ['disabled principal', ({ api, ids }) => api('POST', `/v1/principals/${ids.principal}/disable`, {})],
  ];

  async function measured(t: TestContext, house: FaultHouse, act: () => Promise<number>): Promise<void> {
    const streams = await openStreams(house);
    assert.ok(streams.isOpen());
    const from = await act();
    const ms = (await streams.ended) - from;
    t.diagnostic(`cut ${Math.round(ms)} ms after access ended`);
    assert.ok(ms < CUT_MAX_MS, `it took ${ms} ms`);
    await until('the provider is let go', () => house.serving.app.live.openUses === 0, CUT_MAX_MS);
    assert.equal((await house.recordOf('download')).status, -200);
    assert.equal((await house.recordOf('upload')).kind, 'use');
  }

  for (const [name, end] of endings) {
    test(`${name}: a download and an upload are cut within the second`, async (t) => {
      const house = await openFaultHouse();
      await measured(t, house, async () => {
        const from = performance.now();
        await end(house);
        return from;
      });
      assert.notEqual((await house.send('GET', 'afterwards')).status, 200);
      await house.stop();
    });
  }

  test('expired grant: a download and an upload are cut within the second', async (t) => {
    const house = await openFaultHouse();
    await house.api('POST', `/v1/grants/${house.ids.grant}/revoke`, {});
    const { principal, credential } = house.ids;
    const given = await house.api('POST', '/v1/grants', {
      principal,
      credential,
      actions: ['project.*'],
      expiresInSeconds: 2,
    });
    const expiresAt = Date.parse(String(given.json['expiresAt']));
    await measured(t, house, async () => {
      await pause(expiresAt - Date.now());
      return performance.now();
    });
    assertProblem(await house.send('GET', 'afterwards'), 403, 'grant-expired');
    await house.stop();
  });
});

describe('where the policy lets open streams finish', () => {
  test('a suspension that is no compromise leaves them open, a grant that is taken away does not', async () => {
    const house = await openFaultHouse({ policy: { openStreams: 'finish' } });
    const streams = await openStreams(house);
    await house.api('POST', `/v1/credentials/${house.ids.credential}/suspend`, { reason: 'holidays' });
    await pause(CUT_MAX_MS);
    const isOpen = streams.isOpen();
    assertProblem(await house.send('GET', 'another'), 403, 'credential-suspended');
    const from = performance.now();
    await house.api('POST', `/v1/grants/${house.ids.grant}/revoke`, {});
    assert.ok((await streams.ended) - from < CUT_MAX_MS);
    await house.stop();
    assert.ok(isOpen);
  });

  test('a compromise cuts them all the same', async () => {
    const house = await openFaultHouse({ policy: { openStreams: 'finish' } });
    const streams = await openStreams(house);
    const from = performance.now();
    await house.api('POST', '/v1/revocations', {
      credential: house.ids.credential,
      reason: 'compromised',
      order: 'revoke-first',
    });
    assert.ok((await streams.ended) - from < CUT_MAX_MS);
    await house.stop();
  });
});
