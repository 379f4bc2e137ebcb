// Planted defects of the revocation protocol: each certifies a key that lives, asks for more than it may, waits for a person who was told nothing, or
// says what is not so.
import { DEATH, DRIVE, type Mutant, protocol, shell } from './mutant.ts';

const ORDER = 'src/revocation/order.ts';
const ROWS = 'src/revocation/revocation.ts';
const RIM = 'tools/simulator/revocation/shell.ts';
const DATABASE = 'tools/simulator/revocation/database.ts';
const SCHEDULE = 'tools/simulator/revocation/schedule.ts';
const WORLD = 'tools/simulator/revocation/world.ts';

/** Whose simulation catches it. */
const CAUGHT_BY = { protocol: 'revocation' } as const;

function order(name: string, why: string, ...edits: [string, string, string][]): Mutant {
  return { ...protocol(`order: ${name}`, why, ...edits), ...CAUGHT_BY };
}

function rim(name: string, why: string, ...edits: [string, string, string][]): Mutant {
  return { ...shell(`order: ${name}`, why, ...edits), ...CAUGHT_BY };
}

const PAUSE = 'const left = state.pause.ms - elapsedMs(state.pause.from, now);';
const STILL = "if (state.end === null || state.end === 'proven') return state;";

export const ORDERED: readonly Mutant[] = [
  // What a proof is.
  order('a call that was answered proves the death', 'a deletion that did nothing is certified', [
    ORDER,
    "      return {\n        ...state,\n        step: 'prove',\n        intent: false,",
    "      return {\n        ...state,\n        end: 'proven',\n        step: 'prove',\n        intent: false,",
  ]),
  order('one refusal proves the death', 'a key that one node still accepts is certified', [
    DEATH,
    'return evidence.refusals >= policy.refusals;',
    'return evidence.refusals >= 1;',
  ]),
  order('two refusals are enough', 'one of them was false', [
    DEATH,
    'return { refusals: 3, spacingMs',
    'return { refusals: 2, spacingMs',
  ]),
  order('refusals stand closer than a deletion spreads', 'a node that nobody asked accepts the key', [
    DEATH,
    'spacingMs: Math.max(1_000, propagationMs)',
    'spacingMs: 1_000',
  ]),
  order(
    'refusals are counted as they come',
    'one moment is taken for three',
    [DEATH, 'return Math.max(0, policy.spacingMs - elapsedMs(evidence.lastRefusal, now));', 'return 0;'],
    [DEATH, 'elapsedMs(evidence.lastRefusal, now) < policy.spacingMs', 'elapsedMs(evidence.lastRefusal, now) < 0'],
  ),
  order('a refusal counts without a control', 'an outage kills every key', [
    DEATH,
    "if (probe.target === 'dead' && probe.before === 'alive' && probe.after === 'alive') return 'dead';",
    "if (probe.target === 'dead') return 'dead';",
  ]),
  order('the control is asked before, and not after', 'an outage that begins in between kills a key', [
    DEATH,
    "probe.before === 'alive' && probe.after === 'alive'",
    "probe.before === 'alive'",
  ]),
  order('the control is asked after, and not before', 'an outage that ends in between kills a key', [
    DEATH,
    "probe.before === 'alive' && probe.after === 'alive'",
    "probe.after === 'alive'",
  ]),
  order('silence counts as a refusal', 'a timeout is taken for a death', [
    DEATH,
    "if (probe.target === 'alive') return 'alive';\n  if (probe.target === 'dead'",
    "if (probe.target === 'alive') return 'alive';\n  if (probe.target !== 'alive'",
  ]),
  order(
    'a probe that says nothing is weighed as a refusal',
    'a timeout is taken for a death',
    [
      ORDER,
      'const death = weigh(state.death, seen, now, policy);',
      "const death = weigh(state.death, seen === 'unknown' ? 'dead' : seen, now, policy);",
    ],
    [
      ORDER,
      'return { ...state, failures, pause: { from: now, ms: backoff(failures) } };',
      'return { ...state, death, failures, pause: { from: now, ms: backoff(failures) } };',
    ],
  ),
  order(
    'an acceptance discards nothing, nor does the call after it',
    'a proof is put together around a key that works',
    [DEATH, "if (seen === 'alive') return NO_EVIDENCE;", "if (seen === 'alive') return evidence;"],
    [ORDER, '        death: NO_EVIDENCE,\n        failures: 0,\n', '        failures: 0,\n'],
  ),
  order('an acceptance is passed over', 'nobody asks the provider again', [
    ORDER,
    "return { ...state, step: 'revoke', death, pause: { from: now, ms: backoff(state.revokes) } };",
    'return { ...state, pause: { from: now, ms: backoff(state.revokes) } };',
  ]),
  order('evidence is taken over from a process that died', 'it saw the key accepted, and did not live to say so', [
    ORDER,
    "(state.step === 'prove' && state.death.refusals > 0 ? { on: 'lapsed' } : null)",
    '(state.step === null ? null : null)',
  ]),
  order('evidence that has lapsed stays', 'a process saw the key accepted, and did not live to say so', [
    ORDER,
    'return state.death.refusals === 0 ? state : { ...state, death: NO_EVIDENCE };',
    'return state;',
  ]),
  order('what is void on reading is forgotten', 'a process saw the key accepted, and did not live to say so', [
    DRIVE,
    'let command: Event | null = protocol.voidOnRead(start);',
    'let command: Event | null = null;',
  ]),
  order('no control means dead', 'nobody could have seen that the key works', [
    ORDER,
    "return { ...state, end: 'unproven', reason: 'no key that is known to be live can serve as control' };",
    "return { ...state, end: 'proven', reason: null };",
  ]),
  order('what cannot be proven is called proven', 'a certificate without a refusal', [
    ORDER,
    "return { ...state, failures, end: 'unproven', reason: 'the death of the key could not be proven' };",
    "return { ...state, failures, end: 'proven', reason: null };",
  ]),
  order('a key that is still accepted is called proven', 'a certificate for a key that works', [
    ORDER,
    "return { ...state, death, end: 'blocked', reason: 'the provider still accepts the key after every revocation' };",
    "return { ...state, death, end: 'proven', reason: null };",
  ]),
  // What is asked of the provider, and how often.
  order('the call comes before its intent', 'a crash leaves no trace of it', [
    ORDER,
    "return { kind: 'act', effect: { do: 'revoke' }, journalFirst: true };",
    "return { kind: 'act', effect: { do: 'revoke' }, journalFirst: false };",
  ]),
  order('an intent that could not be written is acted on', 'a call that no journal tells of', [
    DRIVE,
    "        now = written.now;\n        if (written.journal !== 'done') return 'reload';\n        state = begun;",
    '        now = written.now;\n        state = begun;',
  ]),
  order('calls are not counted', 'the provider is called without end, and nobody is asked', [
    ORDER,
    'revokes: state.revokes + 1,',
    'revokes: state.revokes,',
  ]),
  order('one call more than may be', 'the brake is a number, and not this one', [
    ORDER,
    'if (state.revokes >= policy.revokesMax) {',
    'if (state.revokes > policy.revokesMax) {',
  ]),
  order('the first acceptance stops it', 'a key that is about to die is left to a person', [
    ORDER,
    'if (state.revokes >= policy.revokesMax) {',
    'if (state.revokes >= 1) {',
  ]),
  order('probes that say nothing go on without end', 'nobody is told that nothing can be told', [
    ORDER,
    'if (failures >= policy.failuresMax) {',
    'if (failures < 0) {',
  ]),
  order('one probe that says nothing is the end', 'a person is asked because of a timeout', [
    ORDER,
    'if (failures >= policy.failuresMax) {',
    'if (failures >= 1) {',
  ]),
  order('refusals do not end a row of silences', 'a person is asked too early', [
    ORDER,
    'return { ...state, death, failures: 0, pause: null };',
    'return { ...state, death, pause: null };',
  ]),
  order('a pause is not kept', 'the provider is asked again at once', [ORDER, PAUSE, 'const left = 0;']),
  order('a wait does not grow out of nothing', 'the provider is asked again at once', [
    ORDER,
    'policy.retryMinMs * 2 ** Math.min(n, 20));',
    '0 * n);',
  ]),
  // Whom it waits for.
  order('a key without an id is called for', 'nobody knows what a call with no name ends', [
    ORDER,
    "const step = state.providerKeyId === null ? 'prove' : 'revoke';",
    "const step = 'revoke';",
  ]),
  order('an accepted key without an id is called for', 'nobody knows what a call with no name ends', [
    ORDER,
    'if (state.providerKeyId === null || state.byHand === true) {',
    'if (state.revokes < 0) {',
  ]),
  order('a key that nobody here can revoke waits for nobody', 'it works, and no person knows', [
    ORDER,
    "end: providerKeyId === null ? 'blocked' : null,",
    'end: null,',
  ]),
  order('nothing to call with is nothing to tell', 'a key that works, and no person knows', [
    ORDER,
    "if (state.step !== 'revoke') return state;",
    'if (state.revokes >= 0) return state;',
  ]),
  order('what was begun is nothing to find out about', 'an order that its process died over stands still for ever', [
    ORDER,
    'if (state.intent || state.byHand === true)',
    'if (state.intent) return state;\n      if (state.byHand === true)',
  ]),
  order('a person is asked for what they have done', 'its proof is never begun', [
    ORDER,
    'if (state.intent || state.byHand === true)',
    'if (state.intent)',
  ]),
  order('nobody is told to do it by hand', 'a person resumes, for ever', [
    ORDER,
    "return { ...state, intent: false, pause: null, end: 'blocked', reason: NEEDS_A_PERSON };",
    "return { ...state, intent: false, pause: null, end: 'blocked', reason: 'the provider still accepts the key' };",
  ]),
  order('a resumed order has no call left', 'it blocks again at the first acceptance', [
    ORDER,
    'failures: 0, revokes: 0, death',
    'failures: 0, death',
  ]),
  order('what stands still cannot be resumed', 'a key that works, for ever', [
    ORDER,
    STILL,
    'if (state.step) return state;',
  ]),
  order('an end can be resumed', 'a certified death is taken back', [
    ORDER,
    STILL,
    'if (state.end === null) return state;',
  ]),
  order('it stands still without a reason', 'nobody knows what to do', [
    ORDER,
    "end: 'blocked', reason: 'the provider still accepts the key after every revocation' };",
    "end: 'blocked', reason: null };",
  ]),
  // What is written.
  order('refusals are not worth an entry', 'a certificate without its evidence', [
    ORDER,
    '    before.death !== after.death ||\n',
    '',
  ]),
  order('an end is not worth an entry', 'an order that nobody drives, and that has not ended', [
    ORDER,
    ' ||\n    before.end !== after.end',
    '',
  ]),
  order('a step is not worth an entry', 'the journal tells of a call that nothing led to', [
    ORDER,
    '    before.step !== after.step ||\n',
    '',
  ]),
  order('an outcome that could not be written is believed', 'the row says less than its process thinks', [
    DRIVE,
    "      if (written.journal !== 'done') return 'reload';\n    }\n    state = after;",
    '    }\n    state = after;',
  ]),
  order('orders are not kept apart by their version', 'two of them drive one key', [
    ROWS,
    'naturalKey: (row: RevocationRow) => (row.endedAt === null ? row.versionId : null),',
    'naturalKey: (row: RevocationRow) => (row.endedAt === null ? row.id : null),',
  ]),
  order('an order that waits for a person is not in the way of another', 'two of them drive one key', [
    ROWS,
    'naturalKey: (row: RevocationRow) => (row.endedAt === null ? row.versionId : null),',
    'naturalKey: (row: RevocationRow) => (row.state.end === null ? row.versionId : null),',
  ]),
  // The rim's rules.
  rim('one death has two certificates', 'a rotation proved it first', [
    DATABASE,
    'if (!wasRevoked) {',
    'if (at > 0) {',
  ]),
  rim('a certificate shows refusals that do not count', 'its evidence is not its evidence', [
    DATABASE,
    'after.death.refusals === 0 ? [] : counted',
    'counted',
  ]),
  rim('the control is not asked again', 'an outage that begins in between kills a key', [
    RIM,
    "        bracket.after = readAs(world, 'control', bracket);\n",
    '        bracket.after = bracket.before;\n',
  ]),
  rim('durations are read from the clock on the wall', 'a step of it makes three refusals of one moment', [
    WORLD,
    'mono: world.now - driver.bootedAt }',
    'mono: world.now + world.wallOffsetMs - driver.bootedAt }',
  ]),
  rim('a process that was overtaken writes all the same', 'two of them make one proof', [
    DATABASE,
    "  if (driver.boot !== world.boot || driver.rowVersion !== order.row.rowVersion) return 'conflict';\n",
    '',
  ]),
  rim('a resumed order puts its version into use', 'a key that was ordered to end is lent out', [
    DATABASE,
    "  commit(world, order, { before, after, event: { on: 'resumed' }",
    "  world.version.state = 'current';\n  commit(world, order, { before, after, event: { on: 'resumed' }",
  ]),
  rim('an order is not taken up after a crash', 'a key that works, for ever', [
    SCHEDULE,
    '  world.bootedAt = world.now;\n  takeUp(world);',
    '  world.bootedAt = world.now;',
  ]),
  rim('an order whose row must be read again is left', 'a key that works, for ever', [
    SCHEDULE,
    "  count(world, 'a row that is read again');\n  later(world, RELOAD_MS, () => takeUp(world));\n",
    '',
  ]),
];
