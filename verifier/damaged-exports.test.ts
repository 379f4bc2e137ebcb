// Exports that are damaged rather than forged: whatever is read, the outcome is a finding in its place and never a crash.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { found, genuine, KEPT, keptOf } from './testing/forging.io.ts';
import { bundleBytes, makeFolder, writeIn } from './testing/made-log.io.ts';

test('everything-removed', (t) => {
  const log = { ...genuine(t), folder: path.join(makeFolder(t), 'nothing') };
  assert.deepEqual(found(log), [
    { kind: 'entries-missing', from: 0, to: KEPT },
    { kind: 'malformed', file: 'checkpoint', index: null, why: 'missing' },
    { kind: 'malformed', file: 'tile/0/000', index: null, why: 'the hash tile is missing' },
    { kind: 'malformed', file: 'tile/1/000.p/2', index: null, why: 'the hash tile is missing' },
  ]);
});

test('bundle-broken-off, bundle-too-long, not a file, a pipe', (t) => {
  const log = genuine(t);
  const bundle = bundleBytes(log.entries.slice(0, 256));
  writeIn(log.folder, 'tile/entries/000', bundle.subarray(0, bundleBytes(log.entries.slice(0, 40)).length + 9));
  rmSync(path.join(log.folder, 'tile/entries/001'));
  mkdirSync(path.join(log.folder, 'tile/entries/001'));
  rmSync(path.join(log.folder, 'checkpoints/300'));
  execFileSync('mkfifo', [path.join(log.folder, 'checkpoints/300')]);
  writeIn(log.folder, 'checkpoints/100', Buffer.alloc(1_000_001));
  assert.deepEqual(found(log), [
    { kind: 'malformed', file: 'checkpoints/100', index: null, why: 'longer than 1000000 bytes' },
    { kind: 'malformed', file: 'checkpoints/300', index: null, why: 'it is not a file' },
    { kind: 'malformed', file: 'tile/entries/000', index: 40, why: 'it ends inside an entry' },
    { kind: 'malformed', file: 'tile/entries/001', index: 256, why: 'it is not a file' },
  ]);
});

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    statSync(path.join(folder, file)).isFile(),
  );
}

test('any byte changed, any file shortened or removed is found and put in its place', (t) => {
  const log = genuine(t);
  const kept = keptOf(log);
  const files = filesIn(log.folder).sort();
  const spare = makeFolder(t);
  cpSync(log.folder, spare, { recursive: true });
  fc.assert(
    fc.property(
      fc.constantFrom(...files),
      fc.constantFrom('change', 'shorten', 'remove', 'lengthen'),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (file, how, at, by) => {
        const full = path.join(log.folder, file);
        const bytes = readFileSync(full);
        const place = at % bytes.length;
        if (how === 'change') writeIn(log.folder, file, bytes.with(place, bytes[place]! ^ by));
        else if (how === 'shorten') writeIn(log.folder, file, bytes.subarray(0, place));
        else if (how === 'lengthen') appendFileSync(full, Buffer.from([by]));
        else rmSync(full);
        const findings = found(log, kept);
        cpSync(path.join(spare, file), full);
        // The key in the export is a convenience, and older checkpoints need not be there: nothing is lost with them.
        const isDispensable = file === 'vkey' || file.startsWith('checkpoints/');
        if (how === 'remove' && isDispensable) return assert.deepEqual(findings, []);
        // A final newline of the key is not part of it.
        if (file === 'vkey' && findings.length === 0) return assert.equal(place, bytes.length - 1);
        assert.notDeepEqual(findings, []);
        if (!file.startsWith('tile/entries/')) return;
        const tile = Number(/tile\/entries\/(\d+)/.exec(file)![1]);
        for (const finding of findings) {
          const index = 'index' in finding ? finding.index : 'from' in finding ? finding.from : tile * 256;
          assert.ok(index !== null && index >= tile * 256 && index <= tile * 256 + 256, JSON.stringify(finding));
        }
      },
    ),
    { numRuns: 250 },
  );
});
