// The rules of a configuration against real files: directories, key files, passphrases, certificates.
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { checkConfig } from './checks.io.ts';
import type { Config } from './config.ts';
import { loadConfig } from './load.io.ts';

const NOW = Date.UTC(2030, 0, 1);
const directory = mkdtempSync(path.join(tmpdir(), 'claviger-checks-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string | Uint8Array, mode = 0o600): string {
  const at = path.join(directory, name);
  writeFileSync(at, content);
  chmodSync(at, mode);
  return at;
}

function folder(name: string, mode = 0o700): string {
  const at = path.join(directory, name);
  mkdirSync(at);
  chmodSync(at, mode);
  return at;
}

const data = folder('data');
const copies = folder('copies');

/** Each finding as `severity pointer message`; the note on one file system is left out, for this machine has but one. */
async function check(change: Partial<Config>, environment: Record<string, string> = {}): Promise<string[]> {
  const { config } = await loadConfig(null, { environment: {}, workingDirectory: directory });
  const whole = { ...config, dataDirectory: data, secondCopy: { directory: copies }, ...change };
  const findings = await checkConfig(
    { config: whole, fileOwnership: null },
    { providers: ['neon'], now: NOW, environment },
  );
  return findings
    .map(({ severity, pointer, message }) => `${severity} ${pointer} ${message}`)
    .filter((text) => !text.startsWith('warning /secondCopy/directory second copies lie on the same file system'));
}

async function assertFindings(found: Promise<string[]>, ...expected: readonly RegExp[]): Promise<void> {
  const texts = await found;
  assert.equal(texts.length, expected.length, texts.join('\n'));
  for (const [index, pattern] of expected.entries()) assert.match(texts[index]!, pattern);
}

test('a place that is as it should be gives no finding, and is left as it was', async () => {
  await assertFindings(check({}));
  assert.deepEqual(readdirSync(data), []);
  assert.deepEqual(readdirSync(copies), []);
});

test('the data directory: absent, a file, open', async () => {
  const absent = path.join(directory, 'absent');
  await assertFindings(check({ dataDirectory: absent }), /^error \/dataDirectory .* does not exist/);
  await assertFindings(check({ dataDirectory: file('no-directory', '') }), /^error \/dataDirectory .* not a directory/);
  await assertFindings(check({ dataDirectory: folder('open', 0o755) }), /^error \/dataDirectory .* open to others/);
});

test('second copies: absent, a file, inside the data directory by any name', async () => {
  const at = (name: string) => check({ secondCopy: { directory: name } });
  await assertFindings(at(path.join(directory, 'absent')), /^error \/secondCopy\/directory .* does not exist/);
  await assertFindings(at(file('copies-file', '')), /^error \/secondCopy\/directory .* does not exist/);
  await assertFindings(at(data), /^error \/secondCopy\/directory .* inside the data directory/);
  const link = path.join(directory, 'link-to-data');
  symlinkSync(data, link);
  await assertFindings(at(link), /^error \/secondCopy\/directory .* inside the data directory/);
});

test('a key file is judged by the vault: outside the data directory, closed, a key', async () => {
  const key = randomBytes(32).toString('base64');
  const at = (name: string) => check({ kek: { kind: 'key-file', path: name } });
  await assertFindings(at(file('kek', key)));
  await assertFindings(at(file('kek-open', key, 0o644)), /^error \/kek\/path .* open to others/);
  await assertFindings(at(file('kek-short', 'canary')), /^error \/kek\/path /);
  await assertFindings(at(path.join(directory, 'no-kek')), /^error \/kek\/path .* cannot be opened/);
  const inside = file('data/kek', key);
  await assertFindings(at(inside), /^error \/kek\/path .* inside the data directory/);
  rmSync(inside);
});

test('a passphrase can be had, and has a length; a command is not run', async () => {
  const marker = path.join(directory, 'ran');
  const from = (source: Extract<Config['kek'], { kind: 'passphrase' }>['from'], environment = {}) =>
    check({ kek: { kind: 'passphrase', from: source } }, environment);
  await assertFindings(from({ env: 'P' }, { P: 'canary-passphrase' }));
  await assertFindings(from({ env: 'P' }), /^error \/kek\/from .* not set/);
  await assertFindings(from({ env: 'P' }, { P: 'canary' }), /^error \/kek\/from a passphrase has 12 to/);
  await assertFindings(from({ file: file('passphrase', 'canary-passphrase\n') }));
  await assertFindings(
    from({ file: file('passphrase-open', 'canary-passphrase', 0o604) }),
    /^error \/kek\/from .* open/,
  );
  const inside = file('data/passphrase', 'canary-passphrase');
  await assertFindings(from({ file: inside }), /^error \/kek\/from .* inside the data directory/);
  rmSync(inside);
  await assertFindings(from({ command: ['/usr/bin/env', 'touch', marker] }));
  assert.ok(!readdirSync(directory).includes('ran'));
});

test('the source of the database’s URL can be read', async () => {
  const at = (url: Extract<Config['database'], { kind: 'postgresql' }>['url'], environment = {}) =>
    check({ database: { kind: 'postgresql', url } }, environment);
  await assertFindings(at({ env: 'U' }, { U: 'postgresql://canary' }));
  await assertFindings(at({ env: 'U' }), /^error \/database\/url .* not set/);
  await assertFindings(at({ file: path.join(directory, 'no-url') }), /^error \/database\/url .* cannot be read/);
  await assertFindings(at({ command: ['/absent'] }));
});

/** DER, just enough of it for a certificate. */
function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const long = content.length > 127;
  const length = long ? [0x82, content.length >> 8, content.length & 0xff] : [content.length];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

/** A certificate that its own Ed25519 key has signed, valid from the beginning of one year to that of another. */
function createCertificate(key: KeyObject, publicKey: KeyObject, years: readonly [number, number]): string {
  const ed25519 = der(0x30, der(0x06, Buffer.from([0x2b, 0x65, 0x70])));
  const commonName = der(0x30, der(0x06, Buffer.from([0x55, 0x04, 0x03])), der(0x0c, Buffer.from('claviger.test')));
  const name = der(0x30, der(0x31, commonName));
  const validity = der(0x30, ...years.map((year) => der(0x18, Buffer.from(`${year}0101000000Z`))));
  const subjectKey = publicKey.export({ type: 'spki', format: 'der' });
  const version = der(0xa0, der(0x02, Buffer.from([2])));
  const body = der(0x30, version, der(0x02, Buffer.from([1])), ed25519, name, validity, name, subjectKey);
  const whole = der(0x30, body, ed25519, der(0x03, Buffer.from([0]), sign(null, body, key)));
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64')}\n-----END CERTIFICATE-----\n`;
}

test('TLS files: a pair, another key, a wrong date, not PEM, encrypted, open, absent', async () => {
  const [pair, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
  const pem = { type: 'pkcs8', format: 'pem' } as const;
  const certificate = file('tls.crt', createCertificate(pair.privateKey, pair.publicKey, [2025, 2035]), 0o644);
  const key = file('tls.key', pair.privateKey.export(pem));
  const at = (tls: { certificate: string; key: string }) =>
    check({ broker: { host: '0.0.0.0', port: 8200, tls, terminatedBy: null } });
  await assertFindings(at({ certificate, key }));
  const otherKey = file('other.key', other.privateKey.export(pem));
  await assertFindings(at({ certificate, key: otherKey }), /^error \/broker\/tls\/key .* not that of the certificate/);
  const old = file('old.crt', createCertificate(pair.privateKey, pair.publicKey, [2020, 2025]));
  await assertFindings(at({ certificate: old, key }), /^warning \/broker\/tls\/certificate .* expired/);
  const text = file('text', 'canary');
  await assertFindings(at({ certificate: text, key }), /^error \/broker\/tls\/certificate .* no certificate/);
  await assertFindings(at({ certificate, key: text }), /^error \/broker\/tls\/key .* no private key/);
  await assertFindings(at({ certificate: key, key }), /^error \/broker\/tls\/certificate .* no certificate/);
  const encrypted = pair.privateKey.export({ ...pem, cipher: 'aes-256-cbc', passphrase: 'canary' });
  await assertFindings(
    at({ certificate, key: file('encrypted.key', encrypted) }),
    /^error \/broker\/tls\/key .* encrypted/,
  );
  const open = file('open.key', pair.privateKey.export(pem), 0o644);
  await assertFindings(at({ certificate, key: open }), /^error \/broker\/tls\/key .* open to others/);
  const absent = path.join(directory, 'absent.pem');
  await assertFindings(
    at({ certificate: absent, key: absent }),
    /^error \/broker\/tls\/certificate .* cannot be read/,
    /^error \/broker\/tls\/key .* cannot be read/,
  );
  await assertFindings(at({ certificate: directory, key }), /^error \/broker\/tls\/certificate .* no certificate/);
});

test('programs: where they should be, no files, not executable, for others to change', async () => {
  const of = (name: string) => [
    { credential: 'prod/neon/a', replace: null, issue: null, revoke: [name], timeoutMs: 1 },
  ];
  await assertFindings(check({ programs: of(file('program', '#!/bin/sh\n', 0o700)) }));
  const open = file('open-program', '#!/bin/sh\n', 0o722);
  await assertFindings(check({ programs: of(open) }), /^warning \/programs\/0\/revoke the program can be changed/);
  const wrong: [string, RegExp][] = [
    [path.join(directory, 'no-program'), /^error \/programs\/0\/revoke the program does not exist/],
    [directory, /^error \/programs\/0\/revoke the program is not a regular file/],
    [file('text', 'x', 0o600), /^error \/programs\/0\/revoke the program cannot be executed/],
  ];
  for (const [name, expected] of wrong) await assertFindings(check({ programs: of(name) }), expected);
});
