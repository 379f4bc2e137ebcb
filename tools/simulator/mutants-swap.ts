// Planted defects of the swap protocol: each lets requests meet a dead key, loses a key in silence, or says what is not so.
import { type Mutant, swap } from './mutant.ts';

export const SWAPPED: readonly Mutant[] = [
  swap(
    'swap without a hold',
    'requests meet the dead key',
    ["step: source === 'ours' ? 'prepare' : 'hold',", "step: source === 'ours' ? 'prepare' : 'replace',"],
    [
      "const isShort = state.step === 'replace' && !isHeld(state, now, policy, policy.callMs);",
      'const isShort = false;',
    ],
  ),
  swap('swap while requests are in flight', 'what is in flight meets the dead key', [
    "if (event.inFlight === 0) return { ...enter(state, 'replace', now)",
    "if (event.inFlight < 2) return { ...enter(state, 'replace', now)",
  ]),
  swap('a hold of a process that is gone counts', 'the traffic flows, and the key is replaced', [
    'return heldSince !== null && heldSince.boot === now.boot && elapsedMs',
    'return heldSince !== null && elapsedMs',
  ]),
  swap('a replacement begins when the hold is nearly over', 'the traffic flows before the answer is here', [
    "const isShort = state.step === 'replace' && !isHeld(state, now, policy, policy.callMs);",
    'const isShort = false;',
  ]),
  swap('a lost answer is followed by another call', 'a key that arrived is replaced again, and lost', [
    "return pauseFor(enter(state, 'resolve', now), policy.settleMs, now);\n    case 'replace-refused':",
    "return again({ ...state, attempt: state.attempt + 1 }, now, policy, 'lost');\n    case 'replace-refused':",
  ]),
  swap('an interrupted replacement is simply done again', 'the first one may have happened', [
    "if (state.step === 'replace' && state.intent) return { kind: 'note', event: { on: 'replace-ambiguous' } };",
    '',
  ]),
  swap('the call comes before its intent', 'a crash leaves no trace of it', [
    "return act({ do: 'replace', attempt: state.attempt }, true);",
    "return act({ do: 'replace', attempt: state.attempt }, false);",
  ]),
  swap('one refusal of the old key means lost', 'a key that works is given up', [
    "if (!isProvenDead(death, policy.death)) return { ...state, death, alive: 0, failures: 0, pause: null };\n  if (state.source === 'ours') return nextAttempt(state, now, policy);\n  return { ...ended(state, 'lost', LOST), death };",
    "if (state.source === 'ours') return nextAttempt(state, now, policy);\n  return { ...ended(state, 'lost', LOST), death };",
  ]),
  swap('silence means lost', 'a timeout is taken for a death', [
    "if (seen === 'unknown') return retry({ ...state, death }, now, policy, 'whether the key was replaced is not known');",
    "if (seen === 'unknown') return { ...ended(state, 'lost', LOST), death };",
  ]),
  swap('silence means that nothing happened', 'a key that arrived is replaced again', [
    "if (seen === 'unknown') return retry({ ...state, death }, now, policy, 'whether the key was replaced is not known');",
    "if (seen === 'unknown') return nextAttempt(state, now, policy);",
  ]),
  swap('lost is called rotated', 'nobody is told that a key is gone', [
    "return { ...ended(state, 'lost', LOST), death };",
    "return { ...ended(state, 'rotated', null), death };",
  ]),
  swap(
    'a value of ours is promoted unseen',
    'a version in use that is not in force',
    [
      "return state.source === 'ours'\n        ? enter(state, 'verify', now)",
      "return state.source === 'ours'\n        ? enter(state, 'promote', now)",
    ],
    [
      "if (state.source === 'ours') return enter(state, 'verify', now);\n    return nextAttempt",
      "if (state.source === 'ours') return enter(state, 'promote', now);\n    return nextAttempt",
    ],
    [
      'const alive = state.alive + 1;\n    if (alive < policy.verifyAlive)',
      'const alive = policy.verifyAlive;\n    if (alive < policy.verifyAlive)',
    ],
  ),
  swap('a value of ours that was not accepted counts as in force', 'a version in use that is not in force', [
    "if (state.source === 'ours') return nextAttempt(state, now, policy);\n  return { ...ended(state, 'lost', LOST), death };",
    "if (state.source === 'ours') return enter(state, 'promote', now);\n  return { ...ended(state, 'lost', LOST), death };",
  ]),
  swap('no proof that the old key is dead', 'a key that works is certified dead', [
    "if (event.on === 'covered') return enter(state, 'prove', now);",
    "if (event.on === 'covered') return { ...ended(state, 'rotated', null), death: NO_EVIDENCE };",
  ]),
  swap('one refusal proves the death', 'a key that lingers is certified dead', [
    "if (!isProvenDead(death, policy.death)) return { ...state, death, failures: 0, pause: null };\n  return { ...ended(state, 'rotated', null), death: NO_EVIDENCE };",
    "return { ...ended(state, 'rotated', null), death: NO_EVIDENCE };",
  ]),
  swap('a cancel is accepted after the call', 'the run ends aborted, and the key was replaced', [
    "return state.pivoted ? state : ended(state, 'aborted', event.reason);",
    "return ended(state, 'aborted', event.reason);",
  ]),
  swap('the pivot of a swap is not marked', 'a cancel is accepted after the call', [
    "return state.step === 'replace' ? { ...state, intent: true, pivoted: true } : state;",
    "return state.step === 'replace' ? { ...state, intent: true } : state;",
  ]),
  swap('a promotion does not let the traffic go', 'requests wait although the new key is there', [
    'enter({ ...state, promoted: true, heldSince: null }, state.source',
    'enter({ ...state, promoted: true }, state.source',
  ]),
  swap('what stands still holds the traffic', 'an outage until somebody looks', [
    'return { ...state, intent: false, end, reason, pause: null, heldSince: null };',
    'return { ...state, intent: false, end, reason, pause: null };',
  ]),
  swap('a resumed run has no try left', 'a blocked run blocks again for ever', [
    '{ ...enter(state, state.step, now), tries: 0, end: null, reason: null }',
    '{ ...enter(state, state.step, now), end: null, reason: null }',
  ]),
  swap(
    'a hold is taken as had',
    'nobody waits for what is in flight',
    [
      "return state.heldSince === null ? act({ do: 'hold' }) : act({ do: 'observe' });",
      "return act({ do: 'observe' });",
    ],
    [
      "if (event.on !== 'observed' || state.heldSince === null) return state;",
      "if (event.on !== 'observed') return state;",
    ],
    [
      "if (event.inFlight === 0) return { ...enter(state, 'replace', now), failures",
      "if (event.inFlight === 0) return { ...enter({ ...state, heldSince: now }, 'replace', now), failures",
    ],
  ),
  swap('nothing is refused for good', 'a key that is gone is asked for again and again', [
    'if (event.final) {',
    'if (event.final && state.attempt < 0) {',
  ]),
];
