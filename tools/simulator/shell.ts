// The simulator's answers to what `drive` asks for: what the rim of src/rotation does with a database, a provider and the
// broker's counts, done with the simulated ones. The rules that live in the rim live here too, so that a mutant can break them.
import { verdict } from '../../src/credentials/death.ts';
import { orphansOf } from '../../src/credentials/inventory.ts';
import { formatLabel } from '../../src/credentials/label.ts';
import { DEAD_ON_ARRIVAL, type OverlapEffect, type OverlapEvent } from '../../src/rotation/overlap.ts';
import type { OverlapAnswer as Answer, OverlapAsk as Ask } from '../../src/rotation/overlap-state.ts';
import { commit, INSTANCE } from './database.ts';
import {
  CANCEL,
  checkDiscard,
  checkIssue,
  checkLabel,
  checkRefusal,
  checkRevokeCall,
  checkSettled,
} from './invariants.ts';
import { answersIssuer, create, list, type Reading, type Request, readIssuer, readKey, remove } from './provider.ts';
import { below, chance, draw } from './random.ts';
import {
  count,
  isUsed,
  type Key,
  keyOf,
  note,
  type Rotator,
  schedule,
  type Version,
  versionOf,
  violate,
  type World,
} from './world.ts';

/** Acts that a driver may still make after an operator has written to its row. */
const ACTS_BEHIND_MAX = 3;

/** Performs the ask in hand and puts its answer where the driver will find it when it wakes. */
export function perform(world: World, rotator: Rotator): void {
  const ask = rotator.ask!;
  rotator.ask = null;
  rotator.isWaiting = ask.ask === 'wait';
  if (ask.ask === 'wait') {
    answer(world, rotator, null, null, ask.ms);
    if (world.cancelRow === rotator.row) handOver(world, rotator, ask.ms);
    return;
  }
  if (ask.ask === 'journal') {
    const journal = write(world, rotator, ask);
    if (world.log !== null && journal !== 'done') note(world, `    journal of ${ask.event.on}: ${journal}`);
    answer(world, rotator, null, journal, 2);
    return;
  }
  if (rotator.process === world.process && rotator.rowVersion !== rotator.row.rowVersion) checkBehind(world, rotator);
  const event = act(world, rotator, ask.effect);
  if (world.log !== null) logAct(world, rotator, ask.effect, event);
  answer(world, rotator, event, null, 5 + (world.hasFaults ? draw(world.dice) & 255 : 0));
}

function answer(
  world: World,
  rotator: Rotator,
  event: OverlapEvent | null,
  journal: Answer['journal'],
  afterMs: number,
): void {
  rotator.wakeAt = world.now + afterMs;
  const mono = rotator.wakeAt - rotator.process.bootAt;
  rotator.answer = { now: { boot: rotator.process.fence, mono }, event, journal };
}

/** Hands the operator's command to a driver that waits. */
function handOver(world: World, rotator: Rotator, waitMs: number): void {
  if (rotator.process !== world.process || rotator.sinceCancel >= 0) return;
  answer(world, rotator, { on: 'cancelled', reason: CANCEL }, null, below(world.dice, waitMs + 1));
  rotator.sinceCancel = 0;
  if (world.log !== null) note(world, `operator cancels rotation ${rotator.row.number}`);
}

/** One fenced transaction on the row. */
function write(world: World, rotator: Rotator, ask: Extract<Ask, { ask: 'journal' }>): 'done' | 'conflict' | 'failed' {
  const { dice, rates } = world;
  const row = rotator.row;
  if (world.now < world.storeDownUntil || chance(dice, rates.storeFailed)) return 'failed';
  if (rotator.process.fence !== world.database.fence) return 'conflict';
  if (rotator.rowVersion !== row.rowVersion) return 'conflict';
  commit(world, row, ask.before, ask.after, ask.event);
  if (chance(dice, rates.storeAnswerLost)) return 'failed';
  rotator.rowVersion++;
  rotator.state = ask.after;
  if (ask.event.on === 'begun') rotator.isArmed = true;
  if (rotator.sinceCancel >= 0) checkCommand(world, rotator);
  return 'done';
}

/** A driver may act on what it read a moment ago, but not for long. */
function checkBehind(world: World, rotator: Rotator): void {
  if (world.now < world.storeDownUntil || ++rotator.actsBehind <= ACTS_BEHIND_MAX) return;
  violate(world, 'command', `a driver of rotation ${rotator.row.number} does not notice that its row has moved on`);
}

/** A cancel that was handed over must show in the row within two entries, unless it came after the pivot. */
function checkCommand(world: World, rotator: Rotator): void {
  const state = rotator.row.state;
  const isUndone = state.undoing !== null && state.undoing !== DEAD_ON_ARRIVAL;
  if (isUndone || state.pivoted || state.end !== null) {
    rotator.sinceCancel = -1;
    world.cancelRow = null;
  } else if (++rotator.sinceCancel > 2) {
    violate(world, 'command', `a cancel of rotation ${rotator.row.number} was taken and not carried out`);
  }
}

function act(world: World, rotator: Rotator, effect: OverlapEffect): OverlapEvent {
  switch (effect.do) {
    case 'issue':
      return issue(world, rotator, effect.attempt);
    case 'list':
      return look(world, rotator);
    case 'discard':
      return discard(world, rotator, effect.providerKeyId);
    case 'probe':
      return probe(world, rotator, effect.which);
    case 'observe':
      return observe(world, rotator, effect.which);
    case 'cover':
      return cover(world, rotator);
    case 'revoke':
      return revoke(world, rotator, effect.which);
  }
}

/** A call that changes the provider needs its own journaled intent, written by the driver that makes it. */
function spendIntent(world: World, rotator: Rotator, what: string): void {
  if (!rotator.isArmed) violate(world, 'intent', `${what} without a journaled intent`);
  rotator.isArmed = false;
}

/** Which key `old` and `fresh` mean is what this driver wrote or read last: by now the row may name others. */
function versionFor(world: World, rotator: Rotator, which: 'old' | 'fresh'): Version | null {
  const held = which === 'old' ? rotator.state.old : rotator.state.fresh;
  return held === null ? null : versionOf(world.database, held.versionId);
}

function issue(world: World, rotator: Rotator, attempt: number): OverlapEvent {
  spendIntent(world, rotator, 'issue');
  const { dice, rates } = world;
  const row = rotator.row;
  const credential = world.credentials[row.credential]!;
  const request: Request = {
    name: formatLabel({ instance: INSTANCE, credential: credential.labelPart, rotation: row.labelPart, attempt }),
    owner: 'ours',
    credential: row.credential,
    rotation: row.number,
    scope: row.scope,
    expiresAt: row.expiresAt,
  };
  checkIssue(world, row, request.scope, request.expiresAt);
  checkLabel(world, row, attempt);
  if (chance(dice, rates.requestLost)) return { on: 'issue-ambiguous' };
  if (chance(dice, rates.late)) {
    arriveLate(world, request);
    return { on: 'issue-ambiguous' };
  }
  if (!answersIssuer(world, world.now)) return { on: 'issue-refused', quotaFull: false };
  const made = create(world, request);
  if (made === 'full') return { on: 'issue-refused', quotaFull: true };
  if (made === 'taken') return { on: 'issue-refused', quotaFull: false };
  if (chance(dice, rates.duplicated)) {
    count(world, 'create duplicated');
    if (chance(dice, 0x80000000)) create(world, request);
    else arriveLate(world, request);
  }
  if (chance(dice, rates.answerLost)) return { on: 'issue-ambiguous' };
  const version = mint(world, made);
  return { on: 'issued', versionId: version.held.versionId, providerKeyId: made.id };
}

/** A version that exists in the memory of a process, until its entry is written. */
export function mint(world: World, key: Key): Version {
  const number = world.minted.length;
  const held = { versionId: `v${number}`, providerKeyId: key.id };
  const version: Version = { number, held, key, credential: key.credential, hasBytes: true, isRevoked: false };
  world.minted.push(version);
  world.busyUntil.push(0);
  world.usedAt.push(world.now);
  return version;
}

function arriveLate(world: World, request: Request): void {
  count(world, 'create arrives late');
  const longestMs = 3 * world.plan.policy.settleMs;
  schedule(world, world.now + below(world.dice, longestMs), null, () => create(world, request));
}

function look(world: World, rotator: Rotator): OverlapEvent {
  const { dice, rates, plan } = world;
  if (!plan.canList) return { on: 'list-impossible' };
  if (!answersIssuer(world, world.now) || chance(dice, rates.listFails)) return { on: 'list-failed' };
  const row = rotator.row;
  // What a driver sees whose row has moved on is never written, and is not judged.
  const isUpToDate = rotator.process === world.process && rotator.rowVersion === row.rowVersion;
  if (isUpToDate && rotator.state.step === 'reconcile') checkSettled(world, row);
  const lagMs = chance(dice, rates.listLags) ? plan.listLagMs : 0;
  const held = new Set<string>();
  for (const version of world.database.versions) held.add(version.held.providerKeyId);
  const own = {
    instance: INSTANCE,
    credential: world.credentials[row.credential]!.labelPart,
    rotation: row.labelPart,
  };
  const orphans = orphansOf(list(world, lagMs), own, held);
  if (orphans.length > 0) count(world, 'orphan found by a rotation');
  else if (rotator.state.step === 'sweep') world.truths[row.number]!.listedUntil = world.now - lagMs;
  return { on: 'listed', orphans };
}

function discard(world: World, rotator: Rotator, providerKeyId: string): OverlapEvent {
  spendIntent(world, rotator, 'discard');
  const key = keyOf(world, providerKeyId);
  checkDiscard(world, key, rotator.row);
  const said = remove(world, key);
  return { on: said === 'accepted' || said === 'absent' ? 'discarded' : 'discard-failed' };
}

/** A bracketed probe: control, target, control, a few milliseconds apart. */
function probe(world: World, rotator: Rotator, which: 'old' | 'fresh'): OverlapEvent {
  const version = versionFor(world, rotator, which);
  if (version === null || !version.hasBytes) return { on: 'probed', verdict: 'unknown' };
  const other = versionFor(world, rotator, which === 'old' ? 'fresh' : 'old');
  const apartMs = world.hasFaults ? 1 + (draw(world.dice) & 127) : 2;
  const at = world.now + apartMs;
  const before = control(world, other, world.now);
  const isHeard = rotator.process === world.process && !world.rotators.some((any) => any.isSecond);
  const target = readKey(world, version.key, at, isHeard);
  const seen = verdict({ before, target, after: control(world, other, at + apartMs) });
  if (seen === 'dead') checkRefusal(world, at);
  return { on: 'probed', verdict: seen };
}

function control(world: World, other: Version | null, at: number): Reading {
  return world.plan.control === 'issuer' || other === null
    ? readIssuer(world, at)
    : readKey(world, other.key, at, false);
}

function observe(world: World, rotator: Rotator, which: 'old' | 'fresh'): OverlapEvent {
  const version = versionFor(world, rotator, which);
  if (version === null || chance(world.dice, world.rates.unobserved)) {
    return { on: 'observed', known: false, inFlight: 0, idleMs: 0 };
  }
  const lastUse = Math.max(world.usedAt[version.number]!, world.busyUntil[version.number]!);
  // After a restart nothing is known of the time before it.
  const idleMs = Math.max(0, world.now - Math.max(lastUse, rotator.process.bootAt));
  return { on: 'observed', known: true, inFlight: isUsed(world, version) ? 1 : 0, idleMs };
}

function cover(world: World, rotator: Rotator): OverlapEvent {
  if (!world.plan.hasSecondCopies) return { on: 'covered', by: 'none' };
  const version = versionFor(world, rotator, 'fresh');
  if (version === null || chance(world.dice, world.rates.coverFails)) return { on: 'cover-failed' };
  let isThere = false;
  for (const copy of world.copies) if (copy.number === version.number) isThere = true;
  if (!isThere) world.copies.push(world.minted[version.number]!);
  return { on: 'covered', by: 'copy' };
}

function revoke(world: World, rotator: Rotator, which: 'old' | 'fresh'): OverlapEvent {
  spendIntent(world, rotator, 'revoke');
  const version = versionFor(world, rotator, which);
  if (version !== null) {
    checkRevokeCall(world, version);
    version.key.isRevoking = true;
    remove(world, version.key);
  }
  return { on: 'revoke-called' };
}

function logAct(world: World, rotator: Rotator, effect: OverlapEffect, event: OverlapEvent): void {
  const stale = rotator.process.fence === world.database.fence ? '' : ' by a stale process';
  note(world, `    ${JSON.stringify(effect)} -> ${JSON.stringify(event)}${stale}`);
}
