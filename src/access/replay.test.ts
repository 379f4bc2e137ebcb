// The replay of honest logs that the real writer's arithmetic made from real decisions: no finding, whatever came between a decision and its record.
// Logs that are not honest: replay-findings.test.ts.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { changed, furnished, kindsOf, type Logs, replayed } from '../../test/support/replay-logs.ts';
import { NOW, tokenRow, versionRow } from '../../test/support/rows.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { UseItem } from '../database/append.ts';
import { bootEntry, outcomesEntry, refusalsEntry } from './leaf.ts';
import type { GrantRow, PrincipalRow, TokenRow } from './principal.ts';

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
