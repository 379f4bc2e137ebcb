// What the replay finds: every way to forge a use, or to change a decision, is named with its index, also in the log of a real server.
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { startHouse } from '../../test/support/house.ts';
import { changed, furnished, kindsOf, replayed } from '../../test/support/replay-logs.ts';
import { credentialRow, NOW, principalRow, tokenRow, versionRow } from '../../test/support/rows.ts';
import { startNeonTwin } from '../../twins/neon.io.ts';
import { openForReading } from '../database/reading.io.ts';
import { openSqlite } from '../database/sqlite-commit.io.ts';
import { revealSecretText } from '../model/secret.ts';

describe('a forged record is named', () => {
  /** Two uses and a refusal, with a second credential, token and grant beside them. */
  function scene() {
    const logs = furnished({ networks: ['10.0.0.0/8'], parameters: { project_id: ['p-1'] }, expiresAt: NOW + 60_000 });
    logs.write(
      { noun: 'principal', row: principalRow({ id: 'prn_2', name: 'other' }) },
      { noun: 'token', row: tokenRow({ id: 'tok_2', principalId: 'prn_2', hash: 'hash-of-tok_2' }) },
      { noun: 'credential', row: credentialRow({ id: 'crd_2', name: 'other' }) },
      { noun: 'version', row: versionRow({ id: 'ver_2', credentialId: 'crd_2' }) },
      { noun: 'token', row: tokenRow({ id: 'tok_3', hash: 'hash-of-tok_3', credentialId: 'crd_2' }) },
    );
    logs.use();
    logs.use();
    logs.use({ path: '/api/v2/projects/p-2' });
    return logs;
  }

  const forged: readonly [string, number, Record<string, unknown>, string][] = [
    ['another credential', 0, { credential: 'crd_2' }, 'outside-policy'],
    ['a credential that is not there', 0, { credential: 'crd_9' }, 'unknown-reference'],
    ['another version', 0, { version: 'ver_2' }, 'record-differs'],
    ['another grant', 0, { grant: 'gnt_2' }, 'record-differs'],
    ['another principal', 0, { principal: 'prn_2' }, 'unknown-reference'],
    ['another caller', 0, { principal: 'prn_2', token: 'tok_2' }, 'outside-policy'],
    ['a token that is bound elsewhere', 0, { token: 'tok_3' }, 'outside-policy'],
    ['a token that is not there', 0, { token: 'tok_9' }, 'unknown-reference'],
    ['another action', 0, { action: 'project.delete' }, 'unknown-reference'],
    [
      'another method, with its action',
      0,
      { action: 'project.delete', effect: 'delete', method: 'DELETE', path: '/api/v2/projects/p-9' },
      'outside-policy',
    ],
    ['another path', 0, { path: '/api/v2/projects/p-2' }, 'outside-policy'],
    ['another effect', 0, { effect: 'write' }, 'unknown-reference'],
    ['another provider', 0, { provider: 'plaid' }, 'unknown-reference'],
    ['a path of no action', 0, { path: '/api/v2/nothing' }, 'unknown-reference'],
    ['an address outside', 0, { ip: '192.0.2.1' }, 'outside-policy'],
    ['a time after the grant', 0, { at: NOW + 60_000 }, 'outside-policy'],
    ['before the grant', 0, { asOf: 1 }, 'unknown-reference'],
    ['beyond the control log', 0, { asOf: 99 }, 'malformed'],
    ['back in time', 1, { asOf: 1 }, 'malformed'],
    ['an unknown kind', 0, { kind: 'used' }, 'malformed'],
    ['a use where there was a refusal', 2, { kind: 'use', reason: undefined }, 'outside-policy'],
    ['a refusal where there was a use', 0, { kind: 'refused', reason: 'no-grant' }, 'refusal-differs'],
    ['a refusal as stale, with nothing cut', 0, { kind: 'refused', reason: 'stale' }, 'refusal-differs'],
    ['a refusal for another reason', 2, { reason: 'network' }, 'refusal-differs'],
    ['a refusal that the policy did not let come so far', 2, { reason: 'token-place' }, 'refusal-differs'],
  ];
  for (const [name, index, change, kind] of forged) {
    test(name, () => {
      const logs = scene();
      assert.deepEqual(logs.report().findings, []);
      assert.deepEqual(kindsOf(replayed(logs.controls, changed(logs.uses, index, change))), [`${index} ${kind}`]);
    });
  }

  test('an entry that is no JSON is named, and the rest is decided again', () => {
    const logs = scene();
    assert.deepEqual(kindsOf(replayed(logs.controls, ['{', ...logs.uses.slice(1)])), ['0 malformed']);
  });

  test('more findings than are listed are counted', () => {
    const report = replayed(
      furnished().controls,
      Array.from({ length: 1_002 }, () => '{}'),
    );
    assert.deepEqual([report.findings.length, report.more], [1_000, 2]);
  });
});

describe('the load of a real server, with revocations in it', () => {
  const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

  async function logsOf(file: string): Promise<{ controls: string[]; uses: string[] }> {
    const { read, close } = await openForReading({ kind: 'sqlite', file });
    const controls = await read.selectFrom('control_entries').select('entry').orderBy('idx').execute();
    const uses = await read.selectFrom('use_entries').select('entry').orderBy('idx').execute();
    await close();
    return { controls: controls.map((row) => row.entry), uses: uses.map((row) => row.entry) };
  }

  test('every use is decided again; a use forged into the tables, or a decision changed there, is named', async (t) => {
    const twin = await startNeonTwin();
    t.after(() => twin.close());
    const house = await startHouse({ providers: { neon: twin.origin }, broker: true });
    t.after(() => house.stop());
    const post = async (target: string, body: object = {}) => {
      const answer = await house.request('POST', target, { body });
      assert.ok(answer.status < 300, answer.text);
      return answer.json as Record<string, unknown>;
    };
    const { seeds } = twin.control;
    const minted = twin.control.mint({ kind: 'organization' });
    const added = await post('/v1/credentials?resolve=false', {
      provider: 'neon',
      name: 'prod',
      kind: 'organization-key',
      settings: { orgId: seeds.orgId },
      parts: { key: revealSecretText(minted.key) },
      providerKeyId: minted.id,
    });
    const credential = (added['credential'] as { id: string }).id;
    const principal = String((await post('/v1/principals', { name: 'caller', kind: 'service' }))['id']);
    let token = '';
    let tokenId = '';
    async function issue(): Promise<void> {
      const issued = await post(`/v1/principals/${principal}/tokens`);
      token = String(issued['text']);
      tokenId = (issued['token'] as { id: string }).id;
    }
    await issue();
    let grant = String((await post('/v1/grants', { principal, credential, actions: ['*'] }))['id']);
    let isOver = false;
    const statuses = new Map<number, number>();
    const send = async (method: string) => {
      const target = `${house.brokerOrigin}/neon/prod/api/v2/projects/${seeds.projectId}`;
      const answer = await fetch(target, { method, headers: { authorization: `Bearer ${token}` } });
      await answer.text();
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    };
    const load = Array.from({ length: 6 }, async (_, n) => {
      while (!isOver) await send(n === 0 ? 'PATCH' : 'GET');
    });
    for (let round = 0; round < 8; round++) {
      await post(`/v1/credentials/${credential}/suspend`, { reason: 'test' });
      await pause(20);
      await post(`/v1/credentials/${credential}/resume`);
      const revoked = tokenId;
      await issue();
      await post(`/v1/tokens/${revoked}/revoke`);
      await pause(20);
      await post(`/v1/grants/${grant}/revoke`);
      grant = String((await post('/v1/grants', { principal, credential, actions: ['*'] }))['id']);
      await pause(40);
    }
    await post('/v1/revocations', { credential, reason: 'compromised', order: 'revoke-first' });
    await pause(50);
    isOver = true;
    await Promise.all(load);
    house.app.guardian.flush();
    await house.app.database.idle();

    const file = path.join(house.config.dataDirectory, 'claviger.db');
    const { controls, uses } = await logsOf(file);
    const report = replayed(controls, uses);
    assert.deepEqual(report.findings, []);
    assert.ok(report.uses > 50 && report.refused > 5, JSON.stringify({ ...report, statuses: [...statuses] }));

    const used = uses.findIndex((use) => JSON.parse(use).kind === 'use');
    const forger = openSqlite(file);
    forger
      .prepare('INSERT INTO use_entries (idx, entry) VALUES (?, ?)')
      .run(uses.length, changed(uses, used, { asOf: controls.length })[used]!);
    forger
      .prepare('UPDATE use_entries SET entry = ? WHERE idx = ?')
      .run(changed(uses, used, { kind: 'refused', reason: 'no-grant' })[used]!, used);
    forger.close();
    const after = await logsOf(file);
    assert.deepEqual(kindsOf(replayed(after.controls, after.uses)), [
      `${used} refusal-differs`,
      `${uses.length} outside-policy`,
    ]);
  });
});
