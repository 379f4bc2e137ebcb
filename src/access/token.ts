// Tokens that Claviger issues: `clv_` + 27 characters of base 62 (160 random bits) + 6 characters of checksum, so that a scanner or a
// pre-commit hook can tell a real one from a lookalike without asking anybody. The `secret-token:` form of RFC 8959 is
// accepted too. A token is kept only as its SHA-256.
import type { Random } from '../model/clock.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BODY_LENGTH = 27;
const CHECK_LENGTH = 6;
export const TOKEN_LENGTH = 4 + BODY_LENGTH + CHECK_LENGTH;
const TOKEN = /^clv_[0-9A-Za-z]{33}$/;
const URI_PREFIX = 'secret-token:';

function base62(value: bigint, length: number): string {
  let rest = value;
  let text = '';
  for (let i = 0; i < length; i++) {
    text = ALPHABET[Number(rest % 62n)] + text;
    rest /= 62n;
  }
  return text;
}

/** CRC-32 (IEEE 802.3) of ASCII text. A checksum against typing errors, not against forgery. */
function crc32(text: string): number {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function checksumOf(body: string): string {
  return base62(BigInt(crc32(`clv_${body}`)), CHECK_LENGTH);
}

/** A new token's text. Shown once to whoever asked for it, then only its hash is kept. */
export function newTokenText(random: Random): string {
  let value = 0n;
  for (const byte of random.bytes(20)) value = (value << 8n) | BigInt(byte);
  const body = base62(value, BODY_LENGTH);
  return `clv_${body}${checksumOf(body)}`;
}

/** Whether text has the form of a token and its checksum is right. Needs no server. */
export function isWellFormedToken(text: string): boolean {
  const token = bareToken(text);
  return TOKEN.test(token) && checksumOf(token.slice(4, 4 + BODY_LENGTH)) === token.slice(4 + BODY_LENGTH);
}

/** The token without the `secret-token:` prefix of RFC 8959. */
export function bareToken(text: string): string {
  return text.startsWith(URI_PREFIX) ? text.slice(URI_PREFIX.length) : text;
}
