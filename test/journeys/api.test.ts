// The control API from the first token to a certificate of death, over HTTP, with a twin for the provider and the broker beside it. Every
// answer is held against the OpenAPI document by the house; at the end nothing that was said may hold a secret.
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createHasher, verifyInclusion } from '../../src/ledger/merkle.ts';
import { openNote, parseCheckpoint, parseVkey } from '../../src/ledger/note.ts';
import { revealSecretText } from '../../src/model/secret.ts';
import { type RunningNeonTwin, startNeonTwin } from '../../twins/neon.io.ts';
import { type House, type HouseAnswer, startHouse } from '../support/house.ts';
import { startPostgresql, type TestPostgresql } from '../support/postgresql.ts';

type Json = Record<string, never> & { id: string };

interface View {
  readonly credential: { readonly id: string; readonly suspendedAt: string | null };
  readonly versions: readonly {
    readonly id: string;
    readonly number: number;
    readonly state: string;
    readonly providerKeyId: string | null;
  }[];
  readonly protected: boolean;
  readonly grants: number;
  readonly identified?: { readonly providerKeyId: string | null; readonly why: string } | null;
}

async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 200; tries++) {
    const value = await read();
    if (holds(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('it did not come to pass');
}

const postgresql = await startPostgresql();

describe('the control API', { concurrency: true }, () => {
  describe('on SQLite', { concurrency: 1 }, () => journey(null));
  // Where there is none, its absence was said aloud.
  if (postgresql !== null) describe('on PostgreSQL', { concurrency: 1 }, () => journey(postgresql));
  after(() => postgresql?.stop());
});

function journey(postgresql: TestPostgresql | null): void {
  let twin: RunningNeonTwin;
  let house: House;
  /** Everything that the API answered. */
  const said: string[] = [];

  before(async () => {
    twin = await startNeonTwin();
    const database = postgresql === null ? {} : { postgresql: await postgresql.createDatabase() };
    house = await startHouse({ providers: { neon: twin.origin }, broker: true, secondCopy: true, ...database });
  });

  after(async () => {
    assert.deepEqual(house.errors, []);
    await house.stop();
    await twin.close();
  });

  async function ask(method: string, target: string, body?: object, token?: string): Promise<HouseAnswer> {
    const options = { ...(body === undefined ? {} : { body }), ...(token === undefined ? {} : { token }) };
    const answer = await house.request(method, target, options);
    said.push(answer.text);
    return answer;
  }

  async function done<T = Json>(method: string, target: string, body?: object): Promise<T> {
    const answer = await ask(method, target, body);
    assert.ok(answer.status < 300, `${method} ${target}: ${answer.status} ${answer.text}`);
    return answer.json as T;
  }

  const ids = { issuer: '', credential: '', service: '', grant: '' };
  let token = '';
  let keyText = '';

  function throughBroker(target: string, method = 'GET'): Promise<Response> {
    return fetch(`${house.brokerOrigin}/neon/prod${target}`, { method, headers: { authorization: `Bearer ${token}` } });
  }

  test('keys come in, are checked with the provider, and their ids are found', async () => {
    const { seeds } = twin.control;
    const issuer = await done<View>('POST', '/v1/credentials', {
      provider: 'neon',
      name: 'issuer',
      kind: 'personal-key',
      purpose: 'manage',
      parts: { key: revealSecretText(seeds.adminKey) },
    });
    assert.equal(issuer.identified?.providerKeyId, seeds.adminKeyId);
    ids.issuer = issuer.credential.id;
    const minted = twin.control.mint({ kind: 'organization', name: 'by hand' });
    keyText = revealSecretText(minted.key);
    // Somebody else's key in the same list.
    twin.control.mint({ kind: 'organization', name: 'theirs' });
    const made = await done<View>('POST', '/v1/credentials', {
      provider: 'neon',
      name: 'prod',
      kind: 'organization-key',
      issuer: ids.issuer,
      settings: { orgId: seeds.orgId },
      policy: { quietSeconds: 0 },
      parts: { key: keyText },
    });
    ids.credential = made.credential.id;
    assert.equal(made.identified?.providerKeyId, minted.id);
    assert.deepEqual(
      made.versions.map(({ number, state, providerKeyId }) => [number, state, providerKeyId]),
      [[1, 'current', minted.id]],
    );
    assert.equal(made.protected, false);
  });

  test('a key that the provider refuses, or of another form, is not taken', async () => {
    const add = (name: string, key: string) =>
      ask('POST', '/v1/credentials', {
        provider: 'neon',
        name,
        kind: 'organization-key',
        settings: { orgId: twin.control.seeds.orgId },
        parts: { key },
      });
    const dead = await add('dead', `napi_canary${'x'.repeat(58)}`);
    assert.equal(dead.status, 400);
    assert.match(dead.text, /the provider refuses this key/);
    assert.equal((await add('malformed', 'canary of no form')).status, 400);
    const { items } = await done<{ items: unknown[] }>('GET', '/v1/credentials');
    assert.equal(items.length, 2);
  });

  test('a service uses the key by its grant, and the grant can be right-sized from what it did', async () => {
    ids.service = (await done('POST', '/v1/principals', { name: 'service', kind: 'service' })).id;
    token = (await done<{ text: string }>('POST', `/v1/principals/${ids.service}/tokens`, {})).text;
    said.pop();
    const wide = { principal: ids.service, credential: ids.credential, actions: ['project.*', '*:read'] };
    ids.grant = (await done('POST', '/v1/grants', wide)).id;
    const project = twin.control.seeds.projectId;
    for (let i = 0; i < 3; i++) assert.equal((await throughBroker(`/api/v2/projects/${project}`)).status, 200);
    assert.equal((await throughBroker(`/api/v2/projects/${project}/branches`)).status, 200);
    const { items } = await done<{ items: object[] }>('POST', '/v1/grants/suggest', {
      credential: ids.credential,
      sinceSeconds: 3_600,
    });
    const narrow = { actions: ['branch.list', 'project.get'], parameters: { project_id: [project] } };
    assert.deepEqual(items, [{ principal: ids.service, ...narrow, uses: 4, wouldDeny: 0 }]);
    await done('POST', '/v1/grants', { principal: ids.service, credential: ids.credential, ...narrow });
    await done('POST', `/v1/grants/${ids.grant}/revoke`);
    assert.equal((await throughBroker(`/api/v2/projects/${project}`)).status, 200);
    assert.equal((await throughBroker('/api/v2/projects')).status, 403);
  });

  test('a rotation is asked for, followed by its journal, and ends with a certificate', async () => {
    const { id } = await done('POST', '/v1/rotations', { credential: ids.credential });
    assert.equal((await ask('POST', '/v1/rotations', { credential: ids.credential })).status, 409);
    const project = twin.control.seeds.projectId;
    const ended = await until(
      async () => {
        assert.equal((await throughBroker(`/api/v2/projects/${project}`)).status, 200);
        return done<{
          rotation: { endedAt: string | null; state: { end: string }; rowVersion: number };
          steps: { type: string }[];
        }>('GET', `/v1/rotations/${id}`);
      },
      ({ rotation }) => rotation.endedAt !== null,
    );
    assert.equal(ended.rotation.state.end, 'rotated');
    assert.equal(ended.steps.length, ended.rotation.rowVersion);
    assert.deepEqual(
      [ended.steps[0]?.type, ended.steps.at(-1)?.type.startsWith('rotation.')],
      ['rotation.requested', true],
    );
    const { versions, protected: isProtected } = await done<View>('GET', `/v1/credentials/${ids.credential}`);
    assert.deepEqual(
      versions.map(({ number, state }) => [number, state]),
      [
        [2, 'current'],
        [1, 'revoked'],
      ],
    );
    assert.equal(isProtected, true);
    const { items } = await done<{ items: { id: string; note: string }[] }>(
      'GET',
      `/v1/certificates?credential=${ids.credential}`,
    );
    assert.equal(items.length, 1);
    const text = await house.request('GET', `/v1/certificates/${items[0]!.id}`, { headers: { accept: 'text/plain' } });
    assert.match(text.headers.get('content-type') ?? '', /^text\/plain/);
    assert.equal(text.text, items[0]!.note);
  });

  test('every entry of the log is proven to stand under a checkpoint that anybody can verify', async () => {
    const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest();
    const hasher = createHasher(sha256);
    const { vkeys } = await done<{ vkeys: { control: string; use: string } }>('GET', '/v1/audit/checkpoints');
    for (const log of ['control', 'use'] as const) {
      const vkey = parseVkey(vkeys[log], sha256);
      const check = (key: Uint8Array, text: Uint8Array, signature: Uint8Array) => {
        const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]);
        return verify(null, text, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
      };
      const { items } = await done<{ items: { index: number; entry: object }[] }>(
        'GET',
        `/v1/audit/${log}?limit=200&order=asc`,
      );
      assert.ok(items.length > 5);
      for (const { index, entry } of items) {
        const found = await done<{
          entry: object;
          proof: { size: number; root: string; hashes: string[]; leaf: string; checkpoint: string };
        }>('GET', `/v1/audit/${log}/${index}`);
        assert.deepEqual(found.entry, entry);
        assert.deepEqual(JSON.parse(found.proof.leaf), entry);
        const { text } = openNote(Buffer.from(found.proof.checkpoint), [vkey], check);
        const { size, root } = parseCheckpoint(text);
        assert.deepEqual([found.proof.size, found.proof.root], [size, root.toBase64()]);
        const leaf = hasher.leaf(Buffer.from(found.proof.leaf));
        const proof = found.proof.hashes.map((hash) => Uint8Array.fromBase64(hash));
        assert.ok(verifyInclusion({ index, size, leaf, root, proof }, hasher), `${log} ${index}`);
      }
    }
    assert.equal((await ask('GET', '/v1/audit/control/999999')).status, 404);
  });

  test('the log is searched by type and by who and what is mentioned', async () => {
    const search = (query: string) =>
      done<{ items: { entry: { type: string; actor: string } }[] }>('GET', `/v1/audit/control?${query}`);
    const given = await search('type=grant.given');
    assert.deepEqual(
      given.items.map(({ entry }) => entry.type),
      ['grant.given', 'grant.given'],
    );
    const mine = await search(`credential=${ids.credential}&principal=${house.adminId}&limit=200`);
    for (const { entry } of mine.items) {
      const text = JSON.stringify(entry);
      assert.ok(text.includes(ids.credential) && text.includes(house.adminId));
    }
    const types = mine.items.filter(({ entry }) => entry.actor === house.adminId).map(({ entry }) => entry.type);
    assert.deepEqual(types.slice(-2), ['version.brought', 'credential.added']);
  });

  test('the inventory names a key that nobody registered, and it can be set aside', async () => {
    const { items } = await done<{ items: { problem: string | null; unregistered: number }[] }>(
      'POST',
      '/v1/inventory',
      {},
    );
    assert.ok(items.every(({ problem }) => problem === null));
    const findings = async () =>
      (await done<{ items: { id: string; name: string; providerKeyId: string }[] }>('GET', '/v1/inventory')).items;
    const theirs = (await findings()).find(({ name }) => name === 'theirs');
    assert.ok(theirs !== undefined);
    const ignored = await done<{ state: string }>('POST', `/v1/inventory/findings/${theirs.id}/ignore`);
    assert.equal(ignored.state, 'ignored');
    assert.ok(!(await findings()).some(({ id }) => id === theirs.id));
  });

  test('the key-encryption key moves on: every envelope and second copy with it, and sealing forgets the old one', async () => {
    const passphrase = 'canary of a passphrase';
    const report = await done<{ isComplete: boolean; rewrapped: number; kek: { id: string }; retired: string[] }>(
      'POST',
      '/v1/keks/rotate',
      { passphrase },
    );
    assert.deepEqual([report.isComplete, report.rewrapped, report.retired.length], [true, 4, 1]);
    const again = await done<{ rewrapped: number; kek: { id: string } }>('POST', '/v1/keks/rotate', { passphrase });
    assert.deepEqual([again.rewrapped, again.kek.id], [0, report.kek.id]);
    const { versions } = await done<{
      versions: { id: string; envelopeDigest: string; secondCopyAt: string | null }[];
    }>('GET', `/v1/credentials/${ids.credential}`);
    const copies = path.join(house.directory, 'copies');
    for (const version of versions.filter(({ secondCopyAt }) => secondCopyAt !== null)) {
      const bytes = readFileSync(path.join(copies, `${version.id}.envelope`));
      assert.equal(createHash('sha256').update(bytes).digest('hex'), version.envelopeDigest);
    }
    const project = twin.control.seeds.projectId;
    assert.equal((await done<{ sealed: boolean }>('POST', '/v1/seal')).sealed, true);
    assert.equal((await throughBroker(`/api/v2/projects/${project}`)).status, 503);
    assert.equal((await ask('GET', '/readyz')).status, 503);
    assert.equal((await ask('POST', '/v1/unseal', { passphrase: 'canary of another one' })).status, 400);
    assert.equal((await done<{ sealed: boolean }>('POST', '/v1/unseal', { passphrase })).sealed, false);
    assert.equal((await throughBroker(`/api/v2/projects/${project}`)).status, 200);
    assert.equal((await ask('GET', '/readyz')).status, 200);
  });

  test('under compromise access ends with the order, and each version gets its certificate', async () => {
    const project = twin.control.seeds.projectId;
    const started = await done<{ revocations: { id: string }[]; rotationId: string | null }>(
      'POST',
      '/v1/revocations',
      {
        credential: ids.credential,
        reason: 'compromised',
        note: 'found in a log',
      },
    );
    assert.equal((await throughBroker(`/api/v2/projects/${project}`)).status, 403);
    assert.deepEqual([started.revocations.length, started.rotationId], [1, null]);
    const ended = await until(
      () => done<{ certificateId: string | null }>('GET', `/v1/revocations/${started.revocations[0]!.id}`),
      ({ certificateId }) => certificateId !== null,
    );
    assert.equal((await ask('GET', `/v1/certificates/${ended.certificateId}`)).status, 200);
    const { credential } = await done<View>('GET', `/v1/credentials/${ids.credential}`);
    assert.notEqual(credential.suspendedAt, null);
    await done('POST', `/v1/credentials/${ids.credential}/retire`);
  });

  test('documents are applied once, and a second time change nothing', async () => {
    const { orgId } = twin.control.seeds;
    const documents = {
      principals: [{ name: 'web', kind: 'service', roles: ['viewer'] }],
      credentials: [
        { provider: 'neon', name: 'web', kind: 'organization-key', settings: { orgId }, issuer: 'neon/issuer' },
      ],
      grants: [{ principal: 'web', credential: 'neon/web', actions: ['*:read'] }],
    };
    const apply = (dryRun: boolean) =>
      done<{ changes: { op: string }[]; applied: boolean }>('POST', '/v1/apply', { dryRun, documents });
    const ops = ({ changes }: { changes: { op: string }[] }) => changes.map(({ op }) => op);
    assert.deepEqual(ops(await apply(true)), ['add', 'add', 'add']);
    assert.deepEqual(ops(await apply(false)), ['add', 'add', 'add']);
    assert.deepEqual(ops(await apply(false)), ['none', 'none', 'none']);
  });

  test('free text comes back as it went in', async () => {
    const note = 'e\u0301 \u{1f511} \u202e\u2028 "\\\u0001\u007f';
    const { id } = await done('POST', '/v1/principals', { name: 'text', kind: 'person', note, owner: note });
    const got = await done<{ note: string; owner: string }>('GET', `/v1/principals/${id}`);
    assert.deepEqual([got.note, got.owner], [note, note]);
  });

  test('no answer, no file of the installation and no log entry holds a secret', () => {
    const secrets = [token, keyText, house.adminToken, 'canary of a passphrase'];
    for (const text of said) assert.ok(!text.includes('canary') && !secrets.some((secret) => text.includes(secret)));
    for (const name of readdirSync(house.config.dataDirectory, { recursive: true, withFileTypes: true })) {
      if (!name.isFile()) continue;
      const bytes = readFileSync(path.join(name.parentPath, name.name)).toString('latin1');
      for (const secret of [...secrets, 'canary']) assert.ok(!bytes.includes(secret), name.name);
    }
  });
}
