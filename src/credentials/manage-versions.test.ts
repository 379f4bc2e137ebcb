// Bringing a key by hand: the right form, the right order, and nothing left behind where the write fails.
import assert from 'node:assert/strict';
import test from 'node:test';
import { callerOf, memoryDesk } from '../../test/support/desk.ts';
import { allRows } from '../model/desk.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import { neon } from '../providers/neon.ts';
import { plaid } from '../providers/plaid.ts';
import type { CredentialRow, VersionRow } from './credential.ts';
import type { FindingRow } from './finding.ts';
import { credentialRow, type Kinds } from './manage.ts';
import { type BroughtVersion, bringVersion, demandParts, type Keys, versionsOf } from './manage-versions.ts';

const kind = neon.kinds.find(({ name }) => name === 'organization-key')!;
const kinds: Kinds = { kindNamed: () => kind, originFor: () => 'https://example.com', ownOrigin: () => null };
const text = (mark: string) => `napi_canary${mark.padEnd(58, 'x')}`;
const parts = (mark = 'a') => ({ key: new Secret(text(mark)) });
const ISSUER = `crd_${'1'.repeat(32)}`;

interface Recorded extends Keys {
  readonly log: string[];
}

function keysThat(liveness: 'alive' | 'dead' | 'unknown' = 'alive'): Recorded {
  const log: string[] = [];
  const opened = new Map<string, Readonly<Record<string, Secret>>>();
  return {
    log,
    async open(_credential, { id }) {
      const known = opened.get(id);
      if (known === undefined) throw new Failure('not-found', 'no envelope is stored for this version');
      return known;
    },
    seal(_credential, versionId) {
      log.push('seal');
      return { bytes: new TextEncoder().encode(versionId), digest: 'd'.repeat(64) };
    },
    async arm(_credential, { id }, parts) {
      opened.set(id, parts);
      log.push('arm');
    },
    disarm() {
      log.push('disarm');
    },
    async probe() {
      log.push('probe');
      return liveness;
    },
  };
}

function furnished() {
  const desk = memoryDesk();
  const context = { desk, caller: callerOf(`prn_${'a'.repeat(32)}`, []) };
  const row = credentialRow(
    context,
    {
      environment: 'default',
      provider: 'neon',
      name: 'prod',
      kind: kind.name,
      purpose: 'lend',
      issuerId: null,
      origin: null,
      settings: { orgId: 'org-a' },
      owner: '',
      note: '',
      policy: {},
    },
    kinds,
    null,
  );
  const credential = { ...row, issuerId: ISSUER };
  desk.furnish('credential', credential);
  const brought = (change: Partial<BroughtVersion> = {}): BroughtVersion => ({
    credential,
    kind,
    parts: parts(),
    providerKeyId: null,
    isProbed: true,
    image: null,
    ...change,
  });
  return { context, desk, credential, brought };
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

test('parts are those of the kind, each of its form, and no refusal shows them', () => {
  demandParts(kind, parts());
  const wrong = { key: new Secret('canary of another form'), more: new Secret('canary') };
  assert.throws(
    () => demandParts(kind, wrong),
    (error) => {
      pointsAt('invalid', '/parts/more', '/parts/key')(error);
      assert.ok(!JSON.stringify([(error as Failure).message, (error as Failure).errors]).includes('canary'));
      return true;
    },
  );
  assert.throws(() => demandParts(kind, {}), pointsAt('invalid', '/parts/key'));
});

test('of several parts each is named that is unknown, missing or of another form, public ones too', () => {
  const client = plaid.kinds.find(({ name }) => name === 'client')!;
  const [clientId, secret] = [new Secret('0123456789abcdef01234567'), new Secret('canary'.repeat(5))];
  demandParts(client, { clientId, secret });
  const wrong: [Readonly<Record<string, Secret>>, string[]][] = [
    [{ secret }, ['/parts/clientId']],
    [{ clientId }, ['/parts/secret']],
    [{ key: secret }, ['/parts/key', '/parts/clientId', '/parts/secret']],
    [{ clientId: secret, secret: clientId }, ['/parts/clientId', '/parts/secret']],
    [{ clientId, secret, constructor: secret }, ['/parts/constructor']],
  ];
  for (const [parts, pointers] of wrong) {
    assert.throws(() => demandParts(client, parts), pointsAt('invalid', ...pointers));
  }
});

test('the key is sealed, probed and armed before it is current', async () => {
  const { context, desk, brought } = furnished();
  const keys = keysThat();
  const version = await bringVersion(context, brought({ providerKeyId: '17' }), keys);
  assert.deepEqual(keys.log, ['seal', 'probe', 'arm']);
  assert.deepEqual([version.state, version.number, version.providerKeyId], ['current', 1, '17']);
  const [write] = desk.writes;
  assert.deepEqual(
    write?.blobs?.map(({ kind: noun, id }) => [noun, id]),
    [['envelope', version.id]],
  );
});

test('the version before becomes the previous one in the same event', async () => {
  const { context, desk, credential, brought } = furnished();
  const first = await bringVersion(context, brought(), keysThat());
  const second = await bringVersion(context, brought({ parts: parts('b') }), keysThat());
  assert.deepEqual(
    versionsOf(context, credential.id).map(({ id, number, state }) => [id, number, state]),
    [
      [second.id, 2, 'current'],
      [first.id, 1, 'previous'],
    ],
  );
  assert.equal(desk.events.at(-1)?.rows.length, 2);
});

test('two at once: one becomes current, the other conflicts and is forgotten', async () => {
  const { context, credential, brought } = furnished();
  const both = [keysThat(), keysThat()];
  const ends = await Promise.allSettled(both.map((keys) => bringVersion(context, brought(), keys)));
  assert.deepEqual(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  const loser = ends.findIndex(({ status }) => status === 'rejected');
  assert.equal(both[loser]?.log.at(-1), 'disarm');
  assert.equal(versionsOf(context, credential.id).filter(({ state }) => state === 'current').length, 1);
});

test('a key that the provider refuses is not taken; one that nobody can tell about is', async () => {
  const { context, desk, brought } = furnished();
  await assert.rejects(bringVersion(context, brought(), keysThat('dead')), pointsAt('invalid', '/parts'));
  assert.equal(desk.writes.length, 0);
  await bringVersion(context, brought(), keysThat('unknown'));
  const unasked = keysThat('dead');
  await bringVersion(context, brought({ isProbed: false }), unasked);
  assert.ok(!unasked.log.includes('probe'));
});

test('an id that another version holds is not taken twice', async () => {
  const { context, brought } = furnished();
  await bringVersion(context, brought({ providerKeyId: '17' }), keysThat());
  await assert.rejects(
    bringVersion(context, brought({ providerKeyId: '17' }), keysThat()),
    pointsAt('invalid', '/providerKeyId'),
  );
});

test('the bytes of a version that is current or on its way out are not stored twice', async () => {
  const { context, desk, brought } = furnished();
  const keys = keysThat();
  const version = await bringVersion(context, brought(), keys);
  const again = () => bringVersion(context, brought(), keys);
  await assert.rejects(again(), pointsAt('invalid', '/parts'));
  await assert.rejects(again(), /version 1: it is current already/);
  desk.furnish('version', { ...version, rowVersion: 2, state: 'revoking' } as VersionRow);
  await assert.rejects(again(), /being revoked/);
  desk.furnish('version', { ...version, rowVersion: 3, state: 'revoked' } as VersionRow);
  assert.equal((await again()).number, 2, 'whether a dead key lives again is for the provider to say');
});

test('the bytes of a previous version make that version current again, and no second one', async () => {
  const { context, desk, brought, credential } = furnished();
  const keys = keysThat();
  const first = await bringVersion(context, brought(), keys);
  const second = await bringVersion(context, brought({ parts: parts('b') }), keys);
  const back = await bringVersion(context, brought({ providerKeyId: '17' }), keys);
  assert.deepEqual([back.id, back.state, back.retiredAt, back.providerKeyId], [first.id, 'current', null, '17']);
  assert.deepEqual(
    versionsOf(context, credential.id).map(({ id, state }) => [id, state]),
    [
      [second.id, 'previous'],
      [first.id, 'current'],
    ],
  );
  const another = brought({ parts: parts('b'), providerKeyId: '18', issuerId: ISSUER, scopes: ['read'] });
  const forth = await bringVersion(context, another, keys);
  assert.deepEqual([forth.id, forth.issuerId, forth.holds?.scopes], [second.id, ISSUER, ['read']]);
  await assert.rejects(
    bringVersion(context, brought({ providerKeyId: '19' }), keys),
    pointsAt('invalid', '/providerKeyId'),
    'version 1 is key 17 there',
  );
  assert.equal(keys.log.at(-1), 'probe');
  assert.deepEqual([desk.events.at(-1)?.type, desk.writes.at(-1)?.blobs ?? []], ['version.brought-back', []]);
});

test('a key that another credential holds is not stored a second time, and the answer says whose it is', async () => {
  const { context, desk, brought, credential } = furnished();
  const keys = keysThat();
  await bringVersion(context, brought(), keys);
  const other = { ...credential, id: `crd_${'b'.repeat(32)}`, name: 'other' };
  desk.furnish('credential', other);
  const theirs = brought({ credential: other });
  await assert.rejects(bringVersion(context, theirs, keys), pointsAt('invalid', '/parts'));
  await assert.rejects(bringVersion(context, theirs, keys), /default\/neon\/prod, version 1/);
  await assert.rejects(bringVersion(context, theirs, keys), /a grant on that credential/);
  desk.furnish('credential', { ...credential, rowVersion: 2, purpose: 'manage' } as CredentialRow);
  await assert.rejects(bringVersion(context, theirs, keys), /never lent: bring another key/);
  const elsewhere = { ...other, origin: 'https://elsewhere.example' };
  desk.furnish('credential', elsewhere);
  const version = await bringVersion(context, brought({ credential: elsewhere }), keys);
  assert.equal(version.number, 1, 'at another origin it is another key');
});

test('nothing is brought while a rotation runs, even one that began while the provider was asked', async () => {
  const { context, desk, credential, brought } = furnished();
  const rotation = { id: 'rot_x', rowVersion: 1, credentialId: credential.id, endedAt: null };
  const keys: Keys = {
    ...keysThat(),
    async probe() {
      desk.furnish('rotation', rotation);
      return 'alive';
    },
  };
  await assert.rejects(bringVersion(context, brought(), keys), (error) => Failure.is(error, 'conflict'));
  await assert.rejects(bringVersion(context, brought(), keysThat()), (error) => Failure.is(error, 'conflict'));
  assert.equal(allRows<VersionRow>(desk.rows, 'version').length, 0);
});

test('the finding about the key is closed with it', async () => {
  const { context, desk, brought } = furnished();
  const finding: FindingRow = {
    id: `fnd_${'a'.repeat(32)}`,
    rowVersion: 1,
    issuerId: ISSUER,
    providerKeyId: '17',
    kind: 'unregistered',
    name: 'theirs',
    state: 'open',
    firstSeenAt: 0,
    closedAt: null,
    lastUsedAt: null,
  };
  desk.furnish('finding', finding);
  await bringVersion(context, brought({ providerKeyId: '17' }), keysThat());
  assert.equal(allRows<FindingRow>(desk.rows, 'finding').length, 0);
  const image = desk.events.at(-1)?.rows.find(({ noun }) => noun === 'finding')?.row as FindingRow;
  assert.deepEqual([image.state, image.closedAt], ['adopted', desk.clock.now()]);
});

test('a write that fails leaves no armed key behind', async () => {
  const { context, desk, brought } = furnished();
  const keys = keysThat();
  const failing = { ...context, desk: { ...desk, write: () => Promise.reject(new Failure('unavailable', 'no')) } };
  await assert.rejects(bringVersion(failing, brought(), keys), (error) => Failure.is(error, 'unavailable'));
  assert.deepEqual(keys.log, ['seal', 'probe', 'arm', 'disarm']);
});
