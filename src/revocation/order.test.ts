// The revocation protocol, explored exhaustively: every sequence of answers, crashes and commands up to a depth. Death is never claimed
// without the evidence that death.ts demands, and every run comes to an end once it is told something.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instant } from '../model/instant.ts';
import { neon } from '../providers/neon.ts';
import { beginRevocation, defaultRevocationPolicy, REVOCATION, type RevocationEvent } from './order.ts';
import type { RevocationPolicy, RevocationState } from './revocation.ts';

const POLICY: RevocationPolicy = {
  refusals: 3,
  spacingMs: 1_000,
  retryMinMs: 10,
  retryMaxMs: 40,
  revokesMax: 2,
  failuresMax: 2,
};
type Verdict = 'alive' | 'dead' | 'unknown';

/** What really happened, by real time, which no restart sets back. */
interface Happened {
  readonly at: number;
  readonly what: 'begun' | 'called' | Verdict;
}

/** One run as it stands: the state in memory, the state on disk, the clock of this boot, and the truth. */
interface World {
  readonly state: RevocationState;
  readonly stored: RevocationState;
  readonly now: Instant;
  readonly real: number;
  readonly happened: readonly Happened[];
}

function begin(providerKeyId: string | null = '101'): World {
  const state = beginRevocation(providerKeyId);
  return { state, stored: state, now: { boot: 1, mono: 5_000 }, real: 0, happened: [] };
}

function evolved(world: World, event: RevocationEvent): World {
  const state = REVOCATION.evolve(world.state, event, world.now, POLICY);
  const isMaterial = REVOCATION.isMaterial(world.state, state);
  return { ...world, state, stored: isMaterial ? state : world.stored };
}
function later(world: World, ms: number): World {
  return { ...world, real: world.real + ms, now: { ...world.now, mono: world.now.mono + ms } };
}
/** The process dies and another one takes up what is on disk, at once: what evidence stood there is void. */
function crashed(world: World): World {
  return evolved({ ...world, state: world.stored, now: { boot: world.now.boot + 1, mono: 0 } }, { on: 'lapsed' });
}
function noted(world: World, what: Happened['what']): World {
  return { ...world, happened: [...world.happened, { at: world.real, what }] };
}

/** Refusals after the last call and the last acceptance, as many as stand far enough apart. */
function provenBy(happened: readonly Happened[]): number {
  const last = happened.findLastIndex(({ what }) => what === 'called' || what === 'alive');
  let count = 0;
  let previous = Number.NEGATIVE_INFINITY;
  for (const { at, what } of happened.slice(last + 1)) {
    if (what !== 'dead' || at - previous < POLICY.spacingMs) continue;
    count++;
    previous = at;
  }
  return count;
}

function check(world: World): void {
  if (world.state.end !== 'proven') return;
  const text = JSON.stringify(world.happened);
  assert(provenBy(world.happened) >= POLICY.refusals, `proven without proof: ${text}`);
  assert(
    world.state.providerKeyId === null ||
      world.state.byHand === true ||
      world.happened.some(({ what }) => what === 'begun' || what === 'called'),
    `never called: ${text}`,
  );
}

/** Every world that may follow. */
function next(world: World): World[] {
  const decision = REVOCATION.decide(world.state, world.now, POLICY);
  const worlds = [crashed(world)];
  switch (decision.kind) {
    case 'finished':
      return [...worlds, evolved(world, { on: 'resumed' })];
    case 'wait':
      assert(decision.ms > 0 && Number.isFinite(decision.ms), `a wait of ${decision.ms}`);
      // Woken too early, in time, and after a long sleep.
      for (const ms of [decision.ms / 2, decision.ms, decision.ms + 10_000]) worlds.push(later(world, ms));
      return worlds;
    case 'note':
      return [...worlds, evolved(world, decision.event)];
    case 'act': {
      if (decision.effect.do === 'revoke') {
        const begun = noted(evolved(world, { on: 'begun' }), 'begun');
        assert(decision.journalFirst && begun.stored.intent, 'the intent is on disk before the call');
        const called = noted(begun, 'called');
        const without = evolved(world, { on: 'no-means' });
        return [...worlds, without, crashed(begun), crashed(called), evolved(called, { on: 'revoke-called' })];
      }
      for (const verdict of ['alive', 'dead', 'unknown'] as const) {
        const seen = noted(world, verdict);
        worlds.push(evolved(seen, { on: 'probed', verdict }), crashed(seen));
      }
      return [...worlds, evolved(world, { on: 'no-control' })];
    }
  }
}

test('every sequence of nine steps: proven only by enough refusals, far enough apart, after the last call and the last acceptance', () => {
  for (const providerKeyId of ['101', null]) {
    const ends = new Set<string>();
    const seen = new Set<string>();
    let count = 0;
    const explore = (world: World, depth: number): void => {
      count++;
      check(world);
      ends.add(String(world.state.end));
      if (depth === 0) return;
      // Worlds that nobody could tell apart are explored once.
      const key = JSON.stringify([depth, world.state, world.stored, world.now, world.real, world.happened]);
      if (seen.has(key)) return;
      seen.add(key);
      for (const one of next(world)) explore(one, depth - 1);
    };
    explore(begin(providerKeyId), 9);
    assert(count > 10_000, `${count} worlds`);
    for (const end of ['null', 'proven', 'unproven', 'blocked'])
      assert(ends.has(end), `${providerKeyId}: no run ended as ${end}`);
  }
});

test('proven is the end: nothing that comes later changes it', () => {
  const proven: RevocationState = { ...beginRevocation('101'), step: 'prove', end: 'proven' };
  const events: RevocationEvent[] = [
    { on: 'begun' },
    { on: 'revoke-called' },
    { on: 'no-control' },
    { on: 'no-means' },
    { on: 'resumed' },
    ...(['alive', 'dead', 'unknown'] as const).map((verdict) => ({ on: 'probed' as const, verdict })),
  ];
  for (const event of events) assert.equal(REVOCATION.evolve(proven, event, { boot: 9, mono: 0 }, POLICY), proven);
});

/** Runs on with one answer to everything, waiting as long as is asked; gives the end and how many steps it took. */
function runOn(world: World, answer: Verdict, stepsMax = 200): { world: World; steps: number } {
  let one = world;
  for (let steps = 0; steps < stepsMax; steps++) {
    const decision = REVOCATION.decide(one.state, one.now, POLICY);
    check(one);
    if (decision.kind === 'finished') return { world: one, steps };
    if (decision.kind === 'wait') one = later(one, decision.ms);
    else if (decision.kind === 'note') one = evolved(one, decision.event);
    else if (decision.effect.do === 'revoke') {
      one = evolved(noted(evolved(one, { on: 'begun' }), 'called'), { on: 'revoke-called' });
    } else one = evolved(noted(one, answer), { on: 'probed', verdict: answer });
  }
  return assert.fail(`no end after ${stepsMax} steps`);
}

test('wherever a run stands, it ends: proven where the key is refused, blocked where it is accepted, unproven where nothing can be told', () => {
  const reached: World[] = [];
  const collect = (world: World, depth: number): void => {
    reached.push(world);
    if (depth > 0) for (const one of next(world)) collect(one, depth - 1);
  };
  collect(begin(), 5);
  assert(reached.length > 500);
  for (const world of reached) {
    if (world.state.end !== null) continue;
    assert.equal(runOn(world, 'dead').world.state.end, 'proven');
    assert.equal(runOn(world, 'alive').world.state.end, 'blocked');
    assert.equal(runOn(world, 'unknown').world.state.end, 'unproven');
    assert.equal(runOn(crashed(world), 'dead').world.state.end, 'proven', 'and after a crash too');
  }
});

test('what stands still goes on when a person says so, with every count from the start', () => {
  for (const answer of ['alive', 'unknown'] as const) {
    const stopped = runOn(begin(), answer).world;
    assert.notEqual(stopped.state.reason, null);
    const resumed = evolved(stopped, { on: 'resumed' });
    const { end, reason, failures, revokes, step, death } = resumed.state;
    assert.deepEqual([end, reason, failures, revokes, step, death.refusals], [null, null, 0, 0, 'revoke', 0]);
    assert.equal(resumed.stored, resumed.state, 'it is on disk');
    assert.equal(runOn(resumed, 'dead').world.state.end, 'proven');
  }
});

test('a key that cannot be revoked from here waits for a person, and what the person did is proven like any other', () => {
  const waiting = begin(null);
  assert.equal(waiting.state.end, 'blocked');
  assert.match(waiting.state.reason ?? '', /console/);
  const resumed = evolved(waiting, { on: 'resumed' });
  assert.deepEqual([resumed.state.end, resumed.state.step], [null, 'prove']);
  const { world } = runOn(resumed, 'dead');
  assert.equal(world.state.end, 'proven');
  assert.equal(world.happened.length, POLICY.refusals, 'nothing was called');
  const alive = runOn(resumed, 'alive').world;
  assert.deepEqual([alive.state.end, alive.happened.length], ['blocked', 1]);
});

test('with nothing to call with a person is asked at once; what they did is proven, and a call is made again where it can be', () => {
  const without = evolved(begin(), { on: 'no-means' });
  assert.deepEqual([without.state.end, without.state.intent, without.stored], ['blocked', false, without.state]);
  assert.match(without.state.reason ?? '', /console/);
  const resumed = evolved(without, { on: 'resumed' });
  assert.equal(resumed.state.step, 'revoke', 'the issuer may be there again');
  assert.equal(runOn(resumed, 'dead').world.happened[0]!.what, 'called');
  const still = evolved(resumed, { on: 'no-means' });
  assert.deepEqual([still.state.end, still.state.step, still.state.intent], [null, 'prove', false]);
  assert.equal(runOn(still, 'dead').world.state.end, 'proven');
  assert.equal(runOn(still, 'alive').world.state.end, 'blocked');
  assert.equal(runOn(crashed(still), 'dead').world.state.end, 'proven');
});

test('a call that may have been made when the means went is found out about first; then a person is asked', () => {
  const begun = crashed(noted(evolved(begin(), { on: 'begun' }), 'called'));
  assert.equal(begun.state.intent, true);
  const without = evolved(begun, { on: 'no-means' });
  assert.deepEqual([without.state.end, without.state.step, without.state.intent], [null, 'prove', false]);
  assert.equal(runOn(without, 'dead').world.state.end, 'proven');
  const alive = evolved(noted(without, 'alive'), { on: 'probed', verdict: 'alive' });
  assert.equal(alive.state.step, 'revoke');
  assert.equal(evolved(alive, { on: 'no-means' }).state.end, 'blocked');
});

test('waits grow with failures and with calls, up to their maximum', () => {
  const policy = { ...POLICY, failuresMax: 100, revokesMax: 100 };
  let state: RevocationState = { ...beginRevocation('101'), step: 'prove' };
  const waits: number[] = [];
  for (let i = 0; i < 40; i++) {
    state = REVOCATION.evolve(state, { on: 'probed', verdict: 'unknown' }, { boot: 1, mono: 0 }, policy);
    waits.push(state.pause!.ms);
  }
  assert.deepEqual(waits.slice(0, 4), [20, 40, 40, 40]);
  assert.equal(Math.max(...waits), policy.retryMaxMs);
});

test('the default policy is as strict as the rule for proofs of death demands', () => {
  for (const propagationMs of [0, 500, 1_500, 2_000, 60_000]) {
    const policy = defaultRevocationPolicy(propagationMs);
    assert(policy.refusals >= 3);
    assert(
      policy.spacingMs >= propagationMs,
      `refusals ${policy.spacingMs} ms apart at a propagation of ${propagationMs} ms`,
    );
    assert(
      policy.spacingMs > 0 && policy.failuresMax > 0 && policy.revokesMax > 0 && policy.retryMinMs <= policy.retryMaxMs,
    );
  }
  for (const kind of neon.kinds) assert(defaultRevocationPolicy(kind.propagationMs).spacingMs >= kind.propagationMs);
});
