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
import { revealSecretText, type Secret } from '../../src/model/secret.ts';
import type {
  Call,
  Evidence,
  IssueOutcome,
  Kind,
  KindSettings,
  ListOutcome,
  Liveness,
  Provider,
  ProviderAnswer,
  ProviderRequest,
  RevokeOutcome,
} from '../../src/providers/provider.ts';

/** A twin as the suite needs it. One is made for each test and closed after it. */
export interface ProviderTwin {
  readonly call: Call;
  /** The key that mints, lists and revokes keys of a kind, and the settings to do it with. */
  issuer(kind: Kind): { readonly key: Secret; readonly settings: KindSettings };
  /** The faults this twin knows, each with settings under which it strikes at once. */
  readonly faults: readonly string[];
  inject(fault: string): void;
  clearFaults(): void;
  /** Faults under which a key that was deleted may go on working, or is not deleted at all. */
  readonly liesAboutRevocation: readonly string[];
  /** Faults under which a key may be made although no answer says so. */
  readonly losesCreates: readonly string[];
  /** The twin's own truth about a key, now. */
  isAlive(providerKeyId: string): boolean;
  /** What the provider's own document has against the exchanges so far; null where the document is absent. */
  problems(): readonly string[] | null;
  readonly documentAbsent: string;
  close(): Promise<void>;
}

export type TwinFactory = () => Promise<ProviderTwin>;

const LABEL = 'claviger/test/1';
const MARK = 'canary';

interface Bench {
  readonly twin: ProviderTwin;
  readonly settings: KindSettings;
  issue(label?: string): Promise<IssueOutcome>;
  list(): Promise<ListOutcome>;
  revoke(providerKeyId: string): Promise<RevokeOutcome>;
  probe(key: Secret): Promise<Liveness>;
}

function bench(kind: Kind, twin: ProviderTwin): Bench {
  const { key: issuer, settings } = twin.issuer(kind);
  const send = (request: ProviderRequest, key: Secret) => twin.call(request, key, kind.places);
  return {
    twin,
    settings,
    async issue(label = LABEL) {
      const input = { settings, label };
      return kind.issue!.read(await send(kind.issue!.request(input), issuer), input);
    },
    async list() {
      return kind.list!.read(await send(kind.list!.request({ settings }), issuer), { settings });
    },
    async revoke(providerKeyId) {
      const input = { settings, providerKeyId };
      return kind.revoke!.read(await send(kind.revoke!.request(input), issuer), input);
    },
    async probe(key) {
      return kind.probe.read(await send(kind.probe.request({ settings }), key), { settings });
    },
  };
}

function issued(outcome: IssueOutcome): { key: Secret; providerKeyId: string } {
  assert.equal(outcome.is, 'issued');
  assert(outcome.is === 'issued');
  const [key] = Object.values(outcome.parts);
  assert(key !== undefined, 'an issued version has parts');
  return { key, providerKeyId: outcome.providerKeyId };
}

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

  if (kind.issue === null || kind.list === null || kind.revoke === null) return;

  at('a key lives from issue to revoke, and is listed under its label', async ({ issue, list, probe, revoke }) => {
    const { key, providerKeyId } = issued(await issue());
    const text = revealSecretText(key);
    assert(Object.values(kind.format).some((format) => format.test(text)));

    assert.equal((await probe(key)).is, 'alive');
    const listed = await list();
    assert(listed.is === 'listed');
    const entry = listed.keys.find((one) => one.providerKeyId === providerKeyId);
    assert.equal(entry?.name, LABEL);

    assert.equal((await revoke(providerKeyId)).is, 'accepted');
    assert.equal((await probe(key)).is, 'dead');
    assert.equal((await revoke(providerKeyId)).is, 'absent');
    const after = await list();
    assert(after.is === 'listed');
    assert(!after.keys.some((one) => one.providerKeyId === providerKeyId));
  });

  at('a key nobody issued is dead, and one entry is made per issue', async ({ issue, list, probe, revoke }) => {
    const first = issued(await issue());
    const second = issued(await issue());
    assert.notEqual(first.providerKeyId, second.providerKeyId);
    assert(!first.key.equals(second.key));
    const listed = await list();
    assert(listed.is === 'listed');
    assert.equal(listed.keys.filter((one) => one.name === LABEL).length, 2);
    await revoke(first.providerKeyId);
    assert.equal((await probe(first.key)).is, 'dead');
    assert.equal((await probe(second.key)).is, 'alive');
  });

  at('every fault ends in a value, and none makes a live key dead for good', async (tools) => {
    const { twin, issue, list, probe, revoke } = tools;
    for (const fault of twin.faults) {
      const { key, providerKeyId } = issued(await issue());
      twin.inject(fault);
      const outcomes = {
        issue: await settled(issue('claviger/test/2')),
        list: await settled(list()),
        probe: await settled(probe(key)),
        revoke: await settled(revoke(providerKeyId)),
      };
      for (const [operation, outcome] of Object.entries(outcomes)) {
        if (outcome !== null) assertOutcome(operation as keyof typeof outcomes, outcome);
      }
      twin.clearFaults();
      // Whatever was said under the fault: with the fault gone, the probe tells what the twin knows.
      const verdict = await probe(key);
      assert.equal(verdict.is, twin.isAlive(providerKeyId) ? 'alive' : 'dead', `after ${fault}`);
    }
  });

  at('a confirmed delete is no proof: the probe tells what is so', async ({ twin, issue, probe, revoke }) => {
    for (const lie of twin.liesAboutRevocation) {
      const { key, providerKeyId } = issued(await issue());
      twin.inject(lie);
      assert.equal((await revoke(providerKeyId)).is, 'accepted', lie);
      const verdict = await probe(key);
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
      assert.equal((await revoke(orphan.providerKeyId)).is, 'accepted');
      assert.equal(twin.isAlive(orphan.providerKeyId), false);
    }
  });
}

function readsAnything(kind: Kind, settings: KindSettings): void {
  test(`${kind.name}: whatever the answer, reading gives a value without a secret`, () => {
    fc.assert(
      fc.property(anyAnswer, (answer) => {
        const verdict = kind.probe.read(answer, { settings });
        assertOutcome('probe', verdict);
        if (verdict.is === 'unknown') assert(verdict.retryAfterMs === null || verdict.retryAfterMs >= 0);
        const listed = kind.list?.read(answer, { settings });
        if (listed !== undefined) assertOutcome('list', listed);
        if (listed?.is === 'listed') {
          for (const key of listed.keys) assert(isStorableText(key.name) && isStorableText(key.lastUsedFrom ?? ''));
        }
        const issue = kind.issue?.read(answer, { settings, label: LABEL });
        if (issue !== undefined) assertOutcome('issue', issue);
        const revoke = kind.revoke?.read(answer, { settings, providerKeyId: '1' });
        if (revoke !== undefined) assertOutcome('revoke', revoke);
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
    }
    const names = provider.actions.map((action) => action.name);
    assert.equal(new Set(names).size, names.length, 'action names are unique');
    for (const action of provider.actions) {
      assert.match(action.name, /^[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*$/);
      assert.match(action.path, /^\/[^?#]*$/);
      for (const segment of action.path.split('/').slice(1)) {
        assert.match(segment, /^(?:\{[a-z_]+\}|[A-Za-z0-9._~-]+)$/, `${action.name}: a parameter is one whole segment`);
      }
    }
    const lines = provider.actions.map((action) => `${action.method} ${action.path.replaceAll(/\{[^}]*\}/g, '{}')}`);
    assert.equal(new Set(lines).size, lines.length, 'no two actions have the same request line');
  });
}

/** Registers the suite's tests for a member. `makeTwin` starts a fresh twin each time. */
export function providerConformance(provider: Provider, makeTwin: TwinFactory): void {
  describesItself(provider);
  for (const kind of provider.kinds) {
    conformsAtTwin(kind, makeTwin);
    const settings = Object.fromEntries(Object.keys(kind.settings).map((name) => [name, 'some-id-1']));
    readsAnything(kind, settings);
  }
}
