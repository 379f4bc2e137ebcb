// Our database as the protocol meets it: one row for each rotation under a fence and a row version, the versions with their bytes, the
// journal. A commit is one transaction: the row, its journal entry, and what the entry means for the versions.
import { labelPart } from '../../src/credentials/label.ts';
import type { Instant } from '../../src/model/instant.ts';
import { beginOverlap, OVERLAP_STEPS, type OverlapEvent, type OverlapState } from '../../src/rotation/overlap.ts';
import { CANCEL, checkBrakes, checkCalledRevoked, checkEnd, checkPinned, checkPromotion } from './invariants.ts';
import { below } from './random.ts';
import {
  count,
  currentOf,
  type Database,
  mixDigest,
  NEVER,
  note,
  type Process,
  type RotationRow,
  type Version,
  versionOf,
  violate,
  type World,
} from './world.ts';

const STEP_NUMBERS = new Map(OVERLAP_STEPS.map((step, index) => [step, index]));

/** Our label part; the clone's too. */
export const INSTANCE = '5eed5eed';

export function instantOf(world: World, process: Process): Instant {
  return { boot: process.fence, mono: world.now - process.bootAt };
}

/** Writes a transition that the guards have let through. */
export function commit(
  world: World,
  row: RotationRow,
  before: OverlapState,
  after: OverlapState,
  event: OverlapEvent,
): void {
  checkChain(world, row, before);
  row.state = after;
  row.rowVersion++;
  world.entries++;
  mixEntry(world, row, after);
  if (world.log !== null) logEntry(world, row, after, event);
  if (event.on === 'issued') store(world, event.versionId);
  if (event.on === 'promoted') makeCurrent(world, row, after.fresh?.versionId ?? '', true);
  if (before.promoted && !after.promoted) makeCurrent(world, row, after.old.versionId, false);
  if (before.step === 'prove' && (after.step === 'sweep' || after.step === 'issue')) {
    const called = versionOf(world.database, (before.target === 'old' ? before.old : before.fresh)?.versionId ?? '');
    if (called !== null) callRevoked(world, called);
    checkPinned(world, row, before);
  }
  if (event.on === 'begun' && after.step === 'issue') world.truths[row.number]!.issuedAt = world.now;
  checkBrakes(world, row, event);
  if (after.undoing === CANCEL) world.truths[row.number]!.isCancelled = true;
  if (before.end === null && after.end !== null) {
    count(world, `ended ${after.end}`);
    const isDone = after.end === 'rotated' ? !row.isRetirement : after.end === 'aborted' && after.reason === CANCEL;
    if (isDone) world.credentials[row.credential]!.isWanted = false;
    checkEnd(world, row, after);
  }
}

/** Every transition starts where the row stands, or it is a change that no entry tells of. */
function checkChain(world: World, row: RotationRow, before: OverlapState): void {
  const state = row.state;
  if (state === before) return;
  const isSame =
    state.step === before.step &&
    state.intent === before.intent &&
    state.attempt === before.attempt &&
    state.promoted === before.promoted &&
    state.pivoted === before.pivoted &&
    state.undoing === before.undoing &&
    state.target === before.target &&
    state.revokes === before.revokes &&
    state.discards === before.discards &&
    state.overdue === before.overdue &&
    state.end === before.end &&
    state.orphans.length === before.orphans.length &&
    state.death.refusals === before.death.refusals &&
    state.fresh?.versionId === before.fresh?.versionId;
  if (!isSame) {
    violate(world, 'journal', `rotation ${row.number} goes on from ${before.step}, its row stands at ${state.step}`);
  }
}

function mixEntry(world: World, row: RotationRow, state: OverlapState): void {
  const flags =
    (state.intent ? 1 : 0) |
    (state.promoted ? 2 : 0) |
    (state.pivoted ? 4 : 0) |
    (state.undoing === null ? 0 : 8) |
    (state.target === 'old' ? 16 : 0) |
    (state.end === null ? 0 : 32) |
    (state.overdue ? 64 : 0);
  mixDigest(world, (row.number << 16) ^ row.rowVersion);
  mixDigest(world, (STEP_NUMBERS.get(state.step)! << 8) ^ flags);
  mixDigest(world, (state.attempt << 16) ^ (state.revokes << 8) ^ state.death.refusals);
  mixDigest(world, world.now | 0);
}

function logEntry(world: World, row: RotationRow, state: OverlapState, event: OverlapEvent): void {
  const extra: string[] = [];
  if (state.intent) extra.push('intent');
  if (state.promoted) extra.push('promoted');
  if (state.pivoted) extra.push('pivoted');
  if (state.undoing !== null) extra.push(`undoing: ${state.undoing}`);
  if (state.death.refusals > 0) extra.push(`refusals ${state.death.refusals}`);
  if (state.orphans.length > 0) extra.push(`orphans ${state.orphans.join(' ')}`);
  if (state.end !== null) extra.push(`END ${state.end}${state.reason === null ? '' : `: ${state.reason}`}`);
  const about = `${state.step} of ${state.target}, attempt ${state.attempt}`;
  note(
    world,
    `rotation ${row.number} v${row.rowVersion} ${event.on}: ${about}${extra.length > 0 ? `; ${extra.join(', ')}` : ''}`,
  );
}

/** The new version with its bytes, in the transaction of its journal entry. */
function store(world: World, versionId: string): void {
  const minted = world.minted[Number(versionId.slice(1))]!;
  const version: Version = { ...minted, hasBytes: true };
  world.database.versions.push(version);
}

function makeCurrent(world: World, row: RotationRow, versionId: string, isPromotion: boolean): void {
  const version = versionOf(world.database, versionId);
  if (version === null) {
    violate(world, 'journal', `rotation ${row.number} makes a version current that is not there`);
    return;
  }
  if (isPromotion) checkPromotion(world, version);
  switchTraffic(world, row.credential, version);
}

/** New requests take the new version from here; what is open on the one before stays open for a while. */
export function switchTraffic(world: World, credential: number, version: Version): void {
  const before = currentOf(world, credential);
  world.database.current[credential] = version.number;
  if (before === null || before === version || world.plan.traffic === 0) return;
  const { dice, plan } = world;
  const isLong = plan.traffic === 2 && below(dice, 8) === 0;
  const longestMs = isLong ? Math.min(plan.policy.drainMaxMs, 6 * plan.policy.drainPollMs) + 1000 : 2000;
  world.usedAt[before.number] = world.now;
  world.busyUntil[before.number] = world.now + below(dice, longestMs);
}

/** The process is gone, and with it every connection that it held. */
export function cutTraffic(world: World): void {
  for (let number = 0; number < world.busyUntil.length; number++) {
    if (world.busyUntil[number]! > world.now) world.busyUntil[number] = world.now;
  }
}

function callRevoked(world: World, version: Version): void {
  version.isRevoked = true;
  checkCalledRevoked(world, version);
}

/** A new rotation row, with everything pinned that an edit must not change under way. */
export function addRow(
  world: World,
  credential: number,
  from: { readonly old: Version; readonly state: OverlapState | null },
): RotationRow {
  const number = world.truths.length;
  const isRetirement = from.state !== null;
  world.truths.push({ listedUntil: NEVER, isCancelled: false, sent: [], issuedAt: 0, calls: 0, resumesAfterFaults: 0 });
  const row: RotationRow = {
    number,
    credential,
    // Two rotations of one moment share most of their ids: whoever compares a prefix takes one for the other.
    labelPart: labelPart(`rot_0198c1a2b3c4700080000000${number.toString(16).padStart(8, '0')}`),
    isRetirement,
    policy: world.policyInForce,
    scope: from.old.key.scope,
    expiresAt: from.old.key.expiresAt,
    state: from.state ?? beginOverlap(from.old.held, instantOf(world, world.process)),
    rowVersion: 1,
  };
  world.database.rows.push(row);
  if (world.log !== null) {
    const what = isRetirement ? 'retires' : 'rotates';
    note(world, `rotation ${number} ${what} ${from.old.held.versionId} of credential ${credential}`);
  }
  return row;
}

/** A backup: rows and versions as they are now. States are immutable and shared. */
export function copyOf(database: Database): Database {
  return {
    fence: database.fence,
    rows: database.rows.map((row) => ({ ...row })),
    versions: database.versions.map((version) => ({ ...version })),
    current: [...database.current],
    isRecovering: database.isRecovering,
  };
}
