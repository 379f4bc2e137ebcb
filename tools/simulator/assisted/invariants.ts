// The invariants, checked where something happens that could break them, against what is true in the world and not against what the protocol
// believes. docs/simulator.md says each in a sentence.
import type { OverlapEvent, OverlapState } from '../../../src/rotation/overlap-state.ts';
import { NO_ISSUER } from '../../../src/rotation/overlap-steps.ts';
import {
  type AssistedKey,
  currentOf,
  type Driver,
  hasIssuer,
  isAccepted,
  isGood,
  isUsed,
  NEVER,
  type StoredVersion,
  versionOf,
  violate,
  type World,
} from './world.ts';

/** A deadline may be missed by what an entry takes. */
const SLACK_MS = 1_000;

/** A key is refused everywhere from now on. */
export function checkDeath(world: World, key: AssistedKey): void {
  if (world.now < key.deadAt || currentOf(world).key !== key) return;
  // A person ends what they like, and a grace that is shorter than the faults is nobody's to make longer.
  if (key.death === 'hand' || key.death === 'cut' || key.isDoomed || world.plan.isShortGrace) return;
  violate(world, 'current', `${key.id} ends in use (${key.death})`);
}

/** A replacement is about to be asked for. */
export function checkNeed(world: World): void {
  for (const version of world.versions) {
    if (version.run === world.row.run && isGood(world, version.key))
      violate(world, 'needless', `${version.key.id} works, and is replaced`);
  }
  if (world.onTheirWay > 0) violate(world, 'needless', 'a replacement that was asked for may still arrive');
}

/** A key is about to be revoked, by our call or by a person who is asked to. */
export function checkRevoke(world: World, driver: Driver, which: 'old' | 'fresh', version: StoredVersion): void {
  const { state } = driver;
  if (isUsed(world, version)) violate(world, 'in-use', `${version.key.id} is revoked in use`);
  if (which === 'old' ? !state.promoted : state.undoing === null)
    violate(world, 'not-ours', `${version.key.id} is revoked, and nobody wants that`);
  const stays = versionOf(world, (which === 'old' ? state.fresh : state.old)?.versionId)?.key ?? null;
  if (stays === null || stays.activeAt === NEVER || (stays.death === 'cut' && world.now >= stays.diedAt))
    violate(world, 'held', `${version.key.id} is revoked, and ${stays?.id ?? 'nothing'} does not work`);
  if (which === 'fresh' && state.means.issue === 'grace')
    violate(world, 'needless', `${version.key.id} is the key in force, and is revoked`);
}

/** A step was written. */
export function checkStep(world: World, before: OverlapState, event: OverlapEvent, driver: Driver | null): void {
  const { row, plan } = world;
  const { state } = row;
  const fresh = versionOf(world, state.fresh?.versionId)?.key ?? null;
  if (event.on === 'promoted' && fresh !== null && fresh.seenAliveAt === 0)
    violate(world, 'promoted', `${fresh.id} was never seen alive, and is made current`);
  if (event.on === 'demoted') {
    const { key } = currentOf(world);
    if (!isAccepted(world, key) && key.death !== 'hand' && !plan.isShortGrace)
      violate(world, 'current', `${key.id} is made current again, and is dead`);
  }
  if (event.on === 'expired') checkExpired(world);
  if (before.step === 'prove' && state.step !== 'prove' && event.on === 'probed' && event.verdict === 'dead')
    checkProven(world, before, driver);
  if (before.step === 'prove' && state.step === 'issue' && state.end === null) {
    if (before.attempt >= plan.policy.issueAttemptsMax)
      violate(world, 'brake', 'one more key is asked for, and nobody was asked');
  }
  if (state.end === 'blocked') checkBlocked(world, state);
}

function checkProven(world: World, before: OverlapState, driver: Driver | null): void {
  const held = before.target === 'old' ? before.old : before.fresh;
  const version = versionOf(world, held?.versionId);
  if (version === null) return;
  if (isAccepted(world, version.key)) violate(world, 'rotated', `${version.key.id} is called dead, and works`);
  if (before.target === 'old' && driver !== null && !driver.sawFresh)
    violate(world, 'rotated', 'the old key is proven dead, and the new one was dead before');
}

function checkExpired(world: World): void {
  const { plan, person, now } = world;
  const { awaitMaxMs } = plan.policy;
  if (now - world.awaitsSince < awaitMaxMs)
    violate(world, 'deadline', `a key was awaited for ${now - world.awaitsSince} ms only`);
  const over = now - Math.max(world.awaitsSince, world.bootedAt) - awaitMaxMs;
  if (over > SLACK_MS && !isStoreFlaky(world)) violate(world, 'deadline', `a key was awaited for ${over} ms too long`);
  if (person.wasTold) violate(world, 'told', 'the person was told that their key was taken');
}

function isStoreFlaky({ plan }: World): boolean {
  return plan.storeDown > 0 || plan.storeAnswerLost > 0;
}

/** A key that a person is to delete was seen alive. Once its time is over, that is the last look before somebody is asked. */
export function checkWatch(world: World, driver: Driver): void {
  const { plan, now } = world;
  const { removalPollMs, removalMaxMs } = plan.policy;
  if (now - driver.sawUndeletedAt < removalPollMs)
    violate(world, 'removal', `it is looked at again after ${now - driver.sawUndeletedAt} ms`);
  driver.sawUndeletedAt = now;
  const over = now - Math.max(world.watchesSince, driver.bootedAt) - removalMaxMs;
  if (over > SLACK_MS && ++driver.looksTooMany > 1) violate(world, 'removal', 'its time is over, and nobody is asked');
}

/** A run stands still: what it says of the reason is so, and a fault or the person explains it. */
function checkBlocked(world: World, state: OverlapState): void {
  const { plan, now } = world;
  const reason = state.reason ?? '';
  const wrong = (why: string): void => violate(world, 'blocked', `${why}: ${reason}`);
  if (plan.isClean) wrong('nothing went wrong');
  const old = versionOf(world, state.old.versionId)!.key;
  const fresh = versionOf(world, state.fresh?.versionId)?.key ?? null;
  const isHidden = plan.unknown > 0 || plan.hasOutage || plan.flaky > 0;
  const isGone = !isGood(world, old) || (fresh !== null && !isAccepted(world, fresh));
  if (reason.startsWith('the key still works')) {
    const target = state.target === 'old' ? old : fresh;
    if (target === null || now - target.deadAt > SLACK_MS * 10) wrong('it was deleted long ago');
    if (now - world.watchesSince < plan.policy.removalMaxMs) wrong('there was time left');
    if (state.means.revoke !== 'person') wrong('nobody was asked to delete it');
  } else if (reason.startsWith('the old key is dead')) {
    if (isAccepted(world, old)) wrong('it works');
  } else if (reason.startsWith('the new key is dead') || reason.startsWith('each new key was dead')) {
    if (fresh !== null && isAccepted(world, fresh)) wrong('it works');
  } else if (reason.startsWith('the provider still accepts')) {
    if (state.means.revoke === 'person') wrong('nobody calls for it');
    if (plan.lies === 0 && plan.lost === 0 && plan.lingerMs === 0 && !plan.hasNoId) wrong('each call was heard');
  } else if (reason.includes('neither confirmed nor refused') || reason.startsWith('the death of the key')) {
    if (!isHidden && !isGone) wrong('it could be told');
  } else if (reason.startsWith('the provider')) {
    if (state.means.issue === 'person') wrong('nobody asks it');
    if (plan.refused === 0 && plan.lost === 0 && plan.answerLost === 0) wrong('each call was heard');
  } else if (reason === NO_ISSUER) {
    if (hasIssuer(world) && world.hasFaults) wrong('there is one');
  } else if (reason.startsWith('no second copy')) {
    if (plan.uncovered === 0) wrong('there is one');
  } else {
    wrong('nothing explains it');
  }
}

/** A cancel changed nothing: then it was too late for one. */
export function checkIgnored(world: World): void {
  const { state } = world.row;
  const isCalling = state.step === 'issue' && state.intent;
  if (state.end === null && !state.pivoted && state.undoing === null && !world.mayHaveReplaced && !isCalling)
    violate(world, 'command', 'a cancel was not heard, and nothing is lost yet');
}

/** Nobody sees another way than to end the run where it stands: the new key is dead, or nothing is left that could tell whether the old one is. */
export function checkStuck(world: World): void {
  const { state } = world.row;
  const old = versionOf(world, state.old.versionId)!.key;
  const fresh = versionOf(world, state.fresh?.versionId);
  const isOldDead = !isAccepted(world, old);
  const isFreshDead = fresh !== null && !isAccepted(world, fresh.key);
  const isUntold = fresh?.state === 'pending' && state.undoing !== null && !hasIssuer(world);
  if (isFreshDead && (isOldDead || state.committed || state.pivoted)) return;
  if (isUntold && isOldDead) return;
  violate(world, 'stuck', `it goes neither on nor back: ${state.step} ${state.reason}`);
}

/** A run is over: what it says is so. */
export function checkEnd(world: World): void {
  const { row, plan, versions } = world;
  const { state } = row;
  const current = currentOf(world);
  const isExcused = current.key.death === 'hand' || current.key.death === 'cut' || current.key.isDoomed;
  if (!isAccepted(world, current.key) && !isExcused && !plan.isShortGrace)
    violate(world, 'current', `${current.key.id} is current in the end, and dead`);
  if (world.wasSuperseded) return;
  for (const version of versions) {
    if (version.run !== row.run || version === current || !isGood(world, version.key)) continue;
    violate(world, 'leftover', `${version.key.id} works, and no rotation will see to it`);
  }
  if (state.end === 'rotated') {
    const old = versionOf(world, state.old.versionId)!.key;
    if (isAccepted(world, old)) violate(world, 'rotated', `${old.id} is still accepted`);
    if (current.versionId !== state.fresh?.versionId)
      violate(world, 'rotated', 'the new version is not the current one');
    return;
  }
  if (world.effective > 0 || world.onTheirWay > 0 || world.mayHaveReplaced)
    violate(world, 'aborted', 'the key was replaced, or may be');
  if (plan.isClean) violate(world, 'end', `nothing went wrong, and it ended ${state.end}`);
}
