// The resolver's bounds, and the guard: what passes was checked, and nobody asks again before it is dialled.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../model/failure.ts';
import { type OriginSettings, validateOrigin } from './origin.ts';
import { createGuard, createResolver, type Guard } from './resolve.io.ts';

const PUBLIC: OriginSettings = { privateNetworks: [], plainHttp: false };

function isUnavailable(error: unknown): boolean {
  return Failure.is(error, 'upstream-unavailable');
}

interface Bench {
  readonly asked: string[];
  nowMs: number;
  readonly resolve: (host: string) => Promise<readonly string[]>;
  readonly guard: (origin: string, settings?: OriginSettings) => ReturnType<Guard>;
}

/** A resolver over a scripted system: each answer once, in order; the last one for ever. */
function createBench(...answers: (readonly string[])[]): Bench {
  const bench = { asked: [] as string[], nowMs: 0 };
  const resolver = createResolver({
    clock: { now: () => 0, monotonic: () => bench.nowMs },
    cacheMs: 1000,
    hostsMax: 3,
    deadlineMs: 50,
    async lookup(host) {
      bench.asked.push(host);
      return answers[Math.min(bench.asked.length, answers.length) - 1]!;
    },
  });
  const guard = createGuard(resolver);
  return Object.assign(bench, {
    resolve: async (host: string) => (await resolver(host)).map((address) => address.text),
    guard(origin: string, settings: OriginSettings = PUBLIC) {
      const verdict = validateOrigin(origin, settings);
      assert.ok(verdict.is === 'origin');
      return guard(verdict.origin);
    },
  });
}

test('an answer is used again until it is too old', async () => {
  const bench = createBench(['1.1.1.1'], ['8.8.8.8']);
  assert.deepEqual(await bench.resolve('a.com'), ['1.1.1.1']);
  bench.nowMs = 999;
  assert.deepEqual(await bench.resolve('a.com'), ['1.1.1.1']);
  bench.nowMs = 1000;
  assert.deepEqual(await bench.resolve('a.com'), ['8.8.8.8']);
  assert.equal(bench.asked.length, 2);
});

test('questions for one name are asked once, whoever waits', async () => {
  const bench = createBench(['1.1.1.1']);
  await Promise.all([bench.resolve('a.com'), bench.resolve('a.com'), bench.resolve('b.com')]);
  assert.deepEqual(bench.asked, ['a.com', 'b.com']);
});

test('only so many names are remembered', async () => {
  const bench = createBench(['1.1.1.1']);
  for (const host of ['a', 'b', 'c', 'd', 'b', 'a']) await bench.resolve(host);
  assert.deepEqual(bench.asked, ['a', 'b', 'c', 'd', 'a']);
});

test('a system that never answers is given up on, and is not asked without bound', async () => {
  let asked = 0;
  const resolver = createResolver({
    clock: { now: () => 0, monotonic: () => 0 },
    deadlineMs: 5,
    hostsMax: 2,
    lookup() {
      asked++;
      return new Promise(() => {});
    },
  });
  await assert.rejects(resolver('a'), isUnavailable);
  await assert.rejects(resolver('a'), isUnavailable);
  await assert.rejects(resolver('b'), isUnavailable);
  await assert.rejects(resolver('c'), isUnavailable);
  assert.equal(asked, 2);
});

test('errors and answers without form are unavailable, without a word of the system error, and are not remembered', async () => {
  for (const answer of [['nonsense'], ['1.1.1.1', '127.1'], new Array<string>(65).fill('1.1.1.1')]) {
    const bench = createBench(answer, ['1.1.1.1']);
    await assert.rejects(bench.resolve('a.com'), isUnavailable);
    assert.deepEqual(await bench.resolve('a.com'), ['1.1.1.1']);
  }
  const resolver = createResolver({
    clock: { now: () => 0, monotonic: () => 0 },
    lookup: () => Promise.reject(Object.assign(new Error('getaddrinfo canary'), { code: 'ENOTFOUND' })),
  });
  await assert.rejects(
    resolver('a'),
    (error) => isUnavailable(error) && String((error as Error).cause) === 'Error: Error ENOTFOUND',
  );
});

test('the guard passes what is public and refuses the whole of a mixed answer', async () => {
  const passed = await createBench(['93.184.216.34', '2606:4700::1']).guard('https://a.com');
  assert.deepEqual(
    passed.map((address) => address.text),
    ['93.184.216.34', '2606:4700::1'],
  );
  for (const answer of [
    ['10.0.0.1'],
    ['93.184.216.34', '127.0.0.1'],
    ['::1'],
    ['169.254.169.254'],
    ['::ffff:10.0.0.1'],
    [],
  ]) {
    await assert.rejects(createBench(answer).guard('https://a.com'), isUnavailable, answer.join());
  }
});

test('the message of a refusal names no address; the cause does', async () => {
  const error = await createBench(['10.9.8.7'])
    .guard('https://a.com')
    .then(
      () => null,
      (failure: unknown) => failure,
    );
  assert.ok(Failure.is(error, 'upstream-unavailable'));
  assert.ok(!error.message.includes('10.9.8.7'));
  assert.match(String(error.cause), /a\.com: 10\.9\.8\.7, which is private/);
});

test('plain http and private names reach the private networks and nothing else', async () => {
  const settings = { privateNetworks: ['10.0.0.0/8'], plainHttp: true };
  for (const origin of ['http://a.com', 'http://prefect', 'https://a.internal']) {
    assert.equal((await createBench(['10.1.1.1']).guard(origin, settings))[0]?.text, '10.1.1.1');
    await assert.rejects(createBench(['93.184.216.34']).guard(origin, settings), isUnavailable, origin);
  }
  assert.equal((await createBench(['93.184.216.34']).guard('https://a.com', settings))[0]?.text, '93.184.216.34');
});

test('an address as host is checked without asking anybody', async () => {
  const bench = createBench(['8.8.8.8']);
  const passed = await bench.guard('https://10.0.0.1', { privateNetworks: ['10.0.0.0/8'], plainHttp: false });
  assert.deepEqual([passed.map((address) => address.text), bench.asked], [['10.0.0.1'], []]);
});

test('a name that turns private between two connections is refused at the second', async () => {
  const bench = createBench(['93.184.216.34'], ['127.0.0.1']);
  await bench.guard('https://a.com');
  bench.nowMs = 5000;
  await assert.rejects(bench.guard('https://a.com'), isUnavailable);
});

test('the system itself is asked where nothing else is given', async () => {
  const resolver = createResolver({ clock: { now: () => 0, monotonic: () => 0 } });
  assert.deepEqual(
    (await resolver('127.0.0.1')).map((address) => address.text),
    ['127.0.0.1'],
  );
});
