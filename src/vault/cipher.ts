// The cryptographic functions that the vault's pure code is given. cipher.io.ts makes the one real instance; nothing else
// in the project calls a cipher. Not here: any format or policy (envelope.ts), randomness (model/clock.ts). Follows ADR 0007.

export interface Cipher {
  /** AES-256-GCM: 32-byte key, 12-byte nonce. Returns the ciphertext followed by its 16-byte tag. */
  aes256gcmSeal(input: {
    readonly key: Uint8Array;
    readonly nonce: Uint8Array;
    readonly aad: Uint8Array;
    readonly plaintext: Uint8Array;
  }): Uint8Array;
  /** The reverse; `sealed` is ciphertext and tag. Null where the tag is refused: no plaintext leaves then. */
  aes256gcmOpen(input: {
    readonly key: Uint8Array;
    readonly nonce: Uint8Array;
    readonly aad: Uint8Array;
    readonly sealed: Uint8Array;
  }): Uint8Array | null;
  /** HKDF (RFC 5869) with SHA-512, extract and expand. `info` is a label of ours, ASCII. `length` in bytes. */
  hkdfSha512(input: {
    readonly key: Uint8Array;
    readonly salt: Uint8Array;
    readonly info: string;
    readonly length: number;
  }): Uint8Array;
  /** Whether both hold the same bytes, in a time that does not depend on where they differ. False for different lengths. */
  timingSafeEqual(left: Uint8Array, right: Uint8Array): boolean;
  sha256(bytes: Uint8Array): Uint8Array;
}

export const KEY_BYTES = 32;
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;
