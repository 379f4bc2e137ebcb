// SHA-256 and Ed25519 of the machine, for the commands that check proofs, checkpoints and certificates.
import { createHash, createPublicKey, verify } from 'node:crypto';

export function sha256(data: Uint8Array): Uint8Array {
  return createHash('sha256').update(data).digest();
}

/** Ed25519 over raw public keys. False for whatever is no key or no signature. */
export function ed25519(publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean {
  try {
    const x = publicKey.toBase64({ alphabet: 'base64url', omitPadding: true });
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return verify(null, text, key, signature);
  } catch {
    return false;
  }
}
