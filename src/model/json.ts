// JSON values and their canonical form (RFC 8785, JCS): keys sorted by UTF-16 code units, no white space, numbers as
// ECMAScript prints them, strings with the shortest escapes. ECMAScript's own JSON.stringify already is JCS for strings and
// numbers, so only the order of keys is ours. Text with U+0000 or a lone surrogate is refused, as DESIGN section 9 says.
import { Failure } from './failure.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

const UNWELCOME = /\u0000|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/** Whether text may be stored: no U+0000, no lone surrogate. */
export function isStorableText(text: string): boolean {
  return !UNWELCOME.test(text);
}

/** The canonical text of a value. Throws `invalid` for text that may not be stored, for NaN, infinities and -0 stays 0. */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Failure('invalid', 'a number that JSON cannot hold');
    return JSON.stringify(value);
  }
  if (typeof value === 'string') {
    if (!isStorableText(value)) throw new Failure('invalid', 'text holds U+0000 or a lone surrogate');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalJson(item)).join(',')}]`;
  const object = value as JsonObject;
  const parts: string[] = [];
  for (const key of Object.keys(object).sort()) {
    const member = object[key];
    if (member === undefined) continue;
    parts.push(`${canonicalJson(key)}:${canonicalJson(member)}`);
  }
  return `{${parts.join(',')}}`;
}
