// The simulator's answers to what the swap protocol asks for: what the rim does with a database, a provider and the broker's gate, done with
// simulated ones.
import { verdict } from '../../../src/credentials/death.ts';
import type { SwapEffect, SwapEvent, SwapState } from '../../../src/rotation/swap-state.ts';
import { below, chance } from '../random.ts';
import { flaps } from '../timeline.ts';
import { ARRIVAL_MS } from './plan.ts';
import {
  count,
  type Driver,
  isAccepted,
  later,
  mixDigest,
  mono,
  note,
  type SlotKey,
  violate,
  type World,
} from './world.ts';

export function perform(world: World, driver: Driver): void {
  const ask = driver.ask!;
  driver.ask = null;
  driver.isWaiting = ask.ask === 'wait';
  if (ask.ask === 'wait') {
    answer(world, driver, null, null, ask.ms);
    return;
  }
  if (ask.ask === 'journal') {
    const journal = write(world, driver, ask);
    answer(world, driver, null, journal, 2 + below(world.dice, 5));
    return;
  }
  if (driver.rowVersion !== world.row.rowVersion) {
    answer(world, driver, null, null, 1);
    return;
  }
  const event = act(world, driver, ask.effect);
  note(
    world,
    `${driver.boot} ${ask.effect.do} → ${event?.on ?? 'nothing'}${event?.on === 'probed' ? ` ${event.verdict}` : ''}`,
  );
  answer(world, driver, event, null, 5 + below(world.dice, 100));
}

function answer(
  world: World,
  driver: Driver,
  event: SwapEvent | null,
  journal: 'done' | 'conflict' | 'failed' | null,
  ms: number,
): void {
  driver.wakeAt = world.now + ms;
  driver.answer = { now: { boot: driver.boot, mono: 0 }, event, journal };
}

function write(
  world: World,
  driver: Driver,
  ask: { after: SwapState; event: SwapEvent },
): 'done' | 'conflict' | 'failed' {
  const { dice, plan, row } = world;
  if (driver.rowVersion !== row.rowVersion || driver.boot !== world.boot) return 'conflict';
  if (world.hasFaults && chance(dice, plan.storeDown)) return 'failed';
  commit(world, ask.after, ask.event);
  if (world.hasFaults && chance(dice, plan.storeAnswerLost)) return 'failed';
  driver.rowVersion = row.rowVersion;
  return 'done';
}

/** One transaction: the row, its entry, and the versions that the event moves. */
export function commit(world: World, after: SwapState, event: SwapEvent): void {
  const { row, versions } = world;
  const before = row.state;
  row.state = after;
  row.rowVersion++;
  mixDigest(world, event.on, row.rowVersion);
  note(world, `journal ${event.on}: ${before.step} → ${after.step}${after.end === null ? '' : ` ${after.end}`}`);
  if (event.on === 'replaced' && before.source === 'provider') {
    versions.push({ versionId: event.versionId, providerKeyId: event.providerKeyId, hasBytes: true, state: 'pending' });
  }
  if (event.on === 'prepared') {
    versions.push({ versionId: event.versionId, providerKeyId: event.providerKeyId, hasBytes: true, state: 'pending' });
  }
  if (event.on === 'promoted') {
    for (const version of versions) if (version.state === 'current') version.state = 'previous';
    const fresh = versions.find((one) => one.versionId === after.fresh?.versionId);
    if (fresh === undefined) violate(world, 'promoted', 'a version that is not stored');
    else {
      fresh.state = 'current';
      const isInForce = world.slot.id === fresh.providerKeyId;
      if (!isInForce) violate(world, 'promoted', `${fresh.versionId} is not in force`);
    }
  }
  // The shell lets the traffic go when a state says so.
  if (after.heldSince === null) letGo(world);
  if (world.hold !== null && (event.on === 'promoted' || after.end !== null))
    violate(world, 'bounded', 'nothing is waited for any more, and the traffic is held');
  if (after.end !== null && after.end !== 'blocked') atEnd(world, after);
}

export function letGo(world: World): void {
  if (world.hold === null) return;
  const heldMs = world.now - world.hold.since;
  // A gate opens by itself when its time is over; a state that still counts on it finds it open.
  if (heldMs > world.plan.policy.holdMaxMs) violate(world, 'bounded', `the traffic was held for ${heldMs} ms`);
  world.hold = null;
}

function act(world: World, driver: Driver, effect: SwapEffect): SwapEvent | null {
  switch (effect.do) {
    case 'prepare': {
      const key: SlotKey = { id: `key${world.nextId++}`, isAlive: false, lingersUntil: 0 };
      world.keys.push(key);
      return { on: 'prepared', versionId: `ver-${key.id}`, providerKeyId: key.id };
    }
    case 'hold':
      return hold(world, driver);
    case 'observe':
      world.inFlight = world.inFlight.filter((end) => end > world.now);
      return { on: 'observed', inFlight: world.inFlight.length };
    case 'replace':
      return replace(world, driver, effect.attempt);
    case 'probe':
      return { on: 'probed', verdict: probe(world, effect.which) };
    case 'cover':
      return world.hasFaults && chance(world.dice, world.plan.unknown)
        ? { on: 'cover-failed' }
        : { on: 'covered', by: 'copy' };
  }
}

function hold(world: World, driver: Driver): SwapEvent {
  const { dice, plan } = world;
  if (world.hold === null) {
    world.hold = { boot: driver.boot, since: world.now };
    world.inFlight = Array.from({ length: below(dice, 4) }, () => world.now + below(dice, plan.longestMs));
    const held = world.hold;
    // The gate's own clock: whatever becomes of the driver, traffic is not held for longer.
    later(world, plan.policy.holdMaxMs, () => {
      if (world.hold === held) {
        count(world, 'the gate opened by itself');
        world.hold = null;
      }
    });
  }
  return { on: 'held' };
}

function replace(world: World, driver: Driver, attempt: number): SwapEvent | null {
  const { dice, plan, row } = world;
  const isJournaled = row.state.intent && row.state.attempt === attempt;
  if (!isJournaled) violate(world, 'intent', `attempt ${attempt} is in no journal`);
  const isOurHold = world.hold !== null && world.hold.boot === driver.boot;
  const busy = world.inFlight.filter((end) => end > world.now).length;
  const leftMs = world.hold === null ? 0 : world.hold.since + plan.policy.holdMaxMs - world.now;
  if (!isOurHold || leftMs < plan.callMs) violate(world, 'traffic', 'the traffic flows while the key is replaced');
  else if (busy > 0) violate(world, 'traffic', `${busy} requests are in flight while the key is replaced`);
  if (plan.source === 'provider' && (world.effective > 0 || world.onTheirWay > 0) && plan.lateMs <= ARRIVAL_MS)
    violate(world, 'doubled', 'a replacement that was asked for before has happened, or may still');
  const old = row.state.old.providerKeyId;
  const prepared = row.state.fresh?.providerKeyId ?? null;
  if (!world.hasFaults) return arrive(world, old, prepared);
  if (chance(dice, plan.lostBefore)) {
    if (chance(dice, plan.lateArrival)) {
      count(world, 'a late arrival');
      world.onTheirWay++;
      later(world, plan.lateMs, () => {
        note(world, 'a lost replacement arrives');
        world.onTheirWay--;
        arrive(world, old, prepared);
      });
    }
    return { on: 'replace-ambiguous' };
  }
  if (chance(dice, plan.refusedFinal)) return { on: 'replace-refused', final: true };
  if (chance(dice, plan.refused)) return { on: 'replace-refused', final: false };
  if (plan.source === 'ours' && chance(dice, plan.confirmedOnly))
    return { on: 'replaced', versionId: `ver-${prepared}`, providerKeyId: prepared ?? '' };
  const said = arrive(world, old, prepared);
  if (chance(dice, plan.lostAfter)) {
    count(world, 'a lost answer');
    return { on: 'replace-ambiguous' };
  }
  return said;
}

/** What the provider does when the call is there. */
function arrive(world: World, old: string, prepared: string | null): SwapEvent {
  const { plan } = world;
  const target = world.keys.find((key) => key.id === old)!;
  if (plan.source === 'provider') {
    if (!target.isAlive) return { on: 'replace-refused', final: true };
    const key: SlotKey = { id: `key${world.nextId++}`, isAlive: !plan.deadOnArrival, lingersUntil: 0 };
    world.keys.push(key);
    putInSlot(world, key);
    return { on: 'replaced', versionId: `ver-${key.id}`, providerKeyId: key.id };
  }
  const key = world.keys.find((one) => one.id === prepared)!;
  if (world.slot !== key) {
    key.isAlive = true;
    putInSlot(world, key);
  }
  return { on: 'replaced', versionId: `ver-${key.id}`, providerKeyId: key.id };
}

function putInSlot(world: World, key: SlotKey): void {
  world.slot.isAlive = false;
  world.slot.lingersUntil = world.now + world.plan.lingerMs;
  world.slot = key;
  world.effective++;
}

type Reading = 'alive' | 'dead' | 'unknown';

function read(world: World, id: string | null): Reading {
  const { dice, plan } = world;
  if (world.hasFaults && chance(dice, plan.unknown)) return 'unknown';
  const isOut = plan.outage && world.hasFaults && Math.floor(world.now / 7_000) % 3 === 1;
  if (isOut) return 'dead';
  if (id === null) return 'alive';
  return !flaps(world) && isAccepted(world, id) ? 'alive' : 'dead';
}

/** A bracketed probe: the control is the issuer where there is one, else the other key. */
function probe(world: World, which: 'old' | 'fresh'): Reading {
  const { state } = world.row;
  const target = which === 'old' ? state.old.providerKeyId : state.fresh!.providerKeyId;
  const other = which === 'old' ? (state.fresh?.providerKeyId ?? null) : state.old.providerKeyId;
  const control = world.plan.source === 'provider' ? null : other;
  const before = read(world, control);
  const seen = read(world, target);
  const after = read(world, control);
  return verdict({ before, target: seen, after });
}

/** What the end says is held against what is so. */
function atEnd(world: World, state: SwapState): void {
  const fresh = world.versions.find((one) => one.versionId === state.fresh?.versionId);
  const old = world.keys.find((key) => key.id === state.old.providerKeyId)!;
  if (state.end === 'rotated') {
    if (fresh === undefined || !fresh.hasBytes) violate(world, 'rotated', 'the new key is not stored');
    else if (world.slot.id !== fresh.providerKeyId || !isAccepted(world, fresh.providerKeyId))
      violate(world, 'rotated', 'the new key is not in force');
    if (isAccepted(world, old.id)) violate(world, 'rotated', 'the old key is still accepted');
    if (fresh?.state !== 'current') violate(world, 'rotated', 'the new version is not the current one');
  }
  if (state.end === 'lost') {
    const held = world.versions.some((one) => one.hasBytes && isAccepted(world, one.providerKeyId));
    if (held) violate(world, 'lost', 'a key that we hold is accepted');
    if (world.effective === 0) violate(world, 'lost', 'nothing was replaced');
  }
  if (state.end === 'aborted' && world.effective > 0) violate(world, 'aborted', 'the key was replaced');
}

export function monoOf(world: World, driver: Driver): { boot: number; mono: number } {
  return { boot: driver.boot, mono: mono(world) };
}
