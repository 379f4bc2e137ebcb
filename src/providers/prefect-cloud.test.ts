// Prefect Cloud at the family's conformance suite, and what is particular to it: a rotation in place that must never be without a grace, a
// list in two places, refusals that are one text for every reason. Its catalogue of actions is in prefect.actions.test.ts, its twin's own
// clockwork in twins/prefect-cloud.test.ts.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { type ProviderTwin, providerConformance } from '../../test/conformance/provider.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import type { KitControl, KitKey } from '../../twins/kit.ts';
import { addBot, newPrefectKey, type PrefectCloudState, prefectCloudTwin } from '../../twins/prefect-cloud.ts';
import { prng } from '../../twins/prng.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { prefectCloud } from './prefect-cloud.ts';
import { type Acting, graceSeconds, type IssueInput, type Kind, type Parts, type ProviderAnswer } from './provider.ts';

type Control = KitControl<PrefectCloudState>;

const random = prng(11);
const USER = { userId: '0198c1d2-e3f4-4081-92a3-b4c5d6e7f801' };
const DEAD = { detail: 'Invalid authentication credentials' };
const userKey = prefectCloud.kinds.find((kind) => kind.name === 'user-key')!;
const botKey = prefectCloud.kinds.find((kind) => kind.name === 'service-account-key')!;

function keyOf(kind: Kind, control: Control): KitKey {
  const isUser = kind.name === 'user-key';
  const account = isUser ? control.state.userId : botOf(control);
  const parts = { key: newPrefectKey(random, isUser ? 'pnu' : 'pnb') };
  return control.mint({ kind: kind.name, name: 'by hand', account, parts });
}

/** Id of the one service account of a twin. */
function botOf({ state }: Control): string {
  const [bot] = state.bots.values();
  return (bot ?? addBot(state, random, { name: 'etl-prod' })).id;
}

function settingsOf(control: Control): Record<string, string> {
  return { userId: control.state.userId, accountId: control.state.accountId, botId: botOf(control) };
}

interface Bench {
  readonly twin: ProviderTwin;
  readonly control: Control;
  readonly admin: Acting;
  readonly settings: Record<string, string>;
}

async function cloudTwin(): Promise<ProviderTwin & { readonly control: Control }> {
  let found: Control | undefined;
  const twin = await kitTwin<PrefectCloudState>({
    definition: prefectCloudTwin,
    documents: [{ file: 'specs/prefect/prefect-cloud.openapi.json', base: '' }],
    // The document leaves out what is refused: these have no entry at any operation.
    undocumentedStatuses: [401, 403, 404],
    issuer(kind, control) {
      found = control;
      return {
        acting: { parts: secretParts(keyOf(userKey, control)), places: kind.places },
        settings: settingsOf(control),
      };
    },
    byHand: keyOf,
  });
  // Asking for an issuer is how the twin's control is had.
  twin.issuer(userKey);
  return { ...twin, control: found! };
}

// The suite holds that a path has no final slash; Prefect's collections have one, and mean it: without it they answer with a redirect.
const withoutFinalSlash = prefectCloud.actions.map((action) => ({ ...action, path: action.path.replace(/\/$/, '') }));
providerConformance({ ...prefectCloud, actions: withoutFinalSlash }, cloudTwin);

function at(name: string, run: (bench: Bench) => Promise<void>): void {
  test(name, async (t) => {
    const twin = await cloudTwin();
    try {
      const { acting, settings } = twin.issuer(botKey);
      await run({ twin, control: twin.control, admin: acting, settings: { ...settings } });
      const problems = twin.problems();
      if (problems === null) t.diagnostic(twin.documentAbsent);
      else assert.deepEqual(problems, []);
    } finally {
      await twin.close();
    }
  });
}

function rotateInput(settings: Record<string, string>, providerKeyId: string, graceS = 3_600) {
  return { settings, label: 'l', providerKeyId, grace: graceSeconds(graceS, botKey.graceMaxSeconds!) };
}

async function rotate({ twin, admin, settings }: Bench, old: KitKey) {
  const input = rotateInput(settings, old.id);
  return botKey.replace!.read(await twin.call(botKey.replace!.request(input), admin, secretParts(old)), input);
}

async function idsOf({ twin, admin, settings }: Bench): Promise<string[]> {
  const outcome = botKey.list!.read(await twin.call(botKey.list!.request({ settings }), admin), { settings });
  assert(outcome.is === 'listed');
  return outcome.keys.map((key) => key.providerKeyId);
}

async function livenessOf({ twin, settings }: Bench, kind: Kind, parts: Parts): Promise<string> {
  const answer = await twin.call(kind.probe.request({ settings }), { parts, places: kind.places });
  return kind.probe.read(answer, { settings }).is;
}

function answer(status: number, json: Json, headers: Record<string, string> = {}): ProviderAnswer {
  return { status, headers, json, text: JSON.stringify(json) };
}

test('liveness: dead is one exact body, and everything that proves nothing is unknown', () => {
  const table: [status: number, body: Json, is: string][] = [
    [200, [], 'alive'],
    [200, [{ workspace_id: 'w' }], 'alive'],
    [200, {}, 'unknown'],
    [200, null, 'unknown'],
    [403, { detail: 'Request denied by the allowlist of addresses' }, 'alive'],
    [403, null, 'unknown'],
    [403, { message: 'a proxy' }, 'unknown'],
    [401, DEAD, 'dead'],
    [401, { detail: 'Invalid authentication credentials.' }, 'unknown'],
    [401, { detail: [DEAD] }, 'unknown'],
    [401, { message: DEAD.detail }, 'unknown'],
    [401, null, 'unknown'],
    [404, { detail: 'Not Found' }, 'unknown'],
    [404, DEAD, 'unknown'],
    [307, null, 'unknown'],
    [411, null, 'unknown'],
    [413, null, 'unknown'],
    [422, { detail: [] }, 'unknown'],
    [429, DEAD, 'unknown'],
    [500, DEAD, 'unknown'],
    [503, null, 'unknown'],
  ];
  for (const { probe, name } of prefectCloud.kinds)
    for (const [status, body, is] of table)
      assert.equal(
        probe.read(answer(status, body), { settings: {} }).is,
        is,
        `${name} ${status} ${JSON.stringify(body)}`,
      );
  const limited = userKey.probe.read(answer(429, null, { 'retry-after': '7' }), { settings: {} });
  assert(limited.is === 'unknown');
  assert.equal(limited.retryAfterMs, 7_000);
});

interface ProbeRow {
  readonly credential: string;
  readonly request: { readonly url: string };
  readonly alive: readonly { readonly status: number }[];
  readonly dead: readonly { readonly status: number; readonly body: Json }[];
  readonly which_kind: { readonly rules: readonly { readonly status: number; readonly detail?: string }[] };
}

test('the collected probe of Prefect Cloud is read as it was collected', (t) => {
  const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');
  const file = path.join(shared, 'specs/derived/verify-probes.json');
  if (!existsSync(file)) return t.skip(`NOT CHECKED: ${file} is not there`);
  const { probes } = JSON.parse(readFileSync(file, 'utf8')) as { probes: ProbeRow[] };
  const row = probes.find((one) => one.credential.startsWith('prefect-cloud'))!;
  assert.equal(prefectCloud.origin + userKey.probe.request({ settings: USER }).path, row.request.url);
  const read = (status: number, body: Json) => userKey.probe.read(answer(status, body), { settings: {} }).is;
  for (const { status } of row.alive) assert.equal(read(status, status === 200 ? [] : { detail: 'why' }), 'alive');
  for (const { status, body } of row.dead) assert.equal(read(status, body), 'dead');
  const [user, bot] = row.which_kind.rules;
  const identify = (status: number, body: Json) => userKey.identity!.read(answer(status, body), { settings: {} }).is;
  assert.equal(identify(user!.status, { id: 'u' }), 'known');
  assert.equal(identify(bot!.status, { detail: bot!.detail! }), 'unknown');
});

test('issue: certain refusals are told from doubt', () => {
  const table: [status: number, body: Json, is: string, final: boolean | null][] = [
    [401, DEAD, 'refused', false],
    [403, { detail: 'no' }, 'refused', false],
    [404, { detail: 'Not Found' }, 'refused', true],
    [422, { detail: [] }, 'refused', true],
    [429, null, 'refused', false],
    [403, null, 'ambiguous', null],
    [408, { detail: 'timeout' }, 'ambiguous', null],
    [307, null, 'ambiguous', null],
    [200, { id: 'i', name: 'l', key: 'pnu_canary' }, 'ambiguous', null],
    [201, { name: 'l', key: 'pnu_canary' }, 'ambiguous', null],
    [201, { id: 'i', name: 'l' }, 'ambiguous', null],
    [500, { detail: 'Internal Server Error' }, 'ambiguous', null],
    [503, null, 'ambiguous', null],
  ];
  for (const [status, body, is, final] of table) {
    const outcomes = [
      userKey.issue!.read(answer(status, body), { settings: {}, label: 'l' }),
      botKey.replace!.read(answer(status, body), { settings: {}, label: 'l', providerKeyId: 'k' }),
    ];
    for (const outcome of outcomes)
      assert.deepEqual([outcome.is, outcome.is === 'refused' ? outcome.final : null], [is, final], `${status}`);
  }
});

test('requests: an end that was asked for is sent, and none is sent where none was', () => {
  const settings = USER;
  const expiresAt = Date.UTC(2027, 1, 21);
  const bodyOf = (input: Partial<IssueInput>) => userKey.issue!.request({ settings, label: 'l', ...input }).json;
  assert.deepEqual(bodyOf({ expiresAt }), { name: 'l', expiration: '2027-02-21T00:00:00Z' });
  assert.deepEqual(bodyOf({}), { name: 'l' });
  const label = 'clv/0123abcd/0123456789abcdef/0123456789abcdef/9999';
  assert.deepEqual(bodyOf({ label }), { name: label });
  const made = userKey.issue!.read(
    answer(201, { id: 'i', name: 'l', key: 'pnu_canary', expiration: '2027-02-21T00:00:00+00:00' }),
    { settings, label: 'l', expiresAt },
  );
  assert(made.is === 'issued');
  assert.equal(made.expiresAt, expiresAt);
  for (const userId of ['..', 'me', '', '0198c1d2-e3f4-4081-92a3-b4c5d6e7f801/..'])
    assert.throws(
      () => userKey.list!.request({ settings: { userId } }),
      (error) => Failure.is(error, 'invalid'),
    );
});

test('a rotation without a grace is refused before anything is sent: the old key would die in that moment', () => {
  const id = '0198c1d2-e3f4-4081-92a3-b4c5d6e7f801';
  const settings = { accountId: id, botId: id };
  assert.throws(
    () => botKey.replace!.request({ settings, label: 'l', providerKeyId: id }),
    (error) => Failure.is(error, 'invalid'),
  );
  for (const seconds of [0, -1, 1.5, 172_801, Number.NaN])
    assert.throws(
      () => graceSeconds(seconds, botKey.graceMaxSeconds!),
      (error) => Failure.is(error, 'invalid'),
    );
  const { path: target, json } = botKey.replace!.request(rotateInput(settings, id, 172_800));
  assert.equal(target, `/api/accounts/${id}/bots/${id}/rotate_api_key`);
  assert.deepEqual(json, { old_key_expires_in_seconds: 172_800 });
});

at(
  'a rotation leaves the old key alive, lists both, and the old one may be ended before its grace is over',
  async (bench) => {
    const { twin, control, admin, settings } = bench;
    const old = keyOf(botKey, control);
    const made = await rotate(bench, old);
    assert(made.is === 'issued');
    assert.deepEqual(await idsOf(bench), [made.providerKeyId, old.id]);
    assert.equal(await livenessOf(bench, botKey, secretParts(old)), 'alive');

    const input = { settings, providerKeyId: old.id };
    const revoke = async () => botKey.revoke!.read(await twin.call(botKey.revoke!.request(input), admin), input).is;
    assert.equal(await revoke(), 'accepted');
    assert.deepEqual(await idsOf(bench), [made.providerKeyId]);
    assert.equal(await livenessOf(bench, botKey, secretParts(old)), 'dead');
    assert.equal(await livenessOf(bench, botKey, made.parts), 'alive');
    assert.equal(await revoke(), 'absent');
  },
);

at(
  'a rotation whose answer is lost: the new key stands in the list, and another rotation leaves the old one its grace',
  async (bench) => {
    const { twin, control, admin, settings } = bench;
    const old = keyOf(botKey, control);
    twin.inject('create-lost');
    await assert.rejects(rotate(bench, old), (error) => Failure.is(error, 'upstream-ambiguous'));
    twin.clearFaults();
    const [lost] = (await idsOf(bench)).filter((id) => id !== old.id);
    assert(lost !== undefined);

    const made = await rotate(bench, old);
    assert(made.is === 'issued');
    assert.deepEqual((await idsOf(bench)).sort(), [made.providerKeyId, lost, old.id].sort());
    assert.equal(await livenessOf(bench, botKey, secretParts(old)), 'alive');
    const input = { settings, providerKeyId: lost };
    assert.equal(botKey.revoke!.read(await twin.call(botKey.revoke!.request(input), admin), input).is, 'accepted');
    assert.equal(control.isAlive(lost), false);
  },
);

at('a new key may be refused at first, in the words of a dead one: one refusal is no proof', async (bench) => {
  const made = await rotate(bench, keyOf(botKey, bench.control));
  assert(made.is === 'issued');
  bench.control.fault('good-key-refused', { count: 2 });
  assert.equal(await livenessOf(bench, botKey, made.parts), 'dead');
  assert.equal(await livenessOf(bench, botKey, made.parts), 'dead');
  assert.equal(await livenessOf(bench, botKey, made.parts), 'alive');
});

at('whose key it is: a user names themselves, a service account its account, and neither the other', async (bench) => {
  const { twin, control, settings } = bench;
  const identify = async (kind: Kind, key: KitKey) => {
    const acting = { parts: secretParts(key), places: kind.places };
    const outcome = kind.identity!.read(await twin.call(kind.identity!.request({ settings }), acting), { settings });
    return outcome.is === 'known' ? outcome.account : outcome.evidence.status;
  };
  const [user, bot] = [keyOf(userKey, control), keyOf(botKey, control)];
  assert.equal(await identify(userKey, user), control.state.userId);
  assert.equal(await identify(botKey, bot), control.state.accountId);
  assert.equal(await identify(userKey, bot), 403);
  assert.equal(botKey.identity!.read(answer(200, []), { settings }).is, 'unknown');
});

at('what a key may do: what its actor may, in the account and in the one workspace', async (bench) => {
  const { twin, control } = bench;
  const settings = { ...bench.settings, workspaceId: control.state.workspaceId };
  const rightsOf = async (key: KitKey, given: Record<string, string> = settings) => {
    const outcomes = [];
    for (const one of botKey.rights!) {
      const said = await twin.call(one.request({ settings: given }), {
        parts: secretParts(key),
        places: botKey.places,
      });
      const outcome = one.read(said, { settings: given });
      outcomes.push(outcome.is === 'known' ? outcome.scopes : outcome.evidence.status);
    }
    return outcomes;
  };
  const bot = addBot(control.state, prng(5), { name: 'narrow', scopes: ['see_flows', 'run_flows'] });
  const parts = { key: newPrefectKey(prng(6), 'pnb') };
  const key = control.mint({ kind: 'service-account-key', name: 'narrow', account: bot.id, parts });
  assert.deepEqual(await rightsOf(key), [['read:account'], ['see_flows', 'run_flows']]);
  const [ofAdmin] = await rightsOf(keyOf(userKey, control));
  assert(Array.isArray(ofAdmin) && ofAdmin.includes('update:bot'));
  const elsewhere = { ...settings, workspaceId: '01234567-89ab-4cde-8f01-23456789abcd' };
  assert.deepEqual((await rightsOf(key, elsewhere))[1], 404, 'no member there: nothing is known');
  assert.throws(() => botKey.rights![1]!.request({ settings: bench.settings }), /the setting workspaceId is missing/);
});

at(
  'rotating needs an actor that may: a service account without the role is refused, and nothing was made',
  async (bench) => {
    const { twin, control, settings } = bench;
    const old = keyOf(botKey, control);
    const input = rotateInput(settings, old.id);
    const acting = { parts: secretParts(old), places: botKey.places };
    const outcome = botKey.replace!.read(await twin.call(botKey.replace!.request(input), acting), input);
    assert(outcome.is === 'refused');
    assert.deepEqual([outcome.final, outcome.evidence.status], [false, 403]);
    assert.deepEqual(await idsOf(bench), [old.id]);
  },
);

test('list: active and rotating keys are one list; what is not whole is unknown', () => {
  const key = (id: string) => ({ id, name: 'etl-prod', created: '2026-11-01T10:00:00.5Z', masked_key: 'pnb_...a1b2' });
  const list = (body: Json) => {
    const outcome = botKey.list!.read(answer(200, body), { settings: {} });
    return outcome.is === 'listed' ? outcome.keys.map((one) => one.providerKeyId) : outcome.is;
  };
  assert.deepEqual(list({ active_key: key('a'), rotating_keys: [key('b'), key('c')] }), ['a', 'b', 'c']);
  assert.deepEqual(list({ active_key: key('a'), rotating_keys: [] }), ['a']);
  assert.deepEqual(list({ active_key: null, rotating_keys: [key('b')] }), ['b']);
  const broken: Json[] = [
    null,
    [],
    [key('a')],
    {},
    { active_key: key('a') },
    { rotating_keys: [] },
    { active_key: key('a'), rotating_keys: {} },
    { active_key: {}, rotating_keys: [] },
    { active_key: key('a'), rotating_keys: [{ name: 'no id' }] },
  ];
  for (const body of broken) assert.equal(list(body), 'unknown', JSON.stringify(body));
  assert.equal(botKey.list!.read(answer(403, { detail: 'no' }), { settings: {} }).is, 'refused');
  const outcome = userKey.list!.read(answer(200, [key('a')]), { settings: {} });
  assert(outcome.is === 'listed');
  assert.equal(outcome.keys[0]!.createdAt, Date.UTC(2026, 10, 1, 10, 0, 0, 500));
});

test('formats: a key of one kind is none of the other', () => {
  const [user, bot] = [userKey.format['key']!, botKey.format['key']!];
  assert.match(`pnu_${'aZ09'.repeat(9)}`, user);
  assert.match(`pnb_${'aZ09'.repeat(9)}`, bot);
  for (const text of [
    `pnb_${'a'.repeat(36)}`,
    `pnu_${'a'.repeat(35)}`,
    `pnu_${'a'.repeat(37)}`,
    `pcu_${'a'.repeat(36)}`,
  ])
    assert.doesNotMatch(text, user);
  for (const text of [`pnu_${'a'.repeat(36)}`, `pnb_${'a'.repeat(36)}\n`, `pnb_${'-'.repeat(36)}`])
    assert.doesNotMatch(text, bot);
});
