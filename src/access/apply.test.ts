// apply: what it plans, that it is idempotent, that it never takes away, and that it asks for the same rights as the single routes.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { callerOf, type MemoryDesk, memoryDesk } from '../../test/support/desk.ts';
import type { CredentialRow } from '../credentials/credential.ts';
import type { Kinds } from '../credentials/manage.ts';
import { allRows } from '../model/desk.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import { neon } from '../providers/neon.ts';
import { sendgrid } from '../providers/sendgrid.ts';
import { type Documents, planApply } from './apply.ts';
import type { GrantRow, PrincipalRow } from './principal.ts';
import { permissionsOf, type RoleName } from './role.ts';

const ADMIN = `prn_${'a'.repeat(32)}`;
const kinds: Kinds = {
  kindNamed: (provider, kind) =>
    [neon, sendgrid].find(({ name }) => name === provider)?.kinds.find(({ name }) => name === kind) ?? null,
  originFor: (_provider, asked) => asked ?? 'https://example.com',
  ownOrigin: () => null,
};
const tools = { kinds, actionsOf: () => neon.actions };

function furnished(roles: readonly RoleName[] = ['admin']) {
  const desk = memoryDesk();
  const admin: PrincipalRow = {
    id: ADMIN,
    rowVersion: 1,
    space: 'default',
    name: 'admin',
    kind: 'person',
    roles: ['admin'],
    owner: '',
    note: '',
    disabledAt: null,
    createdAt: 0,
    managedBy: null,
  };
  desk.furnish('principal', admin);
  return { desk, caller: callerOf(`prn_${'b'.repeat(32)}`, permissionsOf(roles)) };
}

const principal = (name: string, roles: RoleName[] = [], note = '') => ({
  name,
  kind: 'service' as const,
  roles,
  owner: '',
  note,
});
const credential = (name: string, change: object = {}) => ({
  environment: 'default',
  provider: 'neon',
  name,
  kind: 'organization-key',
  purpose: 'lend' as const,
  issuer: null,
  origin: null,
  settings: { orgId: 'org-a' },
  owner: '',
  note: '',
  policy: {},
  ...change,
});
const issuer = credential('issuer', { kind: 'personal-key', purpose: 'manage', settings: {} });
const grant = (who: string, on: string, actions: string[], name = 'default') => ({
  name,
  principal: who,
  credential: on,
  actions,
  parameters: {},
  networks: [],
  rate: null,
  note: '',
});

async function apply(context: ReturnType<typeof furnished>, documents: Documents) {
  const plan = planApply(context, documents, tools);
  if (plan.events.length > 0) await context.desk.write({ events: plan.events });
  return plan;
}

const ALL: Documents = {
  principals: [principal('web', ['viewer'])],
  credentials: [credential('prod', { issuer: 'neon/issuer' }), issuer],
  grants: [grant('web', 'neon/prod', ['project.*']), grant('web', 'default/neon/prod', ['branch.create'], 'write')],
};

function opsOf(plan: ReturnType<typeof planApply>) {
  return plan.changes.map(({ op, noun, name }) => `${op} ${noun} ${name}`);
}

function pointsAt(code: FailureCode, ...pointers: string[]) {
  return (error: unknown) => {
    assert.ok(Failure.is(error, code), `${String(error)} ${JSON.stringify((error as Failure).errors)}`);
    assert.deepEqual(
      error.errors.map(({ pointer }) => pointer),
      pointers,
    );
    return true;
  };
}

test('adds everything in one write, documents naming one another', async () => {
  const context = furnished();
  const plan = await apply(context, ALL);
  assert.deepEqual(opsOf(plan), [
    'add principal web',
    'add credential default/neon/prod',
    'add credential default/neon/issuer',
    'add grant web on default/neon/prod (default)',
    'add grant web on default/neon/prod (write)',
  ]);
  assert.equal(context.desk.writes.length, 1);
  const rows = allRows<CredentialRow>(context.desk.rows, 'credential');
  const made = (name: string) => rows.find((row) => row.name === name)!;
  assert.equal(made('prod').issuerId, made('issuer').id);
  assert.ok(rows.every((row) => row.managedBy === 'apply'));
});

test('a second run changes nothing', async () => {
  const context = furnished();
  await apply(context, ALL);
  const again = await apply(context, ALL);
  assert.ok(again.changes.every(({ op, diff }) => op === 'none' && Object.keys(diff).length === 0));
  assert.equal(context.desk.writes.length, 1);
});

test('a change shows what differs, and what is left out is reported and left alone', async () => {
  const context = furnished();
  await apply(context, ALL);
  const plan = await apply(context, {
    principals: [principal('web', ['viewer'], 'new note')],
    grants: [grant('web', 'neon/prod', ['project.get'])],
  });
  assert.deepEqual(
    plan.changes.map(({ op, diff }) => [op, diff]),
    [
      ['change', { note: { from: '', to: 'new note' } }],
      ['change', { actions: { from: ['project.*'], to: ['project.get'] } }],
    ],
  );
  assert.deepEqual(
    plan.unmentioned.map(({ noun }) => noun),
    ['grant'],
  );
  assert.equal(allRows<GrantRow>(context.desk.rows, 'grant').length, 2);
});

test('what a document leaves out of a policy is at its default again', async () => {
  const context = furnished();
  const with30 = { credentials: [credential('prod', { policy: { everyDays: 30, openStreams: 'finish' } })] };
  await apply(context, with30);
  const plan = await apply(context, { credentials: [credential('prod', { policy: { openStreams: 'finish' } })] });
  assert.equal(plan.changes[0]?.op, 'change');
  const [row] = allRows<CredentialRow>(context.desk.rows, 'credential');
  assert.equal(row?.policy.everyDays, null);
  assert.equal(row?.policy.openStreams, 'finish');
});

test('what a person made is not touched', async () => {
  const context = furnished();
  assert.throws(
    () => planApply(context, { principals: [principal('admin')] }, tools),
    pointsAt('conflict', '/documents/principals/0'),
  );
});

test('only new bytes change where a key goes and what it is', async () => {
  const context = furnished();
  await apply(context, ALL);
  const changes = {
    'settings/orgId': { settings: { orgId: 'org-b' } },
    origin: { origin: 'https://elsewhere.example' },
    kind: { kind: 'project-key' },
    purpose: { purpose: 'manage' },
  };
  for (const [at, change] of Object.entries(changes)) {
    const documents = { credentials: [credential('prod', { issuer: 'neon/issuer', ...change })] };
    assert.throws(() => planApply(context, documents, tools), pointsAt('invalid', `/documents/credentials/0/${at}`));
  }
});

test('what the next key is asked for follows the document, also where it names it no more', async () => {
  const context = furnished();
  const mailer = (settings: object) => ({
    credentials: [credential('mailer', { provider: 'sendgrid', kind: 'api-key', settings })],
  });
  await apply(context, mailer({ scopes: 'mail.send templates.read' }));
  await apply(context, mailer({ scopes: 'mail.send' }));
  const [row] = allRows<CredentialRow>(context.desk.rows, 'credential');
  assert.deepEqual(row?.settings, { scopes: 'mail.send' });
  assert.throws(
    () => planApply(context, mailer({}), tools),
    pointsAt('invalid', '/documents/credentials/0/settings/scopes'),
    'a minted key is never asked for without scopes',
  );
});

test('everything that is wrong shows at once, the gravest first, and nothing is written', () => {
  const context = furnished(['operator']);
  const documents: Documents = {
    principals: [principal('a', ['admin']), principal('b'), principal('b')],
    credentials: [credential('x', { settings: {} }), credential('y', { issuer: 'neon/none' })],
    grants: [grant('nobody', 'neon/none', ['*']), grant('b', 'neon/y', ['nothing.at-all'])],
  };
  assert.throws(
    () => planApply(context, documents, tools),
    pointsAt(
      'denied',
      '/documents/principals/0',
      '/documents/principals/2/name',
      '/documents/credentials/0/settings/orgId',
      '/documents/credentials/1/issuer',
      '/documents/grants/0/principal',
      '/documents/grants/1/actions/0',
    ),
  );
  assert.equal(context.desk.writes.length, 0);
});

test('each change needs its own permission, and looking at a row needs reading it', async () => {
  const context = furnished();
  await apply(context, ALL);
  const viewer = { ...context, caller: callerOf(ADMIN, permissionsOf(['viewer'])) };
  assert.equal(planApply(viewer, ALL, tools).events.length, 0);
  const more = { principals: [principal('other')] };
  assert.throws(() => planApply(viewer, more, tools), pointsAt('denied', '/documents/principals/0'));
  const nobody = { ...context, caller: callerOf(ADMIN, []) };
  assert.throws(
    () => planApply(nobody, { credentials: [issuer] }, tools),
    pointsAt('denied', '/documents/credentials/0'),
  );
});

test('all demotions together leave an admin', async () => {
  const context = furnished();
  const admins = { principals: [principal('one', ['admin']), principal('two', ['admin'])] };
  await apply(context, admins);
  const person = allRows<PrincipalRow>(context.desk.rows, 'principal').find((row) => row.id === ADMIN)!;
  context.desk.furnish('principal', { ...person, disabledAt: 1 } as PrincipalRow);
  const demoted = { principals: [principal('one'), principal('two')] };
  assert.throws(
    () => planApply(context, demoted, tools),
    (error) => Failure.is(error, 'conflict'),
  );
  planApply(context, { principals: [principal('one')] }, tools);
});

test('an issuer that mints no such key, or none at all, is refused', async () => {
  const context = furnished();
  const wrong = { credentials: [credential('a'), credential('b', { issuer: 'neon/a' })] };
  assert.throws(() => planApply(context, wrong, tools), pointsAt('invalid', '/documents/credentials/1/issuer'));
});

test('for any documents that can be applied: a second run is empty, and nothing that was there is gone', async () => {
  const names = fc.constantFrom('a', 'b', 'c');
  const documents: fc.Arbitrary<Documents> = fc.record({
    principals: fc
      .uniqueArray(fc.tuple(names, fc.string()), { selector: ([name]) => name, maxLength: 3 })
      .map((all) => all.map(([name, note]) => principal(name, [], note))),
    grants: fc
      .uniqueArray(fc.tuple(names, fc.constantFrom('project.get', '*:read')), { selector: ([name]) => name })
      .map((all) => all.map(([name, action]) => grant('base', 'neon/prod', [action], name))),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(documents, { minLength: 1, maxLength: 4 }), async (runs) => {
      const context = furnished();
      await apply(context, { principals: [principal('base')], credentials: [credential('prod')] });
      for (const run of runs) {
        const before = idsOf(context.desk);
        await apply(context, run);
        assert.equal(planApply(context, run, tools).events.length, 0);
        for (const id of before) assert.ok(idsOf(context.desk).has(id));
      }
    }),
    { numRuns: 50 },
  );
});

function idsOf(desk: MemoryDesk): Set<string> {
  return new Set([...desk.rows.values()].flatMap((rows) => [...rows.keys()]));
}
