// The conformance suite of the family `providers`: what every member must do at its twin, whatever the provider. A member's own test
// calls it with a factory and adds what is particular to it. It knows the contract and nothing of any provider.
//
// A kind that cannot issue, list or revoke by API has null there; the suite asks only for what a kind offers.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../src/model/failure.ts';
import type { Json } from '../../src/model/json.ts';
import { isStorableText } from '../../src/model/json.ts';
import { revealSecretText } from '../../src/model/secret.ts';
import type { Evidence, Kind, KindSettings, Provider, ProviderAnswer } from '../../src/providers/provider.ts';
import {
  assertForm,
  type Bench,
  bench,
  issued,
  LABEL,
  type MadeKey,
  type ProviderTwin,
  type TwinFactory,
} from './provider-bench.ts';

export type { MadeKey, ProviderTwin, TwinFactory } from './provider-bench.ts';

const MARK = 'canary';

/** What an operation gave, where a transport failure is as good as a value. Anything else that is thrown fails the test. */
async function settled<T>(operation: Promise<T>): Promise<T | null> {
  try {
    return await operation;
  } catch (error) {
    if (Failure.is(error, 'upstream-ambiguous') || Failure.is(error, 'upstream-unavailable')) return null;
    throw error;
  }
}

const UNIONS = {
  issue: ['issued', 'refused', 'ambiguous'],
  list: ['listed', 'refused', 'unknown'],
  revoke: ['accepted', 'absent', 'refused', 'ambiguous'],
  probe: ['alive', 'dead', 'unknown'],
  preflight: ['sound', 'unsound', 'unknown'],
  identity: ['known', 'unknown'],
  log: ['read', 'refused', 'unknown'],
} as const;

/** Every outcome is of its union, its evidence names a signature, and no secret stands in what may be published. */
function assertOutcome(operation: keyof typeof UNIONS, outcome: { is: string; evidence?: Evidence }): void {
  assert((UNIONS[operation] as readonly string[]).includes(outcome.is), `${operation} gave ${outcome.is}`);
  if (outcome.evidence !== undefined) assert.match(outcome.evidence.signature, /^[a-z0-9.-]+$/);
  assert(!JSON.stringify(outcome).includes(MARK), `${operation} publishes a secret`);
}

function assertDocumented(t: test.TestContext, twin: ProviderTwin): void {
  const problems = twin.problems();
  if (problems === null) t.diagnostic(twin.documentAbsent);
  else assert.deepEqual(problems, []);
}

const anyJson: fc.Arbitrary<Json> = fc.jsonValue() as fc.Arbitrary<Json>;
const anyAnswer: fc.Arbitrary<ProviderAnswer> = fc
  .record({
    status: fc.oneof(
      fc.constantFrom(200, 201, 204, 301, 400, 401, 403, 404, 409, 422, 423, 429, 500, 502, 503),
      fc.integer({ min: 200, max: 599 }),
    ),
    headers: fc.dictionary(fc.constantFrom('retry-after', 'date', 'x-request-id', 'x-other'), fc.string()),
    json: fc.oneof(
      anyJson,
      fc.record({ code: fc.string(), message: fc.string() }),
      fc.record({ id: anyJson, key: anyJson, name: fc.string(), revoked: anyJson }, { requiredKeys: [] }),
      fc.array(fc.record({ id: fc.integer(), name: fc.string({ unit: 'binary' }), last_used_at: anyJson })),
    ),
  })
  .map((answer) => ({ ...answer, text: JSON.stringify(answer.json) }));

function conformsAtTwin(kind: Kind, makeTwin: TwinFactory): void {
  const at = (name: string, run: (bench: Bench, t: test.TestContext) => Promise<void>) =>
    test(`${kind.name}: ${name}`, async (t) => {
      const twin = await makeTwin();
      try {
        await run(bench(kind, twin), t);
        assertDocumented(t, twin);
      } finally {
        await twin.close();
      }
    });

  if (kind.issue !== null && kind.list !== null && kind.revoke !== null) mintsByApi(kind, at);
  if (kind.replace !== undefined) replacesInPlace(kind, at);
  if (kind.issue === null || kind.revoke === null) endsByHand(kind, at);
  if (kind.identity !== undefined) knowsWhose(kind, at);
}

type At = (name: string, run: (bench: Bench, t: test.TestContext) => Promise<void>) => void;

/** A key of the kind, by whatever way there is. */
async function anyKey(kind: Kind, { twin, issue }: Bench): Promise<MadeKey> {
  if (kind.issue !== null) return issued(await issue());
  assert(twin.byHand !== undefined, `${kind.name}: the twin makes keys by hand`);
  return twin.byHand.issue(kind);
}

function mintsByApi(kind: Kind, at: At): void {
  at('a key lives from issue to revoke, and is listed under its label', async ({ issue, list, probe, revoke }) => {
    const made = issued(await issue());
    assertForm(kind, made.parts);

    assert.equal((await probe(made.parts)).is, 'alive');
    const listed = await list();
    assert(listed.is === 'listed');
    const entry = listed.keys.find((one) => one.providerKeyId === made.providerKeyId);
    assert.equal(entry?.name, LABEL);
    const texts = Object.values(made.parts).map(revealSecretText);
    const hint = entry?.hint ?? null;
    assert(hint === null || (hint.length <= 4 && texts.some((text) => text.endsWith(hint))), 'a hint is the key’s end');
    assert(entry?.expiresAt == null || entry.expiresAt > 0);

    assert.equal((await revoke(made)).is, 'accepted');
    assert.equal((await probe(made.parts)).is, 'dead');
    assert.notEqual((await revoke(made)).is, 'accepted', 'what is gone is not accepted once more');
    const after = await list();
    assert(after.is === 'listed');
    assert(!after.keys.some((one) => one.providerKeyId === made.providerKeyId));
  });

  at('a key nobody issued is dead, and one entry is made per issue', async ({ issue, list, probe, revoke }) => {
    const first = issued(await issue());
    const second = issued(await issue(`${LABEL}-2`));
    assert.notEqual(first.providerKeyId, second.providerKeyId);
    const listed = await list();
    assert(listed.is === 'listed');
    assert.equal(listed.keys.filter((one) => one.name.startsWith(LABEL)).length, 2);
    await revoke(first);
    assert.equal((await probe(first.parts)).is, 'dead');
    assert.equal((await probe(second.parts)).is, 'alive');
  });

  at('every fault ends in a value, and none makes a live key dead for good', async (tools) => {
    const { twin, issue, list, probe, revoke } = tools;
    for (const [n, fault] of twin.faults.entries()) {
      const made = issued(await issue(`claviger/test/a${n}`));
      twin.inject(fault);
      const outcomes = {
        issue: await settled(issue(`claviger/test/b${n}`)),
        list: await settled(list()),
        probe: await settled(probe(made.parts)),
        revoke: await settled(revoke(made)),
      };
      for (const [operation, outcome] of Object.entries(outcomes)) {
        if (outcome !== null) assertOutcome(operation as keyof typeof outcomes, outcome);
      }
      twin.clearFaults();
      // Whatever was said under the fault: with the fault gone, the probe tells what the twin knows.
      const verdict = await probe(made.parts);
      assert.equal(verdict.is, twin.isAlive(made.providerKeyId) ? 'alive' : 'dead', `after ${fault}`);
    }
  });

  at('a confirmed delete is no proof: the probe tells what is so', async ({ twin, issue, probe, revoke }) => {
    for (const [n, lie] of twin.liesAboutRevocation.entries()) {
      const made = issued(await issue(`claviger/test/${n}`));
      twin.inject(lie);
      assert.equal((await revoke(made)).is, 'accepted', lie);
      const verdict = await probe(made.parts);
      assert.equal(verdict.is, 'alive', lie);
      twin.clearFaults();
    }
  });

  at('a key whose creation was lost is found by its label and removed', async (tools) => {
    const { twin, issue, list, revoke } = tools;
    for (const loss of twin.losesCreates) {
      const label = `claviger/lost/${loss}`.slice(0, 60);
      twin.inject(loss);
      const outcome = await settled(issue(label));
      assert(outcome === null || outcome.is === 'ambiguous', `${loss}: nobody may call this issued or refused`);
      twin.clearFaults();
      const listed = await list();
      assert(listed.is === 'listed');
      const [orphan, ...more] = listed.keys.filter((one) => one.name === label);
      assert(orphan !== undefined && more.length === 0, `${loss}: one orphan`);
      assert.equal((await revoke({ providerKeyId: orphan.providerKeyId, parts: {} })).is, 'accepted');
      assert.equal(twin.isAlive(orphan.providerKeyId), false);
    }
  });
}

function replacesInPlace(kind: Kind, at: At): void {
  at('the key that takes its place lives; the old one dies at once, or lives on for its grace', async (tools) => {
    const old = await anyKey(kind, tools);
    const next = issued(await tools.replace(old));
    assertForm(kind, next.parts);
    assert.equal((await tools.probe(next.parts)).is, 'alive');
    assert.equal((await tools.probe(old.parts)).is, kind.rotation === 'grace' ? 'alive' : 'dead');
  });

  at('where the answer to a replacement is lost, the old key tells what it can', async (tools) => {
    const { twin, replace, probe } = tools;
    for (const loss of [...twin.losesCreates, 'cut-before', 'server-error']) {
      const old = await anyKey(kind, tools);
      twin.inject(loss);
      const outcome = await settled(replace(old));
      assert(outcome === null || outcome.is === 'ambiguous', `${loss}: nobody may call this issued or refused`);
      twin.clearFaults();
      const said = await probe(old.parts);
      assert.equal(said.is, twin.isAlive(old.providerKeyId) ? 'alive' : 'dead', loss);
      // A grace is kept whether or not anybody heard of it.
      if (kind.rotation === 'grace') assert.equal(said.is, 'alive', loss);
    }
  });

  if (kind.rotation !== 'grace') return;
  at('a grace that the service does not keep is seen at once', async (tools) => {
    const old = await anyKey(kind, tools);
    tools.twin.inject('grace-ignored');
    const next = issued(await tools.replace(old));
    assert.equal((await tools.probe(old.parts)).is, 'dead');
    assert.equal((await tools.probe(next.parts)).is, 'alive');
  });
}

function endsByHand(kind: Kind, at: At): void {
  at('a key that a person made lives until a person ends it', async (tools) => {
    const { twin, probe } = tools;
    const [made, other] = [await anyKey(kind, tools), await anyKey(kind, tools)];
    assertForm(kind, made.parts);
    // Where there can be only one, the other has ended it.
    if (kind.activeMax !== 1) {
      assert.equal((await probe(made.parts)).is, 'alive');
      twin.byHand!.end(kind, made);
    }
    assert.equal((await probe(made.parts)).is, 'dead');
    assert.equal((await probe(other.parts)).is, 'alive');
  });

  at('no fault makes a live key dead for good', async (tools) => {
    const { twin, probe } = tools;
    const made = await anyKey(kind, tools);
    for (const fault of twin.faults) {
      twin.inject(fault);
      const said = await settled(probe(made.parts));
      if (said !== null) assertOutcome('probe', said);
      twin.clearFaults();
      assert.equal((await probe(made.parts)).is, 'alive', `after ${fault}`);
    }
  });
}

function knowsWhose(kind: Kind, at: At): void {
  at('two keys of one account name the same account', async (tools) => {
    const first = await tools.identify((await anyKey(kind, tools)).parts);
    const second = await tools.identify((await anyKey(kind, tools)).parts);
    assert(second.is === 'known' && (first.is === 'known' || kind.activeMax === 1));
    // Null on both sides where the provider does not say whose.
    if (first.is === 'known') assert.equal(first.account, second.account);
    assertOutcome('identity', second);
  });
}

/** At a server where nothing can be proved, nothing is: neither of a key that was made there nor of one that never was. */
function proveNothingThere(kind: Kind, makeTwin: TwinFactory, makeUnsound: TwinFactory): void {
  test(`${kind.name}: asked without a key, the service says whether a probe can mean anything`, async (t) => {
    const [twin, unsound] = [await makeTwin(), await makeUnsound()];
    try {
      const sound = bench(kind, twin);
      assertOutcome('preflight', await sound.preflight());
      assert.equal((await sound.preflight()).is, 'sound');
      const made = await anyKey(kind, sound);
      assert.equal((await sound.probe(made.parts)).is, 'alive');
      const there = bench(kind, unsound);
      assert.equal((await there.preflight()).is, 'unsound');
      for (const parts of [made.parts, (await anyKey(kind, there)).parts])
        assert.equal((await there.probe(parts)).is, 'unknown');
      assertDocumented(t, twin);
      assertDocumented(t, unsound);
    } finally {
      await Promise.all([twin.close(), unsound.close()]);
    }
  });
}

function readsAnything(kind: Kind, settings: KindSettings): void {
  test(`${kind.name}: whatever the answer, reading gives a value without a secret`, () => {
    fc.assert(
      fc.property(anyAnswer, (answer) => {
        const verdict = kind.probe.read(answer, { settings });
        assertOutcome('probe', verdict);
        const soundness = kind.preflight?.read(answer, { settings });
        if (soundness !== undefined) assertOutcome('preflight', soundness);
        if (verdict.is === 'unknown') assert(verdict.retryAfterMs === null || verdict.retryAfterMs >= 0);
        const listed = kind.list?.read(answer, { settings });
        if (listed !== undefined) assertOutcome('list', listed);
        if (listed?.is === 'listed') {
          for (const key of listed.keys)
            for (const text of [key.name, key.lastUsedFrom, key.hint]) assert(isStorableText(text ?? ''));
        }
        const logged = kind.log?.read(answer, { settings, since: 0, until: 1 });
        if (logged !== undefined) assertOutcome('log', logged);
        const issue = kind.issue?.read(answer, { settings, label: LABEL });
        if (issue !== undefined) assertOutcome('issue', issue);
        const revoke = kind.revoke?.read(answer, { settings, providerKeyId: '1' });
        if (revoke !== undefined) assertOutcome('revoke', revoke);
        const identity = kind.identity?.read(answer, { settings });
        if (identity !== undefined) assertOutcome('identity', identity);
        for (const one of kind.rights ?? []) assertOutcome('identity', one.read(answer, { settings }));
        const replaced = kind.replace?.read(answer, { settings, label: LABEL, providerKeyId: '1' });
        if (replaced !== undefined) assertOutcome('issue', replaced);
      }),
    );
  });
}

function describesItself(provider: Provider): void {
  test(`${provider.name}: what it says of itself holds together`, () => {
    assert.match(provider.name, /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/);
    assert.equal(new URL(provider.origin).origin, provider.origin);
    const kinds = provider.kinds.map((kind) => kind.name);
    assert.equal(new Set(kinds).size, kinds.length);
    for (const kind of provider.kinds) {
      assert(kind.places.length > 0 && kind.parts.length > 0);
      assert.deepEqual(Object.keys(kind.format).sort(), [...kind.parts].sort());
      for (const format of Object.values(kind.format)) assert(/^\^.*\$$/s.test(format.source), 'formats are anchored');
      for (const issuer of kind.issuers) assert(kinds.includes(issuer), `${issuer} issues ${kind.name}`);
      assert(kind.propagationMs >= 0);
      assert.equal(kind.log === undefined, kind.logWindowMs === undefined, 'a log says how far back may be asked');
      for (const place of kind.places)
        assert(kind.parts.includes(place.part ?? kind.parts[0]!), 'places are of its parts');
      for (const part of Object.keys(kind.check ?? {})) assert(kind.parts.includes(part), `${part} is a part`);
      for (const [name, { required, default: value }] of Object.entries(kind.settings))
        assert(value === undefined || !required, `${name} has a default, and is required`);
      if (kind.rotation === 'assisted') assert(kind.byHand !== undefined, `${kind.name}: a person is told what to do`);
      if (kind.rotation === 'overlap') assert(kind.issue !== null && kind.revoke !== null, `${kind.name} overlaps`);
      if (kind.rotation === 'grace') assert(kind.replace !== undefined && (kind.graceMaxSeconds ?? 0) > 0);
      if (kind.rotation === 'swap') assert(kind.replace !== undefined, `${kind.name} is replaced in place`);
      const { everything = [], reveals = [], all = [] } = kind.scopes ?? {};
      for (const scope of [...everything, ...reveals]) assert(all.includes(scope), `${scope} is one of its scopes`);
    }
    const names = provider.actions.map((action) => action.name);
    assert.equal(new Set(names).size, names.length, 'action names are unique');
    for (const action of provider.actions) {
      assert.match(action.name, /^[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*$/);
      assert.match(action.path, /^\/[^?#]*$/);
      // A slash at the end is another path to some servers, and the only one to others.
      for (const segment of action.path
        .replace(/(?<=.)\/$/, '')
        .split('/')
        .slice(1)) {
        assert.match(
          segment,
          /^(?:\{[A-Za-z_]+\*?\}|[A-Za-z0-9._~:@-]+)$/,
          `${action.name}: a parameter is one whole segment`,
        );
      }
    }
    const lines = provider.actions.map((action) => `${action.method} ${action.path.replaceAll(/\{[^}]*\}/g, '{}')}`);
    assert.equal(new Set(lines).size, lines.length, 'no two actions have the same request line');
  });
}

/**
 * Registers the suite's tests for a member. `makeTwin` starts a fresh twin each time, `unsound` one at which no probe means anything: needed
 * where a kind has a preflight.
 */
export function providerConformance(
  provider: Provider,
  makeTwin: TwinFactory,
  { unsound }: { readonly unsound?: TwinFactory } = {},
): void {
  describesItself(provider);
  for (const kind of provider.kinds) {
    conformsAtTwin(kind, makeTwin);
    if (kind.preflight !== undefined) {
      assert(unsound !== undefined, `${kind.name} has a preflight: a twin is needed at which it fails`);
      proveNothingThere(kind, makeTwin, unsound);
    }
    const settings = Object.fromEntries(Object.keys(kind.settings).map((name) => [name, 'some-id-1']));
    readsAnything(kind, settings);
  }
}
