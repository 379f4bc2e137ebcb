// Single commands against a server that records what it is sent: what they ask, what they show, how they end.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { CREDENTIAL, KEY, PRINCIPAL } from './test-rows.ts';
import { call, NOW, problem, recordingServer, temporaryFolder } from './test-support.io.ts';

test('rows are found by name, and an ambiguous name is told apart', async (t) => {
  const twin = { ...CREDENTIAL, id: 'crd_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d5', environment: 'staging' };
  const { env } = await recordingServer(t, {
    'GET /v1/credentials': (request) =>
      request.target.includes('cursor=two')
        ? { json: { items: [twin], next: null } }
        : { json: { items: [CREDENTIAL], next: 'two' } },
    [`POST /v1/credentials/${twin.id}/suspend`]: { json: twin },
  });
  const ambiguous = await call(['credential', 'suspend', 'billing', '--reason', 'x'], { env });
  assert.equal(ambiguous.exit, 4);
  assert.match(ambiguous.err, /default\/neon\/billing or staging\/neon\/billing/);
  assert.equal((await call(['credential', 'suspend', 'staging/neon/billing', '--reason', 'x'], { env })).exit, 0);
  assert.equal((await call(['credential', 'suspend', 'absent', '--reason', 'x'], { env })).exit, 1);
});

test('an edit sends If-Match, so that nobody overwrites what somebody else changed', async (t) => {
  const { env, requests } = await recordingServer(t, {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    [`PATCH /v1/credentials/${CREDENTIAL.id}`]: problem(412, 'precondition-failed', 'it was changed meanwhile'),
  });
  const { exit } = await call(['credential', 'edit', 'billing', '--every-days', '30'], { env });
  assert.equal(exit, 4);
  assert.equal(requests.at(-1)!.headers['if-match'], '"3"');
});

test('an edit sets settings and takes them away, and does not do both with one', async (t) => {
  const { env, requests } = await recordingServer(t, {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    [`PATCH /v1/credentials/${CREDENTIAL.id}`]: { json: CREDENTIAL },
  });
  const edit = ['credential', 'edit', 'billing'];
  const { exit } = await call([...edit, '--set', 'scopes=a b', '--unset', 'lifetimeDays'], { env });
  assert.equal(exit, 0);
  assert.deepEqual(requests.at(-1)!.body, { settings: { scopes: 'a b', lifetimeDays: null } });
  const both = await call([...edit, '--set', 'scopes=a', '--unset', 'scopes'], { env });
  assert.deepEqual([both.exit, /both name scopes/.test(both.err)], [2, true]);
});

test('rotate shows each step once, ends with the end of the rotation, and resumes over a restart', async (t) => {
  const row = (step: string, end: string | null = null, more = {}) => ({
    id: 'rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
    credentialId: CREDENTIAL.id,
    trigger: 'operator',
    reason: 'superseded',
    policy: { death: { refusals: 3 } },
    lastProblem: null,
    state: {
      protocol: 'overlap/1',
      means: { issue: 'api', revoke: 'api' },
      step,
      end,
      undoing: null,
      promoted: false,
      overdue: false,
      failures: 0,
      death: { refusals: 1 },
      reason: null,
      ...more,
    },
  });
  const states = [row('issue'), row('issue'), row('verify'), null, row('drain'), row('prove'), row('sweep', 'rotated')];
  let polls = 0;
  const answers = {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    'POST /v1/rotations': { status: 202, json: row('issue') },
    [`GET /v1/rotations/${row('issue').id}`]: () => {
      const state = states[Math.min(polls++, states.length - 1)];
      return state === null ? problem(503, 'unavailable', 'starting') : { json: { rotation: state, steps: [] } };
    },
  };
  const { env } = await recordingServer(t, answers);
  const { exit, out, err } = await call(['rotate', 'billing'], { env });
  assert.equal(exit, 0);
  assert.match(out, /Rotated: the old version is proven dead/);
  const lines = err.split('\n').filter((line) => line.startsWith('issue'));
  assert.deepEqual(
    lines.map((line) =>
      line
        .replaceAll(/ {2}\(.*/g, '')
        .split('  ')
        .filter((word) => /[✓…✗]/.test(word))
        .at(-1),
    ),
    ['issue …', 'verify …', 'drain …', 'prove …', 'sweep ✓'],
  );
  assert.match(err, /1 of 3 refusals seen/);

  states.splice(0, states.length, row('verify', 'aborted', { undoing: 'quota', reason: 'quota\u001b[2J' }));
  const aborted = await call(['rotate', 'billing'], { env });
  assert.equal(aborted.exit, 1);
  assert.match(aborted.out, /Aborted, and undone: quota\\u\{1b\}/);
  const detached = await call(['rotate', 'billing', '--no-wait', '--quiet'], { env });
  assert.deepEqual([detached.exit, detached.out], [0, `${row('issue').id}\n`]);
});

test('on a terminal, progress moves in place and colours are used; nothing of it is in --json', async (t) => {
  const row = {
    id: 'rev_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
    versionId: 'ver_1',
    certificateId: 'crt_1',
    policy: { refusals: 3 },
    state: { step: 'prove', end: 'proven', reason: null, death: { refusals: 3 } },
  };
  const { env } = await recordingServer(t, {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    'POST /v1/revocations': { status: 202, json: { revocations: [row], rotationId: null, cut: 2 } },
    [`GET /v1/revocations/${row.id}`]: { json: row },
  });
  const args = ['revoke', 'billing', '--reason', 'compromised'];
  const { exit, out, err } = await call(args, { env, columns: 80, answers: ['y'] });
  assert.equal(exit, 0);
  assert.match(err, /stops working.*\[y\/N\]/);
  assert.match(err, /\r\u001b\[2K.*suspend \u001b\[32m✓/);
  assert.match(out, /certificate show crt_1/);
  const quiet = await call([...args, '--yes', '--json'], { env, columns: 80 });
  assert.deepEqual([quiet.err, JSON.parse(quiet.out).items[0].id], ['', row.id]);
  assert.equal((await call(args, { env, answers: ['n'] })).out, 'Nothing was done.\n');
  assert.equal((await call(args, { env })).exit, 2, 'where nobody can be asked, --yes is needed');
});

test('apply: the difference first, then the question; places in the files for what is wrong', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'a.yaml'), 'principals:\n  - name: billing-service\n    kind: service\n');
  writeFileSync(
    path.join(folder, 'b.yml'),
    'grants:\n  - principal: billing-service\n    credential: neon/billing\n    actions: [project.get]\n',
  );
  writeFileSync(path.join(folder, 'README.md'), 'not a document');
  const changes = [
    {
      op: 'add',
      noun: 'principal',
      name: 'billing-service',
      diff: { kind: { from: null, to: 'service' }, note: { from: null, to: '' } },
    },
    { op: 'change', noun: 'grant', name: 'x', diff: { actions: { from: ['a'], to: ['b\u001b'] } } },
    { op: 'none', noun: 'credential', name: 'neon/billing', diff: {} },
  ];
  const unmentioned = [{ noun: 'grant', name: 'old' }];
  const { env, requests } = await recordingServer(t, {
    'POST /v1/apply': (request) => ({
      json: { changes, unmentioned, applied: (request.body as { dryRun: boolean }).dryRun === false },
    }),
  });
  const dry = await call(['apply', folder, '--dry-run', '--exit-code'], { env });
  assert.equal(dry.exit, 1);
  assert.match(
    dry.out,
    /^\+ principal billing-service\n {4}kind: service\n~ grant x\n {4}actions: \["a"\] → \["b\\u001b"\]\n\? grant old/,
  );
  assert.match(dry.out, /1 to add, 1 to change, 1 as they are/);
  assert.deepEqual(
    requests.map((request) => (request.body as { dryRun: boolean }).dryRun),
    [true],
  );
  const documents = (requests[0]!.body as { documents: { principals: unknown[]; grants: unknown[] } }).documents;
  assert.deepEqual([documents.principals.length, documents.grants.length], [1, 1]);
  requests.length = 0;
  assert.equal((await call(['apply', folder], { env, answers: ['no'] })).out.endsWith('Nothing was done.\n'), true);
  assert.equal(requests.length, 1);
  assert.equal((await call(['apply', folder, '--yes'], { env })).exit, 0);
  assert.equal(requests.length, 3);

  const errors = [{ pointer: '/documents/grants/0/actions', detail: 'there is no such action' }];
  const refusing = await recordingServer(t, { 'POST /v1/apply': problem(400, 'invalid', 'not accepted', { errors }) });
  const refused = await call(['apply', folder], { env: refusing.env });
  assert.match(refused.err, /b\.yml\/grants\/0\/actions {2}line 4, column 5: there is no such action/);
});

test('apply refuses bytes in files, unknown sections and what is no YAML, all at once and without repeating it', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'a.yaml'), `credentials:\n  - name: x\n    note: ${KEY}\nsecrets: []\n`);
  writeFileSync(path.join(folder, 'b.yaml'), 'principals: {canary: 1}\n');
  writeFileSync(path.join(folder, 'c.yaml'), 'principals: [canary\n');
  const { env, requests } = await recordingServer(t, {});
  const { exit, err } = await call(['apply', folder], { env });
  assert.equal(exit, 2);
  assert.match(err, /a\.yaml\/credentials\/0\/note {2}line 3, column 11: this looks like a secret/);
  assert.match(err, /a\.yaml\/ {2}line 4, column 1: expected one of principals, credentials, grants/);
  assert.match(err, /b\.yaml\/principals {2}line 1, column 1: expected a list/);
  assert.match(err, /c\.yaml/);
  assert(!err.includes('canary'));
  assert.equal(requests.length, 0);
});

test('hostile names in lists stay in their cells, in every form of output', async (t) => {
  const hostile = { ...CREDENTIAL, name: 'x\u001b]52;c;canary\u0007', owner: '\u202egnp\n+ forged' };
  const { env } = await recordingServer(t, { 'GET /v1/credentials': { json: { items: [hostile], next: null } } });
  for (const form of [[], ['--json'], ['--quiet']]) {
    const { out, err } = await call(['credential', 'list', ...form], { env, columns: 200 });
    assert.doesNotMatch(`${out}${err}`.replaceAll(/\u001b\[\d+m/g, ''), /[\u0000-\u0009\u000b-\u001f\u202e]/);
  }
  const { out } = await call(['credential', 'list'], { env });
  assert.equal(out.trimEnd().split('\n').length, 2);
  assert.match(out, /2026-09-20 14:13:20Z \(1 d ago\)/, new Date(NOW).toISOString());
});

test('grant suggest gives a line that can be pasted, whatever was observed', async (t) => {
  const items = [
    {
      principal: PRINCIPAL.id,
      actions: ['branch.create'],
      parameters: { project_id: ["a'; rm -rf /"] },
      uses: 41,
      wouldDeny: 0,
    },
  ];
  const { env, requests } = await recordingServer(t, {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    'GET /v1/principals': { json: { items: [PRINCIPAL], next: null } },
    'POST /v1/grants/suggest': { json: { items } },
  });
  const { out } = await call(['grant', 'suggest', 'billing', '--since', '90d'], { env });
  assert.equal((requests.at(-3)?.body as { sinceSeconds?: number })?.sinceSeconds ?? 7_776_000, 7_776_000);
  assert.match(
    out,
    /claviger grant add billing-service default\/neon\/billing --action branch\.create --parameter 'project_id=a'\\''; rm -rf \/'/,
  );
});

test('audit tail --follow shows what comes, each entry once, and only what is meant', async (t) => {
  const entry = (index: number, credential: string) => ({
    index,
    entry: { at: NOW, kind: 'use', credential, method: 'GET', path: '/x' },
  });
  const log = [entry(0, 'crd_other'), entry(1, CREDENTIAL.id)];
  let polls = 0;
  const { env } = await recordingServer(t, {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    'GET /v1/audit/use': (request) => {
      const query = new URL(request.target, 'http://x').searchParams;
      if (query.get('limit') === '200' && query.get('credential') === null) {
        polls++;
        if (polls === 4) return problem(503, 'unavailable', 'stopping');
        if (polls > 1) log.push(entry(log.length, polls === 2 ? 'crd_other' : CREDENTIAL.id));
      }
      const meant = log.filter(
        (one) => query.get('credential') === null || one.entry.credential === query.get('credential'),
      );
      return { json: { items: meant.toReversed().slice(0, Number(query.get('limit'))), next: null } };
    },
  });
  const { exit, out } = await call(['audit', 'tail', 'use', '--follow', '--credential', 'billing', '--json'], { env });
  assert.equal(exit, 6, 'the server stopped');
  const shown = out
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { index: number }).index);
  assert.deepEqual(shown, [1, 3]);
});

test('grant list shows what holds, and with --all what has ended and when', async (t) => {
  const grant = (id: string, more: object) => ({
    id,
    principalId: PRINCIPAL.id,
    credentialId: CREDENTIAL.id,
    actions: ['branch.get'],
    parameters: {},
    networks: [],
    rate: null,
    expiresAt: null,
    revokedAt: null,
    ...more,
  });
  const held = [
    grant('gnt_live', { expiresAt: '2026-09-30T00:00:00.000Z' }),
    grant('gnt_over', { expiresAt: '2026-09-20T00:00:00.000Z' }),
  ];
  const gone = [
    grant('gnt_gone', { revokedAt: '2026-09-21T13:13:20.000Z' }),
    grant('gnt_late', { expiresAt: '2026-09-18T00:00:00.000Z', revokedAt: '2026-09-21T13:13:20.000Z' }),
  ];
  const { env } = await recordingServer(t, {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    'GET /v1/principals': { json: { items: [PRINCIPAL], next: null } },
    'GET /v1/grants': ({ target }) => ({
      json: { items: target.includes('revoked=true') ? [...held, ...gone] : held, next: null },
    }),
  });
  assert.equal((await call(['grant', 'list', '--quiet'], { env })).out, 'gnt_live\n');
  assert.doesNotMatch((await call(['grant', 'list'], { env })).out, /ENDED/);
  const { out } = await call(['grant', 'list', '--all'], { env });
  const shown = out
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ {2,}/).slice(-3));
  assert.deepEqual(shown, [
    ['live', '–', 'gnt_live'],
    ['expired', '2026-09-20 00:00:00Z (1 d ago)', 'gnt_over'],
    ['revoked', '2026-09-21 13:13:20Z (1 h ago)', 'gnt_gone'],
    ['revoked', '2026-09-18 00:00:00Z (3 d ago)', 'gnt_late'],
  ]);
});

test('version retire asks for the end of one version, and follows the rotation that ends it', async (t) => {
  const version = 'ver_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4';
  const row = {
    id: 'rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
    lastProblem: null,
    state: {
      protocol: 'overlap/1',
      means: { issue: 'api', revoke: 'api' },
      step: 'sweep',
      end: 'rotated',
      undoing: null,
      reason: null,
      promoted: true,
      death: { refusals: 3 },
    },
    policy: { death: { refusals: 3 } },
  };
  const { env, requests } = await recordingServer(t, {
    [`POST /v1/versions/${version}/retire`]: { status: 202, json: row },
    [`GET /v1/rotations/${row.id}`]: { json: { rotation: row, steps: [] } },
  });
  const followed = await call(['version', 'retire', version], { env });
  assert.deepEqual([followed.exit, /proven dead/.test(followed.out)], [0, true], followed.err);
  assert.equal((await call(['version', 'retire', version, '--no-wait', '--quiet'], { env })).out, `${row.id}\n`);
  assert.equal((await call(['version', 'retire', 'billing'], { env })).exit, 2, 'a name is no version');
  assert.deepEqual(
    requests.map((request) => request.method),
    ['POST', 'GET', 'POST'],
  );
});

test('the inventory names what is critical first, who did it, and what to do about it', async (t) => {
  const finding = (id: string, kind: string, severity: string) => ({
    id,
    kind,
    severity,
    credentialId: kind === 'unregistered' ? null : CREDENTIAL.id,
    state: 'open',
    name: `a ${kind} key`,
    providerKeyId: id,
    lastUsedAt: null,
    firstSeenAt: '2026-09-20T14:13:20.000Z',
  });
  const told = { event: 'cloud.api-key.deleted', at: '2026-09-20T14:00:00.000Z', by: 'some\u001b[31mbody' };
  const items = [
    finding('fnd_1', 'unregistered', 'warning'),
    finding('fnd_2', 'resurrected', 'critical'),
    { ...finding('fnd_3', 'changed-outside', 'critical'), told },
    { ...finding('fnd_4', 'unregistered', 'warning'), told: { ...told, by: null } },
  ];
  const log = { read: 7, outside: 1, problem: null };
  const refused = { read: 0, outside: 0, problem: 'log not readable: some.403' };
  const { env } = await recordingServer(t, {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    'GET /v1/inventory': { json: { items, next: null } },
    'POST /v1/inventory': {
      json: {
        items: [
          { listed: 2, log },
          { listed: 1, log: refused },
          { listed: 0, log: null },
        ],
      },
    },
  });
  const { exit, out, err } = await call(['inventory', 'list'], { env });
  assert.equal(exit, 1);
  const [, first, second, third, fourth] = out.split('\n');
  assert.match(first!, /^critical +resurrected +default\/neon\/billing .* – +fnd_2$/);
  assert.match(
    second!,
    /^critical +changed-outside +default\/neon\/billing .*cloud\.api-key\.deleted by some.*body, 2026-09-20 .*fnd_3$/,
  );
  assert(!out.includes('\u001b'), 'what others wrote is shown, not obeyed');
  assert.match(third!, /^warning +unregistered +– .* – +fnd_1$/);
  assert.match(fourth!, /by nobody known, 2026-09-20 .*fnd_4$/);
  assert.match(err, /accepts a key that was certified dead/);
  assert.match(err, /somebody ended or replaced a key that is in use/);
  assert.equal((await call(['inventory', 'list', '--quiet'], { env })).out, 'fnd_2\nfnd_3\nfnd_1\nfnd_4\n');
  const taken = (await call(['inventory', 'run'], { env })).out;
  assert.match(taken, /^log +7 read, 1 outside$/m);
  assert.match(taken, /^log +0 read, 0 outside; log not readable: some\.403$/m);
  assert.match(taken, /^log +–$/m);
});
