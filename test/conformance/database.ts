// What every database must do, run on SQLite and on PostgreSQL: the guard of row versions, one savepoint for each write, the order of
// uses and revocations, the fence, and a ledger that a second opening continues.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Database, ServingOptions } from '../../src/database/database.ts';
import { STALE } from '../../src/database/gather.ts';
import type { Tables } from '../../src/database/schema.ts';
import { appendLeaf, createHasher, edgeRoot, emptyEdge } from '../../src/ledger/merkle.ts';
import { type ControlEvent, NOUNS, type Row, type RowImage } from '../../src/model/change.ts';
import { Failure } from '../../src/model/failure.ts';

/** Opens the same database again; `onLost` is told when the fence is taken. */
export type OpenDatabase = (options: ServingOptions) => Promise<Database>;

interface Named extends Row {
  readonly name: string | null;
}

const tables = Object.fromEntries(
  NOUNS.map((noun) => [noun, { naturalKey: (row: Named) => row.name, parent: () => null, isLive: () => true }]),
) as unknown as Tables;

function event(type: string, ...rows: RowImage<Named>[]): ControlEvent {
  return { v: 1, at: 1_790_000_000_000, actor: 'system:test', type, rows, detail: {} };
}
function image(noun: 'principal' | 'grant', id: string, rowVersion: number, name: string | null): RowImage<Named> {
  return { noun, row: { id, rowVersion, name } };
}
const use = (credential: string, n: number) => JSON.stringify({ credential, id: n, kind: 'use' });

async function entriesOf(database: Database, log: 'control' | 'use'): Promise<string[]> {
  const rows = await database.read.selectFrom(`${log}_entries`).select(['idx', 'entry']).orderBy('idx').execute();
  rows.forEach((row, i) => {
    assert.equal(row.idx, i, 'entries stand without a gap');
  });
  return rows.map((row) => row.entry);
}

function rootOf(entries: readonly string[]): string {
  const hasher = createHasher((data) => createHash('sha256').update(data).digest());
  const edge = emptyEdge();
  for (const entry of entries) appendLeaf(edge, hasher.leaf(Buffer.from(entry)), hasher, () => {});
  return Buffer.from(edgeRoot(edge, hasher)).toString('hex');
}

/** Registers the suite's tests. `fresh` makes an empty, migrated database and returns how to open it. */
export function databaseConformance(name: string, fresh: () => Promise<OpenDatabase>): void {
  const open = async (
    opener: OpenDatabase,
    log: { events: ControlEvent[]; lost: string[] } = { events: [], lost: [] },
  ) =>
    opener({
      tables,
      cutsOf: (e) => (e.type === 'grant.revoked' ? e.rows.map((r) => r.row.id) : []),
      committed: (events) => log.events.push(...events),
      onLost: (why) => log.lost.push(why),
    });

  test(`${name}: a write is guarded by row versions and natural keys, each under its own savepoint`, async () => {
    const log = { events: [] as ControlEvent[], lost: [] };
    const database = await open(await fresh(), log);
    const first = await database.write({ events: [event('a', image('principal', 'prn_1', 1, 'one'))] });
    assert.equal(first.first, 0);
    // All of these travel in one commit: the middle ones fail, their neighbours do not.
    const settled = await Promise.allSettled([
      database.write({ events: [event('b', image('principal', 'prn_2', 1, 'two'))] }),
      database.write({ events: [event('c', image('principal', 'prn_3', 1, 'one'))] }),
      database.write({ events: [event('d', image('grant', 'gnt_1', 1, null), image('principal', 'prn_1', 3, 'one'))] }),
      database.write({ events: [event('e', image('principal', 'prn_1', 2, 'uno'))] }),
    ]);
    assert.deepEqual(
      settled.map((s) => s.status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
    for (const i of [1, 2]) assert(Failure.is((settled[i] as PromiseRejectedResult).reason, 'conflict'));
    assert.deepEqual((await database.read.selectFrom('grants').select('id').execute()).length, 0, 'rolled back whole');
    const rows = await database.read
      .selectFrom('principals')
      .select(['id', 'row_version', 'row'])
      .orderBy('id')
      .execute();
    assert.deepEqual(
      rows.map((r) => [r.id, r.row_version]),
      [
        ['prn_1', 2],
        ['prn_2', 1],
      ],
    );
    assert.deepEqual(
      (await entriesOf(database, 'control')).map((e) => JSON.parse(e).type),
      ['a', 'b', 'e'],
    );
    assert.deepEqual(
      log.events.map((e) => e.type),
      ['a', 'b', 'e'],
    );
    await database.end();
  });

  test(`${name}: a use decided before a revocation and written after it is refused as stale`, async () => {
    const database = await open(await fresh());
    await database.write({ events: [event('grant.added', image('grant', 'gnt_1', 1, null))] });
    const seen: [string, number][] = [];
    const admit = (label: string, entry: string, asOf: number) =>
      new Promise<void>((resolve) =>
        database.admit(entry, asOf, (index) => {
          seen.push([label, index]);
          resolve();
        }),
      );
    const entry = (n: number, grant: string) => JSON.stringify({ grant, id: n, kind: 'use' });
    const all = [
      admit('before', entry(1, 'gnt_1'), 1),
      database.write({ events: [event('grant.revoked', image('grant', 'gnt_1', 2, null))] }),
      admit('stale', entry(2, 'gnt_1'), 1),
      admit('other', entry(3, 'gnt_2'), 1),
      admit('after', entry(4, 'gnt_1'), 2),
    ];
    await Promise.all(all);
    assert.deepEqual(seen, [
      ['before', 0],
      ['stale', STALE],
      ['other', 2],
      ['after', 3],
    ]);
    const uses = (await entriesOf(database, 'use')).map((text) => JSON.parse(text));
    assert.deepEqual(
      uses.map((u) => [u.id, u.kind, u.reason ?? null]),
      [
        [1, 'use', null],
        [2, 'refused', 'stale'],
        [3, 'use', null],
        [4, 'use', null],
      ],
    );
    const revoked = JSON.parse((await entriesOf(database, 'control'))[1]!);
    assert.equal(revoked.uses, 1, 'the revocation says how many uses stood before it');
    await database.end();
  });

  test(`${name}: the ledger continues where it ended, across tiles, with the root of a naive tree`, async () => {
    const opener = await fresh();
    let expected: string[] = [];
    for (const count of [1, 254, 2, 300, 515]) {
      const database = await open(opener);
      await Promise.all(
        Array.from({ length: count }, (_, i) => {
          const entry = use('crd_1', expected.length + i);
          return new Promise<void>((resolve) => database.admit(entry, 0, () => resolve()));
        }),
      );
      expected = [...expected, ...Array.from({ length: count }, (_, i) => use('crd_1', expected.length + i))];
      const heads = await database.heads();
      assert.equal(heads.use.size, expected.length);
      assert.equal(Buffer.from(heads.use.root).toString('hex'), rootOf(expected), `root at ${expected.length}`);
      assert.deepEqual(await entriesOf(database, 'use'), expected);
      await database.end();
    }
    const database = await open(opener);
    const tiles = await database.read.selectFrom('ledger_tiles').select(['log', 'level', 'tile', 'hashes']).execute();
    const widths = tiles.map((t) => `${t.level}/${t.tile}:${t.hashes.length / 32}`).sort();
    assert.deepEqual(widths, ['0/0:256', '0/1:256', '0/2:256', '0/3:256', '1/0:4']);
    assert(database.fence >= 6, 'every opening takes a higher fence');
    await database.end();
  });

  test(`${name}: a second server is refused while the first one runs`, async () => {
    const opener = await fresh();
    const database = await open(opener);
    await assert.rejects(open(opener), (error) => Failure.is(error, 'conflict'));
    await database.end();
    await (await open(opener)).end();
  });

  test(`${name}: text comes back as it went in; what cannot be stored is refused`, async () => {
    const database = await open(await fresh());
    const strange = [
      'ÅΩ≈ç√',
      '𝒳 \u202e rtl',
      "'; DROP TABLE grants; --",
      '\\u0000 ? $1 %s',
      '\u0001\u001f\u007f',
      '👩‍👩‍👧',
    ];
    for (const [i, text] of strange.entries()) {
      await database.write({ events: [event('strange', image('principal', `prn_${i}`, 1, text))] });
    }
    const rows = await database.read.selectFrom('principals').select(['natural_key', 'row']).orderBy('id').execute();
    assert.deepEqual(
      rows.map((r) => r.natural_key),
      strange,
    );
    assert.deepEqual(
      rows.map((r) => JSON.parse(r.row).name),
      strange,
    );
    for (const text of ['nul \u0000', 'lone \ud800']) {
      const write = database.write({ events: [event('bad', image('principal', 'prn_x', 1, text))] });
      await assert.rejects(write, (error) => Failure.is(error, 'invalid'));
    }
    await assert.rejects(
      database.write({ events: [event('big', image('principal', 'prn_y', 1, 'x'.repeat(66_000)))] }),
      (error) => Failure.is(error, 'invalid'),
    );
    await database.end();
  });

  test(`${name}: blobs are written with their event and deleted by null`, async () => {
    const database = await open(await fresh());
    const value = Uint8Array.of(0, 255, 1, 128);
    await database.write({ events: [event('put')], blobs: [{ kind: 'envelope', id: 'ver_1', value }] });
    const read = () => database.read.selectFrom('blobs').selectAll().execute();
    assert.deepEqual([...(await read())[0]!.value], [...value]);
    await database.write({ events: [event('drop')], blobs: [{ kind: 'envelope', id: 'ver_1', value: null }] });
    assert.equal((await read()).length, 0);
    await database.end();
  });
}
