// Dead and alive are never confused: every row of the collected probes, read by the member that it is about. What a row calls alive, dead or
// neither must be read as just that; and whatever proves nothing (403, 404, 429 and 5xx that no rule names, pages, empty bodies, silence) is
// `unknown`, whatever the provider. A row that nobody stands for fails. The twins are held against the same rows.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { createProber } from '../../src/credentials/prober.ts';
import { Failure } from '../../src/model/failure.ts';
import type { Json } from '../../src/model/json.ts';
import { Secret } from '../../src/model/secret.ts';
import { injectSecrets } from '../../src/net/inject.ts';
import type { Call, Kind, KindSettings, Parts, ProviderAnswer } from '../../src/providers/provider.ts';
import type { KitAnswer, KitRequest } from '../../twins/kit.ts';
import { credentialRow, versionRow } from '../support/rows.ts';
import { MEMBERS, type Member, NO_MEMBER } from './verify-probes-members.ts';

/** One rule of a row: all that it names must hold. */
interface Rule {
  readonly status: number;
  readonly body?: Json;
  readonly body_has?: readonly string[];
  readonly body_is?: 'array' | 'string';
  readonly message_regex?: string;
  readonly error?: string;
  readonly detail?: string;
  readonly error_code?: string;
  readonly error_type?: string;
  readonly error_code_not_in?: readonly string[];
  readonly except?: readonly string[];
  readonly means?: string;
}

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Row {
  readonly credential: string;
  readonly request: Asked;
  readonly alive: readonly Rule[];
  readonly dead: readonly Rule[];
  readonly other?: readonly Rule[];
  readonly preflight?: Asked & { readonly expect: Rule };
  readonly identity?: Asked;
  readonly which_kind?: Asked & { readonly rules: readonly Rule[] };
}

/** What a row may say beside its rules: read here, or, with the reason, not. */
const FIELDS: Readonly<Record<string, string>> = {
  credential: 'read',
  request: 'read',
  alive: 'read',
  dead: 'read',
  other: 'read',
  preflight: 'read',
  identity: 'read',
  which_kind: 'read',
  trap: 'Prefect Server’s is the preflight; the others name answers that are rules, or requests that are not made',
  fallback: 'a second request that is not made',
  alternative: 'a second request that is not made: it would write, were it accepted otherwise than expected',
  abilities: 'another question: what the key may do',
  side_effects: 'for people',
  limit: 'for people',
  evidence: 'for people',
};

const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');
const file = path.join(shared, 'specs/derived/verify-probes.json');
const rows: readonly Row[] | null = existsSync(file)
  ? (JSON.parse(readFileSync(file, 'utf8')) as { probes: Row[] }).probes
  : null;

interface Given {
  readonly status: number;
  readonly json: Json;
}

/** The answers that a rule is about, in the provider's own form. */
function answersOf(rule: Rule, member: Member): readonly Given[] {
  const { status } = rule;
  const wholeOr = (holds: (whole: Json) => boolean): readonly Given[] => {
    assert(holds(member.whole), `${member.provider.name}: the whole answer is not what the row says`);
    return [{ status, json: member.whole }];
  };
  const errors = (words: readonly string[]): readonly Given[] => {
    assert(words.length > 0, `${member.provider.name}: nothing is known that it says with ${status}`);
    return words.map((word) => ({ status, json: member.error(status, word) }));
  };
  if (rule.body !== undefined) return [{ status, json: rule.body }];
  if (rule.body_has !== undefined)
    return wholeOr((whole) => rule.body_has!.every((name) => Object.hasOwn(whole as object, name)));
  if (rule.body_is !== undefined)
    return wholeOr((whole) => (rule.body_is === 'array' ? Array.isArray(whole) : typeof whole === rule.body_is));
  if (rule.message_regex !== undefined)
    return errors(member.samples.filter((text) => new RegExp(rule.message_regex!).test(text)));
  const word = rule.error ?? rule.error_code ?? rule.detail;
  if (word !== undefined) return errors([word]);
  const excepted = rule.error_code_not_in ?? rule.except;
  if (excepted !== undefined) return errors(member.samples.filter((code) => !excepted.includes(code)));
  return status === 200 ? wholeOr(() => true) : errors(member.words[status] ?? []);
}

function answerOf({ status, json }: Given): ProviderAnswer {
  return { status, headers: {}, json, text: json === null ? '' : JSON.stringify(json) };
}

function page(status: number): ProviderAnswer {
  return { status, headers: { 'content-type': 'text/html' }, json: null, text: '<html><body>Sign in</body></html>' };
}

function empty(status: number): ProviderAnswer {
  return { status, headers: {}, json: null, text: '' };
}

/** Statuses that never mean death, whoever sends them. */
const VAGUE = [403, 404, 429, 500, 502, 503, 504];

function secrets(texts: Readonly<Record<string, string>>): Parts {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, new Secret(text)]));
}

/** What the prober makes of a key of this kind when the provider is reached by this call. */
async function probed(member: Member, kind: Kind, settings: KindSettings, call: Call): Promise<string> {
  const holder = (of: { kind: string; parts: Readonly<Record<string, string>> }) => {
    const { places } = member.provider.kinds.find((one) => one.name === of.kind)!;
    const credential = credentialRow({
      id: `crd_${of.kind}`,
      provider: member.provider.name,
      kind: of.kind,
      settings,
      places,
    });
    return { credential, version: versionRow({ id: `ver_${of.kind}` }), parts: secrets(of.parts) };
  };
  const target = holder({ kind: kind.name, parts: member.parts });
  const issuer = member.issuer === undefined ? null : holder(member.issuer);
  const prober = createProber({
    now: () => 0,
    kindOf: (credential) => ({ kind: member.provider.kinds.find((one) => one.name === credential.kind)! }),
    issuerOf: () => issuer,
    callFor: () => call,
    open: (_, version) => Promise.resolve((version.id === target.version.id ? target : issuer!).parts),
  });
  return (await prober.read(target)).is;
}

/** A provider that gives one answer to the probe, and, to a request without any key, what it is told. */
function saying(probe: ProviderAnswer | Failure, preflight: ProviderAnswer | Failure | null): Call {
  return (request) => {
    const said = request.secrets?.length === 0 ? preflight : probe;
    return said === null || said instanceof Failure
      ? Promise.reject(said ?? new Error('nobody asked'))
      : Promise.resolve(said);
  };
}

/** The answer to a kind's preflight that lets a probe count. */
function soundAnswer(row: Row, member: Member): ProviderAnswer | null {
  if (row.preflight !== undefined) return answerOf(answersOf(row.preflight.expect, member)[0]!);
  // Prefect Server’s trap: asked without the header it must refuse.
  return row.credential.startsWith('prefect-server') ? answerOf(answersOf(row.dead[0]!, member)[0]!) : null;
}

/** Path and query of an address, without the part that is each installation's own. */
function targetOf(url: string): string {
  return url.replace(
    /^(?:https?:\/\/[^/]+|\{base\}|\{PREFECT_API_URL\})/,
    url.startsWith('{PREFECT_API_URL}') ? '/api' : '',
  );
}

function checkRow(row: Row, member: Member, kind: Kind): void {
  const name = `${row.credential} (${kind.name})`;

  test(`${name}: the request is the row’s, and the key stands where the row has it`, () => {
    const [settings] = member.settings;
    const request = kind.probe.request({ settings: settings! });
    assert.deepEqual([request.method, request.path], [row.request.method, targetOf(row.request.url)]);
    const origin = /^https:\/\/[a-z0-9.]+/.exec(row.request.url)?.[0];
    if (origin !== undefined) assert.equal(kind.origin ?? member.provider.origin, origin);
    const headers = Object.keys(row.request.headers ?? {}).filter((header) => !/^(?:accept|user-agent)$/i.test(header));
    for (const header of headers) {
      const stands = (place: Kind['places'][number]) =>
        place.in === 'basic' ? 'authorization' : place.in === 'header' ? place.name.toLowerCase() : null;
      assert(
        kind.places.some((place) => stands(place) === header.toLowerCase()),
        header,
      );
    }
    if (row.identity !== undefined && kind.identity !== undefined)
      assert.equal(kind.identity.request({ settings: settings! }).path, targetOf(row.identity.url));
  });

  test(`${name}: alive, dead and neither, as the row says`, () => {
    for (const settings of member.settings) {
      const read = (given: Given) => kind.probe.read(answerOf(given), { settings }).is;
      const expect = (rules: readonly Rule[], is: string) => {
        for (const given of rules.flatMap((rule) => answersOf(rule, member)))
          assert.equal(read(given), is, `${JSON.stringify(settings)} ${given.status} ${JSON.stringify(given.json)}`);
      };
      expect(row.alive, 'alive');
      expect(row.dead, 'dead');
      expect(row.other ?? [], 'unknown');
    }
  });

  test(`${name}: whatever else is answered proves nothing`, () => {
    const named = new Set(
      row.alive.filter((rule) => Object.keys(rule).every(isStatusOrMeaning)).map((rule) => rule.status),
    );
    for (const settings of member.settings) {
      const read = (answer: ProviderAnswer) => kind.probe.read(answer, { settings }).is;
      for (const status of [200, 400, 401, ...VAGUE]) {
        assert.equal(read(page(status)), 'unknown', `a page with ${status}`);
        assert.equal(read(empty(status)), 'unknown', `nothing with ${status}`);
        assert.equal(read(answerOf({ status, json: { up: true } })), 'unknown', `somebody else’s words with ${status}`);
      }
      for (const status of VAGUE) {
        const other = answerOf({ status, json: member.error(status, 'another word') });
        if (!named.has(status)) assert.equal(read(other), 'unknown', `another word with ${status}`);
        // The very words of a death, with a status that never means it.
        for (const given of row.dead.flatMap((rule) => answersOf(rule, member)))
          assert.notEqual(
            read(answerOf({ status, json: given.json })),
            'dead',
            `${status} ${JSON.stringify(given.json)}`,
          );
      }
    }
  });

  test(`${name}: silence is never death, nor life`, async () => {
    const sound = soundAnswer(row, member);
    assert.equal(
      sound !== null,
      kind.preflight !== undefined,
      'a row with a preflight, and no other, has a kind with one',
    );
    for (const settings of member.settings) {
      for (const code of ['upstream-ambiguous', 'upstream-unavailable', 'upstream-rejected'] as const) {
        const silent = new Failure(code, 'nothing came');
        assert.equal(await probed(member, kind, settings, saying(silent, sound)), 'unknown', code);
      }
      const alive = answerOf(row.alive.flatMap((rule) => answersOf(rule, member))[0]!);
      assert.equal(await probed(member, kind, settings, saying(alive, sound)), 'alive');
    }
  });
}

function isStatusOrMeaning(field: string): boolean {
  return field === 'status' || field === 'means';
}

/** Nothing is proved where the request without a key says that nothing can be. */
function checkPreflight(row: Row, member: Member, kind: Kind): void {
  test(`${row.credential} (${kind.name}): a probe counts only after a request without any key was answered as it must be`, async () => {
    const preflight = kind.preflight!;
    const asked = preflight.request({ settings: {} });
    assert.deepEqual(asked.secrets, []);
    assert.equal(asked.path, targetOf((row.preflight ?? row.request).url));
    const alive = answerOf(row.alive.flatMap((rule) => answersOf(rule, member))[0]!);
    const dead = answerOf(row.dead.flatMap((rule) => answersOf(rule, member))[0]!);
    const wrong: readonly (ProviderAnswer | Failure)[] = [
      // Let in without a key; switched off; somebody in between; trouble; nothing at all.
      ...(row.preflight === undefined ? [alive] : [answerOf({ status: 404, json: { message: 'Not Found' } })]),
      page(200),
      empty(401),
      page(404),
      empty(429),
      empty(503),
      new Failure('upstream-ambiguous', 'nothing came'),
    ];
    for (const said of wrong) {
      for (const answer of [alive, dead])
        assert.equal(await probed(member, kind, {}, saying(answer, said)), 'unknown', JSON.stringify(said));
    }
    assert.equal(await probed(member, kind, {}, saying(dead, soundAnswer(row, member))), 'dead');
  });
}

/** The row’s own word on which kind a key is of: the identity of one kind, and no answer to the other. */
function checkWhichKind(row: Row, member: Member): void {
  const asked = row.which_kind!;
  test(`${row.credential}: which kind it is`, () => {
    const kind = member.provider.kinds.find((one) => one.name === 'user-key')!;
    const [settings] = member.settings;
    assert.equal(kind.identity!.request({ settings: settings! }).path, targetOf(asked.url));
    const [user, other] = asked.rules;
    const read = (given: Given) => kind.identity!.read(answerOf(given), { settings: settings! }).is;
    assert.equal(read({ status: user!.status, json: { id: 'u', handle: 'h' } }), 'known');
    for (const given of answersOf(other!, member)) assert.equal(read(given), 'unknown');
  });
}

/** The probe of a key that never was, as a twin receives it. */
function arrival(member: Member, kind: Kind, settings: KindSettings): KitRequest {
  const parts = secrets(member.parts);
  const issuer = member.provider.kinds.find((one) => one.name === member.issuer?.kind);
  const own = { parts, places: kind.places };
  const acting = issuer === undefined ? own : { parts: secrets(member.issuer!.parts), places: issuer.places };
  const wire = injectSecrets(kind.probe.request({ settings }), acting, issuer === undefined ? undefined : parts);
  const headers = wire.headers.flatMap((name, i) => (i % 2 === 0 ? [[name, wire.headers[i + 1]!] as const] : []));
  const [target = '', query = ''] = wire.path.split('?');
  const body = wire.body === null ? null : (JSON.parse(wire.body) as Json);
  return {
    method: wire.method,
    path: target,
    query: new URLSearchParams(query),
    headers: Object.fromEntries(headers),
    body,
    remoteAddress: '127.0.0.1',
  };
}

function isOf(rule: Rule, { status, body }: KitAnswer): boolean {
  const word = (name: string) => (body as Readonly<Record<string, Json>> | null)?.[name];
  if (status !== rule.status) return false;
  if (rule.body !== undefined) return JSON.stringify(body) === JSON.stringify(rule.body);
  if (rule.error !== undefined) return word('error') === rule.error;
  return rule.error_code === undefined || word('error_code') === rule.error_code;
}

function checkTwin(row: Row, member: Member, kind: Kind): void {
  const { twin } = member;
  if (twin === null) return;
  test(`${row.credential} (${kind.name}): the twin says of a key that never was what the row calls dead`, () => {
    for (const settings of member.settings) {
      const said = twin(arrival(member, kind, settings));
      assert(
        row.dead.some((rule) => isOf(rule, said)),
        JSON.stringify(said),
      );
    }
  });
}

test('every row of the collected probes has a member, or a reason why not', (t) => {
  if (rows === null) return t.skip(`NOT CHECKED: ${file} is not there`);
  const known = [...Object.keys(MEMBERS), ...Object.keys(NO_MEMBER)];
  assert.deepEqual(rows.map((row) => row.credential).sort(), known.sort());
  for (const row of rows)
    for (const field of Object.keys(row)) assert(FIELDS[field] !== undefined, `${row.credential}: ${field}`);
});

for (const row of rows ?? []) {
  const member = MEMBERS[row.credential];
  for (const kind of member?.provider.kinds.filter((one) => member.kinds.includes(one.name)) ?? []) {
    checkRow(row, member!, kind);
    if (kind.preflight !== undefined) checkPreflight(row, member!, kind);
    checkTwin(row, member!, kind);
  }
  if (row.which_kind !== undefined && member !== undefined) checkWhichKind(row, member);
}
