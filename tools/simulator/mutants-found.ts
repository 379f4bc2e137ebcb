// The defects that we invented, and the reversals of what the simulator found (mutant.ts says what a mutant is).
import {
  BOOTS,
  DEATH,
  DRIVE,
  INSTANT,
  INVENTORY,
  LABEL,
  LOOKS,
  type Mutant,
  OVERLAP,
  OVERLAP_STEPS,
  protocol,
  RECOVERY,
  SCHEDULE,
  SHELL,
  shell,
} from './mutant.ts';

export const FOUND: readonly Mutant[] = [
  // What the first million schedules found in the first version of the protocol.
  protocol('a command that comes while an outcome is written is dropped', 'an operator cancels, and nothing happens', [
    DRIVE,
    '        command ??= woken.event;\n',
    '        void woken;\n',
  ]),
  protocol('a cancel is ignored while a dead key is cleared away', 'an operator cancels, and another key is issued', [
    OVERLAP,
    'if (state.undoing === DEAD_ON_ARRIVAL) return { ...state, undoing: event.reason };',
    '',
  ]),
  protocol('a resumed run has no brake left', 'a blocked run blocks again for ever', [
    OVERLAP_STEPS,
    'failures: 0, revokes: 0, discards: 0, pause: null };',
    'failures: 0, revokes: 0, pause: null };',
  ]),
  protocol('more orphans than the brake are never deleted', 'a blocked run blocks again for ever', [
    OVERLAP_STEPS,
    'const orphans = event.orphans.slice(0, Math.max(0, policy.discardsMax - state.discards));',
    'const orphans = state.discards + event.orphans.length > policy.discardsMax ? [] : event.orphans;',
  ]),
  protocol('undo without a living old key', 'the only key that works is revoked', [
    OVERLAP_STEPS,
    "return enter({ ...undoing, target: 'fresh' }, 'confirm', now);",
    "return state.promoted ? enter({ ...undoing, target: 'fresh' }, 'demote', now) : enter({ ...undoing, target: 'fresh' }, 'revoke', now);",
  ]),
  protocol('undo does not confirm again after the drain', 'the old key died while the new one drained', [
    OVERLAP_STEPS,
    "return enter(state, state.target === 'old' ? 'cover' : 'confirm', now);",
    "return enter(state, state.target === 'old' ? 'cover' : 'revoke', now);",
  ]),
  protocol('a confirmation does not lapse within a boot', 'the store was down for an hour, the new key died in it', [
    OVERLAP,
    'return since.boot !== now.boot || elapsedMs(since, now) > CONFIRMED_FOR_MS;',
    'return since.boot !== now.boot;',
  ]),
  protocol('a confirmation does not lapse', 'the machine was down for an hour, the new key died in it', [
    OVERLAP,
    "if (state.step === 'revoke' && isUncalled(state) && isLapsed(state.since, now)) {",
    'if (isLapsed(state.since, now) && state.failures < 0) {',
  ]),
  protocol('evidence outlives a crash', 'an acceptance was seen, and lost with the process', [
    DRIVE,
    'let command: Event | null = protocol.voidOnRead(start);',
    'let command: Event | null = state === null ? protocol.voidOnRead(start) : null;',
  ]),
  shell('a waiting driver does not look at its row', 'a cancel waits for the longest stream to end', [
    SCHEDULE,
    'if (!rotator.isWaiting || rotator.process !== world.process) return false;',
    'if (rotator.row.rowVersion > 0) return false;',
  ]),
  shell('a late call takes its key from the row', 'the call of a stale process revokes the key in use', [
    SHELL,
    "const held = which === 'old' ? rotator.state.old : rotator.state.fresh;",
    "const held = which === 'old' ? rotator.row.state.old : rotator.row.state.fresh;",
  ]),

  // Steps left out, or out of order.
  protocol('no control beside a refusal', "a provider's outage ends a living key in our books", [
    DEATH,
    "probe.target === 'dead' && probe.before === 'alive' && probe.after === 'alive'",
    "probe.target === 'dead'",
  ]),
  protocol('no control after a refusal', 'an outage that begins in the middle of a probe', [
    DEATH,
    "probe.before === 'alive' && probe.after === 'alive'",
    "probe.before === 'alive'",
  ]),
  protocol('no control before a refusal', 'an outage that ends in the middle of a probe', [
    DEATH,
    "probe.before === 'alive' && probe.after === 'alive'",
    "probe.after === 'alive'",
  ]),
  protocol('no second copy', 'a restored backup loses every key rotated since', [
    OVERLAP_STEPS,
    "return enter(state, state.target === 'old' ? 'cover' : 'confirm', now);",
    "return enter(state, 'confirm', now);",
  ]),
  protocol('a failed second copy will do', 'a restored backup loses every key rotated since', [
    OVERLAP,
    "return event.on === 'cover-failed' ? retry(state, now, policy, 'no second copy could be written') : state;",
    "return event.on === 'cover-failed' ? enter(state, 'confirm', now) : state;",
  ]),
  protocol('no confirmation', 'the new key died before the old one was revoked', [
    OVERLAP,
    "if (event.on === 'covered') return enter(state, 'confirm', now);",
    "if (event.on === 'covered') return enter({ ...state, revokes: 0 }, 'revoke', now);",
  ]),
  protocol('no way back after the drain', 'the new key is dead and the old one is revoked', [
    OVERLAP_STEPS,
    "if (state.target === 'old') return undo(state, 'the new key died before the old one was revoked', now);",
    "if (state.target === 'old') return enter(state, 'revoke', now);",
  ]),
  protocol('no sweep', 'what a duplicated request made is left behind', [
    OVERLAP_STEPS,
    "return enter(proven, 'sweep', now);",
    "return finish(proven, state.undoing === null ? 'rotated' : 'aborted');",
  ]),
  protocol('a sweep without a second look', 'a delete that did nothing is believed', [
    OVERLAP_STEPS,
    'orphans: state.orphans.slice(1) };',
    "orphans: state.orphans.slice(1), end: state.step === 'sweep' && state.orphans.length === 1 ? (state.undoing === null ? 'rotated' : 'aborted') : null, reason: state.undoing };",
  ]),
  protocol('no reconciliation', 'the lost key holds the last slot of the quota', [
    OVERLAP_STEPS,
    "const waiting = { ...enter({ ...state, committed }, 'reconcile', now), failures: state.failures };",
    "const waiting = { ...enter({ ...state, committed }, 'issue', now), failures: state.failures, attempt: state.attempt + 1 };",
  ]),
  protocol('a failed list is a clean one', 'what a duplicated request made is left behind', [
    OVERLAP_STEPS,
    "return retry(state, now, policy, 'the provider does not list its keys');",
    'return afterClean(state, now, policy);',
  ]),
  protocol('undo does not demote', 'requests go on with the key that is revoked', [
    OVERLAP_STEPS,
    "if (state.target === 'fresh' && state.promoted) return enter(state, 'demote', now);",
    '',
  ]),
  protocol('undo does not drain', 'requests under way are cut off', [
    OVERLAP,
    "enter({ ...state, promoted: false }, 'drain', now)",
    "enter({ ...state, promoted: false }, 'confirm', now)",
  ]),
  protocol('the pivot is not marked', 'a cancel is accepted after the old key was revoked', [
    OVERLAP,
    "const pivoted = state.pivoted || (state.step === 'revoke' && state.target === 'old');",
    'const pivoted = state.pivoted;',
  ]),
  protocol('a cancel is accepted after the pivot', 'the new key is revoked after the old one', [
    OVERLAP,
    'return state.pivoted || state.undoing !== null ? state : undo(state, event.reason, now);',
    'return state.undoing !== null ? state : undo(state, event.reason, now);',
  ]),
  protocol('drained without being quiet', 'a request that comes with the old key is cut off', [
    OVERLAP_STEPS,
    'if (seen.known && seen.inFlight === 0 && seen.idleMs >= policy.quietMs) {',
    'if (seen.known && seen.idleMs >= 0) {',
  ]),
  protocol('drained without evidence', 'what could not be observed is taken for quiet', [
    OVERLAP_STEPS,
    'if (seen.known && seen.inFlight === 0 && seen.idleMs >= policy.quietMs) {',
    'if (!seen.known || (seen.inFlight === 0 && seen.idleMs >= policy.quietMs)) {',
  ]),
  protocol('a living key is not revoked again', 'one delete that did nothing blocks every rotation', [
    OVERLAP_STEPS,
    'if (state.revokes >= policy.revokesMax) {',
    'if (state.revokes >= 0) {',
  ]),
  protocol('no limit to revoke calls', 'a provider that lies is called for ever', [
    OVERLAP_STEPS,
    'if (state.revokes >= policy.revokesMax) {',
    'if (state.revokes < 0) {',
  ]),
  protocol('dead on arrival ends the rotation', 'one bad key ends the rotation', [
    OVERLAP_STEPS,
    'if (state.undoing === DEAD_ON_ARRIVAL && (!isLast || isCommitted(state))) {',
    'if (state.undoing === DEAD_ON_ARRIVAL && state.attempt < 0) {',
  ]),

  // The journal.
  protocol('an outcome is not journaled', 'what was learnt is lost with the process', [
    DRIVE,
    'if (protocol.isMaterial(state, after)) {',
    "if (protocol.isMaterial(state, after) && (event as { on: string }).on !== 'covered') {",
  ]),
  protocol('evidence is not material', 'the journal does not show the refusals', [
    OVERLAP,
    '    before.death !== after.death ||\n',
    '',
  ]),
  protocol('a conflict is overlooked', 'a stale driver acts on a row that is not its own', [
    DRIVE,
    "if (written.journal !== 'done') return 'reload';\n        state = begun;",
    "if (written.journal === 'failed') return 'reload';\n        state = begun;",
  ]),
  protocol('a failing store is overlooked', 'the call is made, and no entry tells of it', [
    DRIVE,
    "if (written.journal !== 'done') return 'reload';\n        state = begun;",
    "if (written.journal === 'conflict') return 'reload';\n        state = begun;",
  ]),
  protocol('an outcome that was not written is taken as written', 'the row and the driver part ways', [
    DRIVE,
    "      if (written.journal !== 'done') return 'reload';\n    }",
    '    }',
  ]),
  protocol('an interrupted issue is tried again at once', 'the intent of the call before is forgotten', [
    OVERLAP,
    "if (state.step === 'issue' && state.intent) return { kind: 'note', event: { on: 'issue-ambiguous' } };\n",
    '',
  ]),

  // Time.
  protocol('a restart cuts waits short', 'the monotonic clock of another boot is compared', [
    INSTANT,
    'return since.boot > now.boot ? 0 : now.mono;',
    'return Math.abs(now.mono - since.mono);',
  ]),

  // The inventory and the label.
  protocol('the inventory deletes keys of running rotations', 'the new key dies before its version is written', [
    INVENTORY,
    '    if (input.running.has(label.rotation)) continue;\n',
    '',
  ]),
  protocol('the inventory deletes held keys', 'the key in use dies', [
    INVENTORY,
    `    listed.add(key.providerKeyId);
    if (input.held.has(key.providerKeyId)) continue;`,
    '    listed.add(key.providerKeyId);',
  ]),
  protocol('the inventory takes every label for ours', "another installation's keys die", [
    INVENTORY,
    'label === null || label.instance !== input.instance || !input.credentials.has(label.credential)',
    'label === null || label.instance !== input.instance',
  ]),
  protocol('the inventory deletes what has no label', "a person's key dies", [
    INVENTORY,
    `      unregistered.push(key);
      continue;
    }
    if (input.running.has(label.rotation)) continue;`,
    `      unregistered.push(key);
    }
    if (label !== null && input.running.has(label.rotation)) continue;`,
  ]),
  protocol('a label may be followed by anything', "a person's copy of our label dies", [
    LABEL,
    '([1-9][0-9]{0,3})$/',
    '([1-9][0-9]{0,3})/',
  ]),
  protocol('a sweep deletes held keys', 'the new key dies', [
    INVENTORY,
    '    if (held.has(key.providerKeyId)) continue;\n    const label = parseLabel(key.name);\n    if (label === null) continue;',
    '    const label = parseLabel(key.name);\n    if (label === null) continue;',
  ]),
  shell(
    'the inventory reads our tables before the list',
    'a key made between the two reads dies',
    [
      LOOKS,
      'const inventory = compare(world, seen, readTables(world), plan.orphansMax);',
      'const inventory = compare(world, list(world, 0), early, plan.orphansMax);',
    ],
    [
      LOOKS,
      'const { dice, plan, rates } = world;',
      'const { dice, plan, rates } = world;\n  const early = readTables(world);',
    ],
  ),

  // Restored backups.
  protocol('second copies are not adopted', 'a restored backup loses every key rotated since', [
    RECOVERY,
    'return copies.filter((copy) => !known.has(copy.versionId));',
    'return copies.filter((copy) => !known.has(copy.versionId) && copy.versionId === null);',
  ]),
  protocol('the recovery takes a dead key for current', 'every request is refused after a restore', [
    RECOVERY,
    "byAge.findLast((candidate) => candidate.verdict === 'alive')",
    "byAge.findLast((candidate) => candidate.verdict !== 'unknown')",
  ]),
  protocol('the recovery does not wait for calls under way', 'a key is taken whose deletion is on its way', [
    RECOVERY,
    'return times.settleMs + times.propagationMs;',
    'return Math.min(1, times.settleMs);',
  ]),
  shell(
    'the inventory looks before second copies are adopted',
    'the only key that works is taken for an orphan',
    [BOOTS, '  adopt(world);\n', '  finalLook(world);\n  adopt(world);\n'],
    [BOOTS, "import { beginLook } from './looks.ts';", "import { beginLook, finalLook } from './looks.ts';"],
  ),
  protocol('a restored rotation goes on', 'the adopted key is retired by nobody', [
    OVERLAP,
    "return isOver ? state : finish({ ...state, undoing: event.reason }, 'aborted');",
    'return isOver ? state : { ...state, undoing: state.undoing };',
  ]),
];
