// The replay over logs that the real writer's arithmetic made from real decisions: an honest log has no finding, whatever came between a
// decision and its record; and every way to forge a use, or to change a decision, is named with its index.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { startHouse } from '../../test/support/house.ts';
import {
  controlEvent,
  credentialRow,
  grantRow,
  NOW,
  principalRow,
  tokenRow,
  versionRow,
} from '../../test/support/rows.ts';
import { startNeonTwin } from '../../twins/neon.io.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { appendControl, appendUse, emptyWriterState, takeGathered, type UseItem } from '../database/append.ts';
import { prepareControl } from '../database/gather.ts';
import { openForReading } from '../database/reading.io.ts';
import { openSqlite } from '../database/sqlite-commit.io.ts';
import { createHasher } from '../ledger/merkle.ts';
import { parseAddress } from '../model/address.ts';
import { nextImage, type RowImage } from '../model/change.ts';
import { revealSecretText } from '../model/secret.ts';
import { neon } from '../providers/neon.ts';
import { TABLES } from '../tables.ts';
import { matchAction } from './action.ts';
import { catalogueLines } from './catalogue.ts';
import { cutsOf } from './cuts.ts';
import { bootEntry, outcomesEntry, refusalsEntry, refusedEntry, type UseFacts, useEntry } from './leaf.ts';
import { advancePolicy, decideUse, emptyPolicy } from './policy.ts';
import type { GrantRow, PrincipalRow, TokenRow } from './principal.ts';
import { createReplay, type ReplayReport } from './replay.ts';

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest();

/** A control log and a use log that grow as a server's do. */
function createLogs() {
  const state = emptyWriterState(createHasher(sha256), 0);
  const policy = emptyPolicy();
  const controls: string[] = [];
  const uses: string[] = [];
  const rows = new Map<string, { id: string; rowVersion: number }>();
  let requests = 0;

  function take(): void {
    for (const { log, entry } of takeGathered(state).entries) (log === 'control' ? controls : uses).push(entry);
  }

  function write(...images: RowImage[]): void {
    const event = controlEvent(images, { at: NOW });
    for (const item of prepareControl({ events: [event] }, TABLES, cutsOf).items) appendControl(state, item);
    for (const { row } of images) rows.set(row.id, row);
    advancePolicy(policy, [event], state.edges.control.size);
    take();
  }

  /** The next image of a row that was written. */
  function change<R extends { id: string; rowVersion: number }>(
    noun: RowImage['noun'],
    id: string,
    with_: Partial<R>,
  ): void {
    write({ noun, row: nextImage(rows.get(id) as R & { id: string; rowVersion: number }, with_ as never) });
  }

  interface Asked {
    readonly token?: string;
    readonly credential?: string;
    readonly method?: string;
    readonly path?: string;
    readonly at?: number;
    readonly mono?: number;
    readonly ip?: string;
  }

  /** Decides a request as the broker does. What comes back is to be recorded, at once or later. */
  function decide(asked: Asked = {}): UseItem {
    const token = policy.tokens.get(asked.token ?? 'tok_1')!;
    const credential = policy.credentials.get(asked.credential ?? 'crd_1')!;
    const { method = 'GET', path = '/api/v2/projects/p-1', ip = '10.0.0.7' } = asked;
    const match = matchAction(credential.catalogue!.compiled, method, path)!;
    const at = asked.at ?? NOW + requests;
    const monoMs = asked.mono ?? requests;
    const address = parseAddress(ip);
    const attempt = { at, monoMs, address, parameters: match.parameters };
    const decision = decideUse(policy, { token, credential, action: match.action }, attempt);
    const facts: UseFacts = {
      id: `r-${++requests}`,
      at,
      monoMs,
      asOf: policy.asOf,
      ip,
      userAgent: 'test',
      method,
      token: token.row.id,
      principal: token.row.principalId,
      credential: credential.row.id,
      provider: 'neon',
      version: credential.current?.id ?? null,
      grant: decision.grant?.row.id ?? null,
      action: match.action.name,
      effect: match.action.effect,
      path,
      query: null,
    };
    return { entry: decision.allowed ? useEntry(facts) : refusedEntry(facts, decision.reason), asOf: policy.asOf };
  }

  function record(item: UseItem): void {
    appendUse(state, item);
    take();
  }

  return {
    controls,
    uses,
    policy,
    write,
    change,
    decide,
    record,
    use: (asked: Asked = {}) => record(decide(asked)),
    note: (entry: string) => record({ entry, asOf: policy.asOf }),
    report: () => replayed(controls, uses),
  };
}

function replayed(controls: readonly string[], uses: readonly string[], firstUse = 0): ReplayReport {
  const replay = createReplay(controls, firstUse);
  for (const use of uses) replay.use(use);
  return replay.report();
}

/** A furnished pair of logs: one caller, one credential, one grant, nothing used yet. */
function furnished(grant: Partial<GrantRow> = {}) {
  const logs = createLogs();
  logs.write({
    noun: 'catalogue',
    row: { id: 'cat_1', rowVersion: 1, provider: 'neon', actions: catalogueLines(neon) } as never,
  });
  logs.write(
    { noun: 'principal', row: principalRow() },
    { noun: 'token', row: tokenRow() },
    { noun: 'credential', row: credentialRow() },
    { noun: 'version', row: versionRow() },
    { noun: 'grant', row: grantRow({ actions: ['project.*'], ...grant }) },
  );
  return logs;
}

type Logs = ReturnType<typeof furnished>;
const kindsOf = (report: ReplayReport) => report.findings.map(({ index, kind }) => `${index} ${kind}`);

/** The entry at an index, changed. */
function changed(uses: readonly string[], index: number, change: Record<string, unknown>): string[] {
  return uses.map((use, i) => (i === index ? JSON.stringify({ ...JSON.parse(use), ...change }) : use));
}

describe('an honest log', () => {
  test('counts what it holds, and has no finding', () => {
    const logs = furnished();
    logs.note(bootEntry(NOW, 0));
    logs.use();
    logs.use({ path: '/api/v2/projects/p-1/branches/b-1' });
    logs.note(outcomesEntry(NOW, [{ index: 1, status: 200, bytesUp: 0, bytesDown: 5, ms: 1 }]));
    logs.note(refusalsEntry(NOW, NOW, [['no-token', '10.0.0.7', 3]]));
    const { uses, refused, outcomes, strangers, controls, findings, more } = logs.report();
    assert.deepEqual(
      { uses, refused, outcomes, strangers, controls, findings, more },
      { uses: 1, refused: 1, outcomes: 1, strangers: 1, controls: 2, findings: [], more: 0 },
    );
  });

  const endings: readonly [string, (logs: Logs) => void][] = [
    ['suspension', (l) => l.change<CredentialRow>('credential', 'crd_1', { suspendedAt: NOW })],
    ['decommissioning', (l) => l.change<CredentialRow>('credential', 'crd_1', { retiredAt: NOW })],
    ['revoked version', (l) => l.change<VersionRow>('version', 'ver_1', { state: 'revoking' })],
    ['revoked grant', (l) => l.change<GrantRow>('grant', 'gnt_1', { revokedAt: NOW })],
    ['narrowed grant', (l) => l.change<GrantRow>('grant', 'gnt_1', { actions: ['project.list'] })],
    ['disabled principal', (l) => l.change<PrincipalRow>('principal', 'prn_1', { disabledAt: NOW })],
    ['revoked token', (l) => l.change<TokenRow>('token', 'tok_1', { revokedAt: NOW })],
  ];
  for (const [name, end] of endings) {
    test(`${name}: uses before it, one that it overtook, and refusals after it`, () => {
      const logs = furnished();
      logs.use();
      const overtaken = logs.decide();
      end(logs);
      logs.record(overtaken);
      logs.use();
      const report = logs.report();
      assert.deepEqual(report.findings, []);
      assert.deepEqual([report.uses, report.refused], [1, 2]);
      assert.equal(JSON.parse(logs.uses[1]!).reason, 'stale');
    });

    test(`${name}: a use forged in behind it is named`, () => {
      const logs = furnished();
      logs.use();
      const honest = logs.uses[0]!;
      end(logs);
      logs.use();
      // Once with what it was decided on then, once as if it had been decided now.
      assert.deepEqual(kindsOf(replayed(logs.controls, [...logs.uses, honest])), ['2 malformed']);
      assert.deepEqual(kindsOf(replayed(logs.controls, [logs.uses[0]!, honest])), ['1 after-revocation']);
      const now = changed([honest], 0, { asOf: logs.controls.length });
      assert.deepEqual(kindsOf(replayed(logs.controls, [logs.uses[0]!, ...now])), ['1 outside-policy']);
    });
  }

  test('a rotation: the old version before it, the new one after it', () => {
    const logs = furnished();
    logs.use();
    logs.write({ noun: 'version', row: versionRow({ id: 'ver_2', number: 2, state: 'pending' }) });
    const before = logs.decide();
    logs.write(
      { noun: 'version', row: versionRow({ rowVersion: 2, state: 'previous' }) },
      { noun: 'version', row: versionRow({ id: 'ver_2', rowVersion: 2, number: 2, state: 'current' }) },
    );
    logs.record(before);
    logs.use();
    assert.deepEqual(logs.report().findings, []);
    const wrong = changed(logs.uses, 2, { version: 'ver_1' });
    assert.deepEqual(kindsOf(replayed(logs.controls, wrong)), ['2 record-differs']);
  });

  test('a rate limit: spent as it was, afresh after a start', () => {
    const logs = furnished({ rate: { requests: 1, perSeconds: 1, burst: 2 } });
    logs.note(bootEntry(NOW, 0));
    for (const mono of [0, 1, 2, 1_000, 1_001]) logs.use({ mono });
    for (const grant of logs.policy.grants.values()) grant.arrivalMs = Number.NEGATIVE_INFINITY;
    logs.note(bootEntry(NOW, 0));
    for (const mono of [0, 1, 2]) logs.use({ mono });
    const kinds = logs.uses.map((use) => JSON.parse(use).kind);
    assert.deepEqual(kinds, ['boot', 'use', 'use', 'refused', 'use', 'refused', 'boot', 'use', 'use', 'refused']);
    assert.deepEqual(logs.report().findings, []);
    // A use more, where the limit was spent; and a refusal where it was not.
    const more = [...logs.uses.slice(0, 3), changed(logs.uses, 2, { mono: 1.5 })[2]!, ...logs.uses.slice(3)];
    assert.deepEqual(kindsOf(replayed(logs.controls, more))[0], '3 outside-policy');
    const less = changed(logs.uses, 1, { kind: 'refused', reason: 'rate-limited' });
    assert.deepEqual(kindsOf(replayed(logs.controls, less)), ['1 refusal-differs']);
  });

  test('refused by the broker after the policy had allowed: whatever the reason, the rate was spent', () => {
    for (const reason of ['token-place', 'sealed', 'body-too-large', 'trailer']) {
      const logs = furnished({ rate: { requests: 1, perSeconds: 1, burst: 2 } });
      const allowed = logs.decide({ mono: 0 });
      logs.record({ ...allowed, entry: changed([allowed.entry], 0, { kind: 'refused', reason })[0]! });
      logs.use({ mono: 1 });
      logs.use({ mono: 2 });
      assert.equal(JSON.parse(logs.uses[2]!).reason, 'rate-limited');
      assert.deepEqual(logs.report().findings, [], reason);
    }
  });

  test('older uses were pruned: the rest is decided again', () => {
    const logs = furnished();
    for (let i = 0; i < 4; i++) logs.use();
    logs.change<CredentialRow>('credential', 'crd_1', { suspendedAt: NOW });
    logs.change<CredentialRow>('credential', 'crd_1', { suspendedAt: null });
    for (let i = 0; i < 4; i++) logs.use();
    assert.deepEqual(replayed(logs.controls, logs.uses.slice(3), 3).findings, []);
  });
});

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

test('any traffic, any changes, any delay between a decision and its record: every use decided again, none outside, none after', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('use' as const), write: fc.boolean(), token: fc.nat(2) }) },
    { weight: 3, arbitrary: fc.constant({ do: 'hold' as const }) },
    { weight: 1, arbitrary: fc.constant({ do: 'release' as const }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('toggle' as const), what: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.constant({ do: 'rotate' as const }) },
  );
  let stale = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const logs = furnished({ rate: { requests: 1, perSeconds: 1, burst: 20 } });
      for (const n of [2, 3])
        logs.write({ noun: 'token', row: tokenRow({ id: `tok_${n}`, hash: `hash-of-tok_${n}` }) });
      const held: UseItem[] = [];
      const state = { suspended: false, disabled: false, revoked: [false, false, false], version: 1 };
      const release = () => {
        for (const item of held.splice(0)) logs.record(item);
      };
      for (const one of steps) {
        if (one.do === 'use') {
          // What is held was decided before: the order of decisions is the order of records.
          const item = logs.decide({ token: `tok_${one.token + 1}`, method: one.write ? 'DELETE' : 'GET' });
          if (held.length > 0) held.push(item);
          else logs.record(item);
        } else if (one.do === 'hold') held.push(logs.decide());
        else if (one.do === 'release') release();
        else if (one.do === 'rotate') {
          const { version } = state;
          const next = `ver_${version + 1}`;
          logs.write(
            {
              noun: 'version',
              row: versionRow({
                id: `ver_${version}`,
                rowVersion: 2,
                number: version,
                state: 'revoking',
              }),
            },
            { noun: 'version', row: versionRow({ id: next, number: version + 1 }) },
          );
          state.version++;
        } else if (one.what === 0) {
          state.suspended = !state.suspended;
          logs.change<CredentialRow>('credential', 'crd_1', { suspendedAt: state.suspended ? NOW : null });
        } else if (one.what === 1) {
          state.disabled = !state.disabled;
          logs.change<PrincipalRow>('principal', 'prn_1', { disabledAt: state.disabled ? NOW : null });
        } else {
          logs.change<TokenRow>('token', `tok_${one.what - 1}`, { revokedAt: NOW });
        }
      }
      release();
      stale += logs.uses.filter((use) => use.includes('"reason":"stale"')).length;
      const report = logs.report();
      assert.deepEqual(report.findings, []);
      assert.equal(report.uses + report.refused, logs.uses.length);
    }),
    { numRuns: 150 },
  );
  assert.ok(stale > 20, `only ${stale} uses were overtaken: the property says little`);
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
