// CRC-32 (ISO 3309, as zlib and PHP's `crc32b` have it): the checksum that some providers put at the end of their keys. It tells a key from a
// text that only looks like one, offline; it proves nothing of the key's life.

/** The polynomial, its bits reversed. */
const POLYNOMIAL = 0xedb88320;

/** The checksum of the text's UTF-8 bytes, as an unsigned number. */
export function crc32(text: string): number {
  let rest = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? (rest >>> 1) ^ POLYNOMIAL : rest >>> 1;
  }
  return ~rest >>> 0;
}
