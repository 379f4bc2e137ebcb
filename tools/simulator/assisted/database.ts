// Our database: one row for the run, and the versions. A write is one transaction: the row, its journal entry, and the versions that the event
// moves, as src/rotation/record.ts says. Direct writes are those of people; drivers write through the shell.
import { evolve } from '../../../src/rotation/overlap.ts';
import type { OverlapEvent, OverlapState } from '../../../src/rotation/overlap-state.ts';
import { below, chance } from '../random.ts';
import { checkStep } from './invariants.ts';
import { type Driver, mixDigest, note, type StoredVersion, versionOf, type World } from './world.ts';

export function commit(world: World, after: OverlapState, event: OverlapEvent, driver: Driver | null): void {
  const { row } = world;
  const before = row.state;
  row.state = after;
  row.rowVersion++;
  world.movedAt = world.now;
  mixDigest(world, event.on, row.rowVersion);
  if (world.log !== null) noteEntry(world, before, event);
  move(world, before, event);
  // The store may have been down for a while since it happened.
  const happenedAt = driver?.actedAt ?? world.now;
  if (before.step !== after.step && after.step === 'await') {
    world.awaitsSince = happenedAt;
    world.person.wasTold = false;
  }
  if ((before.step !== after.step || event.on === 'resumed') && after.step === 'prove') world.watchesSince = happenedAt;
  if (event.on === 'issue-ambiguous' || event.on === 'issued') world.mayHaveReplaced ||= after.means.issue === 'grace';
  checkStep(world, before, event, driver);
  wakeOthers(world, driver);
}

function noteEntry(world: World, before: OverlapState, event: OverlapEvent): void {
  const { state, rowVersion, run } = world.row;
  const said = event.on === 'probed' ? ` ${event.verdict}` : '';
  const end = state.end === null ? '' : ` ${state.end}: ${state.reason ?? ''}`;
  note(world, `journal ${run}.${rowVersion} ${event.on}${said}: ${before.step} → ${state.step} ${state.target}${end}`);
}

/** The versions that an event moves. */
function move(world: World, before: OverlapState, event: OverlapEvent): void {
  const { versions, row } = world;
  const old = versionOf(world, before.old.versionId);
  const fresh = versionOf(world, before.fresh?.versionId);
  switch (event.on) {
    case 'issued': {
      const key = world.keys.find((one) => `ver-${one.id}` === event.versionId)!;
      const { versionId, providerKeyId } = event;
      if (row.state.fresh?.versionId !== versionId) return;
      versions.push({ versionId, providerKeyId, key, run: row.run, state: 'pending', busyUntil: 0 });
      return;
    }
    case 'promoted':
      changeOver(world, old, fresh);
      return;
    case 'demoted':
      changeOver(world, fresh, old);
      return;
    case 'begun': {
      const target = before.target === 'old' ? old : fresh;
      if (before.step === 'revoke' && target !== null) target.state = 'revoking';
      return;
    }
    case 'probed': {
      const target = before.target === 'old' ? old : fresh;
      const isProven = before.step === 'prove' && event.verdict === 'dead' && row.state.step !== 'prove';
      if (isProven && target !== null && target.state !== 'current') target.state = 'revoked';
      return;
    }
    default:
      return;
  }
}

/** The traffic moves: what is in flight ends with the version that it began with. */
function changeOver(world: World, from: StoredVersion | null, to: StoredVersion | null): void {
  if (from === null || to === null) return;
  from.state = 'previous';
  from.busyUntil = world.now + below(world.dice, world.plan.longestMs);
  to.state = 'current';
}

/** Whoever sleeps on a row that somebody else has written is woken, and reads it again. */
function wakeOthers(world: World, writer: Driver | null): void {
  for (const driver of world.drivers) {
    if (driver === writer || !driver.isWaiting || driver.boot !== world.boot) continue;
    driver.wakeAt = Math.min(driver.wakeAt, world.now + 1);
  }
}

export type Written = 'done' | 'conflict' | 'failed';

/** What a person does to the row. `failed`: they are told so, though it may be written. */
export function command(world: World, event: OverlapEvent): Written {
  const { row, plan, dice } = world;
  if (world.isDown || (world.hasFaults && chance(dice, plan.storeDown))) return 'failed';
  const now = { boot: world.boot, mono: world.now - world.bootedAt };
  const after = event.on === 'key-refused' ? row.state : evolve(row.state, event, now, plan.policy);
  if (after === row.state && event.on !== 'key-refused') return 'conflict';
  commit(world, after, event, null);
  return world.hasFaults && chance(dice, plan.storeAnswerLost) ? 'failed' : 'done';
}
