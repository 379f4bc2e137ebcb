// What the provider's log says against what our rows say: our own rotations never make a finding, each outside change makes one, however often and
// in whatever parts the log is read. Reading it from a provider is provider-log.io.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LoggedEvent } from '../providers/provider.ts';
import type { FindingRow } from './finding.ts';
import { formatLabel, labelPart } from './label.ts';
import {
  LEFT_MAX_MS,
  type LoggedKey,
  type LogLook,
  type LogPlan,
  NEAR_MS,
  planLog,
  type RotationSpan,
} from './provider-log.ts';

const INSTANCE = '0a1b2c3d';
const CREDENTIAL = `crd_${'0'.repeat(31)}1`;
const NOW = 1_790_000_000_000;
const HOUR_MS = 3_600_000;
/** An hour ago. */
const THEN = NOW - HOUR_MS;

let ids = 0;
function event(is: LoggedEvent['is'], providerKeyId: string, at = THEN, more: Partial<LoggedEvent> = {}): LoggedEvent {
  return { id: `e${++ids}`, at, is, event: `some.${is}`, providerKeyId, keyName: 'a name', by: 'somebody', ...more };
}

function key(providerKeyId: string, more: Partial<LoggedKey> = {}): LoggedKey {
  const given = {
    versionId: `ver_${providerKeyId}`,
    credentialId: CREDENTIAL,
    isLive: true,
    createdAt: NOW - 9 * HOUR_MS,
  };
  return { providerKeyId, endsAt: null, ...given, ...more };
}

function finding(providerKeyId: string, more: Partial<FindingRow> = {}): FindingRow {
  const row = {
    id: `fnd_${providerKeyId}`,
    rowVersion: 1,
    issuerId: 'crd_i',
    providerKeyId,
    name: '',
    lastUsedAt: null,
  };
  return { ...row, kind: 'unregistered', state: 'open', firstSeenAt: THEN, closedAt: null, ...more };
}

function plan(events: readonly LoggedEvent[], more: Partial<LogLook> = {}): LogPlan {
  const base = { keys: [], rotations: [], standing: [], closed: [], now: NOW, settleMs: 60_000, foundMax: 100 };
  return planLog({ events, instance: INSTANCE, credentials: new Set([labelPart(CREDENTIAL)]), ...base, ...more });
}

/** `kind of key` for what is found, `told key`, `gone key`. */
function said({ changes }: LogPlan): string[] {
  return changes.map((change) =>
    change.is === 'found'
      ? `${change.kind} ${change.providerKeyId}`
      : `${change.is === 'told' ? 'told' : change.as} ${change.providerKeyId}`,
  );
}

const TOLD = { event: 'some.made', at: THEN, by: 'somebody' };
const label = (more: Partial<Parameters<typeof formatLabel>[0]> = {}) =>
  formatLabel({ instance: INSTANCE, credential: labelPart(CREDENTIAL), rotation: 'f'.repeat(16), attempt: 1, ...more });

test('a key that nobody holds and that our label does not name is somebody else’s', () => {
  const [change] = plan([event('made', 'k')]).changes;
  assert.deepEqual(change, {
    is: 'found',
    kind: 'unregistered',
    providerKeyId: 'k',
    name: 'a name',
    told: TOLD,
    holder: null,
  });
  const table: [keyName: string | null, is: string[]][] = [
    [label(), []],
    [label({ instance: 'ffffffff' }), ['unregistered k']],
    [label({ credential: 'f'.repeat(16) }), ['unregistered k']],
    [`${label()} `, ['unregistered k']],
    [null, ['unregistered k']],
  ];
  for (const is of ['made', 'replaced'] as const)
    for (const [keyName, expected] of table)
      assert.deepEqual(said(plan([event(is, 'k', THEN, { keyName })])), expected, `${is} ${keyName}`);
});

test('a key that a version holds: what happened to it, by the state of that version', () => {
  const table: [is: LoggedEvent['is'], more: Partial<LoggedKey>, expected: string[]][] = [
    ['made', {}, []],
    ['made', { isLive: false }, []],
    ['ended', { isLive: false }, []],
    ['replaced', { isLive: false }, []],
    ['ended', {}, ['changed-outside k']],
    ['replaced', {}, ['changed-outside k']],
    // The version was written when the key was made: the event names the new key.
    ['replaced', { createdAt: THEN + 5_000 }, []],
    ['replaced', { createdAt: THEN - NEAR_MS }, []],
    ['replaced', { createdAt: THEN - NEAR_MS - 1 }, ['changed-outside k']],
    // Its time was over.
    ['ended', { endsAt: THEN }, []],
    ['ended', { endsAt: THEN + NEAR_MS }, []],
    ['ended', { endsAt: THEN + NEAR_MS + 1 }, ['changed-outside k']],
    ['replaced', { endsAt: THEN }, ['changed-outside k']],
  ];
  for (const [is, more, expected] of table) {
    const about = `${is} ${JSON.stringify(more)}`;
    assert.deepEqual(said(plan([event(is, 'k')], { keys: [key('k', more)] })), expected, about);
    // Our label on a key that is in use does not excuse whoever ends it.
    const labelled = event(is, 'k', THEN, { keyName: label() });
    assert.deepEqual(said(plan([labelled], { keys: [key('k', more)] })), expected, `${about}, labelled`);
  }
  const [change] = plan([event('ended', 'k')], { keys: [key('k')] }).changes;
  assert(change?.is === 'found');
  assert.equal(change.holder?.versionId, 'ver_k');
});

test('an old key was replaced by us while a rotation of its credential was under way, and at no other time', () => {
  const span = { credentialId: CREDENTIAL, from: THEN - 60_000, until: THEN + 60_000 };
  const found = (at: number, rotation: RotationSpan) =>
    said(plan([event('replaced', 'k', at)], { keys: [key('k')], rotations: [rotation] }));
  for (const at of [THEN, span.from - NEAR_MS, span.until + NEAR_MS]) assert.deepEqual(found(at, span), []);
  for (const at of [span.from - NEAR_MS - 1, span.until + NEAR_MS + 1])
    assert.deepEqual(found(at, span), ['changed-outside k']);
  assert.deepEqual(found(THEN, { ...span, credentialId: 'crd_other' }), ['changed-outside k']);
  assert.deepEqual(found(THEN, { ...span, until: null }), []);
});

test('what is young, or what a running rotation may explain, is left for the next look, and not for ever', () => {
  const left = (given: LoggedEvent, more: Partial<LogLook> = {}) => {
    const { changes, leftAt } = plan([given], more);
    return changes.length === 0 ? leftAt : 'judged';
  };
  assert.equal(left(event('made', 'k', NOW - 59_999)), NOW - 59_999);
  assert.equal(left(event('made', 'k', NOW - 60_000)), 'judged');
  const running = { credentialId: CREDENTIAL, from: THEN, until: null };
  const keys = [key('k')];
  assert.equal(left(event('made', 'new'), { rotations: [running] }), THEN);
  assert.equal(left(event('made', 'new', THEN - NEAR_MS - 1), { rotations: [running] }), 'judged');
  // A person who is to delete the old key may do so before they say that they have the new one.
  assert.equal(left(event('ended', 'k'), { keys, rotations: [running] }), THEN);
  assert.equal(left(event('ended', 'k'), { keys, rotations: [{ ...running, credentialId: 'crd_o' }] }), 'judged');
  const longAgo = NOW - LEFT_MAX_MS;
  const long = { rotations: [{ ...running, from: longAgo - HOUR_MS }] };
  assert.equal(left(event('made', 'new', longAgo + 1), long), longAgo + 1);
  assert.equal(left(event('made', 'new', longAgo), long), 'judged');
  const several = plan([event('made', 'b', NOW - 1), event('made', 'c', NOW - 2), event('made', 'a')]);
  assert.deepEqual([said(several), several.leftAt], [['unregistered a'], NOW - 2]);
});

test('the end of a stranger’s key closes what the log told of it, and nothing else', () => {
  const events = [event('ended', 'k', THEN + 5), event('made', 'k', THEN)];
  assert.deepEqual(said(plan(events)), ['unregistered k', 'gone k']);
  const ended = [event('ended', 'k')];
  assert.deepEqual(said(plan(ended, { standing: [finding('k', { told: TOLD })] })), ['gone k']);
  const aside = finding('k', { told: TOLD, state: 'ignored', closedAt: THEN });
  assert.deepEqual(said(plan(ended, { standing: [aside] })), ['gone k']);
  assert.deepEqual(said(plan(ended, { standing: [finding('k')] })), [], 'the list closes what the list has found');
  assert.deepEqual(said(plan(ended)), []);
});

test('a finding that stands is told of once, and is more once its key turns out to be in use', () => {
  const made = [event('made', 'k'), event('replaced', 'k', THEN + 1)];
  assert.deepEqual(said(plan(made, { standing: [finding('k')] })), ['told k']);
  assert.deepEqual(said(plan(made, { standing: [finding('k', { told: TOLD })] })), []);
  assert.deepEqual(said(plan(made, { standing: [finding('k', { kind: 'held-back' })] })), []);
  const keys = [key('k')];
  const ended = [event('ended', 'k')];
  for (const [known, expected] of [
    [finding('k', { state: 'ignored' }), ['changed-outside k']],
    [finding('k', { kind: 'changed-outside', state: 'ignored', told: TOLD }), []],
    [finding('k', { kind: 'resurrected' }), []],
  ] as const)
    assert.deepEqual(said(plan(ended, { keys, standing: [known] })), expected, known.kind);
});

test('findings close when their key is registered, or is in use no longer, whether or not there are events', () => {
  const told = finding('k', { told: TOLD });
  const changed = finding('k', { kind: 'changed-outside', told: TOLD });
  assert.deepEqual(said(plan([], { standing: [told], keys: [key('k')] })), ['adopted k']);
  assert.deepEqual(said(plan([], { standing: [changed], keys: [key('k', { isLive: false })] })), ['gone k']);
  assert.deepEqual(said(plan([], { standing: [changed] })), ['gone k']);
  assert.deepEqual(said(plan([], { standing: [changed], keys: [key('k')] })), []);
  assert.deepEqual(said(plan([], { standing: [told, finding('l')], keys: [key('l')] })), []);
});

test('what is on record and closed is not found anew; what happened since is', () => {
  const closed = [finding('k', { state: 'gone', closedAt: THEN + 10, told: TOLD })];
  assert.deepEqual(said(plan([event('made', 'k'), event('replaced', 'k', THEN + 10)], { closed })), []);
  assert.deepEqual(said(plan([event('replaced', 'k', THEN + 11)], { closed })), ['unregistered k']);
  assert.deepEqual(said(plan([event('made', 'l')], { closed })), ['unregistered l']);
  // That it was found as a stranger’s key is no record of its end in use.
  const keys = [key('k')];
  assert.deepEqual(said(plan([event('ended', 'k')], { closed, keys })), ['changed-outside k']);
  const before = [finding('k', { kind: 'changed-outside', state: 'gone', closedAt: THEN, told: TOLD })];
  assert.deepEqual(said(plan([event('ended', 'k')], { closed: before, keys })), []);
});

test('the brake: one look makes no more findings than it may, and leaves the rest', () => {
  const events = [1, 2, 3, 4].map((n) => event('made', `k${n}`, THEN + n));
  const { changes, leftAt } = plan(events, { foundMax: 2 });
  assert.deepEqual([changes.length, leftAt], [2, THEN + 3]);
});

// The world: credentials that are rotated one after the other, strangers who make keys and change ours, looks at any time.

/** The provider's clock is never further off. */
const SKEW_MS = 30_000;

interface Happening {
  readonly at: number;
  readonly logged: LoggedEvent;
}

interface World {
  readonly events: readonly Happening[];
  readonly keysAt: (now: number) => LoggedKey[];
  readonly spansAt: (now: number) => RotationSpan[];
  /** What strangers did, by key. */
  readonly outside: ReadonlyMap<string, string>;
  readonly endsAt: number;
}

const anyWorld: fc.Arbitrary<World> = fc
  .record({
    credentials: fc.array(
      fc.array(
        fc.record({
          waitMs: fc.integer({ min: 2 * NEAR_MS, max: 5 * HOUR_MS }),
          writtenAfterMs: fc.integer({ min: 0, max: 300_000 }),
          drainMs: fc.integer({ min: 0, max: 30 * HOUR_MS }),
          names: fc.constantFrom('old', 'new'),
          isMadeToo: fc.boolean(),
          isLabelled: fc.boolean(),
        }),
        { maxLength: 4 },
      ),
      { minLength: 1, maxLength: 3 },
    ),
    isLastRunning: fc.boolean(),
    strangers: fc.array(
      fc.record({ is: fc.constantFrom('made', 'replaced', 'both'), afterMs: fc.nat({ max: 40 * HOUR_MS }) }),
      { maxLength: 3 },
    ),
    attacked: fc.constantFrom(null, 'ended', 'replaced', 'both'),
    skews: fc.array(fc.integer({ min: -SKEW_MS, max: SKEW_MS }), { minLength: 7, maxLength: 7 }),
  })
  .map(({ credentials, isLastRunning, strangers, attacked, skews }) => {
    const events: Happening[] = [];
    const keys: (LoggedKey & { readonly diesAt: number })[] = [];
    const spans: { credentialId: string; from: number; until: number }[] = [];
    const outside = new Map<string, string>();
    const note = (at: number, is: LoggedEvent['is'], id: string, keyName: string | null = null) =>
      events.push({ at, logged: event(is, id, at + skews[events.length % skews.length]!, { keyName }) });
    let endsAt = NOW;
    for (const [c, rotations] of credentials.entries()) {
      const credentialId = `crd_${c}${'0'.repeat(16)}`;
      let at = NOW;
      let old = { id: `c${c}k0`, createdAt: NOW - HOUR_MS };
      for (const [n, one] of rotations.entries()) {
        const from = at + one.waitMs;
        const calledAt = from + 1_000;
        const fresh = { id: `c${c}k${n + 1}`, createdAt: calledAt + one.writtenAfterMs };
        const isRunning = isLastRunning && n === rotations.length - 1;
        const endedAt = fresh.createdAt + one.drainMs;
        const until = isRunning ? Number.POSITIVE_INFINITY : endedAt + 1_000;
        const name = formatLabel({
          instance: INSTANCE,
          credential: labelPart(credentialId),
          rotation: '0'.repeat(16),
          attempt: 1,
        });
        if (one.isMadeToo) note(calledAt, 'made', fresh.id, one.isLabelled ? name : null);
        note(calledAt, 'replaced', one.names === 'old' ? old.id : fresh.id);
        if (!isRunning) note(endedAt, 'ended', old.id);
        const diesAt = isRunning ? Number.POSITIVE_INFINITY : endedAt - 100;
        keys.push({ ...key(old.id, { credentialId, createdAt: old.createdAt }), diesAt });
        spans.push({ credentialId, from, until });
        at = isRunning ? fresh.createdAt : until;
        old = fresh;
        endsAt = Math.max(endsAt, at);
      }
      keys.push({ ...key(old.id, { credentialId, createdAt: old.createdAt }), diesAt: Number.POSITIVE_INFINITY });
    }
    for (const [n, { is, afterMs }] of strangers.entries()) {
      if (is !== 'replaced') note(NOW + afterMs, 'made', `stranger${n}`);
      if (is !== 'made') note(NOW + afterMs, 'replaced', `stranger${n}`);
      outside.set(`stranger${n}`, 'unregistered');
    }
    const victim = keys.findLast(({ diesAt }) => diesAt === Number.POSITIVE_INFINITY)!;
    const isBusy = spans.some(
      (span) => span.credentialId === victim.credentialId && span.until === Number.POSITIVE_INFINITY,
    );
    const attackAt = endsAt + 2 * NEAR_MS;
    if (attacked !== null && !isBusy) {
      if (attacked !== 'ended') note(attackAt, 'replaced', victim.providerKeyId);
      if (attacked !== 'replaced') note(attackAt + 1_000, 'ended', victim.providerKeyId);
      outside.set(victim.providerKeyId, 'changed-outside');
    }
    return {
      events,
      outside,
      keysAt: (now: number) =>
        keys.filter(({ createdAt }) => createdAt <= now).map((one) => ({ ...one, isLive: now < one.diesAt })),
      spansAt: (now: number) =>
        spans
          .filter(({ from }) => from <= now)
          .map((span) => ({ ...span, until: span.until <= now ? span.until : null })),
      endsAt: Math.max(attackAt, ...events.map(({ at }) => at)),
    };
  });

/** A look: how long after which event, and which of the events it is shown, in which order. */
const anyLook = fc.record({
  after: fc.nat({ max: 1_000 }),
  waitMs: fc.oneof(fc.nat({ max: 200_000 }), fc.nat({ max: 50 * HOUR_MS })),
  shown: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  isReversed: fc.boolean(),
});

test('our rotations never make a finding, and each change outside makes exactly one', () => {
  fc.assert(
    fc.property(anyWorld, fc.array(anyLook, { maxLength: 8 }), (world, looks) => {
      const standing = new Map<string, FindingRow>();
      const closed: FindingRow[] = [];
      const found: string[] = [];
      function look(now: number, events: readonly LoggedEvent[]): void {
        const { changes } = planLog({
          events,
          instance: INSTANCE,
          credentials: new Set(world.keysAt(now).map(({ credentialId }) => labelPart(credentialId))),
          keys: world.keysAt(now),
          rotations: world.spansAt(now),
          standing: [...standing.values()],
          closed,
          now,
          settleMs: 60_000,
          foundMax: 100,
        });
        for (const change of changes) {
          const { providerKeyId } = change;
          const known = standing.get(providerKeyId);
          if (change.is === 'found') {
            found.push(`${change.kind} ${providerKeyId}`);
            standing.set(providerKeyId, finding(providerKeyId, { kind: change.kind, told: change.told }));
          } else if (change.is === 'told') standing.set(providerKeyId, { ...known!, told: change.told });
          else {
            standing.delete(providerKeyId);
            closed.push({ ...known!, state: change.as, closedAt: now });
          }
        }
      }
      const times = looks
        .map(({ after, waitMs }) => (world.events[after % world.events.length]?.at ?? NOW) + waitMs)
        .map((at) => Math.min(at, world.endsAt))
        .sort((a, b) => a - b);
      for (const [i, { shown, isReversed }] of looks.entries()) {
        const now = times[i]!;
        const there = world.events.filter(({ at }, n) => at <= now && shown[n % shown.length]!);
        const events = there.map(({ logged }) => logged);
        look(now, isReversed ? events.toReversed() : events);
      }
      const all = world.events.map(({ logged }) => logged);
      // After a day nothing is left any more, and reading it all again brings nothing.
      for (let again = 0; again < 3; again++) look(world.endsAt + LEFT_MAX_MS + HOUR_MS + again, all);
      assert.deepEqual(found.sort(), [...world.outside].map(([id, kind]) => `${kind} ${id}`).sort());
    }),
    { numRuns: 300 },
  );
});
