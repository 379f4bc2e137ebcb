// What goes wrong beside a server, one thing at a time: the provider unplugged, slow, dying within an answer, talking nonsense; callers that
// go away; the clock set back. Each time: a clear error, a record, nothing lost, no crash, and service again when the fault is over.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { revealSecretText } from '../../src/model/secret.ts';
import { foldAndCompare } from '../../tools/torture/fold.ts';
import { replay } from '../../tools/torture/ledger.ts';
import { startNeonTwin } from '../../twins/neon.io.ts';
import { startHouse } from '../support/house.ts';
import {
  answerOf,
  assertProblem,
  type FaultHouse,
  fine,
  type Handler,
  openFaultHouse,
  pause,
  until,
} from './fault-house.ts';

describe('the provider', () => {
  let house: FaultHouse;
  before(async () => {
    house = await openFaultHouse();
  });
  after(() => house.stop());

  test('unplugged: 502, on record, and served again when it is back', async () => {
    await house.upstream.unplug();
    for (const method of ['GET', 'DELETE']) {
      const name = `unplugged-${method.toLowerCase()}`;
      assertProblem(await house.send(method, name), 502, 'upstream-unreachable');
      assert.deepEqual(await house.recordOf(name), { kind: 'use', reason: undefined, status: 0 });
    }
    await house.upstream.plug();
    assert.equal((await house.send('GET', 'plugged')).status, 200);
    assert.equal((await house.recordOf('plugged')).status, 200);
  });

  test('silent: 504 in time, on record, and the request is not sent again', async () => {
    house.upstream.handler = (request) => request.resume();
    for (const method of ['GET', 'PATCH']) {
      const name = `silent-${method.toLowerCase()}`;
      const started = performance.now();
      assertProblem(await house.send(method, name, method === 'PATCH' ? '{}' : undefined), 504, 'upstream-timeout');
      assert.ok(performance.now() - started < 4_000);
      assert.equal((await house.recordOf(name)).status, 0);
      assert.equal(house.upstream.arrived.filter((line) => line.endsWith(name)).length, 1);
    }
    house.upstream.handler = fine;
  });

  test('slow, but not silent: the answer comes whole', async () => {
    house.upstream.handler = (_request, response) => {
      response.writeHead(200);
      let left = 6;
      const timer = setInterval(() => {
        if (--left > 0) response.write('drop ');
        else {
          clearInterval(timer);
          response.end('end');
        }
      }, 200);
    };
    const answer = await house.send('GET', 'drip');
    assert.deepEqual(answer, { status: 200, code: null, text: 'drop drop drop drop drop end', isWhole: true });
    house.upstream.handler = fine;
  });

  const dying: readonly [string, Handler][] = [
    [
      'with a length',
      (_request, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('x'.repeat(100));
        setTimeout(() => response.destroy(), 50);
      },
    ],
    [
      'in chunks',
      (_request, response) => {
        response.writeHead(200);
        response.write('x'.repeat(100));
        setTimeout(() => response.destroy(), 50);
      },
    ],
    [
      'silent after its first bytes',
      (_request, response) => {
        response.writeHead(200);
        response.write('x'.repeat(100));
      },
    ],
  ];
  for (const [index, [how, handler]] of dying.entries()) {
    test(`dying within its answer, ${how}: the caller sees that it broke, and so does the record`, async () => {
      house.upstream.handler = handler;
      const answer = await house.send('GET', `dying-${index}`);
      assert.deepEqual({ status: answer.status, isWhole: answer.isWhole }, { status: 200, isWhole: false });
      const { kind, status } = await house.recordOf(`dying-${index}`);
      assert.deepEqual({ kind, status }, { kind: 'use', status: -200 });
      house.upstream.handler = fine;
      assert.equal((await house.send('GET', `after-dying-${index}`)).status, 200);
    });
  }

  test('cut before it answers: a write is ambiguous and sent once, a read is tried once more', async () => {
    house.upstream.handler = (request) => request.socket.destroy();
    assertProblem(await house.send('DELETE', 'cut-write'), 502, 'upstream-ambiguous');
    assertProblem(await house.send('GET', 'cut-read'), 502, 'upstream-ambiguous');
    const times = (name: string) => house.upstream.arrived.filter((line) => line.endsWith(name)).length;
    assert.deepEqual([times('cut-write'), times('cut-read')], [1, 2]);
    assert.equal((await house.recordOf('cut-write')).status, 0);
    assert.equal((await house.recordOf('cut-read')).status, 0);
    house.upstream.handler = fine;
  });

  test('talking nonsense: 502, on record', async () => {
    house.upstream.handler = (request) => void request.socket.end('HTTP/1.1 two hundred\r\n\r\n');
    assertProblem(await house.send('DELETE', 'nonsense'), 502, 'upstream-invalid');
    assert.equal((await house.recordOf('nonsense')).status, 0);
    house.upstream.handler = fine;
  });

  test('answering before it has read all: its answer arrives', async () => {
    house.upstream.handler = (_request, response) => response.writeHead(413, { connection: 'close' }).end('too much');
    const request = house.open('PATCH', 'early');
    const answered = answerOf(request);
    request.write('x'.repeat(65_536));
    const answer = await answered;
    request.destroy();
    assert.deepEqual(
      { status: answer.status, code: answer.code, text: answer.text },
      { status: 413, code: null, text: 'too much' },
    );
    assert.equal((await house.recordOf('early')).status, 413);
    house.upstream.handler = fine;
  });

  test('a caller that goes away: the provider is let go, nothing stays open, and it is on record', async () => {
    let closed = 0;
    house.upstream.handler = (request, response) => {
      request.resume();
      response.on('close', () => closed++);
      if (request.method !== 'GET') return;
      response.writeHead(200);
      response.write('first');
    };
    const download = house.open('GET', 'gone-down');
    download.on('error', () => {});
    download.end();
    await new Promise((resolve) => download.on('response', (response) => response.once('data', resolve)));
    download.destroy();
    const upload = house.open('PATCH', 'gone-up');
    upload.on('error', () => {});
    upload.write('{"project":');
    await until('the upload arrives', () => house.upstream.arrived.some((line) => line.endsWith('gone-up')));
    upload.destroy();
    const early = house.open('DELETE', 'gone-early');
    early.on('error', () => {});
    early.end();
    early.on('socket', (socket) => socket.on('connect', () => setImmediate(() => early.destroy())));
    await until('both connections to the provider end', () => closed >= 2);
    await until('nothing is open', () => house.serving.app.live.openUses === 0);
    assert.equal((await house.recordOf('gone-down')).status, -200);
    assert.equal((await house.recordOf('gone-up')).status, 0);
    house.upstream.handler = fine;
    assert.equal((await house.send('GET', 'after-gone')).status, 200);
  });

  test('through all of it: no internal error, nothing lost, and every use is decided again', async () => {
    assert.deepEqual(house.reports, []);
    assert.deepEqual(house.lost, []);
    const { read } = house.serving.app.database;
    const controls = await read.selectFrom('control_entries').select('entry').orderBy('idx').execute();
    const uses = await read.selectFrom('use_entries').select('entry').orderBy('idx').execute();
    const report = replay(
      controls.map((row) => row.entry),
      uses.map((row) => row.entry),
    );
    assert.ok(report.uses > 10);
    assert.deepEqual(report.findings, []);
  });
});

/** The machine's time, which a test can set; durations go on as they are. */
function settableClock(): { now(): number; monotonic(): number; setBack(ms: number): void } {
  let offsetMs = 0;
  return {
    now: () => Date.now() + offsetMs,
    monotonic: () => performance.now(),
    setBack(ms) {
      offsetMs -= ms;
    },
  };
}

describe('the clock', () => {
  test('set back by an hour within a rotation and its load: the rotation ends, nothing is lost, every use is decided again', async () => {
    const twin = await startNeonTwin();
    const clock = settableClock();
    const house = await startHouse({ providers: { neon: twin.origin }, clock, broker: true, secondCopy: true });
    const { seeds } = twin.control;
    const ok = async (target: string, body: object) => {
      const answer = await house.request('POST', target, { body });
      assert.ok(answer.status < 300, answer.text);
      return answer.json as Record<string, unknown>;
    };
    const credential = async (body: object) =>
      String(((await ok('/v1/credentials?resolve=false', body))['credential'] as { id: string }).id);
    const issuer = await credential({
      provider: 'neon',
      name: 'issuer',
      kind: 'personal-key',
      purpose: 'manage',
      parts: { key: revealSecretText(seeds.adminKey) },
      providerKeyId: seeds.adminKeyId,
    });
    const minted = twin.control.mint({ kind: 'organization' });
    const id = await credential({
      provider: 'neon',
      name: 'prod',
      kind: 'organization-key',
      issuer,
      settings: { orgId: seeds.orgId },
      parts: { key: revealSecretText(minted.key) },
      providerKeyId: minted.id,
      policy: { quietSeconds: 0 },
    });
    const principal = String((await ok('/v1/principals', { name: 'caller', kind: 'service' }))['id']);
    const rate = { requests: 1_000, perSeconds: 1, burst: 1_000 };
    await ok('/v1/grants', { principal, credential: id, actions: ['*:read'], rate, expiresInSeconds: 600 });
    const token = String((await ok(`/v1/principals/${principal}/tokens`, {}))['text']);
    const statuses = new Set<number>();
    let isSending = true;
    const sending = (async () => {
      while (isSending) {
        const target = `${house.brokerOrigin}/neon/prod/api/v2/projects/${seeds.projectId}`;
        const answer = await fetch(target, { headers: { authorization: `Bearer ${token}` } });
        await answer.text();
        statuses.add(answer.status);
        await pause(20);
      }
    })();
    const rotation = await ok('/v1/rotations', { credential: id });
    const at = async () =>
      ((await house.request('GET', `/v1/rotations/${rotation['id']}`)).json as { rotation: RotationView }).rotation;
    await until('the new key is verified', async () => (await at()).state.step !== 'issue');
    clock.setBack(3_600_000);
    await until('the old key is being proven dead', async () => (await at()).state.step === 'prove', 20_000);
    clock.setBack(3_600_000);
    await until('the rotation ends', async () => (await at()).endedAt !== null, 60_000);
    assert.equal((await at()).state.end, 'rotated');
    isSending = false;
    await sending;
    assert.deepEqual([...statuses], [200]);
    const old = twin.control.keys().find((key) => key.id === minted.id);
    assert.equal(old?.isAlive, false);
    assert.deepEqual(house.errors, []);
    await house.app.database.idle();
    const { read } = house.app.database;
    const controls = await read.selectFrom('control_entries').select('entry').orderBy('idx').execute();
    const uses = await read.selectFrom('use_entries').select('entry').orderBy('idx').execute();
    const report = replay(
      controls.map((row) => row.entry),
      uses.map((row) => row.entry),
    );
    assert.deepEqual(report.findings, []);
    assert.ok(report.uses > 50);
    assert.deepEqual((await foldAndCompare(read)).problems, []);
    await house.stop();
    await twin.close();
  });
});

interface RotationView {
  readonly endedAt: string | null;
  readonly state: { readonly step: string; readonly end: string | null };
}

test('a connection in the middle of its head, or of nothing, holds nothing up', async () => {
  const house = await openFaultHouse();
  const { port } = new URL(house.serving.brokerOrigin);
  const idle = net.connect(Number(port), '127.0.0.1');
  const half = net.connect(Number(port), '127.0.0.1');
  half.write('GET /neon/prod/api/v2/projects/half HTTP/1.1\r\nhost: x\r\n');
  for (const socket of [idle, half]) socket.on('error', () => {});
  assert.equal((await house.send('GET', 'beside')).status, 200);
  await house.stop();
  idle.destroy();
  half.destroy();
});
