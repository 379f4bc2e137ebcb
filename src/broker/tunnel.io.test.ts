// A tunnel between two ends that a test holds in its hands: when each takes something, and when it goes, is said here and not by a kernel.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { clientFrame } from '../../test/support/sockets.ts';
import { closeFrame, frame, OPCODE } from './frame.ts';
import { openTunnel, type Tunnel } from './tunnel.io.ts';

const NOTHING = Buffer.alloc(0);
const MASK = Buffer.from([1, 2, 3, 4]);

/** One side: what was written to it, and what lets it take the next piece. */
class End extends Duplex {
  readonly taken: Buffer[] = [];
  isSlow = false;
  waiting: (() => void)[] = [];

  constructor() {
    super({ highWaterMark: 1_000, allowHalfOpen: true });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.taken.push(chunk);
    if (this.isSlow) this.waiting.push(done);
    else done();
  }

  /** Takes everything that waits, and is quick from now on. */
  relieve(): void {
    this.isSlow = false;
    for (const done of this.waiting.splice(0)) done();
  }

  get text(): Buffer {
    return Buffer.concat(this.taken);
  }
}

interface Bench {
  readonly caller: End;
  readonly provider: End;
  readonly ended: boolean[];
  open(given?: { greeting?: Buffer; rest?: Buffer }): Tunnel;
}

function bench(): Bench {
  const [caller, provider] = [new End(), new End()];
  const ended: boolean[] = [];
  return {
    caller,
    provider,
    ended,
    open: (given = {}) =>
      openTunnel({
        caller: caller as unknown as Socket,
        provider: provider as unknown as Socket,
        scrub: [Buffer.from('canary')],
        greeting: given.greeting ?? null,
        rest: given.rest ?? NOTHING,
        mask: () => MASK,
        ended: (isWhole) => void ended.push(isWhole),
      }),
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const server = (text: string) => frame(OPCODE.text, Buffer.from(text), null);

test('who takes slowly has the other side wait, each way, and nothing is lost over it', async () => {
  const { caller, provider, open } = bench();
  open();
  for (const [from, to, made] of [
    [provider, caller, server],
    [caller, provider, clientFrame],
  ] as const) {
    to.isSlow = true;
    from.push(made('x'.repeat(2_000)));
    await turn();
    assert.equal(from.isPaused(), true);
    from.push(made('behind'));
    await turn();
    assert.equal(to.taken.length, 1, 'no more was read than is written');
    to.relieve();
    await turn();
    await turn();
    assert.equal(from.isPaused(), false);
    assert.deepEqual(to.text, Buffer.concat([made('x'.repeat(2_000)), made('behind')]));
  }
});

test('what comes first is the greeting, then what the caller had sent, and both are counted', async () => {
  const { provider, open } = bench();
  const [greeting, rest] = [clientFrame('who'), clientFrame('what')];
  const tunnel = open({ greeting, rest });
  await turn();
  assert.deepEqual(provider.text, Buffer.concat([greeting, rest]));
  assert.deepEqual([tunnel.bytesUp, tunnel.bytesDown], [greeting.length + rest.length, 0]);
});

test('a cut ends both at once: with a word, where the caller has taken all that came before', async () => {
  const told = bench();
  told.open().cut(1008, 'access-ended');
  assert.deepEqual([told.ended, told.provider.destroyed, told.caller.writableEnded], [[false], true, true]);
  await turn();
  assert.deepEqual(told.caller.text, closeFrame(1008, 'access-ended', null));

  const slow = bench();
  slow.caller.isSlow = true;
  const tunnel = slow.open();
  slow.provider.push(server('not taken'));
  await turn();
  tunnel.cut(1008, 'access-ended');
  assert.deepEqual([slow.ended, slow.provider.destroyed, slow.caller.destroyed], [[false], true, true]);
});

test('nothing passes after a cut, and it is told once', async () => {
  const { caller, provider, ended, open } = bench();
  const tunnel = open();
  caller.push(clientFrame('on its way'));
  tunnel.cut(1008, 'access-ended');
  tunnel.cut(1008, 'again');
  tunnel.close(1012, 'again');
  await turn();
  assert.deepEqual([provider.taken, ended], [[], [false]]);
});

test('an end that was gone before takes the other one with it', async () => {
  const { caller, provider, ended, open } = bench();
  caller.destroy();
  await new Promise((resolve) => caller.once('close', resolve));
  open();
  await turn();
  assert.equal(provider.writableEnded, true);
  provider.destroy();
  await turn();
  assert.deepEqual(ended, [false]);
});

test('an end that had said before that nothing more comes is not waited for', async () => {
  const { caller, provider, ended, open } = bench();
  caller.push(null);
  caller.resume();
  await new Promise((resolve) => caller.once('end', resolve));
  open();
  await turn();
  assert.equal(provider.writableEnded, true);
  for (const end of [caller, provider]) end.destroy();
  await turn();
  assert.deepEqual(ended, [false]);
});

test('a Close goes both ways between frames, and what is said after it is not passed on', async () => {
  const { caller, provider, ended, open } = bench();
  const tunnel = open();
  provider.push(server('half').subarray(0, 3));
  await turn();
  tunnel.close(1012, 'key-rotated');
  assert.deepEqual([caller.writableEnded, provider.writableEnded], [false, true]);
  caller.push(clientFrame('too late'));
  provider.push(Buffer.concat([server('half').subarray(3), server('too late')]));
  await turn();
  assert.deepEqual(caller.text, Buffer.concat([server('half'), closeFrame(1012, 'key-rotated', null)]));
  assert.deepEqual(provider.text, closeFrame(1012, 'key-rotated', MASK));
  for (const end of [caller, provider]) end.destroy();
  await turn();
  assert.deepEqual(ended, [true]);
});
