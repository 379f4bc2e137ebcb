// `claviger provider check`: what it shows without sending, what it refuses, and its live form against SendGrid's twin, lies and losses included.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { startTwin } from '../../twins/kit.io.ts';
import { prng } from '../../twins/prng.ts';
import { newSendgridKey, sendgridTwin } from '../../twins/sendgrid.ts';
import { loadConfig } from '../config/load.io.ts';
import { sendgridScopes } from '../providers/sendgrid.actions.ts';
import { serve } from '../serve.io.ts';
import { type CallOptions, call, temporaryFolder } from './test-support.io.ts';

const page = readFileSync(path.resolve(import.meta.dirname, '../../docs/providers/declared.md'), 'utf8');
/** The worked example of the documentation. */
const ACME = /^```yaml\n((?:(?!```)[\s\S])*?^kinds:[\s\S]*?)^```$/m.exec(page)![1]!;

interface Plan {
  readonly ok: boolean;
  readonly kinds: readonly {
    readonly kind: string;
    readonly missing: readonly string[];
    readonly requests: readonly {
      operation: string;
      line: string | null;
      body: unknown;
      secrets: string[];
      answers: string[] | null;
    }[];
  }[];
}

interface Live {
  readonly ok: boolean;
  readonly steps: readonly { step: string; ok: boolean; is: string; evidence: string | null }[];
  readonly left: readonly { label: string; providerKeyId: string | null }[];
}

/** A configuration with a directory of providers, and a call of the program with it. */
function place(t: TestContext, more = '') {
  const folder = temporaryFolder(t);
  const at = (...names: string[]) => path.join(folder, ...names);
  mkdirSync(at('providers'), { mode: 0o755 });
  writeFileSync(at('claviger.yaml'), `dataDirectory: ./data\nprovidersDirectory: ./providers\n${more}`, {
    mode: 0o600,
  });
  const file = (name: string, text: string) => {
    writeFileSync(at(name), text, { mode: 0o600 });
    return at(name);
  };
  const run = (args: string[], options: CallOptions = {}) =>
    call(args, { env: { CLAVIGER_CONFIG: at('claviger.yaml') }, ...options });
  return { at, file, run };
}

test('without --live nothing is sent: requests, places, how answers are read, what is missing', async (t) => {
  const { file, run } = place(t);
  file('providers/acme.yaml', ACME);
  const { exit, out, err } = await run(['provider', 'check', 'acme', '--json']);
  assert.equal(exit, 0, err);
  const { kinds } = JSON.parse(out) as Plan;
  assert.deepEqual(
    kinds.map(({ kind }) => kind),
    ['project-token', 'admin-token'],
  );
  const [issue] = kinds[0]!.requests;
  assert.deepEqual(
    [issue?.line, issue?.body, issue?.secrets, issue?.answers?.[0]],
    [
      'POST /v1/projects/{projectId}/tokens',
      { name: '{label}', scopes: '{scopes}', expires_at: '{expiresAt}' },
      ['header Authorization: Bearer ⟨key⟩ of the issuer'],
      '201 created: issued',
    ],
  );
  const probe = kinds[0]!.requests.find(({ operation }) => operation === 'probe');
  assert.deepEqual(probe?.secrets, ['header Authorization: Bearer ⟨key⟩ of the key itself']);
  assert.equal(probe?.answers?.[1], '401 invalid-token: dead where /error is "invalid_token"');
  assert.deepEqual(kinds[0]!.missing, []);
  const human = await run(['provider', 'check', 'acme', '--kind', 'project-token']);
  assert.match(human.out, /nothing is missing for automatic rotation/);
  assert.doesNotMatch(human.out, /^admin-token$/m);
});

test('a kind that is to rotate by itself and lacks something is a finding', async (t) => {
  const { file, run } = place(t);
  const text = ACME.replace('issuers: [admin-token]', 'issuers: []').replace(/^ +- \{ status: 401.*\n/gm, '');
  const named = file('other.yaml', text);
  const { exit, out } = await run(['provider', 'check', 'acme', '--file', named]);
  assert.equal(exit, 1);
  assert.match(out, /missing for automatic rotation:\n +issuers: .*\n +probe: no answer means that the key is dead/);
  const quiet = await run(['provider', 'check', 'acme', '--file', named, '--quiet']);
  assert.equal(quiet.out, 'project-token\n', 'a kind that a person rotates is no finding');
});

test('every provider of the program can be looked at, and shows no values', async (t) => {
  const { run } = place(t);
  for (const name of ['neon', 'plaid', 'sendgrid', 'mastodon', 'gitlab', 'supabase', 'twilio']) {
    const { exit, out, err } = await run(['provider', 'check', name, '--json']);
    assert.equal(exit, 0, `${name}: ${out}${err}`);
    const { kinds } = JSON.parse(out) as Plan;
    assert.ok(kinds.length > 0 && kinds.every(({ requests }) => requests.length > 0), name);
    for (const { line } of kinds.flatMap(({ requests }) => requests))
      assert.ok(line === null || line.includes(' /'), name);
  }
});

test('what goes without a key, what stands in a form, and the answers of a member by declaration are shown', async (t) => {
  const { run } = place(t);
  const planOf = async (name: string, kind: string) => {
    const { out } = await run(['provider', 'check', name, '--kind', kind, '--json']);
    const [plan] = (JSON.parse(out) as Plan).kinds;
    return (operation: string) => plan!.requests.find((one) => one.operation === operation)!;
  };
  const server = await planOf('prefect-server', 'auth-string');
  const { line, secrets } = server('preflight');
  assert.deepEqual([line, secrets], ['GET /api/admin/version', []]);
  assert.deepEqual(server('probe').secrets, ['basic ⟨key⟩ of the key itself']);
  const token = await planOf('mastodon', 'user-token');
  assert.deepEqual(token('revoke').secrets, [
    'form client_id=⟨clientId⟩ of the key that asks',
    'form client_secret=⟨clientSecret⟩ of the key that asks',
    'form token=⟨key⟩ of the key that it is about',
  ]);
  assert.equal(token('revoke').answers, null, 'read by code');
  const client = await planOf('plaid', 'client');
  assert.equal(
    client('probe').answers?.[1],
    '400 invalid-api-keys: dead where /error_code is one of ["INVALID_API_KEYS"]',
  );
});

test('the request for the provider’s own log is shown, with the span that would be asked about', async (t) => {
  const { run } = place(t);
  const check = ['provider', 'check', 'prefect-cloud', '--kind', 'user-key', '--json'];
  const logOf = async (...more: string[]) => {
    const { out } = await run([...check, ...more]);
    return (JSON.parse(out) as Plan).kinds[0]!.requests.find((one) => one.operation === 'log')!;
  };
  const account = '0198c1d2-e3f4-45b6-87d8-e9f0a1b2c3d4';
  const { line, body, secrets } = await logOf('--set', `accountId=${account}`);
  assert.equal(line, `POST /api/accounts/${account}/events/filter`);
  const { occurred } = (body as { filter: { occurred: { since: string; until: string } } }).filter;
  const days = (Date.parse(occurred.until) - Date.parse(occurred.since)) / 86_400_000;
  assert.ok(days > 13 && days < 14, `${days} days`);
  assert.deepEqual(secrets, ['header Authorization: Bearer ⟨key⟩ of the issuer']);
  assert.equal((await logOf()).line, null, 'without an account there is no log');
});

test('wrong calls: a name that is taken or another one, an unknown kind, --mint without --live, a broken file', async (t) => {
  const { file, run } = place(t);
  const acme = file('acme.yaml', ACME);
  const taken = file('neon.yaml', ACME.replace('name: acme', 'name: neon'));
  const broken = file('broken.yaml', ACME.replace('rotation: overlap', 'rotation: sometimes'));
  const cases: readonly (readonly [string[], number, RegExp])[] = [
    [['nowhere'], 1, /no such provider/],
    [['other', '--file', acme], 2, /declares the provider acme/],
    [['neon', '--file', taken], 2, /has a provider neon of its own/],
    [
      ['acme', '--file', broken],
      2,
      /broken\.yaml\/kinds\/0\/rotation {2}line \d+, column \d+: expected one of overlap/,
    ],
    [['acme', '--file', acme, '--kind', 'none'], 2, /project-token, admin-token/],
    [['acme', '--file', acme, '--mint'], 2, /--mint {2}goes with --live/],
    [['acme', '--file', acme, '--live'], 2, /--kind {2}say which one/],
    [['sendgrid', '--kind', 'admin-key', '--live', '--mint'], 2, /cannot be made and ended by API/],
    [['sendgrid', '--kind', 'api-key', '--live', '--mint'], 2, /--set scopes=…/],
    [['sendgrid', '--kind', 'api-key', '--live', '--set', 'colour=red'], 2, /--set colour/],
    [['sendgrid', '--kind', 'api-key', '--live'], 2, /give --issuer-from-stdin/],
  ];
  for (const [args, exit, why] of cases) {
    const said = await run(['provider', 'check', ...args]);
    assert.equal(said.exit, exit, `${args}: ${said.err}`);
    assert.match(said.err, why);
  }
});

test('doctor lists what is wrong with the files, serve refuses them all at once, and a good one is served', async (t) => {
  const { at, file, run } = place(
    t,
    'kek: { kind: key-file, path: ./kek }\napi: { listen: "127.0.0.1:0" }\nbroker: { listen: "127.0.0.1:0" }\nproviders: { acme: { origin: "https://api.acme-deployments.com" } }\n',
  );
  assert.equal((await run(['init', '--yes'], { now: Date.now() })).exit, 0);
  file('providers/acme.yaml', ACME.replace('rotation: overlap', 'rotation: sometimes'));
  file('providers/neon.yaml', ACME.replace('name: acme', 'name: neon'));
  const doctor = await run(['doctor', '--json'], { now: Date.now() });
  assert.equal(doctor.exit, 1);
  const errors = (
    JSON.parse(doctor.out) as { checks: { id: string; status: string; message: string }[] }
  ).checks.filter(({ status }) => status === 'error');
  assert.deepEqual(
    errors.map(({ id }) => id),
    ['configuration /providersDirectory', 'configuration /providersDirectory'],
  );
  assert.match(errors[0]!.message, /^acme\.yaml: line \d+, column \d+: \/kinds\/0\/rotation: /);
  const refused = await run(['serve'], { now: Date.now() });
  assert.equal(refused.exit, 2);
  assert.match(refused.err, /acme\.yaml: line [\s\S]*neon\.yaml: \/name: this program has a provider neon/);

  const { config } = await loadConfig(at('claviger.yaml'), { environment: {} });
  const options = {
    config,
    kek: null,
    readSecret: () => assert.fail('none is configured'),
    report: () => {},
    onLost: (why: string) => assert.fail(why),
  };
  await assert.rejects(serve(options), /the providers of the configuration are not accepted/);
  file('providers/acme.yaml', ACME);
  file('providers/neon.yaml', ACME.replace('name: acme', 'name: other'));
  assert.equal((await run(['doctor'], { now: Date.now() })).exit, 0);
  const serving = await serve(options);
  try {
    assert.ok(serving.app.providers.has('acme') && serving.app.providers.has('neon'));
  } finally {
    await serving.stop();
  }
});

async function sendgridAccount(t: TestContext) {
  const twin = await startTwin(sendgridTwin);
  t.after(twin.close);
  const { control } = twin;
  const key = newSendgridKey(prng(11));
  control.mint({ kind: 'admin-key', name: 'admin', account: 'a', scopes: [...sendgridScopes], parts: { key } });
  const settings = `{ origin: "${twin.origin}", privateNetworks: [127.0.0.0/8], plainHttp: true }`;
  const { file, run } = place(t, `providers: { sendgrid: ${settings} }\n`);
  const given = file('admin.key', `${key}\n`);
  const live = async (...more: string[]) => {
    const args = ['provider', 'check', 'sendgrid', '--kind', 'api-key', '--live', '--set', 'scopes=mail.send'];
    const said = await run([...args, '--json', '--issuer-from-file', given, ...more]);
    assert.ok(!`${said.out}${said.err}`.includes('canary'), 'a key is never shown');
    return { ...said, report: (said.out === '' ? null : JSON.parse(said.out)) as Live };
  };
  return { control, file, run, live, key, given };
}

test('live: the given key is probed, the list is read, and nothing is made', async (t) => {
  const { control, live, run, key, given } = await sendgridAccount(t);
  const { exit, report } = await live();
  assert.equal(exit, 0);
  assert.deepEqual(
    report.steps.map(({ step, is, evidence }) => [step, is, evidence]),
    [
      ['probe the given key', 'alive', '200 sendgrid.200.scopes'],
      ['list', 'listed: 1 keys', null],
    ],
  );
  assert.equal(control.keys.all().length, 1);
  const args = ['provider', 'check', 'sendgrid', '--kind', 'api-key', '--live'];
  assert.equal((await run([...args, '--issuer-from-stdin'], { stdin: key })).exit, 0);
  // Where nobody can be asked, a key is made only with --yes.
  const unasked = await run([...args, '--mint', '--set', 'scopes=mail.send', '--issuer-from-file', given]);
  assert.deepEqual([unasked.exit, control.keys.all().length], [2, 1]);
  assert.match(unasked.err, /--yes is needed/);
});

test('live with --mint: made, alive, listed, revoked, dead, and nothing is left', async (t) => {
  const { control, live } = await sendgridAccount(t);
  const { exit, report, err } = await live('--mint', '--yes');
  assert.equal(exit, 0, err);
  assert.deepEqual(
    report.steps.map(({ step, is }) => [step, is]),
    [
      ['probe the given key', 'alive'],
      ['list', 'listed: 1 keys'],
      ['issue', 'issued'],
      ['form of the new key', 'fits'],
      ['probe the new key', 'alive'],
      ['list the new key', 'listed'],
      ['revoke', 'accepted'],
      ['probe until it is dead', 'dead: refused 3 times'],
    ],
  );
  assert.ok(report.steps.every(({ ok }) => ok));
  assert.deepEqual(report.left, []);
  const made = control.keys.all().find((one) => one.kind === 'api-key');
  assert.match(made!.name, /^claviger-check-[0-9a-f]{16}$/);
  assert.deepEqual(made!.scopes, ['mail.send']);
  assert.equal(control.isAlive(made!.id), false);
});

test('live: a revocation that does nothing is found out, and the key is named loudly', async (t) => {
  const { control, live } = await sendgridAccount(t);
  control.fault('revoke-ignored');
  const { exit, report, err } = await live('--mint', '--yes');
  assert.equal(exit, 1);
  const [left] = report.left;
  assert.equal(control.isAlive(left!.providerKeyId!), true);
  assert.ok(err.includes(`A KEY MAY STILL BE ALIVE: ${left!.label}, id ${left!.providerKeyId}`), err);
  assert.equal(report.steps.at(-1)?.ok, false);
});

test('live: a key whose creation was lost is looked for by its name, and ended', async (t) => {
  const { control, live } = await sendgridAccount(t);
  control.fault('cut-after', { count: 1, on: ['create-key'] });
  const { exit, report } = await live('--mint', '--yes');
  assert.equal(exit, 1, 'a creation that says nothing is a finding');
  assert.ok(report.steps.some(({ step, is }) => step === 'look for a lost key' && is === '1 found'));
  assert.deepEqual(report.left, []);
  for (const one of control.keys.all().filter(({ kind }) => kind === 'api-key'))
    assert.equal(control.isAlive(one.id), false);
});

test('live: what the provider does wrong is a finding of its step, and the key is ended all the same', async (t) => {
  const cases = [
    ['cut-after', ['revoke-key'], 0, ['revoke', 'absent']],
    ['dead-on-arrival', null, 1, ['probe the new key', 'dead']],
    ['quota-full', ['create-key'], 1, ['issue', 'refused']],
  ] as const;
  for (const [fault, on, exit, [step, is]] of cases) {
    const { control, live } = await sendgridAccount(t);
    control.fault(fault, { count: 1, on });
    const said = await live('--mint', '--yes');
    assert.equal(said.exit, exit, `${fault}: ${said.out}`);
    assert.equal(said.report.steps.find((one) => one.step === step)?.is, is, fault);
    assert.deepEqual(said.report.left, [], fault);
    const made = control.keys.all().filter(({ kind }) => kind === 'api-key');
    assert.ok(!made.some(({ id }) => control.isAlive(id)), fault);
  }
});

test('live: a given key that is dead, or has not the form of one, ends the check before anything is made', async (t) => {
  const { control, file, live, run } = await sendgridAccount(t);
  for (const one of control.keys.all()) control.endByHand(one.id);
  const { exit, report } = await live('--mint', '--yes');
  assert.equal(exit, 1);
  assert.deepEqual(
    report.steps.map(({ is, evidence }) => [is, evidence]),
    [['dead', '401 sendgrid.401.unauthorized']],
  );
  const odd = file('odd.key', 'canary-is-no-sendgrid-key');
  const args = ['provider', 'check', 'sendgrid', '--kind', 'api-key', '--live', '--issuer-from-file', odd];
  const refused = await run(args);
  assert.equal(refused.exit, 2);
  assert.match(refused.err, /does not have the form of a key of kind admin-key; nothing was sent/);
  assert.ok(!refused.err.includes('canary'));
});
