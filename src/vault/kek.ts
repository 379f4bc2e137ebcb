// Key-encryption keys (KEK): what a row says about one, which one is in force, what a key file and a passphrase must be like.
// The row is an image in the control log and holds nothing secret: neither the key nor its check value, with which readers
// of the log could guess passphrases. Not here: reading files, deriving (kek.io.ts), moving to a new KEK (rewrap.ts).

import type { Row } from '../model/change.ts';
import type { Random, UtcMs } from '../model/clock.ts';
import { assert, Failure } from '../model/failure.ts';
import { isId } from '../model/id.ts';
import { Secret } from '../model/secret.ts';
import { toHex } from './bytes.ts';
import { type Cipher, KEY_BYTES } from './cipher.ts';
import { makeCheck } from './wrap.ts';

export const KEK_KINDS = ['passphrase', 'key-file'] as const;
export type KekKind = (typeof KEK_KINDS)[number];

/** `primary` opens the vault every day; `recovery` keeps a second wrap for the day when the primary is lost. */
export const KEK_ROLES = ['primary', 'recovery'] as const;
export type KekRole = (typeof KEK_ROLES)[number];

export interface Argon2idParams {
  readonly algorithm: 'argon2id';
  /** 16 random bytes in hex. Not secret. */
  readonly salt: string;
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

export interface KekRow extends Row {
  /** 1 for the first KEK of the instance, one more for each that follows, whatever its role. Wraps bind it with the id. */
  readonly version: number;
  readonly role: KekRole;
  readonly kind: KekKind;
  /** How the key follows from the passphrase; null for a key file. */
  readonly params: Argon2idParams | null;
  readonly createdAt: UtcMs;
  /** When its last wrap was gone. It still opens what a restored backup brings back, and never seals again. */
  readonly retiredAt: UtcMs | null;
}

/** A KEK row with its check value, and its key where that is at hand. */
export interface KekHolding {
  readonly row: KekRow;
  readonly check: Uint8Array;
  readonly key: Secret | null;
}

/** RFC 9106 section 4, the second recommended option: 64 MiB, 3 passes, 4 lanes. About 0.2 s. */
export const ARGON2ID_DEFAULTS = { memoryKib: 65_536, passes: 3, lanes: 4 } as const;

/**
 * The floor is the 19 MiB and 2 passes that the OWASP Password Storage Cheat Sheet recommends at least for Argon2id. The ceiling
 * keeps an edited row from taking the machine's memory at start.
 */
export const ARGON2ID_BOUNDS = {
  memoryKib: { min: 19_456, max: 1_048_576 },
  passes: { min: 2, max: 16 },
  lanes: { min: 1, max: 16 },
} as const;
export const ARGON2ID_SALT_BYTES = 16;

export const PASSPHRASE_BYTES_MIN = 12;
export const PASSPHRASE_BYTES_MAX = 1024;

/** Why a row cannot be used, or null. A row that was edited must neither weaken the derivation nor exhaust the machine. */
export function kekRowProblem(row: KekRow): string | null {
  if (!isId('kek', row.id)) return 'its id is not that of a key-encryption key';
  if (!isWithin(row.version, { min: 1, max: 2 ** 31 - 1 })) return 'its version is out of bounds';
  if (!KEK_ROLES.includes(row.role)) return 'its role is unknown';
  if (row.kind === 'key-file') return row.params === null ? null : 'a key file has no parameters';
  if (row.kind !== 'passphrase') return 'its kind is unknown';
  return row.params === null ? 'a passphrase needs parameters' : argon2idProblem(row.params);
}

/** Why parameters cannot be used, or null. */
export function argon2idProblem(params: Argon2idParams): string | null {
  if (params.algorithm !== 'argon2id') return 'the algorithm is unknown';
  if (!/^[0-9a-f]{32}$/.test(params.salt)) return 'the salt is not 16 bytes in hex';
  for (const name of ['memoryKib', 'passes', 'lanes'] as const) {
    const { min, max } = ARGON2ID_BOUNDS[name];
    if (!isWithin(params[name], { min, max })) return `${name} is not between ${min} and ${max}`;
  }
  return null;
}

function isWithin(value: number, { min, max }: { min: number; max: number }): boolean {
  return Number.isSafeInteger(value) && value >= min && value <= max;
}

/** Parameters for a new passphrase KEK. Throws `invalid` where they are out of bounds. */
export function newArgon2idParams(random: Random, cost: Omit<Argon2idParams, 'algorithm' | 'salt'>): Argon2idParams {
  const { memoryKib, passes, lanes } = cost;
  const salt = toHex(random.bytes(ARGON2ID_SALT_BYTES));
  const params = { algorithm: 'argon2id', salt, memoryKib, passes, lanes } as const;
  const problem = argon2idProblem(params);
  if (problem !== null) throw new Failure('invalid', `passphrase: ${problem}`);
  return params;
}

/** The row image and check value of a new KEK. The check belongs into a blob of kind `wrap` beside the row, never into it. */
export function newKek(input: {
  readonly cipher: Cipher;
  readonly random: Random;
  readonly now: UtcMs;
  readonly id: string;
  /** All KEK rows that there are: the new version follows theirs. */
  readonly rows: readonly KekRow[];
  readonly role: KekRole;
  readonly params: Argon2idParams | null;
  /** 32 bytes: from the key file, or derived with `params`. */
  readonly key: Secret;
}): { row: KekRow; check: Uint8Array } {
  const { cipher, random, id, role, params, key } = input;
  assert(key.length === KEY_BYTES, 'a key-encryption key has 32 bytes');
  const row: KekRow = {
    id,
    rowVersion: 1,
    version: 1 + Math.max(0, ...input.rows.map((other) => other.version)),
    role,
    kind: params === null ? 'key-file' : 'passphrase',
    params,
    createdAt: input.now,
    retiredAt: null,
  };
  const problem = kekRowProblem(row);
  if (problem !== null) throw new Failure('invalid', `key-encryption key: ${problem}`);
  return { row, check: makeCheck({ cipher, random, kek: { id, version: row.version, key } }) };
}

/** The KEK in force in a role: the newest that is not retired. Null where there is none. */
export function kekInForce(rows: readonly KekRow[], role: KekRole): KekRow | null {
  const candidates = rows.filter((row) => row.role === role && row.retiredAt === null);
  return candidates.sort((left, right) => right.version - left.version)[0] ?? null;
}

/**
 * The key in a key file: 32 raw bytes, or the same in hex or base64 with at most one line end behind it. Throws `invalid`
 * for anything else, and for 32 bytes that are plainly not random: text, or few different values. May overwrite `content`.
 */
export function decodeKeyFile(content: Uint8Array): Secret {
  const bytes = content.length === KEY_BYTES ? content : decodeKeyText(content);
  if (bytes === null || bytes.length !== KEY_BYTES) {
    throw new Failure('invalid', 'a key file holds 32 bytes: raw, in hex or in base64');
  }
  const isText = bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  // Fewer than 12 different values among 32 random bytes: less than once in 10^24.
  if (isText || new Set(bytes).size < 12) throw new Failure('invalid', 'the key in the key file is not random');
  const key = new Secret(bytes);
  bytes.fill(0);
  return key;
}

function decodeKeyText(content: Uint8Array): Uint8Array | null {
  const text = new TextDecoder('latin1').decode(content).replace(/\r?\n$/, '');
  if (/^[0-9A-Fa-f]{64}$/.test(text)) return Uint8Array.fromHex(text);
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) return null;
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: 'strict' });
  } catch {
    return null;
  }
}

/** A passphrase from a file or a prompt: without one line end behind it. Throws `invalid` outside 12 to 1,024 bytes. */
export function decodePassphrase(content: Uint8Array): Secret {
  let end = content.length;
  if (content[end - 1] === 0x0a) end -= content[end - 2] === 0x0d ? 2 : 1;
  if (end < PASSPHRASE_BYTES_MIN || end > PASSPHRASE_BYTES_MAX) {
    throw new Failure('invalid', `a passphrase has ${PASSPHRASE_BYTES_MIN} to ${PASSPHRASE_BYTES_MAX} bytes`);
  }
  return new Secret(content.subarray(0, end));
}
