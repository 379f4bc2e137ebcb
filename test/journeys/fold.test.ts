// Tables run, the ledger proves: whatever was done, folding the control log gives every row of every table, and what the tables keep beside
// a row follows from it. On both databases; and whatever is changed in a table, or in the log, behind the server's back is named.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { openForReading } from '../../src/database/reading.io.ts';
import { NOUNS } from '../../src/model/change.ts';
import { revealSecretText } from '../../src/model/secret.ts';
import { machineRandom } from '../../src/vault/cipher.io.ts';
import { foldAndCompare } from '../../tools/torture/fold.ts';
import { startNeonTwin } from '../../twins/neon.io.ts';
import { type House, startHouse } from '../support/house.ts';
import { startPostgresql } from '../support/postgresql.ts';
import { openFaultHouse, until } from './fault-house.ts';

type Json = Record<string, unknown>;

async function ask(house: House, method: string, target: string, body?: object): Promise<Json> {
  const answer = await house.request(method, target, body === undefined ? {} : { body });
  assert.ok(answer.status < 300, `${method} ${target}: ${answer.text}`);
  return answer.json as Json;
}

const idOf = (json: Json) => String(json['id']);
const inside = (json: Json, name: string) => idOf(json[name] as Json);

/** Does a little of everything that changes state, so that each noun has rows, current ones and history. */
async function doEverything(house: House, twin: Awaited<ReturnType<typeof startNeonTwin>>): Promise<void> {
  const { seeds } = twin.control;
  const post = (target: string, body: object = {}) => ask(house, 'POST', target, body);
  const credential = async (given: object) =>
    inside(await post('/v1/credentials?resolve=false', { provider: 'neon', ...given }), 'credential');
  const issuer = await credential({
    name: 'issuer',
    kind: 'personal-key',
    purpose: 'manage',
    parts: { key: revealSecretText(seeds.adminKey) },
    providerKeyId: seeds.adminKeyId,
  });
  const lent = (name: string) => {
    const minted = twin.control.mint({ kind: 'organization', name });
    return credential({
      name,
      kind: 'organization-key',
      issuer,
      settings: { orgId: seeds.orgId },
      parts: { key: revealSecretText(minted.key) },
      providerKeyId: minted.id,
      policy: { quietSeconds: 0 },
    });
  };
  const [rotated, revoked, changed] = [await lent('rotated'), await lent('revoked'), await lent('changed')];
  // A key that nobody has registered becomes a finding.
  twin.control.mint({ kind: 'organization', name: 'of somebody else' });
  const rotation = idOf(await post('/v1/rotations', { credential: rotated }));
  const revocation = (
    (await post('/v1/revocations', { credential: revoked, reason: 'compromised' }))['revocations'] as Json[]
  )[0]!;
  const principal = idOf(
    await post('/v1/principals', { name: 'caller', kind: 'service', note: 'Zürich\u2028\u{1f511}' }),
  );
  const token = inside(await post(`/v1/principals/${principal}/tokens`), 'token');
  await post(`/v1/tokens/${token}/rotate`, { overlapSeconds: 0 });
  const grant = idOf(
    await post('/v1/grants', { principal, credential: changed, actions: ['*:read'], expiresInSeconds: 60 }),
  );
  await post('/v1/grants', {
    principal,
    credential: changed,
    actions: ['project.get'],
    parameters: { project_id: ['p'] },
  });
  await post(`/v1/grants/${grant}/revoke`);
  await post(`/v1/credentials/${changed}/suspend`, { reason: 'holidays' });
  await post(`/v1/credentials/${changed}/resume`);
  const by = twin.control.mint({ kind: 'organization' });
  await post(`/v1/credentials/${changed}/versions?resolve=false`, {
    parts: { key: revealSecretText(by.key) },
    providerKeyId: by.id,
  });
  await ask(house, 'PATCH', `/v1/credentials/${changed}`, { name: 'renamed', note: '' });
  await post(`/v1/credentials/${changed}/retire`);
  // The name is free again.
  await lent('changed');
  await post(`/v1/principals/${principal}/disable`);
  // Several at once towards one row: one wins, the others leave nothing.
  const notes = Array.from({ length: 8 }, (_, n) =>
    house.request('PATCH', `/v1/principals/${principal}`, { body: { note: `${n}` }, headers: { 'if-match': '"2"' } }),
  );
  const answers = await Promise.all(notes);
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  await post('/v1/keks/rotate', { keyFile: Buffer.from(machineRandom.bytes(32)).toString('base64') });
  await until('the rotation ends', async () => await ended(`/v1/rotations/${rotation}`, 'rotation'), 60_000);
  await until('the revocation ends', async () => await ended(`/v1/revocations/${idOf(revocation)}`, null), 60_000);
  await post('/v1/inventory');

  async function ended(target: string, member: string | null): Promise<boolean> {
    const json = await ask(house, 'GET', target);
    return ((member === null ? json : json[member]) as Json)['endedAt'] !== null;
  }
}

describe('the folded control log', () => {
  test('equals the tables, of every noun; what is forged into either is named', async (t) => {
    const twin = await startNeonTwin();
    t.after(() => twin.close());
    const house = await startHouse({ providers: { neon: twin.origin }, broker: true, secondCopy: true });
    t.after(() => house.stop());
    await doEverything(house, twin);
    const folded = await foldAndCompare(house.app.database.read);
    assert.deepEqual(folded.problems, []);
    for (const noun of NOUNS) assert.ok(folded.rows.get(noun)!.size > 0, `nothing was done to a ${noun}`);
    assert.equal(
      folded.compared,
      [...folded.rows.values()].reduce((sum, rows) => sum + rows.size, 0),
    );
    assert.deepEqual(house.errors, []);

    const forgeries: readonly [string, string, RegExp][] = [
      [
        'a changed row',
        `UPDATE grants SET row = replace(row, '"project.get"', '"*"')`,
        /^grant gnt_\w+: the column row /,
      ],
      [
        'a row back at an earlier version',
        `UPDATE principals SET row_version = 1 WHERE row_version > 1`,
        /^principal prn_\w+: the column row_version /,
      ],
      [
        'a name given to another',
        `UPDATE credentials SET natural_key = 'x' WHERE id = (SELECT max(id) FROM credentials)`,
        /^credential crd_\w+: the column natural_key /,
      ],
      [
        'a version moved to another credential',
        `UPDATE versions SET parent = (SELECT max(id) FROM credentials) WHERE id = (SELECT min(id) FROM versions)`,
        /^version ver_\w+: the column parent /,
      ],
      [
        'a row that the server would not see',
        `UPDATE tokens SET live = 1 - live WHERE id = (SELECT min(id) FROM tokens)`,
        /^token tok_\w+: the column live /,
      ],
      ['a row taken away', `DELETE FROM certificates`, /^certificate crt_\w+ is in the log and not in its table$/],
      [
        'a row put in',
        `INSERT INTO grants SELECT 'gnt_forged', 1, NULL, parent, 1, row FROM grants LIMIT 1`,
        /^grant gnt_forged is in its table and not in the log$/,
      ],
      [
        'an entry changed',
        `UPDATE control_entries SET entry = replace(entry, '"reason":"holidays"', '"reason":"x"') WHERE entry LIKE '%holidays%'`,
        /^$/,
      ],
      [
        'an entry taken away',
        `DELETE FROM control_entries WHERE idx = (SELECT max(idx) FROM control_entries WHERE entry LIKE '%"noun":"version"%')`,
        /^control entry \d+ is missing$/,
      ],
      [
        'two entries exchanged',
        `UPDATE control_entries SET entry = (SELECT entry FROM control_entries WHERE idx = 8) WHERE idx = 9`,
        /does not follow row version/,
      ],
    ];
    const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-fold-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const whole = path.join(directory, 'whole');
    new DatabaseSync(path.join(house.config.dataDirectory, 'claviger.db'), { readOnly: true })
      .prepare('VACUUM INTO ?')
      .run(whole);
    for (const [index, [name, sql, named]] of forgeries.entries()) {
      const file = path.join(directory, String(index));
      copyFileSync(whole, file);
      const database = new DatabaseSync(file);
      assert.ok(Number(database.prepare(sql).run().changes) > 0, `${name}: nothing to forge`);
      database.close();
      const { read, close } = await openForReading({ kind: 'sqlite', file });
      const { problems } = await foldAndCompare(read);
      await close();
      // The detail of an event is in no row: only the tree of hashes tells that it was changed.
      if (named.source === '^$') assert.deepEqual(problems, [], name);
      else
        assert.ok(
          problems.some((problem) => named.test(problem)),
          `${name}: ${problems.join('; ')}`,
        );
    }
  });

  test('equals the tables on PostgreSQL', async (t) => {
    const postgresql = await startPostgresql();
    if (postgresql === null) return t.skip('no PostgreSQL');
    t.after(() => postgresql.stop());
    const house = await openFaultHouse({ databaseUrl: await postgresql.createDatabase() });
    const { credential, principal, grant } = house.ids;
    const calls: [string, string, object][] = [
      ['POST', `/v1/credentials/${credential}/suspend`, { reason: 'Zürich\u2028\u{1f511}' }],
      ['POST', `/v1/credentials/${credential}/resume`, {}],
      ['PATCH', `/v1/credentials/${credential}`, { name: 'renamed', note: '\\u0041 "quoted" \t' }],
      ['POST', `/v1/grants/${grant}/revoke`, {}],
      ['POST', `/v1/tokens/${house.tokenId}/revoke`, {}],
      ['POST', `/v1/principals/${principal}/disable`, {}],
      ['POST', '/v1/revocations', { credential, reason: 'compromised', order: 'revoke-first' }],
    ];
    for (const [method, target, body] of calls) {
      const { status, json } = await house.api(method, target, body);
      assert.ok(status < 300, JSON.stringify(json));
    }
    const { problems, compared } = await foldAndCompare(house.serving.app.database.read);
    assert.deepEqual(problems, []);
    assert.ok(compared > 8);
    await house.stop();
  });
});
