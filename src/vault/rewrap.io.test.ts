// KEK rotation with a store and a second copy that are maps, and kills before and after the effect of every call on them. The
// store is the caller's side of the contract; vault, envelopes and planning are the real ones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../model/failure.ts';
import { revealSecret, Secret } from '../model/secret.ts';
import { cipher, machineRandom as random } from './cipher.io.ts';
import { envelopeKekIds, holdsSamePayloads } from './envelope.ts';
import type { KekHolding, KekRow } from './kek.ts';
import { type RotateKekInput, rotateKek } from './rewrap.io.ts';
import { TEST_NOW, testContext, testKek } from './test-support.ts';
import { createVault, type Vault } from './vault.io.ts';

const COUNT = 5;
const old = testKek({ cipher, random });
const next = testKek({ cipher, random, rows: [old.row] });

function contextOf(id: string) {
  return testContext({ version: id });
}

/** A vault of a new process: its own copies of the keys. */
function unsealedVault(...keks: KekHolding[]): Vault {
  const vault = createVault({ cipher, random });
  vault.unseal(keks.map((kek) => ({ ...kek, key: kek.key === null ? null : new Secret(revealSecret(kek.key)) })));
  return vault;
}

const originals = new Map<string, Uint8Array>();
for (let index = 0; index < COUNT; index++) {
  const parts = { key: new Secret(`canary-${index}`) };
  originals.set(`ver_${index}`, unsealedVault(old).sealParts(contextOf(`ver_${index}`), parts).bytes);
}

/** What survives a kill. */
interface Disk {
  readonly envelopes: Map<string, Uint8Array>;
  readonly copies: Map<string, Uint8Array>;
  readonly rows: KekRow[];
  retirements: number;
}

function newDisk(): Disk {
  return {
    envelopes: new Map(originals),
    copies: new Map(originals),
    rows: [old.row, next.row],
    retirements: 0,
  };
}

/** One run of the program. The `killAt`-th moment (before and after each effect) ends it; `moments` counts them. */
function run(disk: Disk, killAt: number | null) {
  let moments = 0;
  function moment(): void {
    if (++moments === killAt) throw new Error('killed');
  }
  const rows = [...disk.rows];
  const input: RotateKekInput = {
    vault: unsealedVault({ ...old, row: rows[0]! }, next),
    cipher,
    rows,
    role: 'primary',
    limit: 2,
    async listEnvelopes(afterId, limit) {
      moment();
      const ids = [...disk.envelopes.keys()].filter((id) => afterId === null || id > afterId).sort();
      return ids.slice(0, limit).map((id) => ({ id, bytes: disk.envelopes.get(id)! }));
    },
    async replaceEnvelope(id, oldDigest, newBytes) {
      moment();
      const stored = disk.envelopes.get(id);
      if (stored === undefined || cipher.sha256(stored).toHex() !== oldDigest) return false;
      disk.envelopes.set(id, newBytes);
      moment();
      return true;
    },
    async copyEnvelope(id, bytes) {
      moment();
      disk.copies.set(id, bytes);
      moment();
    },
    async retireKek(kekId) {
      moment();
      const index = disk.rows.findIndex((row) => row.id === kekId);
      disk.rows[index] = { ...disk.rows[index]!, retiredAt: TEST_NOW };
      disk.retirements++;
      moment();
    },
  };
  return { input, moments: () => moments };
}

function assertReadable(disk: Disk, vault: Vault): void {
  for (const store of [disk.envelopes, disk.copies]) {
    for (const [id, bytes] of store) {
      assert.ok(vault.openParts(contextOf(id), bytes)['key']?.equals(new Secret(`canary-${id.slice(4)}`)));
      assert.ok(holdsSamePayloads(bytes, originals.get(id)!), 'payloads are untouched');
    }
  }
}

test('a rotation wraps everything under the new KEK, copies it, and retires the old one', async () => {
  const disk = newDisk();
  const result = await rotateKek(run(disk, null).input);
  assert.deepEqual(result, { isComplete: true, rewrapped: COUNT, retired: [old.row.id], failures: [], failed: 0 });
  assertReadable(disk, unsealedVault({ ...old, key: null }, next));
  for (const [id, bytes] of disk.envelopes) assert.deepEqual(disk.copies.get(id), bytes);
  const again = await rotateKek(run(disk, null).input);
  assert.deepEqual([again.isComplete, again.rewrapped, again.retired], [true, 0, []]);
});

test('killed at any moment, then run again: nothing is lost on the way, and the end is the same', async () => {
  const calm = run(newDisk(), null);
  await rotateKek(calm.input);
  const moments = calm.moments();
  assert.ok(moments > 4 * COUNT);
  const both = unsealedVault(old, next);
  const alone = unsealedVault({ ...old, key: null }, next);
  for (let killAt = 1; killAt <= moments; killAt++) {
    const disk = newDisk();
    await assert.rejects(rotateKek(run(disk, killAt).input), /killed/);
    assertReadable(disk, both);
    if (disk.rows[0]!.retiredAt !== null) assertReadable(disk, alone);
    // A second kill at the same moment of the second run, then a run to the end.
    await rotateKek(run(disk, killAt).input).catch((error: unknown) => assert.match(String(error), /killed/));
    const result = await rotateKek(run(disk, null).input);
    assert.equal(result.isComplete, true);
    assert.equal(disk.retirements, 1);
    assertReadable(disk, alone);
    for (const [id, bytes] of disk.envelopes) assert.deepEqual(disk.copies.get(id), bytes);
  }
});

test('an envelope that somebody replaced meanwhile is seen again, and blocks retirement until then', async () => {
  const disk = newDisk();
  const { input } = run(disk, null);
  const vault = unsealedVault(old);
  let raced = false;
  const result = await rotateKek({
    ...input,
    async replaceEnvelope(id, oldDigest, newBytes) {
      if (id === 'ver_1' && !raced) {
        raced = true;
        disk.envelopes.set(id, vault.sealParts(contextOf(id), { key: new Secret('canary-1') }).bytes);
      }
      return input.replaceEnvelope(id, oldDigest, newBytes);
    },
  });
  assert.equal(result.isComplete, true);
  assert.equal(result.rewrapped, COUNT);
  assert.deepEqual(envelopeKekIds(disk.envelopes.get('ver_1')!), [next.row.id]);
});

test('an envelope that does not open stops neither the others nor is its KEK retired', async () => {
  for (const [damage, code] of [
    [(bytes: Uint8Array) => bytes.slice(0, 40), 'corrupt'],
    [(bytes: Uint8Array) => bytes.with(100, bytes[100]! ^ 1), 'corrupt'],
  ] as const) {
    const disk = newDisk();
    disk.envelopes.set('ver_2', damage(originals.get('ver_2')!));
    const { input } = run(disk, null);
    let lists = 0;
    const result = await rotateKek({
      ...input,
      async listEnvelopes(afterId, limit) {
        lists++;
        return input.listEnvelopes(afterId, limit);
      },
    });
    assert.equal(lists, 2 * 3, 'one pass that works, one that finds nothing moving, of three pages each');
    assert.deepEqual(result, {
      isComplete: false,
      rewrapped: COUNT - 1,
      retired: [],
      failures: [{ id: 'ver_2', code }],
      failed: 1,
    });
    assert.equal(disk.retirements, 0);
  }
});

test('an envelope under a KEK that is not at hand is named and blocks retirement', async () => {
  const disk = newDisk();
  const { input } = run(disk, null);
  const result = await rotateKek({ ...input, vault: unsealedVault({ ...old, key: null }, next) });
  assert.equal(result.failed, COUNT);
  assert.deepEqual(result.failures[0], { id: 'ver_0', code: 'sealed' });
  assert.deepEqual(result.retired, []);
});

test('a copy that holds something else blocks retirement', async () => {
  const disk = newDisk();
  const { input } = run(disk, null);
  const result = await rotateKek({
    ...input,
    async copyEnvelope(id) {
      if (id === 'ver_3') throw new Failure('conflict', 'the second copy holds something else');
    },
  });
  assert.deepEqual(
    [result.isComplete, result.failures, result.retired],
    [false, [{ id: 'ver_3', code: 'conflict' }], []],
  );
});

test('a recovery KEK that came later is added to every envelope, beside the primary', async () => {
  const disk = newDisk();
  const recovery = testKek({ cipher, random, rows: disk.rows, role: 'recovery' });
  const { input } = run(disk, null);
  const rows = [old.row, recovery.row];
  const vault = unsealedVault(old, recovery);
  const result = await rotateKek({ ...input, vault, rows, role: 'recovery' });
  assert.deepEqual([result.isComplete, result.rewrapped, result.retired], [true, COUNT, []]);
  for (const bytes of disk.envelopes.values()) {
    assert.deepEqual(envelopeKekIds(bytes), [old.row.id, recovery.row.id].sort());
  }
});

test('a loop whose work never ends stops after its bound', async () => {
  const disk = newDisk();
  const { input } = run(disk, null);
  let replaced = 0;
  const result = await rotateKek({
    ...input,
    async replaceEnvelope() {
      replaced++;
      return true;
    },
  });
  assert.equal(result.isComplete, false);
  assert.equal(replaced, 5 * COUNT);
});

test('without a target, with a sealed vault or with empty pages there is no rotation', async () => {
  const { input } = run(newDisk(), null);
  await assert.rejects(rotateKek({ ...input, rows: [] }), (error) => Failure.is(error, 'invalid'));
  await assert.rejects(rotateKek({ ...input, limit: 0 }), /at least one/);
  input.vault.seal();
  await assert.rejects(rotateKek(input), (error) => Failure.is(error, 'sealed'));
});
