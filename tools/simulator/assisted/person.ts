// The people: whoever makes the key, brings it and deletes the old one, late, wrongly or never; and the operator, who resumes what stands still,
// cancels, and gives up what cannot go on. While there are faults they do as the plan says, afterwards what they are asked.
import { beginOverlap } from '../../../src/rotation/overlap.ts';
import type { Means } from '../../../src/rotation/overlap-state.ts';
import { below, chance } from '../random.ts';
import { command } from './database.ts';
import { checkIgnored, checkStuck } from './invariants.ts';
import { FAULTS_END_MS } from './plan.ts';
import { endKey, makeByHand, read } from './provider.ts';
import {
  type AssistedKey,
  count,
  currentOf,
  isGood,
  later,
  NEVER,
  note,
  type StoredVersion,
  versionOf,
  type World,
} from './world.ts';

/** Resumes after the faults, in a row, before the operator gives up. */
const RESUMES_MAX = 4;

/** The row was written: whoever is asked for something comes, in their own time. */
export function notice(world: World): void {
  const { person, plan, dice, hasFaults } = world;
  const { state } = world.row;
  if (state.end === 'blocked') {
    if (person.isLooking) return;
    person.isLooking = true;
    later(world, 200 + below(dice, 2_000), () => look(world));
    return;
  }
  if (state.end !== null) return;
  if (state.step === 'await' && !person.isComing && !(plan.isAbsent && hasFaults)) {
    person.isComing = true;
    later(world, hasFaults ? plan.bringMs : 200 + below(dice, 500), () => bring(world));
  }
  if (state.step === 'prove' && !person.isDeleting && isTheirs(world)) comeToDelete(world);
  if (plan.removal === 'wrong-one-early' && state.promoted && person.isMistaken) {
    person.isMistaken = false;
    later(world, below(dice, 3_000), () => {
      if (world.row.state.pivoted || world.row.run > 1) return;
      deleteKey(world, versionOf(world, state.fresh?.versionId), 'the new key before the old one was to go');
    });
  }
}

/** Whether the key that is to die is for a person to delete. */
function isTheirs(world: World): boolean {
  const { state } = world.row;
  const version = target(world);
  if (version === null || world.now >= version.key.diedAt) return false;
  if (state.means.issue === 'grace') return false;
  return state.means.revoke === 'person';
}

function target(world: World): StoredVersion | null {
  const { state } = world.row;
  return versionOf(world, (state.target === 'old' ? state.old : state.fresh)?.versionId);
}

function comeToDelete(world: World): void {
  const { person, plan, dice, hasFaults } = world;
  const isAsked = !hasFaults || person.resumes > 0;
  if (plan.removal === 'never' && !isAsked) return;
  person.isDeleting = true;
  const ms = plan.removal === 'late' && !isAsked ? plan.removalMs : 100 + below(dice, 2_000);
  later(world, ms, () => {
    person.isDeleting = false;
    const { state } = world.row;
    if (state.step !== 'prove' || !isTheirs(world)) return;
    if (plan.removal === 'wrong-one' && person.isMistaken && state.target === 'old') {
      person.isMistaken = false;
      deleteKey(world, versionOf(world, state.fresh?.versionId), 'the new key instead of the old one');
    } else {
      deleteKey(world, target(world), 'what is to go');
    }
  });
}

function deleteKey(world: World, version: StoredVersion | null, what: string): void {
  if (version === null || world.now >= version.key.diedAt) return;
  count(world, `a person deletes ${what}`);
  note(world, `the person deletes ${version.key.id}: ${what}`);
  endKey(world, version.key, world.now, 'hand');
}

/** The old key goes before anybody asked for it. */
export function deleteEarly(world: World): void {
  if (!world.row.state.pivoted)
    deleteKey(world, versionOf(world, world.row.state.old.versionId), 'the old key too early');
}

/** The person comes with a key: the one that they have in hand, or a new one. It is looked at for a while. */
function bring(world: World): void {
  const { person, boot } = world;
  const { state, run } = world.row;
  person.isComing = false;
  if (state.end !== null || state.step !== 'await') return;
  if (person.inHand === null || world.now >= person.inHand.diedAt) person.inHand = makeKey(world);
  const key = person.inHand;
  const isUp = !world.isDown;
  person.isComing = true;
  later(world, 50 + below(world.dice, 1_000), () => {
    person.isComing = false;
    if (world.row.run !== run) return;
    // The process that looked at it is gone, and the key with it: they were told that it failed.
    const isLost = !isUp || world.isDown || world.boot !== boot;
    if (isLost) count(world, 'a brought key was lost with its process');
    if (isLost || !isTaken(world, key)) comeAgain(world);
  });
}

function comeAgain(world: World): void {
  const { person } = world;
  if (person.isComing || world.row.state.step !== 'await' || world.row.state.end !== null) return;
  person.isComing = true;
  later(world, 300 + below(world.dice, 1_500), () => bring(world));
}

/** The key in hand for a person: a wrong one first, where the plan says so. */
function makeKey(world: World): AssistedKey {
  const { person, plan, dice } = world;
  if (!world.hasFaults || person.wrongLeft === 0) return makeByHand(world, world.now);
  person.wrongLeft--;
  count(world, `a wrong key: ${plan.wrongKey}`);
  if (plan.wrongKey === 'mistyped') return makeByHand(world, NEVER);
  const key = makeByHand(world, world.now);
  endKey(world, key, world.now + 500 + below(dice, 4_000), 'hand');
  return key;
}

/** Looks at a brought key and takes it, or not. The answer is what the person is told. */
function isTaken(world: World, key: AssistedKey): boolean {
  const { person, plan, dice } = world;
  const seen = read(world, key);
  const isBlind = world.hasFaults && chance(dice, plan.blind);
  if (seen !== 'alive' && !isBlind) {
    command(world, { on: 'key-refused' });
    // What is called dead is thrown away, what cannot be told is brought again.
    if (seen === 'dead') person.inHand = null;
    return false;
  }
  const providerKeyId = plan.hasNoId ? '' : key.id;
  const written = command(world, { on: 'issued', versionId: `ver-${key.id}`, providerKeyId });
  if (written !== 'done') return false;
  person.inHand = null;
  person.wasTold = true;
  return true;
}

/** The operator looks at a run that stands still. */
function look(world: World): void {
  const { person, row } = world;
  person.isLooking = false;
  if (row.state.end !== 'blocked') return;
  if (world.isDown || (world.hasFaults && person.resumes > RESUMES_MAX)) {
    person.isLooking = true;
    later(world, world.isDown ? 500 : FAULTS_END_MS, () => look(world));
    return;
  }
  if (world.hasFaults || person.resumes < 2 * RESUMES_MAX) {
    person.resumes++;
    count(world, 'a resume');
    if (command(world, { on: 'resumed' }) !== 'done') notice(world);
    return;
  }
  count(world, 'given up');
  checkStuck(world);
  supersede(world);
}

export function supersede(world: World): void {
  const written = command(world, { on: 'superseded', reason: 'an operator' });
  if (world.row.state.end === 'aborted' && written !== 'conflict') world.wasSuperseded = true;
}

export function cancel(world: World): void {
  const { rowVersion } = world.row;
  const written = command(world, { on: 'cancelled', reason: 'an operator' });
  if (written === 'conflict') checkIgnored(world);
  if (world.row.rowVersion === rowVersion) return;
  count(world, 'a cancel');
}

/** A new run, when the faults are over and what was on its way has arrived. */
export function ask(world: World): void {
  const { row, plan, person } = world;
  const current = currentOf(world);
  const held = { versionId: current.versionId, providerKeyId: current.providerKeyId };
  // Whose id nobody knows is for a person to delete.
  const means: Means = current.providerKeyId === '' ? { ...plan.means, revoke: 'person' } : plan.means;
  row.state = beginOverlap(held, { boot: world.boot, mono: world.now - world.bootedAt }, means);
  row.rowVersion++;
  row.run++;
  world.effective = 0;
  world.mayHaveReplaced = false;
  world.wasSuperseded = false;
  world.awaitsSince = world.now;
  person.inHand = null;
  person.isComing = false;
  person.isDeleting = false;
  person.isLooking = false;
  person.resumes = 0;
  person.isMistaken = false;
  person.wasTold = false;
  note(world, `a new run, of ${current.key.id}${isGood(world, current.key) ? '' : ', which is dead'}`);
}
