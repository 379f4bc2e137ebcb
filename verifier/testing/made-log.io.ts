// For tests alone: makes small logs on disk, with keys, signatures and a Merkle tree of its own, written down from the
// definition in RFC 6962 section 2.1 as plainly as possible. It shares nothing with what it is the oracle for. Not a writer:
// it signs whatever it is told to, which is what forging needs.
import { generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';

function sha256(...parts: Uint8Array[]): Buffer {
  return hash('sha256', Buffer.concat(parts), 'buffer');
}

export function naiveLeaf(entry: Uint8Array): Buffer {
  return sha256(Buffer.from([0]), entry);
}

/** MTH of RFC 6962 over leaf hashes, by recursion. */
export function naiveRoot(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return Buffer.from(leaves[0]!);
  const split = naiveSplit(leaves.length);
  return naiveNode(naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)));
}

function naiveNode(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256(Buffer.from([1]), left, right);
}

/** The largest power of two smaller than n. */
function naiveSplit(n: number): number {
  let split = 1;
  while (split * 2 < n) split *= 2;
  return split;
}

/** PATH(m, D[n]) of RFC 6962 section 2.1.1. */
export function naiveInclusion(index: number, leaves: readonly Uint8Array[]): Buffer[] {
  if (leaves.length <= 1) return [];
  const split = naiveSplit(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...naiveInclusion(index, left), naiveRoot(right)]
    : [...naiveInclusion(index - split, right), naiveRoot(left)];
}

/** PROOF(m, D[n]) of RFC 6962 section 2.1.2. */
export function naiveConsistency(size: number, leaves: readonly Uint8Array[], isWhole = true): Buffer[] {
  if (size === leaves.length) return isWhole ? [] : [naiveRoot(leaves)];
  const split = naiveSplit(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return size <= split
    ? [...naiveConsistency(size, left, isWhole), naiveRoot(right)]
    : [...naiveConsistency(size - split, right, false), naiveRoot(left)];
}

export interface MadeKey {
  readonly name: string;
  readonly vkey: string;
  readonly id: Buffer;
  readonly secret: KeyObject;
}

export function makeKey(name: string): MadeKey {
  const pair = generateKeyPairSync('ed25519');
  const raw = Buffer.from(pair.publicKey.export({ format: 'jwk' }).x!, 'base64url');
  const typed = Buffer.concat([Buffer.from([1]), raw]);
  const id = sha256(Buffer.from(`${name}\n`), typed).subarray(0, 4);
  return { name, vkey: `${name}+${id.toString('hex')}+${typed.toString('base64')}`, id, secret: pair.privateKey };
}

/** A signed note with one signature. */
export function signNote(key: MadeKey, text: string): string {
  const signature = sign(null, Buffer.from(text), key.secret);
  return `${text}\n— ${key.name} ${Buffer.concat([key.id, signature]).toString('base64')}\n`;
}

/** The signed checkpoint of the tree over these entries. */
export function signCheckpoint(key: MadeKey, entries: readonly Uint8Array[]): string {
  return signNote(key, `${key.name}\n${entries.length}\n${naiveRoot(entries.map(naiveLeaf)).toString('base64')}\n`);
}

/** A folder that is removed when the test ends. */
export function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'claviger-verifier-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function writeIn(folder: string, file: string, content: string | Uint8Array): void {
  const full = path.join(folder, file);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, content);
}

/** The path of a tile, by the examples of tlog-tiles. */
export function madeTilePath(level: string, index: number, width: number): string {
  let rest = String(index % 1000).padStart(3, '0');
  for (let high = Math.floor(index / 1000); high > 0; high = Math.floor(high / 1000)) {
    rest = `x${String(high % 1000).padStart(3, '0')}/${rest}`;
  }
  return `tile/${level}/${rest}${width === 256 ? '' : `.p/${width}`}`;
}

function inTiles<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / 256) }, (_, i) => items.slice(i * 256, (i + 1) * 256));
}

export function bundleBytes(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(entries.flatMap((entry) => [Buffer.from([entry.length >> 8, entry.length & 255]), entry]));
}

/** Writes the entry bundles anew, as if these were all entries. */
export function writeBundles(folder: string, entries: readonly Uint8Array[]): void {
  rmSync(path.join(folder, 'tile/entries'), { recursive: true, force: true });
  for (const [index, part] of inTiles(entries).entries()) {
    writeIn(folder, madeTilePath('entries', index, part.length), bundleBytes(part));
  }
}

/** Writes the hash tiles of these levels anew, as if these were all entries. */
export function writeTiles(folder: string, entries: readonly Uint8Array[], levels = [0, 1, 2, 3]): void {
  let hashes = entries.map(naiveLeaf);
  for (let level = 0; hashes.length > 0; level++) {
    const parts = inTiles(hashes);
    if (levels.includes(level)) {
      rmSync(path.join(folder, `tile/${level}`), { recursive: true, force: true });
      for (const [index, part] of parts.entries()) {
        writeIn(folder, madeTilePath(String(level), index, part.length), Buffer.concat(part));
      }
    }
    hashes = parts.filter((part) => part.length === 256).map(naiveRoot);
  }
}

export interface MadeLog {
  readonly folder: string;
  readonly key: MadeKey;
  readonly entries: readonly Buffer[];
}

/** Publishes the checkpoints of these sizes, and the whole log's as the newest. */
export function writeCheckpoints(log: MadeLog, sizes: readonly number[]): void {
  for (const size of [...sizes, log.entries.length]) {
    writeIn(log.folder, `checkpoints/${size}`, signCheckpoint(log.key, log.entries.slice(0, size)));
  }
  writeIn(log.folder, 'checkpoint', signCheckpoint(log.key, log.entries));
}

/** A genuine log with all its files. */
export function writeLog(log: MadeLog, checkpointSizes: readonly number[]): MadeLog {
  writeIn(log.folder, 'vkey', `${log.key.vkey}\n`);
  writeBundles(log.folder, log.entries);
  writeTiles(log.folder, log.entries);
  writeCheckpoints(log, checkpointSizes);
  return log;
}

/** An entry as canonical JSON; the caller gives its fields in order. */
export function jsonEntry(fields: Record<string, unknown>): Buffer {
  return Buffer.from(JSON.stringify(fields));
}

/** Control entries that follow from one another and change no row. */
export function plainControlEntries(count: number, mark = ''): Buffer[] {
  return Array.from({ length: count }, (_, i) =>
    jsonEntry({
      actor: 'system:test',
      at: 1_790_000_000_000 + i,
      detail: { mark, number: i },
      epoch: 0,
      rows: [],
      type: 'test.noted',
      uses: 0,
      v: 1,
    }),
  );
}

/** Admitted uses that rest on no control entry. */
export function plainUseEntries(count: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => useEntry(i, {}));
}

export function useEntry(number: number, fields: Record<string, unknown>): Buffer {
  return jsonEntry({
    action: 'branch.list',
    asOf: 0,
    at: 1_790_000_000_000 + number,
    credential: 'crd_1',
    effect: 'read',
    grant: 'gnt_1',
    id: `req_${number}`,
    ip: '192.0.2.1',
    kind: 'use',
    method: 'GET',
    path: '/branches',
    principal: 'prn_1',
    query: {},
    token: 'tok_1',
    ua: 'test',
    v: 1,
    version: 'ver_1',
    ...fields,
  });
}
