// A rotation that applications do not notice: requests through the broker without a pause while the key beneath them is exchanged.
// Nobody sees an error, the old keys end dead and certified, and the ledger shows that none was lent after its revocation began.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { openNote, parseVkey } from '../../src/ledger/note.ts';
import { revealSecretText } from '../../src/model/secret.ts';
import { type RunningNeonTwin, startNeonTwin } from '../../twins/neon.io.ts';
import { type House, startHouse } from '../support/house.ts';
import { isSigned, until } from '../support/workshop-checks.ts';

const ROTATIONS = 1;
const WORKERS = 4;

let twin: RunningNeonTwin;
let house: House;
before(async () => {
  twin = await startNeonTwin({ seed: 5 });
  house = await startHouse({ providers: { neon: twin.origin }, broker: true });
});
after(async () => {
  assert.deepEqual(house.errors, []);
  await house.stop();
  await twin.close();
});

async function api<T>(method: string, target: string, body?: object): Promise<T> {
  const answer = await house.request(method, target, body === undefined ? {} : { body });
  assert(answer.status < 300, `${method} ${target}: ${answer.status} ${answer.text}`);
  return answer.json as T;
}

/** One credential whose key an issuer may exchange, a service that may read with it, and the service's token. */
async function furnish(): Promise<{ credentialId: string; token: string; firstKeyId: string }> {
  const { seeds } = twin.control;
  const issuer = await api<{ credential: { id: string } }>('POST', '/v1/credentials', {
    provider: 'neon',
    name: 'issuer',
    kind: 'personal-key',
    purpose: 'manage',
    parts: { key: revealSecretText(seeds.adminKey) },
    providerKeyId: seeds.adminKeyId,
  });
  const minted = twin.control.mint({ kind: 'organization' });
  const { credential } = await api<{ credential: { id: string } }>('POST', '/v1/credentials', {
    provider: 'neon',
    name: 'prod',
    kind: 'organization-key',
    issuer: issuer.credential.id,
    settings: { orgId: seeds.orgId },
    policy: { quietSeconds: 0 },
    parts: { key: revealSecretText(minted.key) },
    providerKeyId: minted.id,
  });
  const service = await api<{ id: string }>('POST', '/v1/principals', { name: 'app', kind: 'service', roles: [] });
  await api('POST', '/v1/grants', {
    principal: service.id,
    credential: credential.id,
    actions: ['*:read', 'branch.create'],
  });
  const { text } = await api<{ text: string }>('POST', `/v1/principals/${service.id}/tokens`, {});
  return { credentialId: credential.id, token: text, firstKeyId: minted.id };
}

interface Load {
  stop(): Promise<{ answers: number; failures: readonly string[] }>;
}

/** Applications that ask again as soon as they are answered: reads, and now and then a write. */
function startLoad(token: string): Load {
  const { projectId, orgId } = twin.control.seeds;
  const failures: string[] = [];
  let answers = 0;
  let isOver = false;
  async function work(worker: number): Promise<void> {
    for (let n = 0; !isOver; n++) {
      const isWrite = n % 10 === worker;
      const target = isWrite
        ? `/projects/${projectId}/branches`
        : n % 2 === 0
          ? `/projects?org_id=${orgId}`
          : `/projects/${projectId}`;
      const response = await fetch(`${house.brokerOrigin}/neon/prod/api/v2${target}`, {
        method: isWrite ? 'POST' : 'GET',
        headers: { authorization: `Bearer ${token}`, ...(isWrite ? { 'content-type': 'application/json' } : {}) },
        body: isWrite ? JSON.stringify({ branch: { name: `b-${worker}-${n}` } }) : null,
      });
      const text = await response.text();
      if (response.ok) answers++;
      else failures.push(`${response.status} ${text.slice(0, 200)}`);
    }
  }
  const workers = Array.from({ length: WORKERS }, (_, worker) =>
    work(worker).catch((error: unknown) => void failures.push(String(error))),
  );
  return {
    async stop() {
      isOver = true;
      await Promise.all(workers);
      return { answers, failures };
    },
  };
}

interface Entry {
  readonly [name: string]: unknown;
}
async function entriesOf(log: 'control' | 'use'): Promise<Entry[]> {
  const rows = await house.app.database.read.selectFrom(`${log}_entries`).select('entry').orderBy('idx').execute();
  return rows.map(({ entry }) => JSON.parse(entry) as Entry);
}

test('under load the key is exchanged, and no request fails', async () => {
  const { credentialId, token, firstKeyId } = await furnish();
  // Long enough that requests overlap the exchange, short enough for many.
  twin.control.latency({ ms: 3, jitterMs: 4 });
  const load = startLoad(token);
  const keyIds = [firstKeyId];
  for (let n = 0; n < ROTATIONS; n++) {
    const { id } = await api<{ id: string }>('POST', '/v1/rotations', { credential: credentialId });
    const { rotation } = await until(async () => {
      const seen = await api<{
        rotation: { endedAt: string | null; state: { end: string | null; fresh: { providerKeyId: string } } };
      }>('GET', `/v1/rotations/${id}`);
      return seen.rotation.state.end === null ? null : seen;
    }, 'the end of a rotation');
    assert.equal(rotation.state.end, 'rotated');
    keyIds.push(rotation.state.fresh.providerKeyId);
  }
  const { answers, failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert(answers > 200, `only ${answers} requests went through: the load was no load`);

  // The provider: one of our keys lives, the others were last accepted before anybody claimed their death.
  const keys = keyIds.map((id) => twin.control.keys().find((key) => key.id === id)!);
  assert.deepEqual(
    keys.map((key) => key.isAlive),
    [...new Array<boolean>(ROTATIONS).fill(false), true],
  );
  for (const key of keys) assert(key.acceptedCount > 20, `key ${key.id} served ${key.acceptedCount} requests`);

  await assertCertified(credentialId, keyIds.slice(0, -1));
  await assertOrder(answers);
});

/** A certificate for each dead key, as an outsider checks it: the note and the public key, nothing else. */
async function assertCertified(credentialId: string, deadIds: readonly string[]): Promise<void> {
  const { items } = await api<{ items: { id: string }[] }>('GET', `/v1/certificates?credential=${credentialId}`);
  const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest();
  const vkey = readFileSync(path.join(house.config.dataDirectory, 'ledger', 'control', 'vkey'), 'utf8').trim();
  const certified: string[] = [];
  for (const { id } of items) {
    const note = await house.request('GET', `/v1/certificates/${id}`, { headers: { accept: 'text/plain' } });
    const { text } = openNote(Buffer.from(note.text), [parseVkey(vkey, sha256)], isSigned);
    const said = JSON.parse(text) as { version: { providerKeyId: string }; refusals: { refused: { at: string } }[] };
    const key = twin.control.keys().find((one) => one.id === said.version.providerKeyId)!;
    assert(
      key.lastAcceptedAt! <= Date.parse(said.refusals[0]!.refused.at),
      'the key was accepted after its first refusal',
    );
    assert(said.refusals.length >= 3);
    certified.push(said.version.providerKeyId);
  }
  assert.deepEqual(certified.sort(), [...deadIds].sort());
}

/** Every answer has its use on record, and no use of a version stands behind the entry with which its revocation began. */
async function assertOrder(answers: number): Promise<void> {
  house.app.guardian.flush();
  await house.app.database.idle();
  const uses = await entriesOf('use');
  const admitted = uses.map((use, index) => ({ use, index })).filter(({ use }) => use['kind'] === 'use');
  assert.equal(admitted.length, answers);
  const outcomes = uses.filter((use) => use['kind'] === 'outcomes').flatMap((use) => use['of'] as number[][]);
  assert.equal(outcomes.length, answers, 'every use has its outcome');
  let revocations = 0;
  for (const entry of await entriesOf('control')) {
    if (entry['type'] !== 'rotation.revoke-begun') continue;
    revocations++;
    const rows = entry['rows'] as { noun: string; row: { id: string; state: string } }[];
    const version = rows.find(({ noun, row }) => noun === 'version' && row.state === 'revoking')!.row.id;
    const late = admitted.filter(({ use, index }) => use['version'] === version && index >= (entry['uses'] as number));
    assert.deepEqual(late, []);
    assert(
      admitted.some(({ use }) => use['version'] === version),
      'it was used before',
    );
  }
  assert.equal(revocations, ROTATIONS);
}
