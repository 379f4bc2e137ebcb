// The rules of credentials: what is pinned, what must fit, and what may not be changed or ended while others depend on it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { callerOf, memoryDesk } from '../../test/support/desk.ts';
import { getRow } from '../model/desk.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import { neon } from '../providers/neon.ts';
import { sendgrid } from '../providers/sendgrid.ts';
import { twilio } from '../providers/twilio.ts';
import type { CredentialRow } from './credential.ts';
import {
  changeCredential,
  credentialRow,
  type Kinds,
  type NewCredential,
  resumeCredential,
  retireCredential,
  suspendCredential,
} from './manage.ts';

const kinds: Kinds = {
  kindNamed: (provider, kind) =>
    [neon, sendgrid].find(({ name }) => name === provider)?.kinds.find(({ name }) => name === kind) ?? null,
  originFor: (_provider, asked) => asked ?? 'https://configured.example',
  ownOrigin: () => null,
};

const PLAIN: NewCredential = {
  environment: 'default',
  provider: 'neon',
  name: 'prod',
  kind: 'organization-key',
  purpose: 'lend',
  issuerId: null,
  origin: null,
  settings: { orgId: 'org-a' },
  owner: '',
  note: '',
  policy: {},
};
const ISSUER: NewCredential = { ...PLAIN, name: 'issuer', kind: 'personal-key', purpose: 'manage', settings: {} };

function furnished() {
  return { desk: memoryDesk(), caller: callerOf(`prn_${'a'.repeat(32)}`, ['credential:write']) };
}

function add(context: ReturnType<typeof furnished>, input: NewCredential): CredentialRow {
  const row = credentialRow(context, input, kinds, null);
  context.desk.furnish('credential', row);
  return row;
}

function pointsAt(code: FailureCode, ...pointers: string[]) {
  return (error: unknown) => {
    assert.ok(Failure.is(error, code), String(error));
    assert.deepEqual(
      error.errors.map(({ pointer }) => pointer),
      pointers,
    );
    return true;
  };
}

test('places come from the kind and the origin from the configuration', () => {
  const row = add(furnished(), PLAIN);
  assert.deepEqual(row.places, neon.kinds.find(({ name }) => name === 'organization-key')?.places);
  assert.equal(row.origin, 'https://configured.example');
  assert.equal(row.policy.onCompromise, 'revoke-first');
});

test('an unknown kind, and settings that do not fit, are named', () => {
  const context = furnished();
  const make = (change: Partial<NewCredential>) => () => credentialRow(context, { ...PLAIN, ...change }, kinds, null);
  assert.throws(make({ kind: 'other' }), pointsAt('invalid', '/kind'));
  assert.throws(make({ provider: 'other' }), pointsAt('invalid', '/kind'));
  assert.throws(make({ settings: {} }), pointsAt('invalid', '/settings/orgId'));
  assert.throws(make({ settings: { orgId: 'org-a', more: 'x' } }), pointsAt('invalid', '/settings/more'));
  assert.throws(make({ settings: { orgId: '../../keys' } }), pointsAt('invalid', '/settings'));
});

test('the issuer manages, is of the same provider and origin, and mints such keys', () => {
  const context = furnished();
  const issuer = add(context, ISSUER);
  const lent = add(context, { ...PLAIN, name: 'lent', kind: 'personal-key', settings: {} });
  const far = add(context, { ...ISSUER, name: 'far', origin: 'https://other.example' });
  const organization = add(context, { ...PLAIN, name: 'organization', purpose: 'manage' });
  const make = (issuerId: string) => () => credentialRow(context, { ...PLAIN, name: 'new', issuerId }, kinds, null);
  for (const wrong of [lent.id, far.id, organization.id, `crd_${'0'.repeat(32)}`]) {
    assert.throws(make(wrong), pointsAt('invalid', '/issuer'));
  }
  assert.equal(make(issuer.id)().issuerId, issuer.id);
  context.desk.furnish('credential', { ...issuer, retiredAt: 1 } as CredentialRow);
  assert.throws(make(issuer.id), pointsAt('invalid', '/issuer'));
});

test('an issuer at another host of the provider’s own service is right; of a host that somebody has set there must be one', () => {
  const own = (kind: string) => twilio.kinds.find(({ name }) => name === kind)?.origin ?? twilio.origin;
  const twilioKinds: Kinds = {
    kindNamed: (_provider, kind) => twilio.kinds.find(({ name }) => name === kind) ?? null,
    originFor: (_provider, asked, kind) => asked ?? own(kind),
    ownOrigin: (_provider, kind) => own(kind),
  };
  const context = furnished();
  const plain: NewCredential = {
    ...PLAIN,
    provider: 'twilio',
    kind: 'api-key',
    settings: { accountSid: `AC${'0'.repeat(32)}` },
  };
  const make = (change: Partial<NewCredential>) => {
    const row = credentialRow(context, { ...plain, ...change }, twilioKinds, null);
    context.desk.furnish('credential', row);
    return row;
  };
  const issuer = (name: string, origin: string | null) =>
    make({ name, kind: 'main-key', purpose: 'manage', origin }).id;
  const [home, set] = [issuer('home', null), issuer('set', 'https://twilio.example')];
  const moved = issuer('moved', twilio.origin);
  const right: [string, string | null][] = [
    [home, null],
    [set, 'https://twilio.example'],
    [moved, null],
  ];
  for (const [n, [issuerId, origin]] of right.entries()) {
    assert.equal(make({ name: `right-${n}`, issuerId, origin }).issuerId, issuerId);
  }
  const wrong: [string, string | null][] = [
    [home, 'https://twilio.example'],
    [home, 'https://sandbox.twilio.example'],
    [set, null],
    [set, 'https://iam.twilio.com'],
    [moved, 'https://twilio.example'],
  ];
  for (const [issuerId, origin] of wrong) {
    assert.throws(() => make({ name: 'wrong', issuerId, origin }), pointsAt('invalid', '/issuer'));
  }
});

test('a name is taken within its environment and provider', async () => {
  const context = furnished();
  add(context, PLAIN);
  assert.throws(() => credentialRow(context, PLAIN, kinds, null), pointsAt('conflict', '/name'));
  const other = add(context, { ...PLAIN, environment: 'staging' });
  assert.equal((await changeCredential(context, other.id, { name: 'prod' }, kinds)).name, 'prod');
  const third = add(context, { ...PLAIN, name: 'third' });
  await assert.rejects(changeCredential(context, third.id, { name: 'prod' }, kinds), pointsAt('conflict', '/name'));
});

test('a change keeps what it does not name, and one that changes nothing writes nothing', async () => {
  const context = furnished();
  const row = add(context, { ...PLAIN, policy: { everyDays: 30 } });
  const changed = await changeCredential(context, row.id, { policy: { quietSeconds: 5 } }, kinds);
  assert.deepEqual(changed.policy, { ...row.policy, quietSeconds: 5 });
  assert.equal(changed.rowVersion, 2);
  assert.equal(await changeCredential(context, row.id, { policy: { everyDays: 30 }, note: '' }, kinds), changed);
  assert.equal(context.desk.writes.length, 1);
});

test('what the next key is asked for may change; what belongs to the key that is there may not', async () => {
  const context = furnished();
  const given = { provider: 'sendgrid', kind: 'api-key', settings: { scopes: 'mail.send' } };
  const { id } = add(context, { ...PLAIN, ...given });
  const narrow = await changeCredential(context, id, { settings: { scopes: 'templates.read' } }, kinds);
  assert.deepEqual([narrow.settings, narrow.rowVersion], [{ scopes: 'templates.read' }, 2]);
  const same = await changeCredential(context, id, { settings: { scopes: 'templates.read', absent: null } }, kinds);
  assert.equal(same, narrow);
  const refused: [string, Record<string, string | null>, string][] = [
    ['scopes that name none', { scopes: ' ' }, '/settings'],
    ['none at all', { scopes: null }, '/settings/scopes'],
    ['a setting that the kind has not', { orgId: 'org-a' }, '/settings/orgId'],
    ['the name of what every object has', { constructor: 'x' }, '/settings/constructor'],
  ];
  for (const [about, settings, pointer] of refused)
    await assert.rejects(changeCredential(context, id, { settings }, kinds), pointsAt('invalid', pointer), about);

  const { id: neonId } = add(context, PLAIN);
  for (const orgId of ['org-b', null])
    await assert.rejects(
      changeCredential(context, neonId, { settings: { orgId } }, kinds),
      pointsAt('invalid', '/settings/orgId'),
    );
  const kept = await changeCredential(context, neonId, { settings: { orgId: 'org-a' }, note: 'x' }, kinds);
  assert.deepEqual([kept.settings, kept.note], [PLAIN.settings, 'x']);
});

test('a credential does not become its own issuer', async () => {
  const context = furnished();
  const issuer = add(context, ISSUER);
  await assert.rejects(
    changeCredential(context, issuer.id, { issuerId: issuer.id }, kinds),
    pointsAt('invalid', '/issuer'),
  );
});

test('suspending is one event with its reason; twice is once; resuming undoes it', async () => {
  const context = furnished();
  const { id } = add(context, PLAIN);
  const suspended = await suspendCredential(context, id, 'odd traffic');
  assert.equal(suspended.suspendReason, 'odd traffic');
  assert.equal(await suspendCredential(context, id, 'again'), suspended);
  const resumed = await resumeCredential(context, id);
  assert.deepEqual([resumed.suspendedAt, resumed.suspendReason], [null, null]);
  assert.deepEqual(
    context.desk.events.map(({ type, detail }) => [type, detail['reason'] ?? null]),
    [
      ['credential.suspended', 'odd traffic'],
      ['credential.resumed', null],
    ],
  );
});

test('an issuer is not decommissioned while others depend on it, nor anything while a rotation runs', async () => {
  const context = furnished();
  const issuer = add(context, ISSUER);
  const lent = add(context, { ...PLAIN, issuerId: issuer.id });
  const conflict = (error: unknown) => Failure.is(error, 'conflict');
  await assert.rejects(retireCredential(context, issuer.id), conflict);
  const rotation = (endedAt: number | null) => ({ id: 'rot_x', rowVersion: 1, credentialId: lent.id, endedAt });
  context.desk.furnish('rotation', rotation(null));
  await assert.rejects(retireCredential(context, lent.id), conflict);
  context.desk.furnish('rotation', rotation(1));
  const retired = await retireCredential(context, lent.id);
  assert.equal(await retireCredential(context, lent.id), retired);
  await assert.rejects(changeCredential(context, lent.id, { note: 'x' }, kinds), conflict);
  await assert.rejects(suspendCredential(context, lent.id, 'x'), conflict);
  await retireCredential(context, issuer.id);
  assert.notEqual(getRow<CredentialRow>(context.desk.rows, 'credential', issuer.id).retiredAt, null);
});
