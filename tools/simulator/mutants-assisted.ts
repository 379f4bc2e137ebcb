// Planted defects of the overlap protocol where a person makes the key or deletes the old one, or the provider replaces it with a grace: each
// loses a key in silence, leaves one that nobody knows of, asks a person for nothing, or waits for ever.
import { type Mutant, OVERLAP, protocol, shell } from './mutant.ts';

const STEPS = 'src/rotation/overlap-steps.ts';
const PERSON = 'tools/simulator/assisted/person.ts';
const RIM = 'tools/simulator/assisted/shell.ts';
const ROWS = 'tools/simulator/assisted/database.ts';

/** Whose simulation catches it. */
const CAUGHT_BY = { protocol: 'assisted' } as const;

function assisted(name: string, why: string, ...edits: [string, string, string][]): Mutant {
  return { ...protocol(name, why, ...edits), ...CAUGHT_BY };
}

function rim(name: string, why: string, ...edits: [string, string, string][]): Mutant {
  return { ...shell(name, why, ...edits), ...CAUGHT_BY };
}

export const ASSISTED: readonly Mutant[] = [
  // The wait for a key.
  assisted('a restart cuts the wait for a key short', 'the person comes in time, and is told that it is over', [
    OVERLAP,
    'const left = policy.awaitMaxMs - elapsedMs(state.since, now);',
    'const left = policy.awaitMaxMs - now.mono;',
  ]),
  assisted(
    'each restart gives the wait for a key its whole time twice',
    'a rotation that nobody does anything for goes on and on',
    [
      OVERLAP,
      'const left = policy.awaitMaxMs - elapsedMs(state.since, now);',
      'const left = policy.awaitMaxMs * (state.since.boot === now.boot ? 1 : 2) - elapsedMs(state.since, now);',
    ],
  ),
  assisted('the wait for a key has no end', 'the credential can never be rotated again', [
    OVERLAP,
    "return left > 0 ? { kind: 'wait', ms: left } : { kind: 'note', event: { on: 'expired' } };",
    "return { kind: 'wait', ms: Math.max(1_000, left) };",
  ]),
  assisted('a wait that is over is called rotated', 'nobody brought a key, and nobody is told', [
    STEPS,
    "if (event.on === 'expired') return finish({ ...state, undoing: EXPIRED }, 'aborted');",
    "if (event.on === 'expired') return finish(state, 'rotated');",
  ]),
  assisted(
    'the wait for another key goes on with the time of the first',
    'whoever brought a bad key has no time for a good one',
    [
      STEPS,
      'const next = enter(again, firstStep(state.means), now);',
      'const next = { ...enter(again, firstStep(state.means), now), since: { boot: now.boot, mono: 0 } };',
    ],
  ),
  assisted('a person’s rotation begins with a call', 'a key is made that nobody asked for', [
    OVERLAP,
    'step: firstStep(means),',
    "step: 'issue',",
  ]),
  assisted(
    'after a key that was dead on arrival the provider is asked, not the person',
    'a key is made that nobody asked for',
    [STEPS, 'const next = enter(again, firstStep(state.means), now);', "const next = enter(again, 'issue', now);"],
  ),
  assisted('a brought key is promoted unseen', 'everybody who uses the credential is refused', [
    STEPS,
    "return enter({ ...state, fresh: { versionId: event.versionId, providerKeyId: event.providerKeyId } }, 'verify', now);",
    "return enter({ ...state, fresh: { versionId: event.versionId, providerKeyId: event.providerKeyId } }, 'promote', now);",
  ]),
  assisted('keys without a label of ours are looked for in the list', "a person's key is taken for an orphan", [
    OVERLAP,
    "if (state.means.issue !== 'api') return { kind: 'note', event: { on: 'list-impossible' } };",
    '',
  ]),
  // The means go.
  assisted('with nothing to revoke with it is called again and again', 'it takes long until anybody is told', [
    STEPS,
    "  if (on === 'no-means') return { ...proving, means: { ...state.means, revoke: 'person' } };\n",
    '',
  ]),
  assisted('with nobody to ask for a key it is asked for again and again', 'it takes long until anybody is told', [
    STEPS,
    "if (event.on === 'no-means') return { ...state, intent: false, end: 'blocked', reason: NO_ISSUER };",
    "if (event.on === 'no-means') return retry(state, now, policy, 'the provider refuses to issue a key');",
  ]),
  assisted('that there was nobody to ask for a key is forgotten', 'nothing happens any more, and nobody is told', [
    STEPS,
    "if (event.on === 'no-means') return { ...state, intent: false, end: 'blocked', reason: NO_ISSUER };",
    "if (event.on === 'no-means') return state;",
  ]),
  // The point of no return.
  assisted('a replacement under way can be cancelled', 'the run ends aborted, and the old key ends with its grace', [
    STEPS,
    "return state.committed || (state.means.issue === 'grace' && state.step === 'issue' && state.intent);",
    'return state.committed;',
  ]),
  assisted(
    'a lost answer of a replacement does not commit',
    'the run ends aborted, and the old key ends with its grace',
    [
      STEPS,
      "const committed = state.committed || (state.means.issue === 'grace' && event.on === 'issue-ambiguous');",
      'const committed = state.committed;',
    ],
  ),
  assisted(
    'a replacement that was made does not commit',
    'the key in force is revoked, and the old one ends with its grace',
    [
      STEPS,
      "return enter({ ...state, fresh, committed: state.means.issue === 'grace' }, 'verify', now);",
      "return enter({ ...state, fresh }, 'verify', now);",
    ],
  ),
  assisted(
    'a replacement that was certainly refused commits',
    'nobody can stop a rotation for which nothing has happened',
    [
      STEPS,
      "return retry({ ...state, attempt: state.attempt + 1 }, now, policy, 'the provider refuses to issue a key');",
      "return retry({ ...state, committed: true, attempt: state.attempt + 1 }, now, policy, 'the provider refuses');",
    ],
  ),
  assisted('what is committed can be cancelled', 'the run ends aborted, and the old key ends with its grace', [
    OVERLAP,
    '    if (isCommitted(state)) return state;\n',
    '',
  ]),
  assisted(
    'a replacement that looks dead is undone like any other',
    'the key in force is revoked, and the old one ends with its grace',
    [STEPS, "  if (isCommitted(state)) return enter({ ...undoing, target: 'fresh' }, 'prove', now);\n", ''],
  ),
  assisted(
    'a replacement that only looked dead is revoked',
    'the key in force is revoked, and the old one ends with its grace',
    [
      STEPS,
      "if (seen === 'alive' && isCommitted(state) && state.target === 'fresh') {",
      "if (seen === 'alive' && isCommitted(state) && state.attempt < 0) {",
    ],
  ),
  assisted('a replacement that looks dead is replaced unproven', 'a working key is put into its grace', [
    STEPS,
    'if (!isProvenDead(death, policy.death)) return { ...state, death, failures: 0, pause: null };',
    'if (!isCommitted(state) && !isProvenDead(death, policy.death)) return { ...state, death, failures: 0, pause: null };',
  ]),
  assisted(
    'after the last replacement that was dead on arrival the run is aborted',
    'the old key ends with its grace, and nobody is told',
    [
      STEPS,
      'if (state.undoing === DEAD_ON_ARRIVAL && (!isLast || isCommitted(state))) {',
      'if (state.undoing === DEAD_ON_ARRIVAL && !isLast) {',
    ],
  ),
  assisted('dead replacements are replaced without end', 'a provider that makes bad keys is asked for ever', [
    STEPS,
    "return isLast ? { ...next, end: 'blocked', reason: 'each new key was dead on arrival' } : next;",
    'return next;',
  ]),
  assisted('a replacement that died in use is undone', 'the run ends aborted, and the old key ends with its grace', [
    STEPS,
    "if (state.target === 'old' && isCommitted(state)) {",
    "if (state.target === 'old' && isCommitted(state) && state.attempt < 0) {",
  ]),
  assisted(
    'a lost replacement is asked for again at once',
    'the first one arrives later, and puts the second into its grace',
    [STEPS, 'return pauseFor(waiting, policy.settleMs, now);', 'return waiting;'],
  ),
  // What a person is to delete.
  assisted(
    'a person’s deletion is called for like a provider’s',
    'the run is blocked after some calls that nobody makes',
    [
      STEPS,
      "if (seen === 'alive' && state.means.revoke === 'person') {",
      "if (seen === 'alive' && state.means.revoke === 'person' && state.attempt < 0) {",
    ],
  ),
  assisted('an old key that nobody deletes is watched for ever', 'a key lives on, and nobody is told', [
    STEPS,
    'if (elapsedMs(state.since, now) < policy.removalMaxMs) {',
    'if (elapsedMs(state.since, now) < policy.removalMaxMs * 1_000) {',
  ]),
  assisted('a restart uses up the time for a deletion', 'the person is hurried', [
    STEPS,
    'if (elapsedMs(state.since, now) < policy.removalMaxMs) {',
    'if (elapsedMs(state.since, now) < policy.removalMaxMs && state.since.boot === now.boot) {',
  ]),
  assisted('whoever resumes has no more time for the deletion', 'the run is blocked again in the same moment', [
    STEPS,
    "const resumed = state.step === 'prove' ? { ...again, since: now } : again;",
    'const resumed = again;',
  ]),
  assisted(
    'a key that a person is to delete is looked at without a pause',
    'the provider refuses whoever asks so often',
    [
      STEPS,
      'return pauseFor({ ...state, death, failures: 0 }, policy.removalPollMs, now);',
      'return { ...state, death, failures: 0 };',
    ],
  ),
  assisted('a person’s word is the proof', 'a key that nobody deleted is certified dead', [
    STEPS,
    'if (!isProvenDead(death, policy.death)) return { ...state, death, failures: 0, pause: null };',
    "if (state.means.revoke !== 'person' && !isProvenDead(death, policy.death))\n    return { ...state, death, failures: 0, pause: null };",
  ]),
  // The way back.
  assisted(
    'an old key that may have been cut is trusted at once',
    'the traffic goes back to a key that is dead, or a person deletes the only one',
    [STEPS, 'if (leftMs > 0) return pauseFor({ ...state, failures: 0 }, leftMs, now);', ''],
  ),
  assisted('an undone run never goes forward again', 'the old key is dead, the new one works, and nobody may use it', [
    STEPS,
    "return enter({ ...resumed, undoing: null, target: 'old' }, state.promoted ? 'drain' : 'verify', now);",
    'return resumed;',
  ]),
  // The rim.
  rim('a replacement without a grace', 'the old key dies in use', [
    RIM,
    'const request = { graceMs: plan.graceMs };',
    'const request = { graceMs: null };',
  ]),
  rim('the person is told before it is written', 'the key is lost, and nobody brings it again', [
    PERSON,
    "  if (written !== 'done') return false;\n",
    '',
  ]),
  rim('a write of the row wakes nobody', 'a key was brought, and the rotation sleeps', [
    ROWS,
    '  wakeOthers(world, driver);\n',
    '',
  ]),
  rim('the issuer proves the death of the old key', 'rotated, and the new key was deleted instead of the old one', [
    RIM,
    "if (sibling !== null && (sibling.state === 'current' || sibling.state === 'previous')) return sibling.key;",
    'if (sibling !== null && !world.plan.hasIssuer) return sibling.key;',
  ]),
];
