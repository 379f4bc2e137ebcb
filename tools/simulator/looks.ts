// The rim of the standing inventory: read the provider's list, then our tables, then delete what is an orphan. In this order: a
// rotation that is requested and mints a key between the two reads is running when the tables are read.
import {
  type Inventory,
  type InventoryInput,
  resurrectedOf,
  type SeenKey,
  takeInventory,
} from '../../src/credentials/inventory.ts';
import { INSTANCE } from './database.ts';
import { checkDiscard } from './invariants.ts';
import { answersIssuer, list, remove } from './provider.ts';
import { below, chance } from './random.ts';
import { count, isRunning, isValid, keyOf, note, type Process, schedule, violate, type World } from './world.ts';

const PAUSE_MS = 2000;

/** Starts a look in a process; its two later parts die with it. Whether it started: the list may be refused. */
export function beginLook(world: World, process: Process, then: () => void): boolean {
  const { dice, plan, rates } = world;
  if (!plan.canList) return false;
  if (!answersIssuer(world, world.now) || chance(dice, rates.listFails)) return false;
  const seen = list(world, chance(dice, rates.listLags) ? plan.listLagMs : 0);
  schedule(world, world.now + below(dice, PAUSE_MS), process, () => {
    const inventory = compare(world, seen, readTables(world), plan.orphansMax);
    schedule(world, world.now + below(dice, PAUSE_MS), process, () => {
      deleteOrphans(world, inventory);
      then();
    });
  });
  return true;
}

/** A look without pauses, when the faults are over. A person has approved what the brake held back, unless it is a clone's. */
export function finalLook(world: World): void {
  const seen = list(world, 0);
  const tables = readTables(world);
  deleteOrphans(world, compare(world, seen, tables, world.plan.orphansMax));
  if (!world.plan.hasClone) {
    for (const id of compare(world, seen, tables, seen.length).orphans) deleteOne(world, id);
  }
  const revoked = new Set<string>();
  for (const version of world.database.versions) if (version.isRevoked) revoked.add(version.held.providerKeyId);
  const alarms = resurrectedOf(seen, revoked);
  for (const key of world.alarmsDue) {
    if (!isValid(key) || !revoked.has(key.id)) continue;
    count(world, 'resurrection alarm');
    if (!alarms.includes(key.id)) violate(world, 'alarm', `${key.id} works again, and nobody is told`);
  }
}

type Tables = Pick<InventoryInput, 'held' | 'running'>;

function readTables(world: World): Tables {
  const held = new Set<string>();
  for (const version of world.database.versions) held.add(version.held.providerKeyId);
  const running = new Set<string>();
  for (const row of world.database.rows) if (isRunning(row)) running.add(row.labelPart);
  return { held, running };
}

function compare(world: World, seen: readonly SeenKey[], tables: Tables, orphansMax: number): Inventory {
  return takeInventory({
    seen,
    instance: INSTANCE,
    credentials: world.credentialParts,
    ...tables,
    now: world.now + world.wallOffsetMs,
    settleMs: world.plan.policy.settleMs,
    orphansMax,
  });
}

function deleteOrphans(world: World, inventory: Inventory): void {
  if (inventory.heldBack.length > 0) count(world, 'inventory braked');
  if (inventory.orphans.length > world.plan.orphansMax) {
    violate(world, 'brake', `${inventory.orphans.length} keys are deleted in one look`);
  }
  for (const id of inventory.orphans) deleteOne(world, id);
}

function deleteOne(world: World, id: string): void {
  const key = keyOf(world, id);
  count(world, 'orphan deleted by the inventory');
  if (world.log !== null) note(world, `inventory deletes ${id} (${key.name})`);
  checkDiscard(world, key, null);
  remove(world, key);
}
