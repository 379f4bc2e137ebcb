// Arguments that look like secrets are refused; what commands are really given is not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newTokenText } from '../access/token.ts';
import * as providers from '../providers/index.ts';
import { createLookalike, createPublicParts, findSecret as findSecretIn } from './lookalike.ts';

const looksSecret = createLookalike(Object.values(providers));
const isPublicPart = createPublicParts(Object.values(providers));
const findSecret = (args: readonly string[]) => findSecretIn(args, looksSecret, isPublicPart);
const NEON = `napi_${'canary0123456789'.repeat(4)}`;

test('our tokens, the formats of every provider, and what vendors publish', () => {
  const token = newTokenText({ bytes: (length) => new Uint8Array(length).fill(7) });
  const secrets = [
    token,
    `secret-token:${token}`,
    NEON,
    'a1b2'.repeat(16),
    `sk_live_canary${'0'.repeat(20)}`,
    `ghp_canary${'A'.repeat(30)}`,
    `AKIA${'CANARY0123456789'}`,
    `access-sandbox-0c0a0b0c-0000-0000-0000-00000000cafe`,
    'eyJhbGciOiJub25l.eyJjYW5hcnkiOjF9.',
    '-----BEGIN PRIVATE KEY-----\ncanary',
    ` ${NEON}\n`,
  ];
  for (const secret of secrets) assert(looksSecret(secret), secret.slice(0, 12));
});

test('a secret is found wherever it stands in an argument', () => {
  const places: string[][] = [
    [NEON],
    ['credential', 'add', 'x', '--set', `org=${NEON}`],
    ['credential', 'add', 'x', `--key=${NEON}`],
    ['--api', `https://user:${NEON}@host`],
    ['--api', `https://host/?key=${NEON}&a=b`],
    ['--note', `the key is "${NEON}"`],
    ['--note', `was ${NEON}, now another`],
  ];
  for (const args of places) assert(findSecret(args) >= 0, args.join(' ').slice(0, 20));
});

test('ordinary arguments are none', () => {
  const args = [
    'credential',
    'prod/neon/billing',
    'crd_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
    '--every-days',
    '30',
    '--set',
    'orgId=org-wild-sea-12345678',
    'https://console.neon.tech/api/v2',
    '/var/lib/claviger/backups/claviger-2026-09-21.backup',
    'claviger/688e4e08/control+0a1b2c3d+AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGhIjKlMnOpQr',
    'seen in a public log, revoked by Inês; see INC-2291',
    '018f3c1e-7b2a-7c3d-8e4f-5a6b7c8d9e0f',
    'ThisIsANoteWithoutSpacesThatIsLong',
  ];
  for (const arg of args) assert.equal(findSecret([arg]), -1, arg);
  fc.assert(
    fc.property(fc.lorem({ maxCount: 8 }), (words) => {
      assert.equal(findSecret([words]), -1);
    }),
  );
});

const PLAID_CLIENT_ID = '0123456789abcdef01234567';
const TWILIO_SID = `SK${'0a'.repeat(16)}`;

test('a public part is an ordinary argument: an id beside a secret is none', () => {
  for (const id of [PLAID_CLIENT_ID, TWILIO_SID, `AC${'0a'.repeat(16)}`]) {
    for (const args of [[id], ['--note', `for ${id}`], ['--set', `accountSid=${id}`], ['--provider-key-id', id]]) {
      assert.equal(findSecret(args), -1, args.join(' '));
    }
  }
});

test('a public part by its name is none although it looks like the secret of another kind; anything else by a name is', () => {
  const kinds = Object.values(providers).flatMap((provider) => provider.kinds);
  let count = 0;
  for (const { format, publicParts = [] } of kinds) {
    for (const part of publicParts) {
      count++;
      const form = fc.stringMatching(format[part]!);
      fc.assert(
        fc.property(form, (value) => {
          assert.equal(findSecret(['--part', `${part}=${value}`]), -1);
          assert.equal(findSecret([`--part=${part}=${value}`]), -1);
        }),
        { numRuns: 20 },
      );
    }
  }
  assert(count > 3, 'there are kinds with public parts');
  const mastodon = 'a1b2'.repeat(16);
  assert.equal(findSecret(['--part', `clientId=${mastodon}`]), -1);
  for (const args of [
    ['--note', `clientId=${mastodon}`],
    ['--part', `secret=${mastodon}`],
    ['--part', mastodon],
    ['--part', `clientId=${NEON}`],
    ['--part', `clientId=${PLAID_CLIENT_ID}`, NEON],
    ['--part', `clientId=${PLAID_CLIENT_ID}=${NEON}`],
  ]) {
    assert(findSecret(args) >= 0, args.join(' ').slice(0, 20));
  }
});
