// Takes a request's own keys out of the answer, should the service echo it. Only those: a new key that the answer brings
// must stay readable. Covered: the key as it is, each character in any mixture of its literal form, its JSON escapes and its
// percent-encoding, and for a basic credential the base64 token. Not covered: other encodings (base64 of parts, hex, HTML
// entities, `+` for a space, anything encoded twice), a key cut in pieces. Works on whole, bounded texts; streams are the broker's.
import { basicToken, KEY_BYTES_MIN, type Written } from './inject.ts';

export const SCRUBBED = '[scrubbed]';

/** A text as characters: what each one means, and where it begins in the text; one more start than characters. */
interface Characters {
  readonly count: number;
  readonly codes: Uint16Array;
  readonly starts: Uint32Array;
}

/** The short escapes of printable characters; keys hold no others. */
const JSON_ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/' };
const UNICODE_ESCAPE = /^\\u00[0-9a-f]{2}$/i;
const PERCENT = /^%[0-7][0-9a-f]$/i;

/** The escape that begins at `at`: what it means and its length in the text; null where there is none. */
function escapeAt(text: string, at: number): { meant: string; length: number } | null {
  if (text[at] === '%') {
    const form = text.slice(at, at + 3);
    return PERCENT.test(form) ? { meant: String.fromCharCode(Number.parseInt(form.slice(1), 16)), length: 3 } : null;
  }
  if (text[at] !== '\\') return null;
  const form = text.slice(at, at + 6);
  if (UNICODE_ESCAPE.test(form)) return { meant: String.fromCharCode(Number.parseInt(form.slice(4), 16)), length: 6 };
  const meant = JSON_ESCAPES[text.charAt(at + 1)];
  return meant === undefined ? null : { meant, length: 2 };
}

/**
 * The text as characters, escapes read as what they mean. Only where they mean a character of the needle: a stray `%1` or
 * backslash in front of the key must not swallow its first character.
 */
function charactersOf(text: string, needle: string, isDecoded: boolean): Characters {
  const codes = new Uint16Array(text.length);
  const starts = new Uint32Array(text.length + 1);
  let count = 0;
  let at = 0;
  while (at < text.length) {
    const escaped = isDecoded ? escapeAt(text, at) : null;
    const isRead = escaped !== null && needle.includes(escaped.meant);
    codes[count] = isRead ? escaped.meant.charCodeAt(0) : text.charCodeAt(at);
    starts[count] = at;
    count++;
    at += isRead ? escaped.length : 1;
  }
  starts[count] = text.length;
  return { count, codes, starts };
}

/** For each position of the needle, how much of its beginning is matched again there (Knuth, Morris and Pratt): keeps the search linear for every key. */
function fallbacksOf(needle: string): Int32Array {
  const fallbacks = new Int32Array(needle.length);
  let matched = 0;
  for (let i = 1; i < needle.length; i++) {
    while (matched > 0 && needle[i] !== needle[matched]) matched = fallbacks[matched - 1]!;
    if (needle[i] === needle[matched]) matched++;
    fallbacks[i] = matched;
  }
  return fallbacks;
}

function replaceAll(text: string, needle: string, isDecoded: boolean): string {
  const { count, codes, starts } = charactersOf(text, needle, isDecoded);
  const fallbacks = fallbacksOf(needle);
  const parts: string[] = [];
  let copied = 0;
  let matched = 0;
  for (let i = 0; i < count; i++) {
    while (matched > 0 && codes[i] !== needle.charCodeAt(matched)) matched = fallbacks[matched - 1]!;
    if (codes[i] === needle.charCodeAt(matched)) matched++;
    if (matched < needle.length) continue;
    parts.push(text.slice(copied, starts[i + 1 - needle.length]), SCRUBBED);
    copied = starts[i + 1]!;
    matched = 0;
  }
  return parts.length === 0 ? text : parts.join('') + text.slice(copied);
}

/** A function that replaces every occurrence of what was written and is secret by `[scrubbed]`, in time linear in the text. */
export function createScrubber(written: readonly Written[]): (text: string) => string {
  const needles = new Set<string>();
  for (const one of written) {
    if (one.isSecret) needles.add(one.text);
    if (one.isUserSecret && one.user !== null) needles.add(one.user);
    if (one.place.in !== 'basic') continue;
    needles.add(basicToken(one));
    // Where the part is `user:password` itself, the password alone gives as much away. A shorter one would take half of the answer with it.
    const password = one.user === null ? one.text.slice(one.text.indexOf(':') + 1) : '';
    if (one.isSecret && password.length >= KEY_BYTES_MIN) needles.add(password);
  }
  return function scrub(answer: string): string {
    let text = answer;
    for (const needle of needles) text = replaceAll(replaceAll(text, needle, false), needle, true);
    return text;
  };
}
