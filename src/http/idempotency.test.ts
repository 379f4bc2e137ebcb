// Idempotency-Key: the same answer, never a second effect, whatever crashes in between; and what the stored record holds.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import { type MemoryDesk, memoryDesk } from '../../test/support/desk.ts';
import { Failure } from '../model/failure.ts';
import { createIdempotency, type Idempotency, type Ticket } from './idempotency.ts';

const limits = { keptMs: 60_000, keptMax: 5 };
const mac = (key: string, text: string) => createHmac('sha256', key).update(text).digest('hex');

interface Store {
  readonly desk: MemoryDesk;
  readonly blobs: Map<string, Uint8Array>;
  make(): Idempotency;
}

/** A desk whose blobs are kept, so that a restart finds them. */
function store(): Store {
  const desk = memoryDesk();
  const blobs = new Map<string, Uint8Array>();
  const kept: MemoryDesk = {
    ...desk,
    rows: desk.rows,
    events: desk.events,
    async write(write) {
      const written = await desk.write(write);
      for (const { id, value } of write.blobs ?? []) {
        if (value === null) blobs.delete(id);
        else blobs.set(id, value);
      }
      return written;
    },
  };
  return {
    desk: kept,
    blobs,
    make() {
      const idempotency = createIdempotency({ desk: kept, limits, read: async (id) => blobs.get(id) ?? null, mac });
      idempotency.load([...blobs].map(([id, value]) => ({ id, value })));
      return idempotency;
    },
  };
}

const ASKED = { principalId: 'prn_1', key: 'key-1', request: '["POST","/v1/x",{}]' };

async function ticketOf(idempotency: Idempotency, asked = ASKED): Promise<Ticket> {
  const opened = await idempotency.open(asked);
  assert.ok(opened.is === 'new', opened.is);
  return opened.ticket;
}

async function detailOf(idempotency: Idempotency, asked = ASKED): Promise<string> {
  const opened = await idempotency.open(asked);
  assert.ok(opened.is === 'problem', opened.is);
  assert.equal(opened.problem.code, 'conflict');
  return opened.problem.detail;
}

const event = { v: 1 as const, at: 0, actor: 'prn_1', type: 'x.done', rows: [], detail: {} };

test('a repetition is answered the same, without the secret, also after a restart', async () => {
  const all = store();
  const first = all.make();
  const ticket = await ticketOf(first);
  await ticket.desk.write({ events: [event] });
  await ticket.settle({ status: 201, body: { id: 1, text: 'canary' }, replay: { id: 1, text: null }, etag: 1 });
  for (const idempotency of [first, all.make()]) {
    assert.deepEqual(await idempotency.open(ASKED), {
      is: 'replay',
      answer: { status: 201, body: { id: 1, text: null }, etag: 1 },
    });
  }
  assert.equal(all.desk.writes.filter(({ events }) => events.length > 0).length, 1);
  const stored = [...all.blobs].map(([id, value]) => id + new TextDecoder().decode(value)).join();
  for (const told of ['canary', 'key-1', '/v1/x']) assert.ok(!stored.includes(told), told);
});

test('the same key with another request is a conflict, and another principal’s key is another key', async () => {
  const idempotency = store().make();
  await (await ticketOf(idempotency)).settle({ status: 200, body: {} });
  assert.match(await detailOf(idempotency, { ...ASKED, request: 'other' }), /another request/);
  await ticketOf(idempotency, { ...ASKED, principalId: 'prn_2', request: 'other' });
});

test('a second request while the first runs waits its turn', async () => {
  const idempotency = store().make();
  const ticket = await ticketOf(idempotency);
  assert.match(await detailOf(idempotency), /being carried out/);
  await ticket.settle({ status: 200, body: { a: 1 } });
  assert.equal((await idempotency.open(ASKED)).is, 'replay');
});

test('a crash after the effect leaves a record that it had begun: never a second effect', async () => {
  const all = store();
  const ticket = await ticketOf(all.make());
  await ticket.desk.write({ events: [event] });
  // The process ends here: nothing settles.
  assert.match(await detailOf(all.make()), /begun/);
});

test('a crash before the effect leaves nothing: the repetition is carried out', async () => {
  const all = store();
  await ticketOf(all.make());
  await ticketOf(all.make());
});

test('where the effect is outside, the record comes first', async () => {
  const all = store();
  const ticket = await ticketOf(all.make());
  await ticket.begin();
  assert.match(await detailOf(all.make()), /begun/);
});

test('a failure that had no effect frees the key; one that may have had keeps it', async () => {
  const all = store();
  const idempotency = all.make();
  for (const code of ['invalid', 'denied', 'not-found', 'conflict', 'sealed'] as const) {
    const ticket = await ticketOf(idempotency);
    await ticket.begin();
    await ticket.fail(new Failure(code, 'no'));
  }
  assert.equal(all.blobs.size, 0);
  for (const [i, error] of [new Failure('upstream-ambiguous', 'maybe'), new Error('bug')].entries()) {
    const asked = { ...ASKED, key: `key-${i + 2}` };
    const ticket = await ticketOf(idempotency, asked);
    await ticket.begin();
    await ticket.fail(error);
    assert.match(await detailOf(idempotency, asked), /begun/);
  }
});

test('an answer that is too large to keep is not kept, and the request not carried out again', async () => {
  const all = store();
  const idempotency = all.make();
  await (await ticketOf(idempotency)).settle({ status: 200, body: { text: 'x'.repeat(70_000) } });
  assert.match(await detailOf(idempotency), /carried out/);
  assert.ok([...all.blobs.values()].every((value) => value.length < 1_000));
});

test('a write that fails frees the key', async () => {
  const all = store();
  const idempotency = all.make();
  const row = { id: 'prn_1', rowVersion: 7 };
  const ticket = await ticketOf(idempotency);
  const wrong = { ...event, rows: [{ noun: 'principal' as const, row }] };
  const failed = await ticket.desk.write({ events: [wrong] }).catch((error: unknown) => error);
  await ticket.fail(failed);
  await ticketOf(idempotency);
  assert.equal(all.blobs.size, 0);
});

test('records are kept for a time and in a bounded number', async () => {
  const all = store();
  const idempotency = all.make();
  for (let i = 0; i < 20; i++) {
    await (await ticketOf(idempotency, { ...ASKED, key: `many-${i}` })).settle({ status: 200, body: {} });
  }
  assert.ok(all.blobs.size <= limits.keptMax + 1, `${all.blobs.size} are kept`);
  assert.equal(idempotency.kept, all.blobs.size);
  assert.equal((await idempotency.open({ ...ASKED, key: 'many-19' })).is, 'replay');
  all.desk.advance(limits.keptMs + 1);
  await (await ticketOf(idempotency, { ...ASKED, key: 'many-19' })).settle({ status: 200, body: {} });
  assert.equal(all.blobs.size, 1);
});
