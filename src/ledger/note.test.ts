// Signed notes and checkpoints: what is written reads back, and every way of being wrong is refused. Signatures are made and checked
// with the runtime's own Ed25519.
import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../model/failure.ts';
import { checkpointText, createSigner, openNote, parseCheckpoint, parseVkey, type Signer, signNote } from './note.ts';

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest();
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

function isSigned(publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([SPKI_ED25519, publicKey]), format: 'der', type: 'spki' });
  return signature.length === 64 && verify(null, text, key, signature);
}

function signerNamed(name: string): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return createSigner(name, raw, (text) => sign(null, text, privateKey), sha256);
}

const [A, B] = [signerNamed('claviger/0a1b2c3d/control'), signerNamed('claviger/0a1b2c3d/use')];
const [KEY_A, KEY_B] = [parseVkey(A.vkey, sha256), parseVkey(B.vkey, sha256)];
const TEXT = 'claviger/0a1b2c3d/control\n7\nAAAA\n';
const NOTE = signNote(TEXT, A);

function open(note: string | Uint8Array, keys = [KEY_A]) {
  return openNote(typeof note === 'string' ? Buffer.from(note) : note, keys, isSigned);
}
function refuses(note: string | Uint8Array, why: RegExp, keys = [KEY_A]): void {
  assert.throws(
    () => open(note, keys),
    (error) => Failure.is(error, 'corrupt') && why.test(error.message),
    JSON.stringify(String(note)),
  );
}
/** A signature line of a signer over any text. */
function line(signer: Signer, text: string): string {
  return signNote(text, signer).slice(text.length + 1);
}

test('a note opens under its key and gives its text back, whatever the text', () => {
  const words = fc.array(
    fc.string({ unit: 'grapheme' }).filter((text) => !/[\u0000-\u001f]/.test(text) && text.isWellFormed()),
  );
  fc.assert(
    fc.property(words, (lines) => {
      const text = `${lines.join('\n')}\n`;
      assert.deepEqual(open(signNote(text, A)), { text, verified: 1 });
    }),
  );
  assert.deepEqual(open(signNote('\n', A)), { text: '\n', verified: 1 });
});

test('a note of two signers counts those whose keys are known; others are passed over', () => {
  const both = NOTE + line(B, TEXT);
  assert.equal(open(both, [KEY_A, KEY_B]).verified, 2);
  assert.equal(open(both, [KEY_B]).verified, 1);
  assert.equal(open(NOTE + line(A, TEXT)).verified, 1, 'the same signature twice is one');
  const stranger = signerNamed('example.com/other');
  assert.equal(open(NOTE + line(stranger, 'something else entirely\n')).verified, 1);
});

test('a wrong signature of a known key condemns the note, even beside a right one', () => {
  refuses(NOTE.replace('\n7\n', '\n8\n'), /wrong signature/);
  refuses(NOTE + line(B, `${TEXT}x\n`), /wrong signature/, [KEY_A, KEY_B]);
  const bytes = Buffer.from(NOTE);
  for (let i = 0; i < TEXT.length - 1; i++) {
    const flipped = Buffer.from(bytes);
    flipped[i]! ^= 1;
    assert.throws(
      () => open(flipped),
      (error) => Failure.is(error, 'corrupt'),
      `byte ${i}`,
    );
  }
});

test('what is malformed is refused', () => {
  const signature = NOTE.slice(TEXT.length + 1);
  const table: [string | Uint8Array, RegExp][] = [
    ['', /no signatures/],
    [TEXT, /no signatures/],
    [`${TEXT}\n`, /malformed signatures/],
    [NOTE.slice(0, -1), /malformed signatures/],
    [`${NOTE}\n`, /malformed signatures/],
    [`${NOTE}x\n`, /malformed signature line/],
    [NOTE.replace('\u2014', '-'), /malformed signature line/],
    [NOTE.replace('\u2014 ', '\u2014  '), /malformed signature line/],
    [NOTE.replace(/=*\n$/, '\n\n'), /malformed signatures|no signatures/],
    [`${TEXT}\n\u2014 ${A.name} AAAA\n`, /malformed signature line/],
    [`${TEXT}\n\u2014 ${A.name} AAAAA\n`, /malformed signature line/],
    [`${TEXT}\n\u2014 ${A.name} !!!!!!!!\n`, /malformed signature line/],
    [`${TEXT}\n\u2014 a+b ${signature.split(' ')[2]}`, /malformed signature line/],
    [NOTE.replace('claviger', 'clav\tiger'), /control character/],
    [NOTE.replace('\n7', '\r\n7'), /control character/],
    [NOTE.replace('claviger', 'clav\u0000iger'), /control character/],
    [Buffer.from(NOTE, 'latin1').fill(0xff, 0, 1), /not UTF-8/],
    [`${TEXT}\n${signature.repeat(101)}`, /too many signatures/],
  ];
  for (const [note, why] of table) refuses(note, why);
  refuses(NOTE, /no signature by a known key/, []);
  refuses(NOTE, /no signature by a known key/, [KEY_B]);
  refuses(NOTE, /ambiguous key/, [KEY_A, KEY_A]);
});

test('base64 has one spelling: stray bits and white space are refused', () => {
  const encoded = NOTE.trimEnd().split(' ').at(-1)!;
  const last = encoded.replace(/=+$/, '').at(-1)!;
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const padding = encoded.match(/=*$/)![0];
  const nudged =
    encoded.slice(0, encoded.length - padding.length - 1) + alphabet[alphabet.indexOf(last) ^ 1]! + padding;
  if (padding !== '') refuses(NOTE.replace(encoded, nudged), /malformed signature line/);
  refuses(NOTE.replace(encoded, encoded.replace(/=+$/, '')), padding === '' ? /./ : /malformed signature line/);
  refuses(NOTE.replace(encoded, `${encoded}=`), /malformed signature line/);
});

test('a byte-order mark is part of the text, and not swallowed', () => {
  refuses(Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), Buffer.from(NOTE)]), /wrong signature/);
});

test('a verifier key reads back, and anything else is refused', () => {
  assert.equal(KEY_A.name, A.name);
  assert.deepEqual(Buffer.from(KEY_A.keyHash), Buffer.from(A.keyHash));
  const [name, hash, key] = A.vkey.split('+') as [string, string, string];
  const typed = Buffer.from(key, 'base64');
  const ofType = (type: number) =>
    `${name}+${hash}+${Buffer.concat([Buffer.of(type), typed.subarray(1)]).toString('base64')}`;
  const wrong = [
    '',
    name,
    `${name}+${hash}`,
    `${name}+${hash}+`,
    `${name}++${key}`,
    `+${hash}+${key}`,
    `${name}+${hash.toUpperCase()}x+${key}`,
    `${name}+00000000+${key}`,
    `other+${hash}+${key}`,
    `${A.vkey} `,
    `${A.vkey}\n`,
    ` ${A.vkey}`,
    `${name}+${hash}+${key}=`,
    ofType(2),
    ofType(0),
    `${name}+${hash}+${typed.subarray(0, 32).toString('base64')}`,
    `${name}+${hash}+${Buffer.concat([typed, Buffer.of(0)]).toString('base64')}`,
    `a b+${hash}+${key}`,
  ];
  for (const text of wrong)
    assert.throws(
      () => parseVkey(text, sha256),
      (error) => Failure.is(error, 'invalid'),
      text,
    );
});

test('a log cannot have a name that a key could not carry', () => {
  for (const name of ['', 'a b', 'a+b', 'a\tb', 'a\u00a0b', 'a\nb'])
    assert.throws(
      () => signerNamed(name),
      (error) => Failure.is(error, 'invalid'),
      name,
    );
});

test('a checkpoint reads back', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.uint8Array({ minLength: 32, maxLength: 32 }), (size, root) => {
      const read = parseCheckpoint(checkpointText({ origin: A.name, size, root }));
      assert.deepEqual([read.origin, read.size, Buffer.from(read.root)], [A.name, size, Buffer.from(root)]);
    }),
  );
});

test('what is no checkpoint is refused', () => {
  const root = Buffer.alloc(32).toString('base64');
  const wrong = [
    '',
    'a\n1\n',
    `a\n1\n${root}`,
    `\n1\n${root}\n`,
    `a\n-1\n${root}\n`,
    `a\n+1\n${root}\n`,
    `a\n01\n${root}\n`,
    `a\n1.0\n${root}\n`,
    `a\n1e3\n${root}\n`,
    `a\n 1\n${root}\n`,
    `a\n\n${root}\n`,
    `a\n9007199254740992\n${root}\n`,
    `a\n99999999999999999999\n${root}\n`,
    'a\n1\n\n',
    'a\n1\n!!\n',
    `a\n1\n${root}=\n`,
  ];
  for (const text of wrong)
    assert.throws(
      () => parseCheckpoint(text),
      (error) => Failure.is(error, 'corrupt'),
      JSON.stringify(text),
    );
});
