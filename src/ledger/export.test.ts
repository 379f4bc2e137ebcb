// Exports: the layout that the independent verifier reads, whatever the size; going on where one stopped; pruned months; and a log that
// is not the one that was signed.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { runVerify } from '../../verifier/main.io.ts';
import { Failure } from '../model/failure.ts';
import { createPublisher, createSigners, newSigningKey } from './checkpoints.io.ts';
import { type ExportInput, exportLog } from './export.io.ts';
import { countExportFiles, exportFiles } from './export.ts';
import { appendLeaf, createHasher, edgeRoot, emptyEdge, TILE_WIDTH } from './merkle.ts';
import { type LogSource, rehash, rootAt } from './source.ts';

const hasher = createHasher((data) => createHash('sha256').update(data).digest());

/** A control entry as it would stand in the log. */
const entry = (i: number) =>
  `{"actor":"system:test","at":${1_790_000_000_000 + i},"detail":{},"epoch":0,"rows":[],"type":"test.noted","uses":0,"v":1}`;

/** A log of `size` entries as the database stores it. */
function stored(size: number): LogSource & { root: Uint8Array; tiles: Map<string, Uint8Array> } {
  const tiles = new Map<string, Uint8Array>();
  const edge = emptyEdge();
  const entries = Array.from({ length: size }, (_, i) => entry(i));
  for (const text of entries) {
    appendLeaf(edge, hasher.leaf(Buffer.from(text)), hasher, (tile) =>
      tiles.set(`${tile.level}/${tile.tile}`, tile.hashes),
    );
  }
  return {
    size,
    root: edgeRoot(edge, hasher),
    tiles,
    tile: (level, tile) => Promise.resolve(tiles.get(`${level}/${tile}`) ?? null),
    entries: (from, to) => Promise.resolve(entries.slice(from, to)),
  };
}

function house(t: TestContext) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'claviger-export-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const signers = createSigners('0a1b2c3d', newSigningKey());
  const ledgerDirectory = path.join(folder, 'ledger');
  const publisher = createPublisher(ledgerDirectory, signers);
  const to = path.join(folder, 'out');
  return {
    to,
    ledgerDirectory,
    publish(source: { size: number; root: Uint8Array }) {
      publisher.publish({ control: source, use: { size: 0, root: hasher.empty() } });
    },
    input(source: LogSource, log: ExportInput['log'] = 'control'): ExportInput {
      return { log, source, ledgerDirectory, to };
    },
    verify(): { exit: number; out: string } {
      let out = '';
      const args = [path.join(to, 'control'), '--key', path.join(ledgerDirectory, 'control', 'vkey')];
      const exit = runVerify(args, {
        out: (text) => {
          out += text;
        },
        err: (text) => {
          out += text;
        },
      });
      return { exit, out };
    },
  };
}

test('logs of every interesting size are exported so that the verifier accepts them', async (t) => {
  for (const size of [1, 2, 255, 256, 257, 511, 512, 700, 65_536, 65_537 + 256]) {
    const { publish, input, verify } = house(t);
    const source = stored(size);
    publish(source);
    const done = await exportLog(input(source));
    assert.deepEqual([done?.size, done?.written], [size, countExportFiles(size)]);
    const { exit, out } = verify();
    assert.equal(exit, 0, `${size}: ${out}`);
    assert.match(out, new RegExp(`size ${size.toLocaleString('en-GB')}`));
  }
});

test('an export goes on where it stopped: full tiles stay, partial ones are replaced', async (t) => {
  const { publish, input, verify, to } = house(t);
  const small = stored(300);
  publish(small);
  await exportLog(input(small));
  const full = path.join(to, 'control', 'tile', '0', '000');
  const before = statSync(full).mtimeMs;
  assert(existsSync(path.join(to, 'control', 'tile', 'entries', '001.p', '44')));

  const large = stored(700);
  publish(large);
  const done = await exportLog(input(large));
  assert.equal(statSync(full).mtimeMs, before);
  assert.equal(done!.written, countExportFiles(700) - 2, 'the first bundle and its tile were there');
  assert.equal(existsSync(path.join(to, 'control', 'tile', 'entries', '001.p')), false);
  assert.deepEqual(readdirSync(path.join(to, 'control', 'checkpoints')).sort(), ['300', '700']);
  assert.equal(verify().exit, 0);
  assert.equal((await exportLog(input(large)))!.written, 0, 'a second time there is nothing to do');
});

test('an export reaches to the newest checkpoint, not to what was appended since', async (t) => {
  const { publish, input, verify } = house(t);
  publish(stored(300));
  const done = await exportLog(input(stored(900)));
  assert.equal(done!.size, 300);
  assert.equal(verify().exit, 0);
});

test('pruned entries leave their hashes: the export says how many bundles are not there', async (t) => {
  const { publish, input, verify } = house(t);
  const source = stored(700);
  publish(source);
  const pruned = { ...source, entries: (from: number, to: number) => source.entries(Math.max(from, 256), to) };
  const done = await exportLog(input(pruned));
  assert.equal(done!.pruned, 1);
  assert.match(verify().out, /^ {2}! entries 0 to 255 are missing, though the log holds their hashes/m);
  assert.deepEqual(await rehash(pruned, hasher), source.root, 'the hashes of pruned entries stand for them');
});

test('what is not the log that was signed is refused, and nothing was published is no error', async (t) => {
  const { publish, input, to } = house(t);
  assert.equal(await exportLog(input(stored(5))), null);
  const source = stored(300);
  publish(source);
  await assert.rejects(
    exportLog(input(stored(299))),
    (error) => Failure.is(error, 'corrupt') && /shorter/.test(error.message),
  );
  const other = { ...stored(300), tile: () => Promise.resolve(new Uint8Array(TILE_WIDTH * 32)) };
  await assert.rejects(exportLog(input(other)), (error) => Failure.is(error, 'corrupt') && /root/.test(error.message));
  assert.equal(existsSync(to), false, 'nothing was written');
  await exportLog(input(source));
  const foreign = house(t);
  foreign.publish(source);
  await assert.rejects(exportLog({ ...foreign.input(source), to }), (error) => Failure.is(error, 'conflict'));
  const full = house(t);
  full.publish(source);
  rmSync(path.join(to, 'control', 'vkey'));
  writeFileSync(path.join(to, 'control', 'something'), '');
  await assert.rejects(exportLog({ ...full.input(source), to }), (error) => Failure.is(error, 'conflict'));
});

test('the root of any earlier size follows from what is stored; a tile or an entry that is missing is said', async () => {
  const source = stored(1_000);
  for (const size of [0, 1, 255, 256, 257, 512, 700, 999, 1_000]) {
    assert.deepEqual(Buffer.from(await rootAt(source, size, hasher)), Buffer.from(stored(size).root), String(size));
  }
  const without = (tile: string) => ({
    ...source,
    tile: (l: number, n: number) =>
      Promise.resolve(`${l}/${n}` === tile ? null : (source.tiles.get(`${l}/${n}`) ?? null)),
  });
  const corrupt = (error: unknown) => Failure.is(error, 'corrupt');
  await assert.rejects(rootAt(without('1/0'), 1_000, hasher), corrupt);
  await assert.rejects(rootAt({ ...source, entries: () => Promise.resolve([]) }, 1_000, hasher), corrupt);
  await assert.rejects(rehash(without('0/1'), hasher), corrupt);
  await assert.rejects(rehash({ ...source, entries: () => Promise.resolve([]) }, hasher), corrupt);
  assert.deepEqual(await rehash(source, hasher), source.root);
});

test('the files of an export: as many as are counted, each once, full ones final', () => {
  for (const size of [0, 1, 256, 257, 65_536, 70_000]) {
    const files = [...exportFiles(size)];
    assert.equal(files.length, countExportFiles(size));
    assert.equal(new Set(files.map((file) => file.path)).size, files.length);
    for (const file of files) assert.equal(file.isFinal, file.width === TILE_WIDTH);
  }
});
