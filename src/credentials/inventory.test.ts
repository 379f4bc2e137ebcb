// The standing inventory: which key is whose, in every combination that decides over its life.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type InventoryInput, orphansOf, resurrectedOf, type SeenKey, takeInventory } from './inventory.ts';
import { formatLabel } from './label.ts';

const INSTANCE = '5eed5eed';
const OURS = 'c0c0c0c0c0c0c0c0';
const SIBLING = 'c0c0c0c0c0c0c0c1';
const FOREIGN = 'c0c0c0c0c0c0c0ff';
const ENDED = '00000000000000e0';
const RUNNING = '00000000000000e1';
const NOW = 1_790_000_000_000;

function name(parts: { instance?: string; credential?: string; rotation?: string; attempt?: number } = {}): string {
  return formatLabel({ instance: INSTANCE, credential: OURS, rotation: ENDED, attempt: 1, ...parts });
}

function seen(providerKeyId: string, keyName: string, createdAt: number | null = NOW - 3_600_000): SeenKey {
  return { providerKeyId, name: keyName, createdAt };
}

function input(keys: readonly SeenKey[], change: Partial<InventoryInput> = {}): InventoryInput {
  return {
    seen: keys,
    instance: INSTANCE,
    credentials: new Set([OURS, SIBLING]),
    held: new Set(),
    running: new Set([RUNNING]),
    now: NOW,
    settleMs: 10_000,
    orphansMax: 5,
    ...change,
  };
}

test('a key with our whole label that nobody holds is an orphan', () => {
  const keys = [seen('a', name()), seen('b', name({ credential: SIBLING, attempt: 7 })), seen('c', name(), null)];
  assert.deepEqual(takeInventory(input(keys)).orphans, ['a', 'b', 'c']);
});

test('a held key is not an orphan, and one that is no longer listed is missing', () => {
  const inventory = takeInventory(input([seen('a', name())], { held: new Set(['a', 'z']) }));
  assert.deepEqual(inventory, { orphans: [], heldBack: [], unregistered: [], missing: ['z'] });
});

test('keys of a rotation that has not ended are left alone', () => {
  assert.deepEqual(takeInventory(input([seen('a', name({ rotation: RUNNING }))])).orphans, []);
});

test('keys of people, of other installations and of credentials that others mint are reported, never deleted', () => {
  const keys = [
    seen('person', 'laptop'),
    seen('copy', `${name()} copy`),
    seen('elsewhere', name({ instance: '5eed5eee' })),
    seen('foreign', name({ credential: FOREIGN })),
  ];
  const inventory = takeInventory(input(keys));
  assert.deepEqual(inventory.orphans, []);
  assert.deepEqual(inventory.unregistered, keys);
});

test('a key younger than the settling time waits for the next look; a clock that stepped back makes it wait longer', () => {
  const keys = [seen('young', name(), NOW - 9_999), seen('old', name(), NOW - 10_000), seen('ahead', name(), NOW + 5)];
  assert.deepEqual(takeInventory(input(keys)).orphans, ['old']);
});

test('more orphans than the brake allows, and none is deleted', () => {
  const keys = Array.from({ length: 6 }, (_, index) => seen(`k${index}`, name({ attempt: index + 1 })));
  const braked = takeInventory(input(keys));
  assert.deepEqual(braked.orphans, []);
  assert.deepEqual(
    braked.heldBack,
    keys.map((key) => key.providerKeyId),
  );
  const allowed = takeInventory(input(keys.slice(0, 5)));
  assert.equal(allowed.orphans.length, 5);
  assert.deepEqual(allowed.heldBack, []);
});

test('a rotation deletes only what bears its own whole label and what no version holds', () => {
  const own = { instance: INSTANCE, credential: OURS, rotation: ENDED };
  const keys = [
    seen('mine', name()),
    seen('mine too', name({ attempt: 2 })),
    seen('held', name({ attempt: 3 })),
    seen('another rotation', name({ rotation: RUNNING })),
    seen('another credential', name({ credential: SIBLING })),
    seen('another installation', name({ instance: '5eed5eee' })),
    seen('a person', 'laptop'),
  ];
  assert.deepEqual(orphansOf(keys, own, new Set(['held'])), ['mine', 'mine too']);
});

test('a key that is listed although its version is called revoked is to be probed again', () => {
  const keys = [seen('alive', name()), seen('back', name({ attempt: 2 }))];
  assert.deepEqual(resurrectedOf(keys, new Set(['back', 'gone'])), ['back']);
});

test('whatever the provider lists, only keys that are ours in every part are deleted', () => {
  const parts = fc.record({
    instance: fc.constantFrom(INSTANCE, '5eed5eee'),
    credential: fc.constantFrom(OURS, SIBLING, FOREIGN),
    rotation: fc.constantFrom(ENDED, RUNNING),
    attempt: fc.integer({ min: 1, max: 20 }),
  });
  const names = fc.oneof(
    parts.map((label) => name(label)),
    fc.string({ maxLength: 80 }),
    parts.chain((label) => fc.string({ minLength: 1, maxLength: 2 }).map((text) => name(label) + text)),
  );
  const keys = fc.uniqueArray(fc.record({ id: fc.integer({ min: 0, max: 30 }), name: names }), {
    selector: (key) => key.id,
  });
  fc.assert(
    fc.property(
      keys,
      fc.array(fc.integer({ min: 0, max: 30 })),
      fc.integer({ min: 0, max: 8 }),
      (list, held, orphansMax) => {
        const given = input(
          list.map((key) => seen(`${key.id}`, key.name)),
          { held: new Set(held.map(String)), orphansMax },
        );
        const { orphans, heldBack, unregistered } = takeInventory(given);
        const ours = `clv/${INSTANCE}/`;
        for (const id of [...orphans, ...heldBack]) {
          const key = given.seen.find((one) => one.providerKeyId === id)!;
          const isOurs =
            key.name.startsWith(`${ours}${OURS}/${ENDED}/`) || key.name.startsWith(`${ours}${SIBLING}/${ENDED}/`);
          assert.ok(isOurs && /\/\d+$/.test(key.name) && !given.held.has(id), key.name);
        }
        assert.ok(orphans.length <= orphansMax);
        assert.ok(orphans.length === 0 || heldBack.length === 0);
        const reported = new Set([...orphans, ...heldBack, ...unregistered.map((key) => key.providerKeyId)]);
        assert.equal(reported.size, orphans.length + heldBack.length + unregistered.length);
      },
    ),
  );
});
