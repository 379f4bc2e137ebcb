// The provider as it truly behaves: keys that are made by hand or by replacement, that end by hand, by a cut, by their grace or by our call, and
// what a reading of one says. Faults that lie about the truth are here; what is done about them is not.
import { chance } from '../random.ts';
import { flaps } from '../timeline.ts';
import { checkDeath } from './invariants.ts';
import { type AssistedKey, count, type Death, isAccepted, later, NEVER, note, violate, type World } from './world.ts';

export type Reading = 'alive' | 'dead' | 'unknown';

/** A key that is accepted from then on; NEVER: it never will be. */
export function makeKey(world: World, madeBy: AssistedKey['madeBy'], activeAt: number): AssistedKey {
  const key: AssistedKey = {
    id: `key${world.nextId++}`,
    madeBy,
    activeAt,
    diedAt: NEVER,
    deadAt: NEVER,
    death: null,
    isDoomed: false,
    seenAliveAt: 0,
  };
  world.keys.push(key);
  return key;
}

/** Ends a key at a time that is now or later. What was to end sooner, ends sooner. */
export function endKey(world: World, key: AssistedKey, at: number, death: Death): void {
  if (at >= key.diedAt) return;
  key.diedAt = at;
  key.deadAt = at + world.plan.lingerMs;
  key.death = death;
  if (world.log !== null) note(world, `provider: ${key.id} ends at ${at} (${death})`);
  if (key.deadAt <= world.now) checkDeath(world, key);
  else later(world, key.deadAt - world.now, () => checkDeath(world, key));
}

/** What a call for a replacement does when it is there. Without a grace the former key ends at once. */
export function replace(world: World, graceMs: number | null): AssistedKey {
  const { plan, active } = world;
  if (graceMs === null) violate(world, 'grace', 'a replacement is asked for without a grace');
  const isBad = world.hasFaults && world.badKeys < plan.wrongKeys;
  if (isBad) world.badKeys++;
  const key = makeKey(world, 'provider', isBad ? NEVER : world.now + (world.hasFaults ? plan.activationMs : 0));
  if (isBad) count(world, 'a replacement was dead on arrival');
  if (world.log !== null) note(world, `provider: ${key.id} replaces ${active.id}${isBad ? ', and is no good' : ''}`);
  endKey(world, active, world.now + (graceMs ?? 0), 'grace');
  world.active = key;
  world.effective++;
  return key;
}

/** A person makes a key. Where there is one slot the others end in that moment, where there are two a third must go. */
export function makeByHand(world: World, activeAt: number): AssistedKey {
  const { plan } = world;
  const current = world.versions.find((version) => version.state === 'current')?.key;
  for (const other of world.keys) {
    if (activeAt === NEVER || world.now >= other.diedAt) continue;
    if (plan.slots === 'hard-cut') endKey(world, other, world.now, 'cut');
    else if (other !== current) endKey(world, other, world.now, 'hand');
  }
  return makeKey(world, 'person', activeAt);
}

/** One reading of a key; of the issuer's where there is none. */
export function read(world: World, key: AssistedKey | null): Reading {
  const { dice, plan } = world;
  if (world.hasFaults) {
    if (chance(dice, plan.unknown)) return 'unknown';
    if (plan.hasOutage && Math.floor(world.now / 4_000) % 4 === 1) return 'dead';
  }
  if (key === null) return 'alive';
  return isAccepted(world, key) && !flaps(world) ? 'alive' : 'dead';
}
