// Identifiers: a type prefix and a UUIDv7 (RFC 9562 section 5.7) in hex without dashes, e.g. `crd_0198c1…`. Never reused.
// The time prefix keeps inserts local in every index; the 74 random bits make them unguessable enough for names, not for secrets.
import type { Random, UtcMs } from './clock.ts';

/** One prefix for each kind of thing that is referred to by id. */
export const ID_PREFIXES = {
  principal: 'prn',
  token: 'tok',
  grant: 'gnt',
  credential: 'crd',
  version: 'ver',
  rotation: 'rot',
  revocation: 'rev',
  certificate: 'crt',
  finding: 'fnd',
  kek: 'kek',
  setting: 'set',
  catalogue: 'cat',
  request: 'req',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

/** A new id of a kind. `now` is UTC milliseconds; a clock that steps back only costs locality. */
export function newId(kind: IdKind, now: UtcMs, random: Random): string {
  const bytes = random.bytes(16);
  let time = now;
  for (let i = 5; i >= 0; i--) {
    bytes[i] = time % 256;
    time = Math.floor(time / 256);
  }
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  let hex = '';
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
  return `${ID_PREFIXES[kind]}_${hex}`;
}

const ID = /^[a-z]{3}_[0-9a-f]{32}$/;

/** Whether text has the form of an id of this kind. */
export function isId(kind: IdKind, text: string): boolean {
  return ID.test(text) && text.startsWith(`${ID_PREFIXES[kind]}_`);
}

/** Names that people choose and may change: lower-case letters, digits and dashes, 1 to 63 characters, DNS-label-like. */
export const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
