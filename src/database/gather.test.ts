// Gathering: the order of offers is the order of the logs, one commit for what has gathered, and whoever offered is told the truth, whatever
// becomes of the commit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { controlEvent } from '../../test/support/rows.ts';
import { ENTRY_BYTES_MAX } from '../ledger/layout.ts';
import type { ControlEvent } from '../model/change.ts';
import { Failure } from '../model/failure.ts';
import { TABLES } from '../tables.ts';
import {
  type Commit,
  type ControlResult,
  createGatherer,
  type Prepared,
  prepareControl,
  STALE,
  UNWRITTEN,
  type UsesResult,
} from './gather.ts';

interface Batch {
  readonly items: readonly Prepared[];
  /** Answers as a database would that appends everything; or as told. */
  answer(results?: readonly (ControlResult | UsesResult)[]): void;
  fail(error: unknown): void;
}

/** A gatherer whose commits wait until the test answers them. */
function setUp() {
  const batches: Batch[] = [];
  const committed: { type: string; size: number }[] = [];
  const sizes = { control: 0, use: 0 };
  const append = (items: readonly Prepared[]) =>
    items.map((item): ControlResult | UsesResult => {
      if (item.kind === 'uses') {
        sizes.use += item.uses.length;
        return { is: 'appended', first: sizes.use - item.uses.length, stale: [] };
      }
      sizes.control += item.items.length;
      const head = { size: sizes.control, root: new Uint8Array(32) };
      const heads = item.heads ? { control: head, use: { ...head, size: sizes.use } } : null;
      return { is: 'written', first: sizes.control - item.items.length, size: sizes.control, heads };
    });
  const commit: Commit = (items) =>
    new Promise((resolve, reject) => {
      batches.push({ items, answer: (results) => resolve(results ?? append(items)), fail: reject });
    });
  const gatherer = createGatherer({
    commit,
    tables: TABLES,
    cutsOf: () => [],
    committed: (events: readonly ControlEvent[], size) => {
      for (const event of events) committed.push({ type: event.type, size });
    },
    schedule: setImmediate,
  });
  return { gatherer, batches, committed };
}

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));
const event = (type: string) => controlEvent([], { type });
/** Types and entries of a batch, in order. */
function shape(batch: Batch | undefined): string[] {
  return (batch?.items ?? []).flatMap((item) =>
    item.kind === 'uses'
      ? item.uses.map(({ entry }) => entry)
      : item.items.map(({ tail }) => (JSON.parse(`{${tail.slice(0, -1)}}`) as { type: string }).type),
  );
}

test('what is offered in one turn goes in one commit, in the order in which it was offered', async () => {
  const { gatherer, batches, committed } = setUp();
  const told: [string, number][] = [];
  const admit = (entry: string) => gatherer.admit(entry, 0, (index) => told.push([entry, index]));
  admit('u1');
  const written = gatherer.write({ events: [event('a'), event('b')] });
  admit('u2');
  admit('u3');
  const other = gatherer.write({ events: [event('c')] });
  assert.equal(batches.length, 0, 'nothing is sent within the turn');
  await tick();
  assert.deepEqual(batches.map(shape), [['u1', 'a', 'b', 'u2', 'u3', 'c']]);
  assert.deepEqual(
    batches[0]!.items.map((item) => item.kind),
    ['uses', 'control', 'uses', 'control'],
  );
  batches[0]!.answer();
  assert.deepEqual([(await written).first, (await written).size, (await other).first], [0, 2, 2]);
  assert.deepEqual(told, [
    ['u1', 0],
    ['u2', 1],
    ['u3', 2],
  ]);
  assert.deepEqual(committed, [
    { type: 'a', size: 2 },
    { type: 'b', size: 2 },
    { type: 'c', size: 3 },
  ]);
});

test('while a commit is under way everything else gathers; only one is under way at a time', async () => {
  const { gatherer, batches } = setUp();
  const done: string[] = [];
  const admit = (entry: string) => gatherer.admit(entry, 0, () => done.push(entry));
  admit('u1');
  await tick();
  for (const entry of ['u2', 'u3']) {
    admit(entry);
    await tick();
  }
  assert.deepEqual(batches.map(shape), [['u1']]);
  batches[0]!.answer();
  await tick();
  assert.deepEqual(batches.map(shape), [['u1'], ['u2', 'u3']]);
  assert.deepEqual(done, ['u1']);
  batches[1]!.answer();
  await gatherer.idle();
  assert.deepEqual(done, ['u1', 'u2', 'u3']);
});

test('the live state has moved on before the writer hears of it', async () => {
  const { gatherer, batches, committed } = setUp();
  let seen = -1;
  const write = gatherer.write({ events: [event('a')] }).then(() => {
    seen = committed.length;
  });
  await tick();
  batches[0]!.answer();
  await write;
  assert.equal(seen, 1);
});

test('a conflict fails one write and moves nothing on; a stale use is told so; their neighbours are as they were', async () => {
  const { gatherer, batches, committed } = setUp();
  const told: number[] = [];
  const version = gatherer.write({ events: [event('a')] });
  const key = gatherer.write({ events: [event('b')] });
  const good = gatherer.write({ events: [event('c')] });
  for (let i = 0; i < 3; i++) gatherer.admit(`u${i}`, 0, (index) => told.push(index));
  await tick();
  batches[0]!.answer([
    { is: 'conflict', noun: 'grant', id: 'gnt_1', why: 'version' },
    { is: 'conflict', noun: 'credential', id: 'crd_1', why: 'key' },
    { is: 'written', first: 4, size: 5, heads: null },
    { is: 'appended', first: 7, stale: [1] },
  ]);
  await assert.rejects(version, (error) => Failure.is(error, 'conflict') && /changed meanwhile/.test(error.message));
  await assert.rejects(key, (error) => Failure.is(error, 'conflict') && /taken/.test(error.message));
  assert.deepEqual(await good, { first: 4, size: 5, heads: null });
  assert.deepEqual(told, [7, STALE, 9]);
  assert.deepEqual(committed, [{ type: 'c', size: 5 }]);
});

test('a commit that fails fails everything in it, and nothing after it', async () => {
  for (const [thrown, code] of [
    [new Error('disk canary'), 'unavailable'],
    [new Failure('conflict', 'taken over'), 'conflict'],
  ] as const) {
    const { gatherer, batches, committed } = setUp();
    const told: number[] = [];
    const writes = ['a', 'b'].map((type) => gatherer.write({ events: [event(type)] }));
    gatherer.admit('u', 0, (index) => told.push(index));
    const settled = Promise.allSettled(writes);
    await tick();
    gatherer.admit('later', 0, (index) => told.push(index));
    batches[0]!.fail(thrown);
    for (const result of await settled) {
      assert(result.status === 'rejected' && Failure.is(result.reason, code));
      assert(!result.reason.message.includes('canary'));
    }
    assert.deepEqual(told, [UNWRITTEN]);
    await tick();
    batches[1]!.answer();
    await gatherer.idle();
    assert.deepEqual([told, committed], [[UNWRITTEN, 0], []]);
  }
});

test('an answer that is too short or of the wrong kind counts as no answer', async () => {
  const { gatherer, batches } = setUp();
  const told: number[] = [];
  const write = gatherer.write({ events: [event('a')] });
  gatherer.admit('u', 0, (index) => told.push(index));
  await tick();
  batches[0]!.answer([{ is: 'appended', first: 0, stale: [] }]);
  await assert.rejects(write, (error) => Failure.is(error, 'unavailable'));
  assert.deepEqual(told, [UNWRITTEN]);
});

test('after closing everything is refused, also what was waiting behind a commit that will never be answered', async () => {
  const { gatherer, batches } = setUp();
  const told: number[] = [];
  const under = gatherer.write({ events: [event('a')] });
  await tick();
  const waiting = gatherer.write({ events: [event('b')] });
  gatherer.admit('u', 0, (index) => told.push(index));
  const settled = Promise.allSettled([under, waiting]);
  gatherer.close('the database writer has stopped');
  batches[0]!.fail(new Failure('unavailable', 'the database writer has stopped'));
  for (const result of await settled) {
    assert(
      result.status === 'rejected' &&
        Failure.is(result.reason, 'unavailable') &&
        /has stopped/.test(result.reason.message),
    );
  }
  assert.deepEqual([told, batches.length], [[UNWRITTEN], 1], 'a writer that has stopped is not asked again');
  await assert.rejects(gatherer.write({ events: [event('c')] }), (error) => Failure.is(error, 'unavailable'));
  await assert.rejects(gatherer.heads(), (error) => Failure.is(error, 'unavailable'));
  gatherer.admit('v', 0, (index) => told.push(index));
  assert.deepEqual(told, [UNWRITTEN, UNWRITTEN], 'at once');
  await gatherer.idle();
});

test('uses that wait for the disk are bounded: one more is refused at once', async () => {
  const { gatherer, batches } = setUp();
  let refused = 0;
  const done = (index: number) => {
    if (index === UNWRITTEN) refused++;
  };
  for (let i = 0; i < 16_384; i++) gatherer.admit('u', 0, done);
  assert.equal(refused, 0);
  gatherer.admit('u', 0, done);
  assert.equal(refused, 1);
  await tick();
  gatherer.admit('u', 0, done);
  assert.equal(refused, 1, 'what is under way does not wait any more');
  batches[0]!.answer();
  await tick();
  batches[1]!.answer();
  await gatherer.idle();
});

test('the heads are those after everything that was offered before', async () => {
  const { gatherer, batches } = setUp();
  const write = gatherer.write({ events: [event('a')] });
  gatherer.admit('u', 0, () => {});
  const heads = gatherer.heads();
  await tick();
  batches[0]!.answer();
  const { control, use } = await heads;
  assert.deepEqual([control.size, use.size, (await write).heads], [1, 1, null]);
  const published = gatherer.write({ events: [event('b')], checkpoint: true });
  await tick();
  batches[1]!.answer();
  assert.equal((await published).heads?.control.size, 2);
});

test('idle means that nothing waits and nothing is under way', async () => {
  const { gatherer, batches } = setUp();
  await gatherer.idle();
  let isIdle = false;
  gatherer.admit('u', 0, () => {});
  const idle = gatherer.idle().then(() => {
    isIdle = true;
  });
  await tick();
  gatherer.admit('v', 0, () => {});
  batches[0]!.answer();
  await tick();
  assert.equal(isIdle, false);
  batches[1]!.answer();
  await idle;
});

test('an entry as large as an entry may be is taken, one byte more is refused, before it is offered', async () => {
  const { gatherer, batches } = setUp();
  const withText = (length: number) => controlEvent([], { detail: { text: 'x'.repeat(length) } });
  const sizeOf = (one: ControlEvent) => {
    const { items } = prepareControl({ events: [one] }, TABLES, () => []);
    return (
      Buffer.byteLength(items[0]!.head) +
      Buffer.byteLength(items[0]!.tail) +
      Buffer.byteLength('"epoch":9007199254740991,"uses":9007199254740991,"v":1}')
    );
  };
  const isTaken = (length: number) => {
    try {
      return sizeOf(withText(length)) > 0;
    } catch (error) {
      assert(Failure.is(error, 'invalid'));
      return false;
    }
  };
  let most = 60_000;
  while (isTaken(most + 1)) most++;
  assert(most > 65_000 && sizeOf(withText(most)) <= ENTRY_BYTES_MAX, `${most}`);
  await assert.rejects(gatherer.write({ events: [withText(most + 1)] }), (error) => Failure.is(error, 'invalid'));
  await tick();
  assert.equal(batches.length, 0);
});

test('a prepared write carries every row with its key, its parent and whether it stays in memory', () => {
  const row = { id: 'tok_1', rowVersion: 2, principalId: 'prn_1', hash: 'h', revokedAt: 7 } as never;
  const { rows } = prepareControl({ events: [controlEvent([{ noun: 'token', row }])] }, TABLES, () => []);
  assert.deepEqual(rows, [
    {
      noun: 'token',
      table: 'tokens',
      id: 'tok_1',
      rowVersion: 2,
      naturalKey: 'h',
      parent: 'prn_1',
      live: 0,
      row: '{"hash":"h","id":"tok_1","principalId":"prn_1","revokedAt":7,"rowVersion":2}',
    },
  ]);
});

test('random offers and answers: every offer is told exactly once, and the order of the logs is the order of the offers', async () => {
  const step = fc.constantFrom('use', 'use', 'use', 'write', 'tick', 'answer', 'fail');
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { gatherer, batches } = setUp();
      const told = new Map<number, string[]>();
      const expected: string[] = [];
      let answered = 0;
      const pending: Promise<void>[] = [];
      for (const [n, kind] of steps.entries()) {
        const tell = (what: string) => void told.set(n, [...(told.get(n) ?? []), what]);
        if (kind === 'use') {
          expected.push(`u${n}`);
          gatherer.admit(`u${n}`, 0, (index) => tell(index >= 0 ? 'written' : 'refused'));
        } else if (kind === 'write') {
          expected.push(`w${n}`);
          pending.push(
            gatherer.write({ events: [event(`w${n}`)] }).then(
              () => tell('written'),
              () => tell('refused'),
            ),
          );
        } else {
          await tick();
          const batch = batches[answered];
          if (kind === 'tick' || batch === undefined) continue;
          answered++;
          if (kind === 'answer') batch.answer();
          else batch.fail(new Error('disk'));
        }
      }
      for (await tick(); answered < batches.length; await tick()) batches[answered++]!.answer();
      await Promise.all(pending);
      await gatherer.idle();
      assert.deepEqual(batches.flatMap(shape), expected);
      for (const [n, kind] of steps.entries()) {
        if (kind === 'use' || kind === 'write') assert.equal(told.get(n)?.length, 1, `offer ${n}`);
      }
    }),
    { numRuns: 150 },
  );
});
