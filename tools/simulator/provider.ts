// The provider: keys that are made, read, listed and deleted, with everything that can go wrong on the way there, inside, and on
// the way back. It knows truths (`goneAt`) that no answer shows.
import type { SeenKey } from '../../src/credentials/inventory.ts';
import { checkHeld } from './invariants.ts';
import { below, chance, draw, HALF } from './random.ts';
import { count, isValid, type Key, NEVER, note, schedule, type World } from './world.ts';

export type Reading = 'alive' | 'dead' | 'unknown';

/**
 * What one probe of a key reads at a time not before now. Only an acceptance that is heard (`isHeard`: as that of the target, by the one
 * driver that holds the row) lets another false refusal begin.
 */
export function readKey(world: World, key: Key, at: number, isHeard: boolean): Reading {
  if (chance(world.dice, world.rates.probeUnknown)) return 'unknown';
  if (isOut(world, at) || !key.works) return 'dead';
  if (at >= key.goneAt) {
    // The deletion spreads from node to node: until all know it, either answer may come.
    return at >= key.deadAt || (draw(world.dice) & 1) === 0 ? 'dead' : accept(world, key, at, isHeard);
  }
  if (at < key.activeAt && (draw(world.dice) & 1) === 0) {
    key.isShaken = true;
    return 'dead';
  }
  if (at >= key.flapFrom && at < key.flapUntil) {
    key.isShaken = true;
    return 'dead';
  }
  if (!key.isShaken && chance(world.dice, world.rates.probeFlaky)) {
    key.isShaken = true;
    key.isDisturbed = true;
    return 'dead';
  }
  return accept(world, key, at, isHeard);
}

/** An outage that answers as if every key were dead. */
function isOut(world: World, at: number): boolean {
  return at >= world.outageFrom && at < world.outageUntil;
}

function accept(world: World, key: Key, at: number, isHeard: boolean): Reading {
  key.acceptedAt = at;
  if (!isHeard) return 'alive';
  key.isShaken = false;
  key.isShakenLong = false;
  if (key.flapsLeft > 0 && world.hasFaults && isValid(key)) {
    key.flapsLeft--;
    flapFrom(world, key, at + 1);
  }
  return 'alive';
}

/** What one probe of the issuer's own key reads. */
export function readIssuer(world: World, at: number): Reading {
  if (chance(world.dice, world.rates.probeUnknown)) return 'unknown';
  return answersIssuer(world, at) ? 'alive' : 'dead';
}

/** Whether a call with the issuer's key is carried out, or refused as if the key were dead. */
export function answersIssuer(world: World, at: number): boolean {
  if (isOut(world, at) || at < world.issuerRefusedUntil) return false;
  return at >= world.issuerUnsteadyUntil || (draw(world.dice) & 1) === 0;
}

export interface Request {
  readonly name: string;
  readonly owner: Key['owner'];
  readonly credential: number;
  readonly rotation: number;
  readonly scope: number;
  readonly expiresAt: number;
}

function isThere(world: World, key: Key): boolean {
  return key.goneAt > world.now;
}

export function hasRoom(world: World): boolean {
  if (world.now < world.quotaFullUntil) return false;
  if (world.plan.quotaLeft >= 1000) return true;
  let used = 0;
  for (const key of world.keys) if (isThere(world, key)) used++;
  return used < world.keysMax;
}

/** Makes a key, or says why not. */
export function create(world: World, request: Request): Key | 'full' | 'taken' {
  const dice = world.dice;
  if (!hasRoom(world)) return 'full';
  if (world.plan.hasUniqueNames) {
    for (const key of world.keys) if (key.name === request.name && isThere(world, key)) return 'taken';
  }
  const index = world.keys.length;
  const isStillborn = chance(dice, world.rates.deadOnArrival);
  // Half of them are accepted once, before the provider takes them back.
  const isTakenBack = isStillborn && chance(dice, HALF);
  const works = !isStillborn || isTakenBack;
  const goneAt = isTakenBack ? world.now + below(dice, world.plan.takenBackMaxMs) : NEVER;
  const activeAt = world.now + (world.hasFaults ? below(dice, world.plan.activationMs + 1) : 0);
  const key: Key = {
    index,
    id: `k${index}`,
    name: request.name,
    owner: request.owner,
    credential: request.credential,
    rotation: request.rotation,
    createdAt: world.now,
    activeAt,
    works,
    scope: request.scope,
    expiresAt: request.expiresAt,
    goneAt,
    deadAt: goneAt,
    flapFrom: 0,
    flapUntil: 0,
    flapsLeft: 0,
    isShakenLong: false,
    hadLongFlap: false,
    isRevoking: false,
    isShaken: false,
    acceptedAt: -1,
    isDisturbed: isStillborn || activeAt > world.now,
  };
  world.keys.push(key);
  if (isStillborn) count(world, 'key dead on arrival');
  if (world.log !== null)
    note(world, `    provider: ${key.id} made as ${key.name}${isStillborn ? ', dead on arrival' : ''}`);
  return key;
}

export type Removal = 'accepted' | 'absent' | 'refused' | 'ambiguous';

/** A delete call. None of its answers is a proof. */
export function remove(world: World, key: Key): Removal {
  const { dice, rates } = world;
  if (chance(dice, rates.requestLost)) return 'ambiguous';
  if (chance(dice, rates.late)) {
    const settleMs = Math.min(world.plan.policy.settleMs, world.plan.editedPolicy.settleMs);
    count(world, 'delete arrives late');
    schedule(world, world.now + below(dice, settleMs), null, () => erase(world, key));
    return 'ambiguous';
  }
  if (!answersIssuer(world, world.now)) return 'refused';
  if (key.goneAt !== NEVER) return 'absent';
  if (chance(dice, rates.deleteLies)) {
    count(world, 'delete lies');
    if (chance(dice, rates.deleteFlaps)) {
      key.flapsLeft = below(dice, 3);
      flap(world, key, world.plan.hasLongFlap);
    }
    if (world.log !== null) note(world, `    provider: the delete of ${key.id} does nothing and says it did`);
  } else {
    erase(world, key);
  }
  return chance(dice, rates.answerLost) ? 'ambiguous' : 'accepted';
}

/** The deletion takes effect, and spreads within the propagation time. */
export function erase(world: World, key: Key): void {
  if (key.goneAt !== NEVER) return;
  key.goneAt = world.now;
  // Two limits of the fault model meet: after a long flap, a slow deletion would look like an old one.
  const isSlow = !key.isShakenLong && chance(world.dice, world.rates.deleteSlow);
  key.deadAt = world.now + (isSlow ? below(world.dice, world.plan.propagationMs + 1) : 0);
  if (world.log !== null) note(world, `    provider: ${key.id} is gone, everywhere by ${key.deadAt / 1000} s`);
  if (key.owner === 'ours' && key.works) checkHeld(world, key.credential);
}

/** Somebody deletes a key behind our back, at once and everywhere. */
export function kill(world: World, key: Key): void {
  key.isDisturbed = true;
  key.goneAt = world.now;
  key.deadAt = world.now;
  if (world.log !== null) note(world, `    provider: somebody deletes ${key.id}`);
}

/** The key is refused for a while although it works. Never twice without an acceptance between. */
export function flap(world: World, key: Key, isLong: boolean): void {
  if (key.isShaken || !isValid(key) || world.now < Math.max(key.flapUntil, key.activeAt)) return;
  if (isLong) {
    key.isShaken = true;
    key.isShakenLong = true;
    key.hadLongFlap = true;
    key.flapFrom = world.now;
    key.flapUntil = world.now + 3_600_000;
  } else flapFrom(world, key, world.now);
  key.isDisturbed = true;
  count(world, isLong ? 'long flap' : 'flap');
  if (world.log !== null) note(world, `    provider: ${key.id} is refused until ${key.flapUntil / 1000} s`);
}

function flapFrom(world: World, key: Key, at: number): void {
  const { flapMaxMs, spacingMinMs } = world.plan;
  // Half of them as long as the model allows: just not long enough for a proof.
  const shortestMs = chance(world.dice, HALF) ? Math.max(0, flapMaxMs - spacingMinMs) : 0;
  const lengthMs = shortestMs + below(world.dice, flapMaxMs - shortestMs + 1);
  key.isShaken = true;
  key.isShakenLong = lengthMs >= world.plan.spacingMinMs;
  key.flapFrom = at;
  key.flapUntil = at + lengthMs;
}

/** The provider's list as of `lagMs` ago. */
export function list(world: World, lagMs: number): SeenKey[] {
  const asOf = world.now - lagMs;
  const seen: SeenKey[] = [];
  for (const key of world.keys) {
    if (key.createdAt > asOf || key.goneAt <= asOf) continue;
    seen.push({ providerKeyId: key.id, name: key.name, createdAt: key.createdAt });
  }
  return seen;
}
