// The simulator's answers to what the protocol asks for: what the rim of src/rotation does with a database, a provider, a person and the broker's
// counts, done with simulated ones. The rules that live in the rim live here too, so that a mutant can break them.
import { verdict } from '../../../src/credentials/death.ts';
import type { OverlapAsk, OverlapEffect, OverlapEvent } from '../../../src/rotation/overlap-state.ts';
import { below, chance, HALF } from '../random.ts';
import { commit, type Written } from './database.ts';
import { checkNeed, checkRevoke, checkWatch } from './invariants.ts';
import { LATE_MAX_MS } from './plan.ts';
import { endKey, type Reading, read, replace } from './provider.ts';
import {
  type AssistedKey,
  count,
  type Driver,
  hasIssuer,
  isAccepted,
  later,
  note,
  type StoredVersion,
  versionOf,
  violate,
  type World,
} from './world.ts';

/** A driver that sleeps on a row which has moved on is woken within this time. */
const ASLEEP_MAX_MS = 3_000;

/** Performs an ask, and puts its answer where the driver finds it when it wakes. False: the row must be read again. */
export function perform(world: World, driver: Driver, ask: OverlapAsk): boolean {
  driver.isWaiting = false;
  if (ask.ask === 'journal') {
    const journal = write(world, driver, ask);
    if (world.log !== null && journal !== 'done') note(world, `    ${driver.boot} journal ${ask.event.on}: ${journal}`);
    answer(world, driver, null, journal, 2 + below(world.dice, 5));
    return true;
  }
  // What was decided on an older row is neither done nor waited for. A process that was overtaken does not know.
  if (driver.boot === world.boot && driver.rowVersion !== world.row.rowVersion) {
    if (world.now - world.movedAt > ASLEEP_MAX_MS)
      violate(world, 'asleep', 'the row has moved on, and nobody was told');
    return false;
  }
  if (ask.ask === 'wait') {
    driver.isWaiting = true;
    answer(world, driver, null, null, ask.ms);
    return true;
  }
  driver.actedAt = world.now;
  const event = act(world, driver, ask.effect);
  if (world.log !== null) {
    const said = event.on === 'probed' ? ` ${event.verdict}` : '';
    note(world, `    ${driver.boot} ${ask.effect.do} → ${event.on}${said}`);
  }
  answer(world, driver, event, null, 5 + below(world.dice, 100));
  return true;
}

function answer(world: World, driver: Driver, event: OverlapEvent | null, journal: Written | null, ms: number): void {
  driver.wakeAt = world.now + ms;
  // What the time is, it is told when it wakes.
  driver.answer = { now: { boot: driver.boot, mono: 0 }, event, journal };
}

/** One fenced transaction on the row. */
function write(world: World, driver: Driver, ask: Extract<OverlapAsk, { ask: 'journal' }>): Written {
  const { dice, plan, row } = world;
  if (world.hasFaults && chance(dice, plan.storeDown)) return 'failed';
  if (driver.boot !== world.boot || driver.rowVersion !== row.rowVersion) return 'conflict';
  commit(world, ask.after, ask.event, driver);
  if (world.hasFaults && chance(dice, plan.storeAnswerLost)) return 'failed';
  driver.rowVersion = row.rowVersion;
  driver.state = ask.after;
  if (ask.event.on === 'begun') driver.isArmed = true;
  return 'done';
}

/** A call that changes the provider needs its own journaled intent. */
function spendIntent(world: World, driver: Driver, what: string): void {
  if (!driver.isArmed) violate(world, 'intent', `${what} without a journaled intent`);
  driver.isArmed = false;
}

function act(world: World, driver: Driver, effect: OverlapEffect): OverlapEvent {
  const { dice, plan, hasFaults } = world;
  switch (effect.do) {
    case 'issue':
      return issue(world, driver);
    case 'list':
    case 'discard':
      violate(world, 'not-ours', 'a list is asked for keys that carry no label of ours');
      return { on: 'list-impossible' };
    case 'probe':
      return probe(world, driver, effect.which);
    case 'observe': {
      const { state, busyUntil } = versionFor(world, driver, effect.which);
      const isUsed = state === 'current' || busyUntil > world.now;
      const known = !(hasFaults && chance(dice, plan.unobserved));
      return { on: 'observed', known, inFlight: isUsed ? 1 : 0, idleMs: isUsed ? 0 : world.now - busyUntil };
    }
    case 'cover':
      return hasFaults && chance(dice, plan.uncovered) ? { on: 'cover-failed' } : { on: 'covered', by: 'copy' };
    case 'revoke':
      return revoke(world, driver, effect.which);
  }
}

function versionFor(world: World, driver: Driver, which: 'old' | 'fresh'): StoredVersion {
  const { old, fresh } = driver.state;
  return versionOf(world, (which === 'old' ? old : fresh)?.versionId)!;
}

/** Asks the provider to replace the key, with the longest grace there is. */
function issue(world: World, driver: Driver): OverlapEvent {
  const { dice, plan, hasFaults } = world;
  spendIntent(world, driver, 'a replacement');
  if (driver.state.means.issue !== 'grace') violate(world, 'not-ours', 'a key is asked for that a person makes');
  checkNeed(world);
  if (!hasIssuer(world)) return withoutMeans(world, 'to replace it with');
  const request = { graceMs: plan.graceMs };
  if (!hasFaults) return issued(replace(world, request.graceMs));
  if (chance(dice, plan.lost)) {
    count(world, 'a lost replacement');
    if (chance(dice, plan.late)) {
      world.onTheirWay++;
      later(world, below(dice, LATE_MAX_MS), () => {
        count(world, 'a late replacement');
        world.onTheirWay--;
        replace(world, request.graceMs);
      });
    }
    return { on: 'issue-ambiguous' };
  }
  if (chance(dice, plan.refused)) return { on: 'issue-refused', quotaFull: chance(dice, HALF >>> 2) };
  let key = replace(world, request.graceMs);
  if (chance(dice, plan.doubled)) {
    count(world, 'a replacement arrived twice');
    const second = replace(world, request.graceMs);
    if (chance(dice, HALF)) key = second;
    else key.isDoomed = true;
  }
  if (chance(dice, plan.answerLost)) {
    count(world, 'a lost answer');
    return { on: 'issue-ambiguous' };
  }
  return issued(key);
}

function issued(key: AssistedKey): OverlapEvent {
  return { on: 'issued', versionId: `ver-${key.id}`, providerKeyId: key.id };
}

/** Nothing is sent. */
function withoutMeans(world: World, what: string): OverlapEvent {
  count(world, `nothing ${what}`);
  return { on: 'no-means' };
}

/** Calls for the revocation; nobody is called where a person does it, or where there is nothing to call with, or nothing that names the key. */
function revoke(world: World, driver: Driver, which: 'old' | 'fresh'): OverlapEvent {
  const { dice, plan } = world;
  spendIntent(world, driver, 'a revocation');
  const version = versionFor(world, driver, which);
  checkRevoke(world, driver, which, version);
  const called: OverlapEvent = { on: 'revoke-called' };
  if (driver.state.means.revoke === 'person') return called;
  if (version.providerKeyId === '' || !hasIssuer(world)) return withoutMeans(world, 'to revoke it with');
  if (world.hasFaults) {
    if (chance(dice, plan.lost)) {
      if (chance(dice, plan.late))
        later(world, below(dice, LATE_MAX_MS), () => endKey(world, version.key, world.now, 'us'));
      return called;
    }
    if (chance(dice, plan.lies)) return called;
  }
  endKey(world, version.key, world.now, 'us');
  return called;
}

/** A bracketed probe, or a single reading where an acceptance is hoped for and comes. */
function probe(world: World, driver: Driver, which: 'old' | 'fresh'): OverlapEvent {
  const version = versionFor(world, driver, which);
  const fresh = versionOf(world, driver.state.fresh?.versionId)?.key ?? null;
  driver.sawFresh = fresh !== null && isAccepted(world, fresh);
  const { target, before, after } = bracket(world, driver, which, version.key);
  const seen = verdict({ before, target, after });
  if (seen === 'alive') {
    version.key.seenAliveAt = world.now;
    if (driver.state.step === 'prove' && driver.state.means.revoke === 'person' && !isReplaced(driver))
      checkWatch(world, driver);
  }
  return { on: 'probed', verdict: seen };
}

/** Whether the probe is about a replacement that looked dead on arrival: nobody is to delete that. */
function isReplaced({ state }: Driver): boolean {
  return state.means.issue === 'grace' && state.target === 'fresh';
}

function bracket(
  world: World,
  driver: Driver,
  which: 'old' | 'fresh',
  key: AssistedKey,
): { readonly before: Reading; readonly target: Reading; readonly after: Reading } {
  if (driver.state.step !== 'prove') {
    const target = read(world, key);
    if (target === 'alive') return { before: 'unknown', target, after: 'unknown' };
  }
  const control = controlFor(world, driver, which);
  if (control === 'none') return { before: 'unknown', target: read(world, key), after: 'unknown' };
  const before = read(world, control);
  const target = read(world, key);
  return { before, target, after: read(world, control) };
}

/** The other key where it is in use or was, else the issuer's (null), else nothing. */
function controlFor(world: World, { state }: Driver, which: 'old' | 'fresh'): AssistedKey | null | 'none' {
  const sibling = versionOf(world, (which === 'old' ? state.fresh : state.old)?.versionId);
  if (sibling !== null && (sibling.state === 'current' || sibling.state === 'previous')) return sibling.key;
  return hasIssuer(world) ? null : 'none';
}
