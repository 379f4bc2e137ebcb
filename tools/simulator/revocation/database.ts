// The simulated database of the revocation protocol, and the transactions that the rim of src/revocation makes: an order with the state of its
// version, a step with its evidence, a death with its certificate. Here are the rules that live in the rim, so that a mutant can break them.
import { beginRevocation, REVOCATION, type RevocationEvent } from '../../../src/revocation/order.ts';
import { type RevocationRow, type RevocationState, revocationTable } from '../../../src/revocation/revocation.ts';
import { chance } from '../random.ts';
import { checkCommit, checkOrder } from './invariants.ts';
import {
  type Bracket,
  count,
  type Driver,
  instantOf,
  isStoreDown,
  mixDigest,
  note,
  type Order,
  type RevocationAsk,
  type World,
  wall,
} from './world.ts';

export type Written = 'done' | 'conflict' | 'failed';

/** Orders the version to end: the order, the version and the suspension in one transaction. `invalid`: nothing is left to end. */
export function placeOrder(world: World): Order | 'invalid' | 'conflict' {
  const { plan, version, orders } = world;
  if (version.state === 'revoked') return 'invalid';
  const at = wall(world);
  const row: RevocationRow = {
    id: `rvk_${world.nextId++}`,
    rowVersion: 1,
    credentialId: 'crd_1',
    versionId: 'ver_1',
    reason: 'compromised',
    note: '',
    requestedAt: at,
    requestedBy: 'prn_1',
    endedAt: null,
    state: beginRevocation(plan.hasId ? 'key_1' : null),
    policy: plan.policy,
    refusals: [],
    revokeCalledAt: null,
    certificateId: null,
  };
  const key = revocationTable.naturalKey(row);
  if (orders.some((order) => revocationTable.naturalKey(order.row) === key)) return 'conflict';
  const order: Order = {
    row,
    evidence: [],
    calls: 0,
    starts: 0,
    resumes: 0,
    isAsked: false,
  };
  orders.push(order);
  version.state = 'revoking';
  mixDigest(world, 'requested', orders.length);
  note(world, `journal requested: ${row.id}, ${row.state.end ?? row.state.step}`);
  checkOrder(world, order);
  return order;
}

/** One fenced transaction of a driver on its row. */
export function write(world: World, driver: Driver, ask: Extract<RevocationAsk, { ask: 'journal' }>): Written {
  const { dice, plan } = world;
  const { order } = driver;
  if (isStoreDown(world) || (world.hasFaults && chance(dice, plan.storeFails))) return 'failed';
  if (driver.boot !== world.boot || driver.rowVersion !== order.row.rowVersion) return 'conflict';
  const bracket = driver.said === ask.event ? driver.bracket : null;
  commit(world, order, { before: ask.before, after: ask.after, event: ask.event, bracket, unknowns: driver.unknowns });
  if (world.hasFaults && chance(dice, plan.storeAnswerLost)) {
    count(world, 'a write whose answer was lost');
    return 'failed';
  }
  driver.rowVersion = order.row.rowVersion;
  if (ask.event.on === 'begun') driver.isArmed = true;
  return 'done';
}

export interface Transition {
  readonly before: RevocationState;
  readonly after: RevocationState;
  readonly event: RevocationEvent;
  readonly bracket: Bracket | null;
  /** Probes in a row that told the driver nothing. */
  readonly unknowns: number;
}

/** The row with its entry, and where the death is proven, the version and its certificate. */
export function commit(world: World, order: Order, transition: Transition): void {
  const { row } = order;
  const { version, certificates } = world;
  const { after, event, bracket } = transition;
  const at = wall(world);
  const counted = after.death.refusals > row.state.death.refusals && bracket !== null && bracket.record !== null;
  const refusals = after.death.refusals === 0 ? [] : counted ? [...row.refusals, bracket.record!] : row.refusals;
  const next: RevocationRow = {
    ...row,
    rowVersion: row.rowVersion + 1,
    state: after,
    refusals,
    revokeCalledAt: event.on === 'begun' ? at : row.revokeCalledAt,
  };
  const wasRevoked = version.state === 'revoked';
  order.row = next;
  if (after.end === 'proven') {
    if (!wasRevoked) {
      version.certificateId = `crt_${world.nextId++}`;
      certificates.push(version.certificateId);
      version.state = 'revoked';
    }
    order.row = { ...next, endedAt: at, certificateId: version.certificateId };
  }
  mixDigest(world, event.on, order.row.rowVersion);
  if (world.log !== null) {
    const end = after.end === null ? '' : ` ${after.end}`;
    const deaths = `${after.death.refusals} refusals`;
    note(world, `journal ${row.id} ${event.on}: ${row.state.step} → ${after.step}${end}, ${deaths}`);
  }
  checkCommit(world, order, row, transition);
}

/** There is nothing to call with: a person is asked, or what they did is proven. False: it could not be written. */
export function noteNoMeans(world: World, order: Order): boolean {
  const { dice, plan } = world;
  const { row } = order;
  if (isStoreDown(world) || (world.hasFaults && chance(dice, plan.storeFails))) return false;
  const event = { on: 'no-means' } as const;
  const after = REVOCATION.evolve(row.state, event, instantOf(world, world), row.policy);
  count(world, after.end === null ? 'nothing to call with, and a person has been' : 'nothing to call with');
  commit(world, order, { before: row.state, after, event, bracket: null, unknowns: 0 });
  return true;
}

/** A person's word, written into the row itself. False: it changes nothing, or could not be written. */
export function command(world: World, order: Order): boolean {
  const { dice, plan } = world;
  const before = order.row.state;
  const after = REVOCATION.evolve(before, { on: 'resumed' }, instantOf(world, world), order.row.policy);
  if (after === before || isStoreDown(world) || (world.hasFaults && chance(dice, plan.storeFails))) return false;
  commit(world, order, { before, after, event: { on: 'resumed' }, bracket: null, unknowns: 0 });
  return true;
}

/** The rotation that was revoking the same key has proven its death: its certificate, unless there is one. */
export function rotationProves(world: World): void {
  const { version, certificates } = world;
  if (version.state === 'revoked') return;
  count(world, 'a rotation proves it first');
  version.state = 'revoked';
  version.certificateId = `crt_${world.nextId++}`;
  certificates.push(version.certificateId);
  note(world, `a rotation has proven the death: ${version.certificateId}`);
}

/** The row as the next process reads it. */
export function readBack(world: World): void {
  for (const order of world.orders) {
    if (order.row.endedAt === null) order.row = { ...order.row, state: JSON.parse(JSON.stringify(order.row.state)) };
  }
}

/** What a driver begins with. */
export function newDriver(world: World, order: Order, drive: Driver['drive']): Driver {
  return {
    boot: world.boot,
    bootedAt: world.bootedAt,
    order,
    drive,
    rowVersion: order.row.rowVersion,
    isArmed: false,
    wakeAt: world.now,
    answer: null,
    said: null,
    bracket: null,
    unknowns: 0,
    stopsAt: Number.POSITIVE_INFINITY,
    rebuffedAt: Number.NEGATIVE_INFINITY,
  };
}
