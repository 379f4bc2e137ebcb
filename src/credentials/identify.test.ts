// Identifying a key by the one entry that moves with its use: against a provider in memory, busy, slow to show, or lying.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { ListedKey, ListOutcome } from '../providers/provider.ts';
import { type IdentifyTools, identifyKey } from './identify.ts';

interface Key {
  readonly id: string;
  /** Chance that somebody uses it within an interval. */
  readonly busy: number;
  lastUsedAt: number | null;
}

interface World {
  readonly keys: Key[];
  /** The key that is looked for; null: it is not in the list. */
  readonly own: string | null;
  /** The key that the list is asked for with. */
  readonly lister: string;
  /** Milliseconds that times are rounded down to. */
  readonly granularityMs: number;
  /** Time until a use shows. */
  readonly lagMs: number;
  readonly random: () => number;
}

/** A provider whose clock moves only when it is waited for, or asked. */
function provider(world: World) {
  let now = 1_790_000_000_123;
  let calls = 0;
  const uses: { id: string; at: number }[] = [];

  function use(id: string): void {
    uses.push({ id, at: now });
  }

  function others(): void {
    now += 7;
    for (const key of world.keys) if (world.random() < key.busy) use(key.id);
    now += 7;
  }

  function listed(): ListedKey[] {
    return world.keys.map((key) => {
      const seen = uses.filter(({ id, at }) => id === key.id && at + world.lagMs <= now);
      const last = seen.at(-1)?.at ?? key.lastUsedAt;
      const lastUsedAt = last === null ? null : last - (last % world.granularityMs);
      return { providerKeyId: key.id, name: key.id, createdAt: 0, lastUsedAt, lastUsedFrom: null, scope: null };
    });
  }

  const tools: IdentifyTools = {
    async list(): Promise<ListOutcome> {
      calls++;
      others();
      const keys = listed();
      use(world.lister);
      return { is: 'listed', keys };
    },
    async use() {
      calls++;
      others();
      if (world.own !== null) use(world.own);
      return true;
    },
    async wait(ms) {
      now += ms;
      others();
    },
  };
  return {
    tools,
    get calls() {
      return calls;
    },
  };
}

function world(change: Partial<World> & { others?: number[] } = {}): World {
  const keys = (change.others ?? [0, 0]).map((busy, i) => ({
    id: `other-${i}`,
    busy,
    lastUsedAt: 1_700_000_000_000 + i,
  }));
  const own: Key = { id: 'own', busy: 0, lastUsedAt: null };
  return {
    keys: [...keys, own, { id: 'issuer', busy: 0, lastUsedAt: null }],
    own: 'own',
    lister: 'issuer',
    granularityMs: 1,
    lagMs: 0,
    random: () => 0.5,
    ...change,
  };
}

const facts = { held: new Set<string>(), isOwnList: false };

test('finds the key among quiet ones', async () => {
  const found = await identifyKey(provider(world()).tools, facts);
  assert.equal(found.providerKeyId, 'own');
});

test('finds it where times are whole seconds', async () => {
  const found = await identifyKey(provider(world({ granularityMs: 1_000 })).tools, facts);
  assert.equal(found.providerKeyId, 'own');
});

test('finds it with its own list', async () => {
  const found = await identifyKey(provider(world({ lister: 'own' })).tools, { ...facts, isOwnList: true });
  assert.equal(found.providerKeyId, 'own');
});

test('a key that is used all the time is told apart', async () => {
  const found = await identifyKey(provider(world({ others: [1, 1] })).tools, facts);
  assert.equal(found.providerKeyId, 'own');
});

test('what another version holds is never the answer', async () => {
  const found = await identifyKey(provider(world()).tools, { ...facts, held: new Set(['own']) });
  assert.equal(found.providerKeyId, null);
});

test('a list that shows no use leaves the key unidentified', async () => {
  const found = await identifyKey(provider(world({ lagMs: 600_000 })).tools, facts);
  assert.equal(found.providerKeyId, null);
  assert.match(found.why, /each use/);
});

test('a provider that cannot be asked, or refuses, is said so and asked no further', async () => {
  const unreached = { ...provider(world()).tools, list: () => Promise.resolve(null) };
  assert.match((await identifyKey(unreached, facts)).why, /could not be reached/);
  const evidence = { status: 403, signature: 'x.403', requestId: null };
  const refused = { ...unreached, list: () => Promise.resolve({ is: 'refused' as const, evidence }) };
  assert.match((await identifyKey(refused, facts)).why, /refused \(x\.403\)/);
  const dead = { ...provider(world()).tools, use: () => Promise.resolve(false) };
  assert.deepEqual(await identifyKey(dead, facts), {
    providerKeyId: null,
    why: 'the provider did not accept the key',
    rounds: 1,
  });
});

test('a list that shows our uses late, while somebody else’s key is busy, identifies nobody', async () => {
  // Used in every second interval: it looks like ours for a while, and is silent in the control interval.
  let turn = 0;
  const random = () => (++turn % 8 < 4 ? 0 : 1);
  for (const busy of [0.5, 1]) {
    const found = await identifyKey(provider(world({ others: [busy], lagMs: 600_000, random })).tools, facts);
    assert.equal(found.providerKeyId, null);
  }
});

test('with any traffic: the right key or none, within a bounded number of calls', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(0, 0.1, 0.5, 0.9, 1), { maxLength: 6 }),
      fc.constantFrom(1, 1_000),
      fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      async (others, granularityMs, seed) => {
        let state = seed;
        const random = () => {
          state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
          return state / 0x7fffffff;
        };
        const asked = provider(world({ others, granularityMs, random }));
        const found = await identifyKey(asked.tools, facts);
        assert.ok(found.providerKeyId === 'own' || found.providerKeyId === null, found.providerKeyId ?? '');
        assert.ok(asked.calls <= 10 * 4);
      },
    ),
    { numRuns: 300 },
  );
});
