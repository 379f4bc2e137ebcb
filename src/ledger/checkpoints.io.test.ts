// Publishing: files that are whole, checkpoints that verify, one for every size, and the same again after a restart.
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { revealSecret, type Secret } from '../model/secret.ts';
import { createPublisher, createSigners, newSigningKey, readCheckpoint, writeDurably } from './checkpoints.io.ts';
import { openNote, parseCheckpoint, parseVkey } from './note.ts';

const directories: string[] = [];
function freshDirectory(): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-checkpoints-'));
  directories.push(directory);
  return directory;
}
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest();
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');
function isSigned(publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([SPKI_ED25519, publicKey]), format: 'der', type: 'spki' });
  return verify(null, text, key, signature);
}

const root = (n: number) => new Uint8Array(32).fill(n);
const heads = (control: number, use: number) => ({
  control: { size: control, root: root(control) },
  use: { size: use, root: root(use + 100) },
});
function publisherIn(directory: string, key: Secret = newSigningKey()) {
  return createPublisher(directory, createSigners('0a1b2c3d', key));
}

test('each log’s checkpoint opens under its own published key and says size and root', () => {
  const directory = freshDirectory();
  const publisher = publisherIn(directory);
  publisher.publish(heads(3, 5));
  for (const [log, size, fill] of [
    ['control', 3, 3],
    ['use', 5, 105],
  ] as const) {
    const vkey = readFileSync(path.join(directory, log, 'vkey'), 'utf8');
    assert.equal(vkey, `${publisher.vkeys[log]}\n`);
    const note = readCheckpoint(directory, log)!;
    const { text } = openNote(Buffer.from(note), [parseVkey(vkey.trimEnd(), sha256)], isSigned);
    const checkpoint = parseCheckpoint(text);
    assert.deepEqual(
      [checkpoint.origin, checkpoint.size, [...checkpoint.root]],
      [`claviger/0a1b2c3d/${log}`, size, [...root(fill)]],
    );
  }
  assert.notEqual(publisher.vkeys.control, publisher.vkeys.use);
});

test('every size that was published stays readable, and the newest is the checkpoint', () => {
  const directory = freshDirectory();
  const publisher = publisherIn(directory);
  for (const size of [0, 1, 7, 7, 300]) publisher.publish(heads(size, 2));
  const published = readdirSync(path.join(directory, 'control', 'checkpoints')).sort((a, b) => Number(a) - Number(b));
  assert.deepEqual(published, ['0', '1', '7', '300']);
  assert.deepEqual(
    readdirSync(path.join(directory, 'use', 'checkpoints')),
    ['2'],
    'a log that did not grow is left alone',
  );
  const newest = readFileSync(path.join(directory, 'control', 'checkpoints', '300'), 'utf8');
  assert.equal(readCheckpoint(directory, 'control'), newest);
});

test('after a restart the same head gives the very same bytes: nobody sees two checkpoints of one size', () => {
  const [directory, key] = [freshDirectory(), newSigningKey()];
  const first = publisherIn(directory, key).publish(heads(9, 9));
  const file = path.join(directory, 'use', 'checkpoints', '9');
  const before = readFileSync(file, 'utf8');
  const second = publisherIn(directory, key).publish(heads(9, 9));
  assert.deepEqual(second, first);
  assert.equal(readFileSync(file, 'utf8'), before);
});

test('no checkpoint was published yet: that is an answer, and not an error', () => {
  assert.equal(readCheckpoint(freshDirectory(), 'control'), null);
});

test('a file is replaced whole, for its owner alone, and leaves nothing beside it', () => {
  const file = path.join(freshDirectory(), 'deep', 'er', 'file');
  writeDurably(file, 'first, and longer than the second');
  writeDurably(file, 'second');
  assert.equal(readFileSync(file, 'utf8'), 'second');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(path.dirname(file)).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(path.dirname(file)), ['file']);
});

test('what a crash left half-written is written over', () => {
  const file = path.join(freshDirectory(), 'file');
  writeFileSync(`${file}.tmp`, 'half of something much longer than what follows');
  writeDurably(file, 'whole');
  assert.equal(readFileSync(file, 'utf8'), 'whole');
  assert(!existsSync(`${file}.tmp`));
});

test('a new key is an Ed25519 key, and no two are the same', () => {
  const [one, two] = [newSigningKey(), newSigningKey()];
  assert(!one.equals(two));
  assert.notEqual(createSigners('x', one).control.vkey, createSigners('x', two).control.vkey);
  assert.equal(createSigners('x', one).control.vkey, createSigners('x', one).control.vkey);
  assert(!String(one).includes(Buffer.from(revealSecret(one)).toString('base64')));
});
