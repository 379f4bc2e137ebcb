// Replaces one value of a JSON text by splicing bytes at its JSON pointer (RFC 6901): nothing else of the body changes, so big
// numbers, key order and white space survive. A duplicate key on the way is refused, because two parsers would
// read two different requests. The text is checked for being JSON only as far as the scanner walks, which is all of it.

export type SpliceProblem = 'body-not-json' | 'body-duplicate-key' | 'body-pointer';

export type Spliced =
  | { readonly is: 'spliced'; readonly text: string; readonly before: string | null }
  | { readonly is: SpliceProblem };

interface Scan {
  readonly text: string;
  at: number;
  readonly path: readonly string[];
  /** Start and end of the value at the pointer. */
  hit: { from: number; to: number } | null;
  /** Where a missing last member can be added: after this brace. */
  open: { at: number; empty: boolean } | null;
}

class NotJson extends Error {}
class Duplicate extends Error {}

const DEPTH_MAX = 64;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** A piece of a string's inside. Bounded: one expression for all of it would need a stack as deep as the string is long. */
const INSIDE = /(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})){1,65536}/y;
const SPACE = /[ \t\n\r]*/y;

function skip(scan: Scan): void {
  SPACE.lastIndex = scan.at;
  SPACE.exec(scan.text);
  scan.at = SPACE.lastIndex;
}

function take(scan: Scan, pattern: RegExp): string {
  pattern.lastIndex = scan.at;
  const match = pattern.exec(scan.text);
  if (match === null) throw new NotJson();
  scan.at = pattern.lastIndex;
  return match[0];
}

/** Reads a string and gives its text, quotes and escapes included. */
function string(scan: Scan): string {
  const from = scan.at;
  take(scan, /"/y);
  while (scan.text[scan.at] !== '"') take(scan, INSIDE);
  scan.at++;
  return scan.text.slice(from, scan.at);
}

/** Walks one value; `depth` is how many segments of the pointer have matched, or -1 beside the path. */
function value(scan: Scan, depth: number, level: number): void {
  if (level > DEPTH_MAX) throw new NotJson();
  skip(scan);
  const from = scan.at;
  const first = scan.text[scan.at];
  if (first === '{') members(scan, depth, level);
  else if (first === '[') items(scan, depth, level);
  else if (first === '"') string(scan);
  else if (first === 't' || first === 'f' || first === 'n') take(scan, /true|false|null/y);
  else take(scan, NUMBER);
  if (depth === scan.path.length) scan.hit = { from, to: scan.at };
}

function members(scan: Scan, depth: number, level: number): void {
  const onPath = depth >= 0 && depth < scan.path.length;
  const keys = onPath ? new Set<string>() : null;
  scan.at++;
  const inside = scan.at;
  skip(scan);
  const empty = scan.text[scan.at] === '}';
  if (onPath && depth === scan.path.length - 1) scan.open = { at: inside, empty };
  if (empty) {
    scan.at++;
    return;
  }
  for (;;) {
    skip(scan);
    const key = JSON.parse(string(scan)) as string;
    if (keys?.has(key)) throw new Duplicate();
    keys?.add(key);
    skip(scan);
    take(scan, /:/y);
    value(scan, onPath && key === scan.path[depth] ? depth + 1 : -1, level + 1);
    skip(scan);
    if (take(scan, /[,}]/y) === '}') return;
  }
}

function items(scan: Scan, depth: number, level: number): void {
  const onPath = depth >= 0 && depth < scan.path.length;
  scan.at++;
  skip(scan);
  if (scan.text[scan.at] === ']') {
    scan.at++;
    return;
  }
  for (let index = 0; ; index++) {
    value(scan, onPath && scan.path[depth] === String(index) ? depth + 1 : -1, level + 1);
    skip(scan);
    if (take(scan, /[,\]]/y) === ']') return;
  }
}

/**
 * Puts `json` (itself JSON text) at `pointer`. Where the last member is missing it is added; where its parent is missing the
 * pointer leads nowhere. `before` is the JSON text that stood there.
 */
export function splice(text: string, pointer: string, json: string): Spliced {
  if (pointer !== '' && !pointer.startsWith('/')) return { is: 'body-pointer' };
  const path = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const scan: Scan = { text, at: 0, path, hit: null, open: null };
  try {
    value(scan, 0, 0);
    skip(scan);
    if (scan.at !== text.length) return { is: 'body-not-json' };
  } catch (error) {
    if (error instanceof Duplicate) return { is: 'body-duplicate-key' };
    if (error instanceof NotJson) return { is: 'body-not-json' };
    throw error;
  }
  if (scan.hit !== null) {
    const before = text.slice(scan.hit.from, scan.hit.to);
    return { is: 'spliced', text: text.slice(0, scan.hit.from) + json + text.slice(scan.hit.to), before };
  }
  if (scan.open === null) return { is: 'body-pointer' };
  const member = `${JSON.stringify(path[path.length - 1])}:${json}${scan.open.empty ? '' : ','}`;
  return { is: 'spliced', text: text.slice(0, scan.open.at) + member + text.slice(scan.open.at), before: null };
}
