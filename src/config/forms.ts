// The forms in which people write quantities and addresses in the configuration: `90s`, `32KiB`, `127.0.0.1:8200`. Each is
// read into one unit or refused; nothing is guessed, so a number without its unit is no duration and no size.
// Not here: which quantities are sensible for an option (schema.ts).
import { parseAddress } from '../model/address.ts';

/** Seconds in each unit of a duration. */
const DURATION_UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
/** Bytes in each unit of a size. */
const SIZE_UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 };

export const DURATION = /^(0|[1-9][0-9]{0,7})([smhd])$/;
export const SIZE = /^(0|[1-9][0-9]{0,7})(B|KiB|MiB|GiB)$/;
/** An address and a port; an IPv6 address stands in brackets. What the pattern lets pass, `parseListen` still judges. */
export const LISTEN = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})):(0|[1-9][0-9]{0,4})$/;
/** An outbound proxy: `http://host:port`, with nothing behind it and no user. */
export const PROXY = /^http:\/\/(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253}):([1-9][0-9]{0,4})$/;

/** Seconds, a whole number, or null where the text is no duration: digits and one of s, m, h, d. */
export function parseDuration(text: string): number | null {
  return parseQuantity(text, DURATION, DURATION_UNITS);
}

/** Bytes, a whole number, or null where the text is no size: digits and one of B, KiB, MiB, GiB. */
export function parseSize(text: string): number | null {
  return parseQuantity(text, SIZE, SIZE_UNITS);
}

/** Where a listener listens. The host is an IP address in its canonical text, without brackets; port 0 is any free one. */
export function parseListen(text: string): { readonly host: string; readonly port: number } | null {
  const match = LISTEN.exec(text);
  if (match === null) return null;
  const address = parseAddress(match[1] ?? match[2]!);
  const port = Number(match[3]);
  // Brackets are for IPv6 alone, and IPv6 never stands without them.
  if (address === null || (address.family === 6) !== (match[1] !== undefined) || port > 65_535) return null;
  return { host: address.text, port };
}

/** Whether the text names an outbound proxy. */
export function isProxy(text: string): boolean {
  const match = PROXY.exec(text);
  return match !== null && Number(match[1]) <= 65_535;
}

function parseQuantity(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number | null {
  const match = pattern.exec(text);
  return match === null ? null : Number(match[1]) * units[match[2]!]!;
}
