// The faults that strike between two steps of a driver, each with a span of its own. The limits of the fault model are kept here:
// what is not allowed to happen does not happen, and docs/simulator.md says so.
import { crash, restore, takeOver, upgrade } from './boots.ts';
import { copyOf } from './database.ts';
import { CANCEL } from './invariants.ts';
import { beginLook } from './looks.ts';
import { order, start } from './machines.ts';
import type { Strike } from './plan.ts';
import { flap, kill } from './provider.ts';
import { below, chance, HALF, pick } from './random.ts';
import { count, isValid, note, type RotationRow, type Rotator, schedule, versionOf, type World } from './world.ts';

const OUTAGES_MS = [1000, 5000, 60_000] as const;
/** A confirmation older than this is no longer relied on: the minute that it is good for, and half a minute of a stalled process. */
const CONFIRMATION_OLD_MS = 95_000;

export function strike(world: World, rotator: Rotator): void {
  const { dice, now, process } = world;
  const what = pick(dice, world.plan.strikes);
  if (world.log !== null) note(world, `strike: ${what}`);
  switch (what) {
    case 'outage':
      // It may begin, and end, in the middle of a probe.
      world.outageFrom = now + below(dice, 200);
      world.outageUntil = world.outageFrom + 300 + below(dice, pick(dice, OUTAGES_MS));
      break;
    case 'issuer-refused':
      world.issuerRefusedUntil = now + 1000 + below(dice, 60_000);
      break;
    case 'issuer-rotating':
      world.issuerUnsteadyUntil = now + below(dice, 5000);
      break;
    case 'store-down':
      world.storeDownUntil = now + below(dice, 20_000);
      break;
    case 'quota-full':
      world.quotaFullUntil = world.plan.quotaNeverFrees ? Number.POSITIVE_INFINITY : now + below(dice, 60_000);
      break;
    case 'flap':
      flap(world, pick(dice, world.minted).key, false);
      break;
    case 'clock-step':
      world.wallOffsetMs = (below(dice, 2001) - 1000) * 3600;
      break;
    case 'edit':
      edit(world);
      break;
    case 'snapshot':
      world.backup = copyOf(world.database);
      break;
    case 'look':
      beginLook(world, process, () => {});
      break;
    default:
      strikeRun(world, rotator, what);
      return;
  }
  count(world, what);
}

function strikeRun(world: World, rotator: Rotator, what: Strike): void {
  const { process, dice } = world;
  const row = rotator.row;
  const isStale = rotator.process !== process;
  switch (what) {
    case 'fresh-killed':
    case 'old-killed':
      tryKill(world, row, what);
      break;
    case 'away':
      goAway(world, rotator);
      break;
    case 'takeover':
      takeOver(world);
      break;
    case 'upgrade':
      if (below(dice, 3) === 0) upgrade(world);
      break;
    case 'restore':
      // Seldom early: what a restore loses is what was done since the backup.
      if (
        world.restores < 2 &&
        world.kills === 0 &&
        (row.state.pivoted || row.state.undoing !== null || below(dice, 8) === 0)
      )
        restore(world);
      break;
    case 'second-drive':
      if (isStale || world.rotators.some((other) => other.isSecond)) break;
      count(world, 'second drive of one row');
      start(world, row, true);
      break;
    case 'cancel':
      if (!isStale && world.cancels === 0) {
        world.cancels++;
        world.cancelRow = row;
        count(world, 'cancel handed to the driver');
      }
      break;
    case 'cancel-row':
      if (isStale || world.cancels > 0 || world.now < world.storeDownUntil) break;
      if (order(world, row, { on: 'cancelled', reason: CANCEL })) world.cancels++;
      break;
    default:
      break;
  }
}

/** Somebody edits the policy, and widens what the credential may do and how long it lives. */
function edit(world: World): void {
  world.policyInForce = world.plan.editedPolicy;
  for (const credential of world.credentials) {
    credential.scope |= 0xf0;
    credential.expiresAt += 1_000_000;
  }
}

/** Minutes pass in which nothing is written, or nobody is there; meanwhile somebody may delete a key. */
function goAway(world: World, rotator: Rotator): void {
  const { dice, now } = world;
  const awayMs = CONFIRMATION_OLD_MS + 10_000 + below(dice, 60_000);
  const row = rotator.row;
  count(world, 'away for minutes');
  schedule(world, now + CONFIRMATION_OLD_MS + 5000, null, () => {
    if (world.plan.strikes.includes('fresh-killed'))
      tryKill(world, row, chance(dice, HALF) ? 'fresh-killed' : 'old-killed');
  });
  if (chance(dice, HALF)) world.storeDownUntil = now + awayMs;
  else crash(world, rotator.process, awayMs);
}

/**
 * Somebody deletes the new key or the old one behind our back. Only before the pivot (or its like when a rotation is undone), only
 * while the other one works and is held, and never within a minute and a half after the key's own confirmation: no protocol
 * can look and act at the same instant.
 */
function tryKill(world: World, row: RotationRow, what: 'fresh-killed' | 'old-killed'): void {
  const { database } = world;
  const state = row.state;
  if (!world.hasFaults || state.pivoted || state.end !== null || state.fresh === null || !database.rows.includes(row))
    return;
  const fresh = versionOf(database, state.fresh.versionId);
  const old = versionOf(database, state.old.versionId);
  if (fresh === null || old === null || !isValid(fresh.key) || !isValid(old.key)) return;
  if (fresh.isRevoked || old.isRevoked || world.restores > 0) return;
  const [key, other] = what === 'fresh-killed' ? [fresh.key, old.key] : [old.key, fresh.key];
  if (other.isRevoking || state.intent) return;
  const isNearPivot = state.step === 'confirm' || state.step === 'revoke';
  if (isNearPivot && world.now - key.acceptedAt < CONFIRMATION_OLD_MS) return;
  world.kills++;
  count(world, what);
  kill(world, key);
}
