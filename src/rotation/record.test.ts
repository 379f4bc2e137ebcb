// What a step writes: driven through whole rotations in memory, every write follows from the one before, versions move as the protocol
// says, and a certificate is due exactly where a death was proven.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { controlEvent, credentialRow, NOW, versionRow } from '../../test/support/rows.ts';
import { QUICK_ROTATION } from '../../test/support/workshop.ts';
import type { VersionRow, VersionState } from '../credentials/credential.ts';
import type { Bracketed } from '../credentials/prober.ts';
import type { RefusalRecord } from '../credentials/probing.ts';
import { applyEvent, emptyRows, type Rows } from '../model/change.ts';
import { allRows, getRow } from '../model/desk.ts';
import type { Instant } from '../model/instant.ts';
import { beginOverlap, decide, evolve, type Means, type OverlapEvent, type OverlapState } from './overlap.ts';
import { recordStep, type Step } from './record.ts';
import type { OverlapRotation, RotationRow } from './rotation.ts';

const CREDENTIAL = credentialRow({ id: `crd_${'0'.repeat(31)}1`, issuerId: 'crd_i' });
const OLD = versionRow({ id: 'ver_old', credentialId: CREDENTIAL.id, number: 4, providerKeyId: '101' });

function rotationRow(state: OverlapState): OverlapRotation {
  return {
    id: `rot_${'0'.repeat(31)}2`,
    rowVersion: 1,
    credentialId: CREDENTIAL.id,
    trigger: 'operator',
    reason: 'compromised',
    requestedAt: NOW,
    requestedBy: 'prn_1',
    endedAt: null,
    settings: {},
    policy: QUICK_ROTATION,
    state,
    refusals: [],
    revokeCalledAt: null,
    lastProblem: null,
  };
}

function bracketed(verdict: 'alive' | 'dead' | 'unknown', at: number): Bracketed {
  const reading = (is: 'alive' | 'dead' | 'unknown') => ({ at, is, status: null, signature: is, requestId: null });
  const record: RefusalRecord = {
    at,
    target: reading('dead'),
    control: { versionId: 'ver_c', before: reading('alive'), after: reading('alive') },
  };
  return {
    probe: { before: 'alive', target: verdict, after: 'alive' },
    verdict,
    record: verdict === 'dead' ? record : null,
    target: reading(verdict),
  };
}

interface Run {
  readonly rows: Rows;
  readonly steps: Step[];
  readonly types: string[];
}

const MATERIAL: readonly (keyof OverlapState)[] = [
  'step',
  'intent',
  'attempt',
  'fresh',
  'committed',
  'promoted',
  'undoing',
  'target',
  'death',
  'revokes',
  'discards',
  'orphans',
  'overdue',
  'end',
];

const BY_API: Means = { issue: 'api', revoke: 'api' };

/** Runs a rotation in memory; `answer` says what the provider answers to each effect, and whether a key is brought while one is awaited. */
function run(
  answer: (effect: string, n: number) => OverlapEvent | null,
  { means, stepsMax }: { readonly means: Means; readonly stepsMax: number } = { means: BY_API, stepsMax: 400 },
): Run {
  const rows = emptyRows();
  const start: Instant = { boot: 1, mono: 0 };
  const first = beginOverlap({ versionId: OLD.id, providerKeyId: '101' }, start, means);
  const images = [
    { noun: 'credential' as const, row: CREDENTIAL },
    { noun: 'version' as const, row: OLD },
    { noun: 'rotation' as const, row: rotationRow(first) },
  ];
  assert.equal(applyEvent(rows, controlEvent(images)), null);
  const made: Run = { rows, steps: [], types: [] };
  let mono = 0;
  let state = first;
  const evolved = (event: OverlapEvent) => {
    const after = evolve(state, event, { boot: 1, mono }, QUICK_ROTATION);
    const isMaterial = MATERIAL.some((name) => after[name] !== state[name]);
    if (isMaterial) write(made, after, event, mono);
    state = after;
  };
  for (let n = 0; n < stepsMax; n++) {
    const next = decide(state, { boot: 1, mono }, QUICK_ROTATION);
    if (next.kind === 'finished') return made;
    const brought = state.step === 'await' ? answer('await', n) : null;
    if (brought !== null) evolved(brought);
    else if (next.kind === 'wait') mono += next.ms;
    else if (next.kind === 'note') evolved(next.event);
    else {
      if (next.journalFirst) evolved({ on: 'begun' });
      const effect = `${next.effect.do}${'which' in next.effect ? ` ${next.effect.which}` : ''}`;
      const event = answer(effect, n);
      if (event === null) return made;
      evolved(event);
    }
  }
  return made;
}

function write(made: Run, after: OverlapState, event: OverlapEvent, mono: number): void {
  const row = allRows<RotationRow>(made.rows, 'rotation')[0]!;
  const at = NOW + mono;
  const step = recordStep({
    instance: '0a1b2c3d',
    at,
    actor: 'system:rotator',
    row,
    after,
    event,
    detail: { outcome: 'said' },
    bracketed: event.on === 'probed' ? bracketed(event.verdict, at) : null,
    credential: CREDENTIAL,
    versions: allRows<VersionRow>(made.rows, 'version'),
    label: 'clv/0a1b2c3d/0000000000000001/0000000000000002/1',
    envelopeDigest: event.on === 'issued' ? 'digest' : null,
    expiresAt: null,
    issuerId: null,
    scopes: null,
  });
  const ids = step.event.rows.map((image) => image.row.id);
  assert.equal(new Set(ids).size, ids.length, `${step.event.type} changes a row twice`);
  assert.equal(applyEvent(made.rows, step.event), null, step.event.type);
  assert.equal(getRow<RotationRow>(made.rows, 'rotation', row.id), step.row);
  const current = allRows<VersionRow>(made.rows, 'version').filter((version) => version.state === 'current');
  assert(current.length <= 1, `after ${step.event.type} ${current.length} versions are current`);
  made.steps.push(step);
  made.types.push(step.event.type);
}

/** A provider that does what it is asked. */
function good(dead: { old: boolean; fresh: boolean }): (effect: string, n: number) => OverlapEvent {
  return (effect, n) => {
    switch (effect) {
      case 'issue':
      case 'await':
        return { on: 'issued', versionId: `ver_new${n}`, providerKeyId: `2${n}` };
      case 'list':
        return { on: 'listed', orphans: [] };
      case 'probe old':
        return { on: 'probed', verdict: dead.old ? 'dead' : 'alive' };
      case 'probe fresh':
        return { on: 'probed', verdict: dead.fresh ? 'dead' : 'alive' };
      case 'cover':
        return { on: 'covered', by: 'copy' };
      case 'revoke old':
        dead.old = true;
        return { on: 'revoke-called' };
      case 'revoke fresh':
        dead.fresh = true;
        return { on: 'revoke-called' };
      default:
        return { on: 'observed', known: true, inFlight: 0, idleMs: 1e9 };
    }
  };
}

function states(made: Run): [number, VersionState][] {
  return allRows<VersionRow>(made.rows, 'version').map((version) => [version.number, version.state]);
}

test('a whole rotation: names, versions and times as they are written', () => {
  const made = run(good({ old: false, fresh: false }));
  assert.deepEqual(states(made), [
    [4, 'revoked'],
    [5, 'current'],
  ]);
  const [old, fresh] = allRows<VersionRow>(made.rows, 'version') as [VersionRow, VersionRow];
  assert.deepEqual([old.reason, fresh.reason], ['compromised', null], 'why it went is the rotation’s reason');
  assert(old.retiredAt! <= old.revokingAt! && old.revokingAt! <= old.revokedAt!);
  assert.deepEqual(
    [fresh.envelopeDigest, fresh.label],
    ['digest', `clv/0a1b2c3d/${'0'.repeat(15)}1/${'0'.repeat(15)}2/1`],
  );
  assert.notEqual(fresh.secondCopyAt, null);
  const [row] = allRows<RotationRow>(made.rows, 'rotation');
  assert.deepEqual(
    [row!.state.end, row!.endedAt !== null, row!.refusals.length, row!.lastProblem],
    ['rotated', true, 3, null],
  );
  const proven = made.steps.filter((step) => step.proven !== null);
  assert.deepEqual(
    proven.map((step) => step.proven!.id),
    ['ver_old'],
    'one certificate is due, at the last refusal',
  );
  assert.equal(proven[0]!.row.refusals.length, 3);
});

test('a checkpoint is wanted for the intent to revoke, and for nothing else', () => {
  const made = run(good({ old: false, fresh: false }));
  const wanted = made.steps.filter((step) => step.checkpoint).map((step) => step.event.type);
  assert.deepEqual(wanted, ['rotation.revoke-begun']);
  const step = made.steps.find(({ checkpoint }) => checkpoint)!;
  assert.equal(step.row.revokeCalledAt, step.event.at);
  assert.equal(
    step.event.rows.some(({ noun, row }) => noun === 'version' && (row as VersionRow).state === 'revoking'),
    true,
  );
});

test('an acceptance discards the refusals before it', () => {
  const dead = { old: false, fresh: false };
  const provider = good(dead);
  let probes = 0;
  const made = run((effect, n) => {
    if (effect !== 'probe old') return provider(effect, n);
    probes++;
    return { on: 'probed', verdict: probes === 3 ? 'alive' : 'dead' };
  });
  const [row] = allRows<RotationRow>(made.rows, 'rotation');
  assert.deepEqual([row!.state.end, row!.refusals.length], ['rotated', 3]);
  const counts = made.steps.map((step) => step.row.refusals.length);
  assert.deepEqual(
    counts.filter((count, i) => i === 0 || count !== counts[i - 1]),
    [0, 1, 2, 0, 1, 2, 3],
  );
  const called = made.steps.filter((step) => step.event.type === 'rotation.revoke-begun');
  assert.equal(called.length, 2);
  assert.equal(row!.revokeCalledAt, called[1]!.event.at);
});

test('a key that is dead on arrival is proven dead under its own reason before another one is made', () => {
  const dead = { old: false, fresh: true };
  let issued = 0;
  const provider = good(dead);
  const made = run((effect, n) => {
    if (effect === 'issue') dead.fresh = ++issued === 1;
    return provider(effect, n);
  });
  assert.deepEqual(states(made), [
    [4, 'revoked'],
    [5, 'revoked'],
    [6, 'current'],
  ]);
  const proven = made.steps.filter((step) => step.proven !== null).map((step) => step.proven!.number);
  assert.deepEqual(proven, [5, 4]);
  const reasons = allRows<VersionRow>(made.rows, 'version').map((version) => version.reason);
  assert.deepEqual(reasons, ['compromised', 'superseded', null]);
});

const ALL: readonly Means[] = (['api', 'grace', 'person'] as const).flatMap((issue) =>
  (['api', 'person'] as const).map((revoke) => ({ issue, revoke })),
);

for (const means of ALL) {
  test(`a whole rotation, issued by ${means.issue} and revoked by ${means.revoke}`, () => {
    const made = run(good({ old: false, fresh: false }), { means, stepsMax: 400 });
    assert.deepEqual(states(made), [
      [4, 'revoked'],
      [5, 'current'],
    ]);
    const [row] = allRows<RotationRow>(made.rows, 'rotation');
    assert.deepEqual([row!.state.end, row!.refusals.length], ['rotated', 3]);
    // Where a person deletes it, no call was made.
    assert.equal(row!.revokeCalledAt !== null, means.revoke === 'api');
    assert.equal(made.types.includes('rotation.issue-begun'), means.issue !== 'person');
  });
}

test('a brought key without an id at the provider is written as one whose id is not known', () => {
  const provider = good({ old: false, fresh: false });
  const made = run(
    (effect, n) =>
      effect === 'await' ? { on: 'issued', versionId: 'ver_brought', providerKeyId: '' } : provider(effect, n),
    { means: { issue: 'person', revoke: 'person' }, stepsMax: 400 },
  );
  assert.equal(getRow<VersionRow>(made.rows, 'version', 'ver_brought').providerKeyId, null);
});

test('a wait for a key that nobody brings ends on record, with the old version as it was', () => {
  const made = run(() => null, { means: { issue: 'person', revoke: 'api' }, stepsMax: 10 });
  assert.deepEqual(made.types, ['rotation.expired']);
  assert.deepEqual(states(made), [[4, 'current']]);
  assert.notEqual(allRows<RotationRow>(made.rows, 'rotation')[0]!.endedAt, null);
});

test('whatever a provider answers, writes follow one another, and what is revoked was proven', () => {
  const pick = fc.infiniteStream(fc.nat(99));
  fc.assert(
    fc.property(pick, fc.constantFrom(...ALL), (stream, means) => {
      const next = () => stream.next().value as number;
      const dead = { old: false, fresh: false };
      const provider = good(dead);
      const made = run(
        (effect, n) => {
          if (next() > 40) return provider(effect, n);
          const kind = next() % 3;
          switch (effect) {
            case 'issue':
              return kind === 0 ? { on: 'issue-ambiguous' } : { on: 'issue-refused', quotaFull: kind === 1 };
            case 'await':
              return kind === 0 ? null : provider(effect, n);
            case 'list':
              return kind === 0 ? { on: 'list-failed' } : { on: 'listed', orphans: kind === 1 ? ['77'] : [] };
            case 'discard':
              return kind === 0 ? { on: 'discard-failed' } : { on: 'discarded' };
            case 'probe old':
            case 'probe fresh':
              return { on: 'probed', verdict: (['alive', 'dead', 'unknown'] as const)[kind]! };
            case 'cover':
              return { on: 'cover-failed' };
            case 'observe old':
            case 'observe fresh':
              return { on: 'observed', known: kind === 0, inFlight: kind, idleMs: 0 };
            default:
              return kind === 0 && next() % 8 === 0
                ? { on: 'cancelled', reason: 'a person said so' }
                : provider(effect, n);
          }
        },
        { means, stepsMax: 150 },
      );
      const proven = new Set(made.steps.filter((step) => step.proven !== null).map((step) => step.proven!.id));
      for (const version of allRows<VersionRow>(made.rows, 'version'))
        assert.equal(version.state === 'revoked', proven.has(version.id));
      for (const step of made.steps) {
        if (step.proven !== null) assert(step.row.refusals.length >= QUICK_ROTATION.death.refusals);
        assert.match(step.event.type, /^rotation\.[a-z-]+$/);
        assert(!('envelope' in step.event.detail));
      }
    }),
    { numRuns: 400 },
  );
});
