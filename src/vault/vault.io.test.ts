// The vault: when it is sealed, which keys seal and which only open, and that nothing of a key shows in what it returns.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Failure, type FailureCode } from '../model/failure.ts';
import { revealSecret, revealSecretText, Secret } from '../model/secret.ts';
import { cipher, machineRandom as random } from './cipher.io.ts';
import type { Cipher } from './cipher.ts';
import { envelopeId, envelopeKekIds } from './envelope.ts';
import type { KekHolding } from './kek.ts';
import { errorText, TEST_NOW, testContext, testKek } from './test-support.ts';
import { createVault } from './vault.io.ts';

const context = testContext();
const parts = () => ({ key: new Secret('canary-key'), secret: new Secret('canary-secret') });

function refuses(act: () => unknown, code: FailureCode, message = /./): void {
  assert.throws(act, (error) => {
    assert.ok(Failure.is(error, code) && message.test(error.message), errorText(error));
    assert.ok(!errorText(error).includes('canary'));
    return true;
  });
}

test('a vault is sealed until it has a KEK, and again after `seal`', () => {
  const vault = createVault({ cipher, random });
  const kek = testKek({ cipher, random });
  assert.equal(vault.isSealed, true);
  refuses(() => vault.sealParts(context, parts()), 'sealed');
  refuses(() => vault.openParts(context, new Uint8Array()), 'sealed');
  refuses(() => vault.rewrap(new Uint8Array(), kek.row.id), 'sealed');
  refuses(() => vault.unseal([]), 'sealed');
  refuses(() => vault.unseal([{ ...kek, key: null }]), 'sealed');
  assert.equal(vault.isSealed, true);

  vault.unseal([kek]);
  assert.equal(vault.isSealed, false);
  const { bytes } = vault.sealParts(context, parts());
  assert.equal(revealSecretText(vault.openParts(context, bytes)['secret']!), 'canary-secret');

  vault.seal();
  assert.equal(vault.isSealed, true);
  assert.deepEqual(revealSecret(kek.key), new Uint8Array(32), 'the key is overwritten');
  refuses(() => vault.openParts(context, bytes), 'sealed');
  vault.seal();
});

test('sealing gives the record, its digest and the id that survives a re-wrap', () => {
  const vault = createVault({ cipher, random });
  const kek = testKek({ cipher, random });
  vault.unseal([kek]);
  const sealed = vault.sealParts(context, parts());
  assert.equal(sealed.digest, createHash('sha256').update(sealed.bytes).digest('hex'));
  assert.equal(sealed.envelopeId, envelopeId(sealed.bytes));
  const next = testKek({ cipher, random, rows: [kek.row] });
  vault.unseal([kek, next]);
  assert.equal(envelopeId(vault.rewrap(sealed.bytes, next.row.id)), sealed.envelopeId);
});

test('a wrong key, an edited row and a doubled row do not unseal, and leave the vault as it was', () => {
  const vault = createVault({ cipher, random });
  const kek = testKek({ cipher, random });
  const other = testKek({ cipher, random, rows: [kek.row] });
  vault.unseal([kek]);
  const { bytes } = vault.sealParts(context, parts());
  const wrong: [KekHolding[], RegExp][] = [
    [[{ ...kek, key: other.key }], /not the right one/],
    [[kek, { ...other, check: kek.check }], /not the right one/],
    [[{ ...kek, row: { ...kek.row, version: 2 } }], /not the right one/],
    [[{ ...kek, row: { ...kek.row, version: 0 } }], /version/],
    [[kek, kek], /twice/],
  ];
  for (const [holdings, message] of wrong) refuses(() => vault.unseal(holdings), 'invalid', message);
  assert.ok(vault.openParts(context, bytes)['key']?.equals(new Secret('canary-key')));
  assert.notDeepEqual(revealSecret(other.key), new Uint8Array(32), 'keys that were refused stay the caller’s');
});

test('the newest primary seals; older and retired KEKs only open', () => {
  const vault = createVault({ cipher, random });
  const old = testKek({ cipher, random });
  vault.unseal([old]);
  const { bytes } = vault.sealParts(context, parts());
  const next = testKek({ cipher, random, rows: [old.row] });
  vault.unseal([old, next]);
  assert.deepEqual(envelopeKekIds(vault.sealParts(context, parts()).bytes), [next.row.id]);
  assert.ok(vault.openParts(context, bytes));

  const retired = { ...old, row: { ...old.row, retiredAt: TEST_NOW } };
  vault.unseal([retired, next]);
  assert.ok(vault.openParts(context, bytes), 'what a restored backup brings back');
  refuses(() => vault.rewrap(bytes, old.row.id), 'invalid', /retired/);
  refuses(() => vault.rewrap(bytes, 'kek_00000000000000000000000000000000'), 'invalid', /unknown/);
});

test('while the newest primary is not at hand nothing is sealed, and what it locks does not open', () => {
  const vault = createVault({ cipher, random });
  const old = testKek({ cipher, random });
  const next = testKek({ cipher, random, rows: [old.row] });
  vault.unseal([old]);
  const before = vault.sealParts(context, parts()).bytes;
  vault.unseal([old, next]);
  const since = vault.sealParts(context, parts()).bytes;
  vault.unseal([old, { ...next, key: null }]);
  assert.deepEqual(revealSecret(next.key), new Uint8Array(32), 'a key that is no longer given is overwritten');
  assert.ok(vault.openParts(context, before));
  refuses(() => vault.openParts(context, since), 'sealed', /at hand/);
  refuses(() => vault.sealParts(context, parts()), 'sealed', /primary/);
  refuses(() => vault.rewrap(before, next.row.id), 'sealed', /at hand/);
});

test('a recovery KEK gets a wrap beside the primary, keeps it over a rotation, and opens alone', () => {
  const vault = createVault({ cipher, random });
  const primary = testKek({ cipher, random });
  const recovery = testKek({ cipher, random, rows: [primary.row], role: 'recovery' });
  const next = testKek({ cipher, random, rows: [primary.row, recovery.row] });
  const spare = { ...recovery, key: new Secret(revealSecret(recovery.key)) };
  vault.unseal([primary, recovery]);
  const { bytes } = vault.sealParts(context, parts());
  assert.deepEqual(envelopeKekIds(bytes), [primary.row.id, recovery.row.id].sort());
  vault.unseal([primary, { ...recovery, key: null }, next]);
  const moved = vault.rewrap(bytes, next.row.id);
  assert.deepEqual(envelopeKekIds(moved), [recovery.row.id, next.row.id].sort());
  assert.equal(vault.rewrap(moved, next.row.id), moved, 'nothing to do gives the same bytes');
  vault.unseal([{ ...primary, key: null }, spare, { ...next, key: null }]);
  assert.ok(vault.openParts(context, moved)['key']?.equals(new Secret('canary-key')));
});

test('where the cipher fails without a sign, nothing is handed out that would not open to the same bytes', () => {
  const old = testKek({ cipher, random });
  const next = testKek({ cipher, random, rows: [old.row] });
  let flips = true;
  const broken: Cipher = {
    ...cipher,
    aes256gcmSeal(input) {
      const plaintext = input.plaintext.slice();
      if (flips && plaintext.length > 0) plaintext[0] = plaintext[0]! ^ 1;
      return cipher.aes256gcmSeal({ ...input, plaintext });
    },
  };
  const vault = createVault({ cipher: broken, random });
  vault.unseal([old]);
  refuses(() => vault.sealParts(context, parts()), 'corrupt');
  flips = false;
  const { bytes } = vault.sealParts(context, parts());
  vault.unseal([old, next]);
  flips = true;
  refuses(() => vault.rewrap(bytes, next.row.id), 'corrupt', /same keys/);
});

test('a payload that was sealed wrong is found by reading it back', () => {
  const kek = testKek({ cipher, random });
  let calls = 0;
  const broken: Cipher = {
    ...cipher,
    aes256gcmSeal(input) {
      const plaintext = input.plaintext.slice();
      // The first call is the first payload; the wrap stays whole.
      if (calls++ === 0) plaintext[0] = plaintext[0]! ^ 1;
      return cipher.aes256gcmSeal({ ...input, plaintext });
    },
  };
  const vault = createVault({ cipher: broken, random });
  vault.unseal([kek]);
  refuses(() => vault.sealParts(context, parts()), 'corrupt', /same bytes/);
});

test('neither keys nor parts show in the vault, in what it returns, or in JSON of either', () => {
  const kek = testKek({ cipher, random });
  const keyForms = [revealSecret(kek.key).toHex(), revealSecret(kek.key).toBase64()];
  const vault = createVault({ cipher, random });
  vault.unseal([kek]);
  const sealed = vault.sealParts(context, parts());
  const opened = vault.openParts(context, sealed.bytes);
  for (const value of [vault, sealed, opened, kek]) {
    const shown = `${inspect(value, { depth: 10, showHidden: true, maxArrayLength: null })}${JSON.stringify(value)}`;
    for (const hidden of ['canary', Buffer.from('canary').toString('hex'), ...keyForms]) {
      assert.ok(!shown.includes(hidden));
    }
  }
  assert.ok(!Buffer.from(sealed.bytes).includes('canary'));
});
