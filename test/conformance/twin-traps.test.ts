// Every trap that providers are known to set, at every twin, each switched on alone: does it strike, as it says, and is it over when it is
// switched off? And does the member read it as what it proves: next to nothing. The twins are asked without sockets, by a clock of the test's.
// Neon's twin, which is not of the kit, has the same in twins/neon.test.ts.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Secret } from '../../src/model/secret.ts';
import * as registry from '../../src/providers/index.ts';
import {
  type Acting,
  graceSeconds,
  type IssueOutcome,
  type Liveness,
  type Parts,
  type ProviderAnswer,
  type ProviderRequest,
  type RevokeOutcome,
} from '../../src/providers/provider.ts';
import { createTwin, type KitAnswer, type KitControl, type NewKitKey } from '../../twins/kit.ts';
import { kitRequestOf } from '../support/kit-request.ts';
import { SUBJECTS, type Subject } from './twin-subjects.ts';

const SPREAD_MS = 5_000;
const LABEL = 'clv/test/1';

interface Made {
  readonly parts: Parts;
  readonly id: string;
}

/** A subject at its twin, and what may be done with it. Cut answers are null. */
interface Bench {
  readonly control: KitControl<unknown>;
  pass(ms: number): void;
  /** A live key. */
  key(): Made;
  probe(made: Made): { readonly said: Liveness | null; readonly raw: KitAnswer };
  issue(): { readonly said: IssueOutcome | null; readonly raw: KitAnswer };
  replace(old: Made): { readonly said: IssueOutcome | null; readonly raw: KitAnswer };
  revoke(made: Made): { readonly said: RevokeOutcome | null; readonly raw: KitAnswer };
}

function benchOf(subject: Subject): Bench {
  const { kind, provider } = subject;
  return subject.start((definition, prepared) => {
    let now = 1_790_000_000_000;
    const twin = createTwin(definition, { seed: 3, clock: { now: () => now } });
    const { settings, key: byHand, issuer } = prepared(twin.control);
    const partsOf = (of: Pick<NewKitKey, 'parts'>): Parts =>
      Object.fromEntries(Object.entries(of.parts).map(([name, text]) => [name, new Secret(text)]));
    const minted = issuer === null ? null : twin.control.mint(issuer);
    const issuerKind = provider.kinds.find((one) => one.name === issuer?.kind);
    const asIssuer: Acting = { parts: minted === null ? {} : partsOf(minted), places: issuerKind?.places ?? [] };

    const send = (request: ProviderRequest, acting: Acting, target?: Parts): KitAnswer =>
      twin.handle(kitRequestOf(request, acting, target), now);
    const answerOf = ({ status, body, headers = {} }: KitAnswer): ProviderAnswer => {
      const isText = typeof body === 'string' && headers['content-type'] !== undefined;
      return { status, headers, json: isText ? null : body, text: isText ? body : JSON.stringify(body) };
    };
    const read = <In, Out>(operation: { read(answer: ProviderAnswer, input: In): Out }, raw: KitAnswer, input: In) => ({
      said: raw.isCut === true ? null : operation.read(answerOf(raw), input),
      raw,
    });
    const scopes = kind.scopes?.of === 'key' ? { scopes: kind.scopes.all.slice(0, 1) } : {};
    const input = { settings, label: LABEL, ...scopes };

    const bench: Bench = {
      control: twin.control as KitControl<unknown>,
      pass(ms) {
        now += ms;
      },
      key() {
        if (byHand !== null) {
          const made = twin.control.mint(byHand);
          return { parts: partsOf(made), id: made.id };
        }
        const { said } = bench.issue();
        assert(said?.is === 'issued', `${subject.name}: ${said?.is}`);
        return { parts: said.parts, id: said.providerKeyId };
      },
      probe({ parts }) {
        const request = kind.probe.request({ settings });
        const own = { parts, places: kind.places };
        const raw = kind.asks === 'issuer' ? send(request, asIssuer, parts) : send(request, own);
        return read(kind.probe, raw, { settings });
      },
      issue: () => read(kind.issue!, send(kind.issue!.request(input), asIssuer), input),
      replace({ parts, id }) {
        const grace = kind.graceMaxSeconds === undefined ? {} : { grace: graceSeconds(3_600, kind.graceMaxSeconds) };
        const wanted = { ...input, providerKeyId: id, ...grace };
        return read(kind.replace!, send(kind.replace!.request(wanted), asIssuer, parts), wanted);
      },
      revoke({ parts, id }) {
        const wanted = { settings, providerKeyId: id };
        return read(kind.revoke!, send(kind.revoke!.request(wanted), asIssuer, parts), wanted);
      },
    };
    return bench;
  });
}

/** Keys of the kind that were made and have not been ended, whoever heard of it. */
function standing({ control }: Bench, kind: string): number {
  return control.keys.all().filter((key) => key.kind === kind && key.revokedAt === null && key.diesAt === null).length;
}

const is = (bench: Bench, made: Made): string => bench.probe(made).said?.is ?? 'cut';

function aboutProbes(subject: Subject): void {
  const { name } = subject;
  const provesDeath = subject.provider !== registry.simplefin;
  const dead = provesDeath ? 'dead' : 'unknown';

  test(`${name}: a live key is refused now and then, and during an outage every key is`, () => {
    const bench = benchOf(subject);
    const made = bench.key();
    assert.equal(is(bench, made), 'alive');
    bench.control.fault('good-key-refused', { count: 1 });
    assert.notEqual(is(bench, made), 'alive');
    assert.equal(is(bench, made), 'alive');
    bench.control.fault('outage-401');
    for (let i = 0; i < 3; i++) assert.notEqual(is(bench, made), 'alive');
    bench.control.clearFaults();
    assert.equal(is(bench, made), 'alive');
  });

  test(`${name}: asked too often, with and without being told when to ask again`, () => {
    const bench = benchOf(subject);
    const made = bench.key();
    bench.control.fault('rate-limited', { retryAfter: '7' });
    const told = bench.probe(made);
    assert.equal(told.raw.status, 429);
    assert.partialDeepStrictEqual(told.said, { is: 'unknown', retryAfterMs: subject.hasRetryAfter ? 7_000 : null });
    bench.control.fault('rate-limited');
    const untold = bench.probe(made);
    assert.equal(untold.raw.status, 429);
    assert.equal(untold.raw.headers?.['retry-after'], undefined);
    assert.partialDeepStrictEqual(untold.said, { is: 'unknown', retryAfterMs: null });
  });

  test(`${name}: the service breaks, or the connection does`, () => {
    const bench = benchOf(subject);
    const made = bench.key();
    for (const status of [500, 502, 503, 504]) {
      bench.control.fault('server-error', { status });
      const { raw, said } = bench.probe(made);
      assert.deepEqual([raw.status, said?.is], [status, 'unknown']);
    }
    bench.control.clearFaults();
    for (const cut of ['cut-before', 'cut-after'] as const) {
      bench.control.fault(cut);
      assert.equal(bench.probe(made).raw.isCut, true, cut);
      bench.control.clearFaults();
    }
    assert.equal(is(bench, made), 'alive');
  });

  test(`${name}: a key that was ended comes back now and then`, () => {
    const bench = benchOf(subject);
    const made = bench.key();
    bench.control.endByHand(made.id);
    assert.equal(is(bench, made), dead);
    bench.control.fault('revoked-key-flaps', { count: 1 });
    // What is asked about by its issuer is looked up, and not let in: no such lie is told of it.
    if (subject.kind.asks !== 'issuer') assert.equal(is(bench, made), 'alive');
    bench.control.clearFaults();
    assert.equal(is(bench, made), dead);
  });
}

function aboutEnds(subject: Subject): void {
  const { name } = subject;
  test(`${name}: an end that is confirmed spreads late, or never happens`, () => {
    const bench = benchOf(subject);
    const late = bench.key();
    bench.control.fault('revoke-late', { ms: SPREAD_MS });
    assert.equal(bench.revoke(late).said?.is, 'accepted');
    bench.pass(SPREAD_MS - 1);
    assert.equal(is(bench, late), 'alive');
    bench.pass(1);
    assert.equal(is(bench, late), 'dead');
    bench.control.clearFaults();

    const fresh = benchOf(subject);
    const kept = fresh.key();
    fresh.control.fault('revoke-ignored');
    assert.equal(fresh.revoke(kept).said?.is, 'accepted');
    fresh.pass(86_400_000);
    assert.equal(is(fresh, kept), 'alive');
    fresh.control.clearFaults();
    assert.equal(fresh.revoke(kept).said?.is, 'accepted', 'once more, and for good');
    assert.equal(is(fresh, kept), 'dead');
  });
}

function aboutBirths(subject: Subject): void {
  const { name, kind } = subject;
  const isSwap = kind.replace !== undefined;
  const bring = (bench: Bench, old: Made | null) => (isSwap ? bench.replace(old!) : bench.issue());
  /** A twin with a key to replace, where the kind is replaced in place. */
  const begun = () => {
    const bench = benchOf(subject);
    return { bench, old: isSwap ? bench.key() : null };
  };

  test(`${name}: a new key is confirmed and does not work: not yet, or never`, () => {
    const { bench, old } = begun();
    bench.control.fault('create-propagates-late', { ms: SPREAD_MS });
    const { said } = bring(bench, old);
    assert(said?.is === 'issued');
    const made = { parts: said.parts, id: said.providerKeyId };
    assert.notEqual(is(bench, made), 'alive');
    bench.pass(SPREAD_MS);
    assert.equal(is(bench, made), 'alive');

    const other = begun();
    other.bench.control.fault('dead-on-arrival');
    const stillborn = bring(other.bench, other.old).said;
    assert(stillborn?.is === 'issued');
    other.bench.pass(86_400_000);
    assert.notEqual(is(other.bench, { parts: stillborn.parts, id: stillborn.providerKeyId }), 'alive');
  });

  test(`${name}: the answer comes late, or never, and the key is there all the same`, () => {
    for (const loss of ['create-lost', 'cut-after', 'server-error-after'] as const) {
      const { bench, old } = begun();
      const before = standing(bench, kind.name);
      bench.control.fault(loss, { status: 502 });
      const { raw, said } = bring(bench, old);
      if (loss === 'server-error-after') assert.deepEqual([raw.status, said?.is], [502, 'ambiguous']);
      else assert.equal(raw.isCut, true, loss);
      // In place: the old one went, or has its end set.
      assert.equal(standing(bench, kind.name), isSwap ? before : before + 1, loss);
    }
    const { bench, old } = begun();
    bench.control.fault('create-slow', { ms: SPREAD_MS });
    const slow = bring(bench, old);
    assert.deepEqual([slow.raw.delayMs, slow.said?.is], [SPREAD_MS, 'issued']);
  });

  test(`${name}: a creation arrives long after its connection is gone, or not at all`, () => {
    const { bench, old } = begun();
    const count = () => bench.control.keys.all().filter((key) => key.kind === kind.name).length;
    const before = count();
    bench.control.fault('create-arrives-later', { ms: SPREAD_MS });
    assert.equal(bring(bench, old).raw.isCut, true);
    bench.control.clearFaults();
    if (old !== null) assert.equal(is(bench, old), 'alive', 'it has not happened yet');
    assert.equal(count(), before);
    bench.pass(SPREAD_MS);
    bench.control.isAlive('any');
    assert.equal(count(), before + 1);
    // In place, what arrives ends what it replaces; where a grace was asked for, the service never said that it had heard of it.
    if (kind.rotation === 'swap') assert.equal(is(bench, old!), 'dead');

    const never = begun();
    never.bench.control.fault('cut-before');
    assert.equal(bring(never.bench, never.old).raw.isCut, true);
    never.bench.pass(86_400_000);
    never.bench.control.clearFaults();
    if (never.old !== null) assert.equal(is(never.bench, never.old), 'alive');
  });
}

for (const subject of SUBJECTS) {
  const { kind } = subject;
  aboutProbes(subject);
  if (kind.revoke !== null) aboutEnds(subject);
  if (kind.issue !== null || kind.replace !== undefined) aboutBirths(subject);
}

test('a grace is kept to the second, and where it is not, the old key is gone at once', () => {
  const subject = SUBJECTS.find(({ kind }) => kind.rotation === 'grace')!;
  for (const isKept of [true, false]) {
    const bench = benchOf(subject);
    const old = bench.key();
    if (!isKept) bench.control.fault('grace-ignored');
    assert.equal(bench.replace(old).said?.is, 'issued');
    assert.equal(is(bench, old), isKept ? 'alive' : 'dead');
    bench.pass(3_599_999);
    assert.equal(is(bench, old), isKept ? 'alive' : 'dead');
    bench.pass(1);
    assert.equal(is(bench, old), 'dead');
  }
});

test('every provider but Neon has a twin here', () => {
  const subjects = new Set(SUBJECTS.map(({ provider }) => provider.name));
  const missing = Object.values(registry).filter(({ name }) => !subjects.has(name));
  assert.deepEqual(
    missing.map(({ name }) => name),
    ['neon'],
  );
});
