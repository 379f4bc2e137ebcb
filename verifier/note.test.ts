// Signed notes and checkpoints: what is accepted, and every way of being malformed that the specification names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openCheckpoint, parseCheckpoint } from './checkpoint.ts';
import { openNote, parseVkey, type VerifierKey } from './note.ts';
import { type MadeKey, makeKey, signCheckpoint, signNote } from './testing/made-log.io.ts';
import { nodePrimitives } from './verify.io.ts';

const { sha256, verifyEd25519 } = nodePrimitives();
const name = 'claviger/test/control';
const made = makeKey(name);
const key = known(made);

function known(from: MadeKey): VerifierKey {
  const parsed = parseVkey(from.vkey, sha256);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.why);
  return parsed.value;
}

function whyNot(note: string | Uint8Array, keys = [key]): string | null {
  const opened = openNote(typeof note === 'string' ? Buffer.from(note) : note, keys, verifyEd25519);
  return opened.ok ? null : opened.why;
}

test('a note of a known key opens to its text', () => {
  const text = 'one line\n\nan empty line before this one\n';
  const opened = openNote(Buffer.from(signNote(made, text)), [key], verifyEd25519);
  assert.deepEqual(opened, { ok: true, value: { text, signers: [key] } });
});

test('signatures of unknown keys are ignored, and do not suffice', () => {
  const stranger = makeKey(name);
  const note = signNote(made, 'text\n');
  const strange = signNote(stranger, 'text\n').split('\n\n')[1]!;
  assert.equal(whyNot(note + strange), null);
  assert.equal(whyNot(`text\n\n${strange}`), 'no signature of a known key');
});

test('one failing signature of a known key refuses the note even beside a good one', () => {
  const second = makeKey('example.com/second');
  const note = signNote(made, 'text\n') + signNote(second, 'other text\n').split('\n\n')[1]!;
  assert.equal(whyNot(note, [key, known(second)]), 'the signature does not verify');
});

test('a second signature of the same key is not looked at', () => {
  const wrong = signNote(made, 'other text\n').split('\n\n')[1]!;
  assert.equal(whyNot(signNote(made, 'text\n') + wrong), null);
  assert.equal(whyNot(`text\n\n${wrong}`), 'the signature does not verify');
});

test('a note that differs in any byte does not open', () => {
  const note = Buffer.from(signNote(made, 'claviger/test/control\n12\nroot\n'));
  fc.assert(
    fc.property(fc.nat({ max: note.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const forged = Buffer.from(note);
      forged[at] = forged[at]! ^ by;
      return whyNot(forged) !== null;
    }),
  );
});

test('malformed notes are refused', () => {
  const note = signNote(made, 'text\n');
  const line = note.split('\n\n')[1]!;
  const malformed: Record<string, string | Uint8Array> = {
    empty: '',
    'no signature': 'text\n',
    'no signature after the blank line': 'text\n\n',
    'no newline at the end': note.slice(0, -1),
    'a hyphen for the dash': note.replace('—', '-'),
    'two spaces': note.replace('— ', '—  '),
    'a tab': note.replace('text', 'te\txt'),
    'a carriage return': note.replaceAll('\n', '\r\n'),
    'a NUL': note.replace('text', 'te\u0000xt'),
    'not UTF-8': Buffer.concat([Buffer.from([0xff]), Buffer.from(note)]),
    'a byte order mark': `\uFEFF${note}`,
    'a plus in a name': `${note}— a+b ${line.split(' ')[2]}`,
    'a no-break space in a name': `${note}— a\u00a0b ${line.split(' ')[2]}`,
    'unpadded base64': note.replace(/=*\n$/, '\n').replace(/..\n$/, '\n'),
    'a signature of four bytes': `${note}— stranger AAAAAA==\n`,
    '101 signatures': note + line.repeat(100),
    'a million bytes': `${'x'.repeat(1_000_000)}\n\n${line}`,
  };
  for (const [what, forged] of Object.entries(malformed)) assert.notEqual(whyNot(forged), null, what);
  assert.equal(whyNot(note + line.repeat(99)), null, '100 signatures are read');
});

test('two known keys of one name and id refuse the note', () => {
  assert.equal(whyNot(signNote(made, 'text\n'), [key, { ...key }]), 'two known keys have the same name and id');
});

test('malformed verifier keys are refused', () => {
  const [, id, encoded] = made.vkey.split('+') as [string, string, string];
  const rest = made.vkey.slice(name.length + 1 + 8 + 1);
  const bytes = Buffer.from(rest, 'base64');
  const as = (change: Buffer) => `${name}+${id}+${change.toString('base64')}`;
  const malformed: Record<string, string> = {
    empty: '',
    'no name': made.vkey.slice(name.length),
    'a space in the name': made.vkey.replace('claviger', 'clav iger'),
    'another name': made.vkey.replace('control', 'use'),
    'another id': made.vkey.replace(`+${id}+`, id === '00000000' ? '+00000001+' : '+00000000+'),
    'an id in capitals': made.vkey.replace(`+${id}+`, '+ABCDEF00+'),
    'a trailing newline': `${made.vkey}\n`,
    'another type': as(Buffer.concat([Buffer.from([4]), bytes.subarray(1)])),
    'a byte too few': as(bytes.subarray(0, 32)),
    'a byte too many': as(Buffer.concat([bytes, Buffer.from([0])])),
    'not base64': `${name}+${id}+!${encoded}`,
  };
  for (const [what, vkey] of Object.entries(malformed)) assert.equal(parseVkey(vkey, sha256).ok, false, what);
});

test('a checkpoint is held to the form that a log of Claviger publishes', () => {
  const root = Buffer.alloc(32, 5).toString('base64');
  const open = (text: string) => openCheckpoint(Buffer.from(signNote(made, text)), key, verifyEd25519);
  const genuine = open(`${name}\n12\n${root}\n`);
  assert.ok(genuine.ok);
  assert.equal(genuine.value.size, 12);
  assert.equal(Buffer.from(genuine.value.root).toString('base64'), root);

  const refused: Record<string, string> = {
    'another origin': `claviger/test/use\n12\n${root}\n`,
    'a leading zero': `${name}\n012\n${root}\n`,
    'a sign': `${name}\n+12\n${root}\n`,
    'no size': `${name}\n\n${root}\n`,
    'a size beyond 2^53': `${name}\n9007199254740993\n${root}\n`,
    'a size beyond 2^64': `${name}\n18446744073709551616\n${root}\n`,
    'a short root': `${name}\n12\nAAAA\n`,
    'a root with stray bits': `${name}\n12\n${root.slice(0, -2)}B=\n`,
    'an extension line': `${name}\n12\n${root}\nmore\n`,
    'an empty line more': `${name}\n12\n${root}\n\n`,
    'two lines': `${name}\n12\n`,
  };
  for (const [what, text] of Object.entries(refused)) assert.equal(open(text).ok, false, what);
});

test('the text of any log’s checkpoint can be read, with its extension', () => {
  const parsed = parseCheckpoint('example.com/log\n18446744073709551615\nAAAA\nmore\n');
  assert.ok(parsed.ok);
  assert.deepEqual(
    { ...parsed.value, hash: Buffer.from(parsed.value.hash).toString('hex') },
    {
      origin: 'example.com/log',
      size: 18_446_744_073_709_551_615n,
      hash: '000000',
      extension: 'more\n',
    },
  );
});

test('a checkpoint of another key with the same name does not open', () => {
  const note = Buffer.from(signCheckpoint(makeKey(name), []));
  assert.deepEqual(openCheckpoint(note, key, verifyEd25519), { ok: false, why: 'no signature of a known key' });
});
