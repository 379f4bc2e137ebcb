// The planted defects. Each is a textual patch of the real source files, or of the simulator's own rim where the rule lives in the
// rim; the simulator must break an invariant with each one. `from` occurs exactly once in its file, so that a mutant which no
// longer applies is noticed. A defect that the simulator found has its reversal here.

export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly name: string;
  /** `protocol`: the pure files of src. `shell`: the simulator's rim; the production rim has tests of its own. */
  readonly where: 'protocol' | 'shell';
  /** Why it matters: what would happen to somebody's keys. */
  readonly why: string;
  readonly edits: readonly Edit[];
}

const OVERLAP = 'src/rotation/overlap.ts';
const DRIVE = 'src/rotation/drive.ts';
const DEATH = 'src/credentials/death.ts';
const LABEL = 'src/credentials/label.ts';
const INVENTORY = 'src/credentials/inventory.ts';
const RECOVERY = 'src/credentials/recovery.ts';
const INSTANT = 'src/model/instant.ts';
const SHELL = 'tools/simulator/shell.ts';
const DATABASE = 'tools/simulator/database.ts';
const LOOKS = 'tools/simulator/looks.ts';
const MACHINES = 'tools/simulator/machines.ts';
const BOOTS = 'tools/simulator/boots.ts';
const SCHEDULE = 'tools/simulator/schedule.ts';

function protocol(name: string, why: string, ...edits: [string, string, string][]): Mutant {
  return { name, where: 'protocol', why, edits: edits.map(([file, from, to]) => ({ file, from, to })) };
}

function shell(name: string, why: string, ...edits: [string, string, string][]): Mutant {
  return { ...protocol(name, why, ...edits), where: 'shell' };
}

/** The list of DESIGN section 5. */
const PROMISED: readonly Mutant[] = [
  protocol('no prove', 'a delete that did nothing is believed', [
    OVERLAP,
    "? enter({ ...state, revokes: state.revokes + 1, death: NO_EVIDENCE }, 'prove', now)",
    "? enter({ ...state, revokes: state.revokes + 1, death: NO_EVIDENCE }, 'sweep', now)",
  ]),
  protocol('one refusal is proof', 'a single false refusal ends a living key in our books', [
    DEATH,
    'return evidence.refusals >= policy.refusals;',
    'return evidence.refusals >= 1;',
  ]),
  protocol(
    'probes closer than propagation',
    'refusals of one node before the others have heard',
    [DEATH, 'return Math.max(0, policy.spacingMs - elapsedMs(evidence.lastRefusal, now));', 'return 0;'],
    [DEATH, 'elapsedMs(evidence.lastRefusal, now) < policy.spacingMs', 'elapsedMs(evidence.lastRefusal, now) < 0'],
  ),
  protocol('the default policy probes closer than propagation', 'the default must be safe by itself', [
    DEATH,
    'spacingMs: Math.max(1_000, propagationMs)',
    'spacingMs: Math.max(1_000, Math.ceil(propagationMs / 20))',
  ]),
  protocol('a timeout is dead', 'a slow provider ends a living key in our books', [
    DEATH,
    "if (probe.target === 'dead' &&",
    "if (probe.target !== 'alive' &&",
  ]),
  protocol('a timeout is alive', 'a key that nobody accepted is made current', [
    DEATH,
    "if (probe.target === 'alive') return 'alive';",
    "if (probe.target !== 'dead') return 'alive';",
  ]),
  protocol('a dead new key is promoted', 'everybody who uses the credential is refused', [
    OVERLAP,
    'if (dead >= policy.verifyDead) return undo(state, DEAD_ON_ARRIVAL, now);',
    "if (dead >= policy.verifyDead) return enter(state, 'promote', now);",
  ]),
  protocol('revoke before promote', 'the key in use is revoked', [
    OVERLAP,
    "if (alive >= policy.verifyAlive) return enter(state, 'promote', now);",
    "if (alive >= policy.verifyAlive) return enter(state, 'revoke', now);",
  ]),
  protocol('sweep without the label', "a person's key dies", [
    INVENTORY,
    `    if (label === null) continue;
    if (label.instance === own.instance`,
    `    if (label === null) orphans.push(key.providerKeyId);
    if (label === null) continue;
    if (label.instance === own.instance`,
  ]),
  protocol('a prefix match across credentials', "another credential's new key dies", [
    INVENTORY,
    'label.credential === own.credential && label.rotation === own.rotation',
    'label.credential.startsWith(own.credential.slice(0, 12)) && label.rotation.startsWith(own.rotation.slice(0, 12))',
  ]),
  protocol('the inventory matches credentials by prefix', 'keys that another issuer mints die', [
    INVENTORY,
    '!input.credentials.has(label.credential)',
    '![...input.credentials].some((part) => part.slice(0, 12) === label.credential.slice(0, 12))',
  ]),
  protocol('the inventory has no brake', 'a cloned installation loses every key', [
    INVENTORY,
    'const braked = orphans.length > input.orphansMax;',
    'const braked = false;',
  ]),
  protocol('no drain', 'requests under way are cut off', [
    OVERLAP,
    "enter({ ...state, promoted: true }, 'drain', now)",
    "enter({ ...state, promoted: true }, 'cover', now)",
  ]),
  protocol('an abort does not revoke', 'the new key lives on, and nobody knows', [
    OVERLAP,
    "return enter({ ...undoing, target: 'fresh' }, 'confirm', now);",
    "return enter({ ...undoing, target: 'fresh' }, 'sweep', now);",
  ]),
  protocol('the intent to issue is not journaled', 'a crash leaves a key that nothing tells of', [
    OVERLAP,
    "return act({ do: 'issue', attempt: state.attempt }, true);",
    "return act({ do: 'issue', attempt: state.attempt }, false);",
  ]),
  protocol('the intent to revoke is not journaled', 'a cancel is accepted after the old key was revoked', [
    OVERLAP,
    "return act({ do: 'revoke', which: state.target }, true);",
    "return act({ do: 'revoke', which: state.target }, false);",
  ]),
  shell(
    'the bytes are stored after journaling',
    'a crash in between loses the only copy of the new key',
    [
      DATABASE,
      'const version: Version = { ...minted, hasBytes: true };\n',
      `const version: Version = { ...minted, hasBytes: false };
  schedule(world, world.now + 3, world.process, () => {
    version.hasBytes = true;
  });
`,
    ],
    [DATABASE, '  NEVER,\n', '  NEVER,\n  schedule,\n'],
  ),
  protocol(
    'a label without its attempt',
    'a lost key keeps the name, and the provider refuses every later one',
    [LABEL, `/\${label.rotation}/\${label.attempt}\``, `/\${label.rotation}\``],
    [LABEL, '([0-9a-f]{16})\\/([1-9][0-9]{0,3})$/', '([0-9a-f]{16})$/'],
    [LABEL, 'attempt: Number(match[4])', 'attempt: 1'],
  ),
  protocol('verify once', 'one node knows the new key, the others refuse it', [
    OVERLAP,
    'if (alive >= policy.verifyAlive)',
    'if (alive >= 1)',
  ]),
  protocol('give up on the first failed issue', 'a hiccup of the provider ends the rotation', [
    OVERLAP,
    "return retry({ ...state, attempt: state.attempt + 1 }, now, policy, 'the provider refuses to issue a key');",
    "return undo(state, 'the provider refuses to issue a key', now);",
  ]),
  protocol('an abort is reported as rotated', 'everybody believes that the old key is gone', [
    OVERLAP,
    "return finish(state, state.undoing === null ? 'rotated' : 'aborted');",
    "return finish(state, 'rotated');",
  ]),
  shell('no standing inventory', 'a create that arrives late lives for ever', [
    SCHEDULE,
    '    finalLook(world);\n',
    '    void finalLook;\n',
  ]),
  protocol(
    'confirmations survive a retry of the issue',
    'the next key is trusted for what its predecessor showed',
    [OVERLAP, 'failures: 0, alive: 0, dead: 0,', 'failures: 0, dead: 0,'],
    [
      OVERLAP,
      "const alive = seen === 'alive' ? state.alive + 1 : 0;",
      "const alive = seen === 'alive' ? state.alive + 1 : state.alive;",
    ],
  ),
  protocol(
    'refusals survive an acceptance',
    'refusals from before the key worked again count towards its death',
    [DEATH, "if (seen === 'alive') return NO_EVIDENCE;", "if (seen === 'alive') return evidence;"],
    [OVERLAP, 'revokes: state.revokes + 1, death: NO_EVIDENCE }', 'revokes: state.revokes + 1 }'],
  ),
  protocol("the retired key's id is forgotten before its deletion is confirmed", 'a key that nobody can ever revoke', [
    OVERLAP,
    'if (dead >= policy.verifyDead) return undo(state, DEAD_ON_ARRIVAL, now);',
    "if (dead >= policy.verifyDead) return enter({ ...state, fresh: null, attempt: state.attempt + 1 }, 'issue', now);",
  ]),
  shell(
    'two rotators without fencing',
    'two drivers write over each other',
    [SHELL, "  if (rotator.process.fence !== world.database.fence) return 'conflict';\n", ''],
    [SHELL, "  if (rotator.rowVersion !== row.rowVersion) return 'conflict';\n", ''],
  ),
  shell('a rotation extends an expiry', 'an expiring key becomes an immortal one', [
    SHELL,
    'expiresAt: row.expiresAt,',
    'expiresAt: credential.expiresAt,',
  ]),
  shell('a rotation widens scopes', 'an edit under way is minted without anybody asking', [
    SHELL,
    'scope: row.scope,',
    'scope: credential.scope,',
  ]),
  shell(
    'the policy is not pinned',
    'evidence gathered under one rule is weighed under another',
    [MACHINES, 'drive: drive(row.state, row.policy,', 'drive: drive(row.state, world.policyInForce,'],
    [MACHINES, 'rotator.drive = drive(row.state, row.policy,', 'rotator.drive = drive(row.state, world.policyInForce,'],
  ),
];

/** Those that we invented, and the reversals of what the simulator found. */
const FOUND: readonly Mutant[] = [
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
    OVERLAP,
    'failures: 0, revokes: 0, discards: 0, pause: null };',
    'failures: 0, revokes: 0, pause: null };',
  ]),
  protocol('more orphans than the brake are never deleted', 'a blocked run blocks again for ever', [
    OVERLAP,
    'const orphans = event.orphans.slice(0, Math.max(0, policy.discardsMax - state.discards));',
    'const orphans = state.discards + event.orphans.length > policy.discardsMax ? [] : event.orphans;',
  ]),
  protocol('undo without a living old key', 'the only key that works is revoked', [
    OVERLAP,
    "return enter({ ...undoing, target: 'fresh' }, 'confirm', now);",
    "return state.promoted ? enter({ ...undoing, target: 'fresh' }, 'demote', now) : enter({ ...undoing, target: 'fresh' }, 'revoke', now);",
  ]),
  protocol('undo does not confirm again after the drain', 'the old key died while the new one drained', [
    OVERLAP,
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
    'let command: OverlapEvent | null = voidOnRead(start);',
    'let command: OverlapEvent | null = state.failures < 0 ? voidOnRead(start) : null;',
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
    OVERLAP,
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
    OVERLAP,
    "if (state.target === 'old') return undo(state, 'the new key died before the old one was revoked', now);",
    "if (state.target === 'old') return enter(state, 'revoke', now);",
  ]),
  protocol('no sweep', 'what a duplicated request made is left behind', [
    OVERLAP,
    "return enter(proven, 'sweep', now);",
    "return finish(proven, state.undoing === null ? 'rotated' : 'aborted');",
  ]),
  protocol('a sweep without a second look', 'a delete that did nothing is believed', [
    OVERLAP,
    'orphans: state.orphans.slice(1) };',
    "orphans: state.orphans.slice(1), end: state.step === 'sweep' && state.orphans.length === 1 ? (state.undoing === null ? 'rotated' : 'aborted') : null, reason: state.undoing };",
  ]),
  protocol('no reconciliation', 'the lost key holds the last slot of the quota', [
    OVERLAP,
    "const waiting = { ...enter(state, 'reconcile', now), failures: state.failures };",
    "const waiting = { ...enter(state, 'issue', now), failures: state.failures, attempt: state.attempt + 1 };",
  ]),
  protocol('a failed list is a clean one', 'what a duplicated request made is left behind', [
    OVERLAP,
    "return retry(state, now, policy, 'the provider does not list its keys');",
    'return afterClean(state, now, policy);',
  ]),
  protocol('undo does not demote', 'requests go on with the key that is revoked', [
    OVERLAP,
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
    OVERLAP,
    'if (seen.known && seen.inFlight === 0 && seen.idleMs >= policy.quietMs) {',
    'if (seen.known && seen.idleMs >= 0) {',
  ]),
  protocol('drained without evidence', 'what could not be observed is taken for quiet', [
    OVERLAP,
    'if (seen.known && seen.inFlight === 0 && seen.idleMs >= policy.quietMs) {',
    'if (!seen.known || (seen.inFlight === 0 && seen.idleMs >= policy.quietMs)) {',
  ]),
  protocol('a living key is not revoked again', 'one delete that did nothing blocks every rotation', [
    OVERLAP,
    'if (state.revokes >= policy.revokesMax) {',
    'if (state.revokes >= 0) {',
  ]),
  protocol('no limit to revoke calls', 'a provider that lies is called for ever', [
    OVERLAP,
    'if (state.revokes >= policy.revokesMax) {',
    'if (state.revokes < 0) {',
  ]),
  protocol('dead on arrival ends the rotation', 'one bad key ends the rotation', [
    OVERLAP,
    'if (state.undoing === DEAD_ON_ARRIVAL && state.attempt < policy.issueAttemptsMax) {',
    'if (state.undoing === DEAD_ON_ARRIVAL && state.attempt < 0) {',
  ]),

  // The journal.
  protocol('an outcome is not journaled', 'what was learnt is lost with the process', [
    DRIVE,
    'if (isMaterial(state, after)) {',
    "if (isMaterial(state, after) && event.on !== 'covered') {",
  ]),
  protocol('evidence is not material', 'the journal does not show the refusals', [
    DRIVE,
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
    'if (since.boot === now.boot) return now.mono - since.mono;\n  return now.mono;',
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

export const MUTANTS: readonly Mutant[] = [...PROMISED, ...FOUND];
