// The defects that the design promises to catch (mutant.ts says what a mutant is).
import {
  DATABASE,
  DEATH,
  INVENTORY,
  LABEL,
  MACHINES,
  type Mutant,
  OVERLAP,
  OVERLAP_STEPS,
  protocol,
  SCHEDULE,
  SHELL,
  shell,
} from './mutant.ts';

export const PROMISED: readonly Mutant[] = [
  protocol('no prove', 'a delete that did nothing is believed', [
    OVERLAP_STEPS,
    "const proving = enter({ ...state, death: NO_EVIDENCE }, 'prove', now);",
    "const proving = enter({ ...state, death: NO_EVIDENCE }, 'sweep', now);",
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
    OVERLAP_STEPS,
    'if (dead >= policy.verifyDead) return undo(state, DEAD_ON_ARRIVAL, now);',
    "if (dead >= policy.verifyDead) return enter(state, 'promote', now);",
  ]),
  protocol('revoke before promote', 'the key in use is revoked', [
    OVERLAP_STEPS,
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
    OVERLAP_STEPS,
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
    OVERLAP_STEPS,
    'if (alive >= policy.verifyAlive)',
    'if (alive >= 1)',
  ]),
  protocol('give up on the first failed issue', 'a hiccup of the provider ends the rotation', [
    OVERLAP_STEPS,
    "return retry({ ...state, attempt: state.attempt + 1 }, now, policy, 'the provider refuses to issue a key');",
    "return undo(state, 'the provider refuses to issue a key', now);",
  ]),
  protocol('an abort is reported as rotated', 'everybody believes that the old key is gone', [
    OVERLAP_STEPS,
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
    [OVERLAP_STEPS, 'failures: 0, alive: 0, dead: 0,', 'failures: 0, dead: 0,'],
    [
      OVERLAP_STEPS,
      "const alive = seen === 'alive' ? state.alive + 1 : 0;",
      "const alive = seen === 'alive' ? state.alive + 1 : state.alive;",
    ],
  ),
  protocol(
    'refusals survive an acceptance',
    'refusals from before the key worked again count towards its death',
    [DEATH, "if (seen === 'alive') return NO_EVIDENCE;", "if (seen === 'alive') return evidence;"],
    [OVERLAP_STEPS, 'enter({ ...state, death: NO_EVIDENCE }, ', 'enter(state, '],
  ),
  protocol("the retired key's id is forgotten before its deletion is confirmed", 'a key that nobody can ever revoke', [
    OVERLAP_STEPS,
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
    [
      MACHINES,
      'drive: driveProtocol(OVERLAP, row.state, row.policy,',
      'drive: driveProtocol(OVERLAP, row.state, world.policyInForce,',
    ],
    [
      MACHINES,
      'rotator.drive = driveProtocol(OVERLAP, row.state, row.policy,',
      'rotator.drive = driveProtocol(OVERLAP, row.state, world.policyInForce,',
    ],
  ),
];
