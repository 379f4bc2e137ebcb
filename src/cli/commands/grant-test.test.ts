// `claviger grant test`: the examples that are published hold, files are refused with their places, failures are shown with what decided, and the same
// table says the same of a running server and of the documents that made it.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { startHouse } from '../../../test/support/house.ts';
import { PRIVILEGE_VERDICTS } from '../../access/privilege.ts';
import { newTokenText } from '../../access/token.ts';
import { machineRandom } from '../../vault/cipher.io.ts';
import { call, recordingServer, type Said, temporaryFolder } from '../test-support.io.ts';
import { CASES_MAX } from './grant-cases.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const example = (name: string) => path.join(root, 'examples', name);
const EXAMPLE = [example('grants.test.yaml'), '--policy', example('grants.policy.yaml')];

const POLICY = `principals:
  - { name: web, kind: service }
  - { name: idle, kind: service }
credentials:
  - { provider: neon, name: prod, kind: organization-key, settings: { orgId: org-1 } }
  - { provider: neon, name: prod, environment: staging, kind: organization-key, settings: { orgId: org-2 } }
grants:
  - { principal: web, credential: neon/prod, actions: ["project.*"], note: for the site, rate: { requests: 1, perSeconds: 60, burst: 1 } }
  - { principal: web, credential: staging/neon/prod, actions: ["*"], name: all }
`;

function written(t: TestContext, files: Readonly<Record<string, string>>): (name: string) => string {
  const folder = temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  return (name) => path.join(folder, name);
}

function grantTest(...args: readonly string[]): Promise<Said> {
  return call(['grant', 'test', ...args]);
}

const CASES = `# two that hold, two that do not
- { as: web, credential: neon/prod, request: GET /api/v2/projects, expect: allow }
- { as: web, credential: neon/prod@staging, request: GET /api/v2/projects, expect: allow }
- as: web
  credential: neon/prod
  request: GET /api/v2/projects/p1
  expect: deny
  note: the site only lists
- { as: idle, credential: neon/prod, action: project.get, parameters: { project_id: p1 }, expect: deny, why: parameter }
`;

test('the published example holds, and every case of it can fail', async (t) => {
  const held = await grantTest(...EXAMPLE);
  assert.deepEqual([held.exit, held.out, held.err], [0, '8 of 8 expectations hold.\n', '']);
  const text = readFileSync(example('grants.test.yaml'), 'utf8');
  const turned = text
    .replaceAll(/(?:, |\n {2})why: [a-z-]+/g, '')
    .replaceAll(/expect: (?:allow|deny)/g, (found) => (found.endsWith('allow') ? 'expect: deny' : 'expect: allow'));
  const file = written(t, { 'turned.yaml': turned });
  const failed = await grantTest(file('turned.yaml'), '--policy', example('grants.policy.yaml'));
  assert.equal(failed.exit, 1, failed.err);
  assert.match(failed.out, /\n0 of 8 expectations hold; 8 fail\.\n$/);
});

test('the cases of the documentation hold too, as an installation that has applied the example would say', async (t) => {
  const page = readFileSync(path.join(root, 'docs/permissions.md'), 'utf8');
  const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
  assert.equal(blocks.length, 1);
  const file = written(t, { 'page.yaml': blocks[0]! });
  const { exit, out, err } = await grantTest(file('page.yaml'), '--policy', example('grants.policy.yaml'));
  assert.deepEqual([exit, out], [0, '3 of 3 expectations hold.\n'], err);
  for (const verdict of PRIVILEGE_VERDICTS) assert(page.includes(`| \`${verdict}\` |`), `${verdict} is not explained`);
});

test('a failure shows where it stands, what was asked, what came instead, and the grant that decided', async (t) => {
  const file = written(t, { 'policy.yaml': POLICY, 'cases.yaml': CASES });
  const { exit, out } = await grantTest(file('cases.yaml'), '--policy', file('policy.yaml'));
  assert.equal(exit, 1);
  const [titles = '', first = '', second = '', , summary] = out.split('\n');
  assert.match(titles, /^CASE +AS +CREDENTIAL +ASKED +EXPECTED +GOT +DECIDED BY +NOTE$/);
  assert.match(
    first,
    /cases\.yaml:4 +web +neon\/prod +GET \/api\/v2\/projects\/p1 +deny +allow +apply gnt_[0-9a-f]{32}: project\.\* +the site only lists$/,
  );
  assert.match(
    second,
    /cases\.yaml:9 +idle .*project\.get \{"project_id":"p1"\} +deny parameter +deny no-grant +none$/,
  );
  assert.equal(summary, '2 of 4 expectations hold; 2 fail.');

  const json = await grantTest(file('cases.yaml'), '--policy', file('policy.yaml'), '--json');
  const said = JSON.parse(json.out) as { cases: number; failed: number; items: Record<string, unknown>[] };
  assert.deepEqual([json.exit, said.cases, said.failed, said.items.length], [1, 4, 2, 4]);
  const { line, holds, decision, reason, expect, note } = said.items[2]!;
  assert.deepEqual(
    [line, holds, decision, reason, expect, note],
    [4, false, 'allow', null, 'deny', 'the site only lists'],
  );
  const quiet = await grantTest(file('cases.yaml'), '--policy', file('policy.yaml'), '--quiet');
  assert.deepEqual([quiet.exit, quiet.out], [1, `${file('cases.yaml')}:4\n${file('cases.yaml')}:9\n`]);
});

test('several files, and JSON as it is printed anywhere', async (t) => {
  const cases = [
    {
      as: 'web',
      credential: 'neon/prod',
      request: 'GET /api/v2/projects',
      expect: 'allow',
      note: '\u{1f600} \u001b[2J',
    },
  ];
  const file = written(t, {
    'policy.yaml': POLICY,
    'one.json': JSON.stringify(cases),
    'two.json': JSON.stringify([{ ...cases[0], expect: 'deny' }], null, '\t'),
  });
  const { exit, out, err } = await grantTest(file('one.json'), file('two.json'), '--policy', file('policy.yaml'));
  assert.deepEqual([exit, err], [1, '']);
  assert.match(out, /two\.json:2 /);
  assert.match(out, /\\u\{1b\}/, 'a note cannot move the cursor');
  assert.match(out, /\n1 of 2 expectations hold; 1 fails?\.\n$/);
});

test('files that are not right: every problem with its file, its place and no value; nothing is asked', async (t) => {
  const { env, requests } = await recordingServer(t, {});
  const token = newTokenText(machineRandom);
  const file = written(t, {
    'a.yaml': '- { as: web, credentail: neon/prod, request: GET /a, expect: allow }\n- 7\n',
    'b.yaml': `- as: web\n  credential: neon/prod\n  request: GET /a?key=${token}\n  expect: maybe\n`,
    'c.yaml': 'cases: []\n',
    'd.yaml': '',
    'e.yaml': '- { as: &a web }\n',
    'f.yaml': '[]\n',
    'latin.yaml': '',
  });
  writeFileSync(file('latin.yaml'), Uint8Array.of(0x2d, 0x20, 0xe9));
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'latin'].map((name) => file(`${name}.yaml`));
  const { exit, err } = await call(['grant', 'test', ...names], { env });
  assert.equal(exit, 2);
  for (const [name, said] of [
    ['a.yaml/0/credentail', 'line 1, column 14: unknown key; did you mean credential?'],
    ['a.yaml/0/credential', 'line 1, column 3: missing; expected text'],
    ['a.yaml/1', 'line 2, column 3: expected a section of keys and values, found a number'],
    ['b.yaml/0/request', 'line 3, column 12: this looks like a secret'],
    ['b.yaml/0/expect', 'line 4, column 11: expected one of allow, deny'],
    ['c.yaml', 'line 1, column 1: expected a list, found a section'],
    ['d.yaml', 'expected a list, found a section'],
    ['e.yaml/0/as', 'line 1, column 12: anchors and aliases are not accepted'],
    ['f.yaml', 'line 1, column 1: expected at least 1 entry'],
    ['latin.yaml', 'not UTF-8'],
  ] as const) {
    assert(err.includes(`${file(name)}  ${said}`), `${name}: ${said}\n${err}`);
  }
  assert(!err.includes(token) && requests.length === 0);
});

test('names that lead nowhere are said with their place in the files, offline as by a server', async (t) => {
  const wrong =
    '- { as: web, credential: neon/prod, action: project.fly, expect: deny }\n- { as: who, credential: neon/x, request: GET /, expect: deny }\n';
  const file = written(t, { 'policy.yaml': POLICY, 'good.yaml': CASES, 'wrong.yaml': wrong });
  const expected = [
    `${file('wrong.yaml')}/1/as  line 2, column 9: there is no such principal`,
    `${file('wrong.yaml')}/1/credential  line 2, column 26: there is no such credential`,
    `${file('wrong.yaml')}/0/action  line 1, column 45: the provider has no such action`,
  ];
  const offline = await grantTest(file('good.yaml'), file('wrong.yaml'), '--policy', file('policy.yaml'));
  assert.equal(offline.exit, 2);
  for (const line of expected) assert(offline.err.includes(line), offline.err);

  const house = await startHouse({ providers: { neon: 'http://127.0.0.1:9' } });
  t.after(() => house.stop());
  const env = { CLAVIGER_API: house.origin, CLAVIGER_TOKEN: house.adminToken };
  assert.equal((await call(['apply', file('policy.yaml'), '--yes'], { env })).exit, 0);
  const online = await call(['grant', 'test', file('good.yaml'), file('wrong.yaml')], { env });
  assert.equal(online.exit, 2);
  for (const line of expected) assert(online.err.includes(line), online.err);

  // Of the documents that made it, the server says what was said of them alone, but that it holds no key yet.
  const { out, exit } = await call(['grant', 'test', file('good.yaml'), '--json'], { env });
  assert.equal(exit, 1);
  const { items } = JSON.parse(out) as { items: { decision: string; reason: string | null }[] };
  assert.deepEqual(
    items.map(({ decision, reason }) => reason ?? decision),
    ['no-current-version', 'no-current-version', 'no-current-version', 'no-grant'],
  );
  assert.deepEqual(house.errors, []);
});

test('documents that cannot be applied are refused with their own places', async (t) => {
  const file = written(t, {
    'cases.yaml': CASES,
    'policy.yaml': POLICY.replace('project.*', 'projects.*').replace('kind: service', 'kind: robot'),
    'grants.yaml': 'grants:\n  - { principal: web, credential: neon/prod, actions: [project.get], expires: never }\n',
  });
  const unknown = await grantTest(file('cases.yaml'), '--policy', file('policy.yaml'));
  assert.equal(unknown.exit, 2);
  assert.match(unknown.err, /policy\.yaml\/principals\/0\/kind {2}line 2, column/);
  const alone = await grantTest(file('cases.yaml'), '--policy', file('grants.yaml'));
  assert.match(alone.err, /grants\.yaml\/grants\/0\/expires {2}line 2, column \d+: not known here/);
});

test('offline, the providers of one’s own are known by the configuration that names their directory', async (t) => {
  const page = readFileSync(path.join(root, 'docs/providers/declared.md'), 'utf8');
  const acme = /^```yaml\n((?:(?!```)[\s\S])*?^kinds:[\s\S]*?)^```$/m.exec(page)![1]!;
  const file = written(t, {
    'claviger.yaml': 'dataDirectory: ./data\nprovidersDirectory: ./providers\n',
    'policy.yaml':
      'principals: [{ name: web, kind: service }]\n' +
      'credentials: [{ provider: acme, name: ci, kind: project-token, settings: { projectId: p1, scopes: deploy } }]\n' +
      'grants: [{ principal: web, credential: acme/ci, actions: ["deployment.*"] }]\n',
    'cases.yaml':
      '- { as: web, credential: acme/ci, request: POST /v1/projects/p1/deployments, expect: allow }\n' +
      '- { as: web, credential: acme/ci, request: POST /v1/projects/p1/tokens, expect: deny, why: no-grant }\n' +
      '- { as: web, credential: acme/ci, request: GET /v1/me, expect: deny, why: no-grant }\n',
  });
  mkdirSync(file('providers'));
  writeFileSync(path.join(file('providers'), 'acme.yaml'), acme);
  const run = (config: string[]) => grantTest(file('cases.yaml'), '--policy', file('policy.yaml'), ...config);
  const known = await run(['--config', file('claviger.yaml')]);
  assert.deepEqual([known.exit, known.out], [0, '3 of 3 expectations hold.\n'], known.err);
  const unknown = await run([]);
  assert.equal(unknown.exit, 2);
  assert.match(unknown.err, /this program knows no provider acme/);
  writeFileSync(path.join(file('providers'), 'acme.yaml'), acme.replace('rotation: overlap', 'rotation: never'));
  const wrong = await run(['--config', file('claviger.yaml')]);
  assert.equal(wrong.exit, 2);
  assert.match(wrong.err, /acme\.yaml\/kinds\/0\/rotation {2}line \d+, column/);
});

test('many cases are asked for in parts, and a failure of a later part points at its own case', async (t) => {
  const line = '- { as: web, credential: neon/prod, request: GET /a, expect: deny }\n';
  const file = written(t, { 'many.yaml': line.repeat(2_500) });
  const verdict = { decision: 'deny', reason: 'no-grant', action: null, grant: null, holds: true };
  let isWrong = false;
  const { env, requests } = await recordingServer(t, {
    'POST /v1/grants/test': ({ body }) => {
      const { cases } = body as { cases: unknown[] };
      const errors = [{ pointer: '/cases/499/as', detail: 'there is no such principal' }];
      if (isWrong && cases.length === 500) {
        return { status: 400, json: { type: 'urn:claviger:problem:invalid', code: 'invalid', detail: 'x', errors } };
      }
      return { json: { failed: 0, items: cases.map(() => verdict) } };
    },
  });
  const held = await call(['grant', 'test', file('many.yaml')], { env });
  assert.deepEqual([held.exit, held.out], [0, '2500 of 2500 expectations hold.\n']);
  assert.equal(requests.length, 3);
  isWrong = true;
  const { exit, err } = await call(['grant', 'test', file('many.yaml')], { env });
  assert.equal(exit, 2);
  assert(err.includes(`${file('many.yaml')}/2499/as  line 2500, column 9: there is no such principal`), err);
  assert(CASES_MAX >= 2_500);
});
