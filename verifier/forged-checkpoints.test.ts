// One forged log for each way to tamper with checkpoints and keys, named after what it forges, and what the verifier says of it.
import assert from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Finding } from './findings.ts';
import { found, genuine, genuineOf, KEPT, keptOf, SIZE, verify, withChange } from './testing/forging.io.ts';
import {
  type MadeLog,
  madeTilePath,
  makeKey,
  signCheckpoint,
  signNote,
  writeBundles,
  writeIn,
  writeLog,
} from './testing/made-log.io.ts';
import { verifyLog } from './verify.io.ts';

test('log-truncated to an older checkpoint', (t) => {
  const log = genuine(t);
  const older: MadeLog = { ...log, entries: log.entries.slice(0, 300) };
  rmSync(path.join(log.folder, 'tile'), { recursive: true });
  rmSync(path.join(log.folder, 'checkpoints'), { recursive: true });
  writeLog(older, [0, 100]);
  const report = verify(log);
  assert.deepEqual(found(log), [{ kind: 'truncated', size: 300, knownSize: KEPT, isKept: true }]);
  assert.equal(report.kept.verdict, 'unchecked');
  assert.equal(verify(older, keptOf(log, 300)).isVerified, true, 'a reader who kept nothing newer cannot tell');
});

test('newest-checkpoint-put-back beside newer published ones', (t) => {
  const log = genuine(t);
  writeIn(log.folder, 'checkpoint', keptOf(log, 300));
  assert.deepEqual(found(log), [{ kind: 'truncated', size: 300, knownSize: SIZE, isKept: false }]);
});

test('one-published-checkpoint-forked', (t) => {
  const log = genuine(t);
  writeIn(log.folder, 'checkpoints/300', signCheckpoint(log.key, withChange(log.entries, 7).slice(0, 300)));
  assert.deepEqual(found(log), [{ kind: 'forked', size: 300, isKept: false }]);
});

test('checkpoint-signed-by-another-key', (t) => {
  const log = genuine(t);
  const other = makeKey(log.key.name);
  writeIn(log.folder, 'checkpoints/300', signCheckpoint(other, log.entries.slice(0, 300)));
  assert.deepEqual(found(log), [{ kind: 'signature', file: 'checkpoints/300', why: 'no signature of a known key' }]);
});

test('checkpoint-root-altered, its signature left', (t) => {
  const log = genuine(t);
  const text = keptOf(log, SIZE).split('\n');
  writeIn(log.folder, 'checkpoint', text.with(2, Buffer.alloc(32).toString('base64')).join('\n'));
  assert.deepEqual(found(log), [{ kind: 'signature', file: 'checkpoint', why: 'the signature does not verify' }]);
});

test('vkey-exchanged with the whole log', (t) => {
  const log = genuine(t);
  const exchanged = genuineOf(t);
  const report = verifyLog({ directory: exchanged.folder, vkey: log.key.vkey, kept: keptOf(log) });
  assert.equal(report.isVerified, false);
  assert.equal(report.newest, null);
  const signatures = report.findings.filter((finding) => finding.kind === 'signature').map(({ file }) => file);
  assert.deepEqual(signatures.slice(0, 2), ['vkey', 'checkpoint']);
});

test('kept-checkpoint-of-another-log', (t) => {
  const log = genuine(t);
  const report = verify(log, keptOf(genuineOf(t)));
  assert.deepEqual(report.findings, [
    {
      log: log.key.name,
      kind: 'signature',
      file: 'the checkpoint that you kept',
      why: 'no signature of a known key',
    },
  ]);
});

test('checkpoint-misnamed; files that are none are passed over', (t) => {
  const log = genuine(t);
  renameSync(path.join(log.folder, 'checkpoints/300'), path.join(log.folder, 'checkpoints/301'));
  writeIn(log.folder, 'checkpoints/0300', 'x');
  assert.deepEqual(found(log), [
    { kind: 'malformed', file: 'checkpoints/301', index: null, why: 'it is a checkpoint of size 300' },
  ]);
});

test('all-checkpoints-removed: the kept one still says what the log must hold', (t) => {
  const log = genuine(t);
  rmSync(path.join(log.folder, 'checkpoint'));
  rmSync(path.join(log.folder, 'checkpoints'), { recursive: true });
  const missing: Finding = { kind: 'malformed', file: 'checkpoint', index: null, why: 'missing' };
  assert.deepEqual(found(log), [missing]);
  assert.equal(verify(log).kept.verdict, 'consistent');
  writeBundles(log.folder, withChange(log.entries, 3));
  assert.deepEqual(found(log), [{ kind: 'entry-changed', index: 3, count: 1 }, missing]);
  assert.deepEqual(found(log, null), [missing]);
});

test('a signed size beyond what is there ends at what is there', (t) => {
  const log = genuine(t);
  const size = Number.MAX_SAFE_INTEGER;
  const note = signNote(log.key, `${log.key.name}\n${size}\n${Buffer.alloc(32).toString('base64')}\n`);
  writeIn(log.folder, 'checkpoint', note);
  const findings = found(log);
  assert.deepEqual(findings[0], { kind: 'entries-missing', from: 700, to: size });
});

test('a tile far beyond the others costs no walk over the gap', (t) => {
  const log = genuine(t);
  const size = Number.MAX_SAFE_INTEGER;
  const note = signNote(log.key, `${log.key.name}\n${size}\n${Buffer.alloc(32).toString('base64')}\n`);
  writeIn(log.folder, 'checkpoint', note);
  writeIn(log.folder, madeTilePath('0', 2 ** 44, 256), Buffer.alloc(8192));
  assert.equal(found(log)[0]?.kind, 'entries-missing');
});
