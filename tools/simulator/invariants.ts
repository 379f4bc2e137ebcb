// The invariants, checked where something happens that could break them, against what is true in the world and not against
// what the protocol believes. docs/simulator.md says each in a sentence.
import { DEAD_ON_ARRIVAL, type OverlapEvent, type OverlapState } from '../../src/rotation/overlap.ts';
import {
  currentOf,
  isDead,
  isRunning,
  isUsed,
  isValid,
  type Key,
  keyOf,
  NEVER,
  type RotationRow,
  type Version,
  versionOf,
  violate,
  type World,
} from './world.ts';

export const CANCEL = 'cancelled by the operator';
export const RESTORED = 'a backup was restored';

/** A valid key whose bytes we durably hold exists. Called when a key dies and when the database is replaced. */
export function checkHeld(world: World, credential: number): void {
  for (const version of world.database.versions) {
    if (version.credential === credential && version.hasBytes && !version.isRevoked && isValid(version.key)) return;
  }
  for (const copy of world.copies) if (copy.credential === credential && isValid(copy.key)) return;
  violate(world, 'held', `credential ${credential} has no valid key whose bytes we hold`);
}

export function holderOf(world: World, key: Key): Version | null {
  for (const version of world.database.versions) if (version.key === key) return version;
  return null;
}

/** A key is about to be deleted without its bytes, by a rotation (its row) or by the inventory (null). */
export function checkDiscard(world: World, key: Key, by: RotationRow | null): void {
  const who = by === null ? 'the inventory' : `rotation ${by.number}`;
  if (key.owner !== 'ours') violate(world, 'not-ours', `${who} deletes ${key.id}, which is a ${key.owner} key`);
  if (holderOf(world, key) !== null) violate(world, 'not-ours', `${who} deletes ${key.id}, which a version holds`);
  if (by !== null) {
    if (key.rotation !== by.number) violate(world, 'not-ours', `${who} deletes ${key.id} of rotation ${key.rotation}`);
    return;
  }
  for (const row of world.database.rows) {
    if (row.number === key.rotation && isRunning(row)) {
      violate(world, 'not-ours', `${who} deletes ${key.id} of rotation ${row.number}, which is running`);
    }
  }
}

export function checkRevokeCall(world: World, version: Version): void {
  if (isUsed(world, version)) {
    const how = currentOf(world, version.credential) === version ? 'current' : 'in flight';
    violate(world, 'in-use', `revoke of ${version.held.versionId}, which is ${how}`);
  }
}

export function checkIssue(world: World, row: RotationRow, scope: number, expiresAt: number): void {
  const old = versionOf(world.database, row.state.old.versionId);
  if (old === null) return;
  if ((scope & ~old.key.scope) !== 0)
    violate(world, 'scope', `rotation ${row.number} asks for more than the old key had`);
  if (expiresAt > old.key.expiresAt) violate(world, 'expiry', `rotation ${row.number} asks for a longer life`);
}

/** A version becomes current by the protocol: the provider must accept it everywhere by now. */
export function checkPromotion(world: World, version: Version): void {
  const key = version.key;
  if (!key.works) violate(world, 'unaccepted', `${key.id} was dead on arrival and is made current`);
  else if (key.activeAt > world.now)
    violate(world, 'unaccepted', `${key.id} is made current before it works everywhere`);
}

export function checkCalledRevoked(world: World, version: Version): void {
  if (isDead(world, version.key)) return;
  if (version.key.hadLongFlap) {
    world.alarmsDue.push(version.key);
    return;
  }
  violate(world, 'undead', `${version.held.versionId} is called revoked and its key ${version.key.id} still works`);
}

/** A run goes by the policy it was requested under: the refusal that ended the proof is the last of those that policy asks for. */
export function checkPinned(world: World, row: RotationRow, before: OverlapState): void {
  const refusals = before.death.refusals + 1;
  if (refusals === row.policy.death.refusals) return;
  violate(
    world,
    'pinned',
    `rotation ${row.number} ends a proof after ${refusals} of ${row.policy.death.refusals} refusals`,
  );
}

/** No run calls or deletes more often than its policy allows before it asks a person. */
export function checkBrakes(world: World, row: RotationRow, event: OverlapEvent): void {
  const truth = world.truths[row.number]!;
  if (event.on === 'resumed' || event.on === 'issued' || event.on === 'cancelled') truth.calls = 0;
  if (event.on === 'revoke-called' && ++truth.calls > row.policy.revokesMax) {
    violate(world, 'brake', `rotation ${row.number} revokes again and again`);
  }
  if (row.state.discards > row.policy.discardsMax) {
    violate(world, 'brake', `rotation ${row.number} deletes again and again`);
  }
}

/** A label is sent once: a second key of one name cannot be told from the first, and some providers refuse it. */
export function checkLabel(world: World, row: RotationRow, attempt: number): void {
  const { sent } = world.truths[row.number]!;
  if (sent.includes(attempt))
    violate(world, 'label', `rotation ${row.number} sends the label of attempt ${attempt} twice`);
  sent.push(attempt);
}

/** The list is believed only after a lost create has had its time to arrive. */
export function checkSettled(world: World, row: RotationRow): void {
  if (world.now - world.truths[row.number]!.issuedAt >= row.policy.settleMs) return;
  violate(world, 'early', `rotation ${row.number} believes the list before a lost create can have arrived`);
}

/** A refusal that counts was the provider's word about the key, not an outage that refuses everybody. */
export function checkRefusal(world: World, at: number): void {
  if (at < world.outageFrom || at >= world.outageUntil) return;
  violate(world, 'control', 'a refusal counts that an outage made');
}

/** A rotation ends: is the end what it says, and is every orphan it leaves the doing of a fault? */
export function checkEnd(world: World, row: RotationRow, state: OverlapState): void {
  if (world.plan.isClean && (state.end !== 'rotated' || state.attempt !== 1)) {
    violate(world, 'end', `without any fault: ${state.end} after ${state.attempt} attempts (${state.reason})`);
  }
  if (state.end === 'blocked' || state.reason === RESTORED) return;
  const old = versionOf(world.database, state.old.versionId);
  const fresh = state.fresh === null ? null : versionOf(world.database, state.fresh.versionId);
  const current = currentOf(world, row.credential);
  if (state.end === 'rotated') {
    if (old === null || !old.isRevoked) violate(world, 'end', 'rotated, and the old version is not revoked');
    else if (!isDead(world, old.key) && !world.alarmsDue.includes(old.key)) {
      violate(world, 'end', 'rotated, and the old key still works');
    }
    if (fresh === null || current !== fresh) violate(world, 'end', 'rotated, and the new version is not current');
    else if (!isValid(fresh.key)) violate(world, 'end', 'rotated, and the new key does not work');
  } else {
    if (current !== old) violate(world, 'end', 'aborted, and the old version is not current');
    if (fresh !== null && !fresh.isRevoked) violate(world, 'end', 'aborted, and the new version is not revoked');
    if (!isExplained(world, row, state)) violate(world, 'end', `aborted without a fault: ${state.reason}`);
  }
  checkOrphans(world, row);
}

function isExplained(world: World, row: RotationRow, state: OverlapState): boolean {
  if (state.reason === CANCEL) return world.truths[row.number]!.isCancelled;
  if (state.reason === DEAD_ON_ARRIVAL && state.attempt < row.policy.issueAttemptsMax) return false;
  // A retirement makes no key: its new one is the one that the recovery found.
  if (row.isRetirement) return state.fresh !== null && keyOf(world, state.fresh.providerKeyId).isDisturbed;
  return world.keys.some((key) => key.rotation === row.number && key.isDisturbed);
}

function checkOrphans(world: World, row: RotationRow): void {
  if (!world.plan.canList) return;
  const seenUntil = world.truths[row.number]!.listedUntil;
  for (const key of world.keys) {
    if (key.rotation !== row.number || key.goneAt !== NEVER || key.createdAt > seenUntil) continue;
    if (holderOf(world, key) === null)
      violate(world, 'orphan-unexplained', `${key.id} is left by rotation ${row.number}`);
  }
}

/** Everything is over, and the inventory has looked. */
export function checkFinal(world: World): void {
  for (let credential = 0; credential < world.credentials.length; credential++) {
    const current = currentOf(world, credential);
    if (current === null || !current.hasBytes || !isValid(current.key)) {
      violate(world, 'held', `credential ${credential} ends without a current version that works`);
    }
    if (world.credentials[credential]!.isWanted && !world.plan.quotaNeverFrees) {
      violate(world, 'end', `credential ${credential} was never rotated`);
    }
  }
  for (const version of world.database.versions) {
    if (world.database.current[version.credential] === version.number) continue;
    if (!version.isRevoked || (!isDead(world, version.key) && !world.alarmsDue.includes(version.key))) {
      violate(world, 'leftover', `${version.held.versionId} is neither current nor dead`);
    }
  }
  if (world.plan.hasClone || !world.plan.canList) return;
  for (const key of world.keys) {
    if (key.owner !== 'ours' || key.goneAt !== NEVER || holderOf(world, key) !== null) continue;
    violate(world, 'orphan-left', `${key.id} (${key.name}) is left after the inventory`);
  }
}
