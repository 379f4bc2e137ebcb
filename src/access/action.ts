// From a raw request target to an action of the catalogue. Strict: what would need normalising is refused, because a broker and a
// provider that normalise differently judge different requests. Compared are escaped, whole segments; nothing is decoded but
// parameter values that a grant constrains, and those only where decoding is unambiguous.
import type { Action } from '../providers/provider.ts';

export type TargetProblem =
  | 'target-form'
  | 'encoded-dot'
  | 'encoded-slash'
  | 'encoded-backslash'
  | 'encoded-control'
  | 'encoded-unreserved'
  | 'bad-encoding'
  | 'empty-segment'
  | 'dot-segment'
  | 'path-parameter'
  | 'method-override'
  | 'repeated-parameter';

/** One path parameter or literal of a template. */
interface Branch {
  readonly literals: Map<string, Branch>;
  parameter: Branch | null;
  readonly leaves: Map<string, Leaf>;
  /** Actions whose last parameter takes all segments that are left: `{rest*}`. */
  readonly rests: Map<string, Leaf>;
}

interface Leaf {
  readonly action: Action;
  readonly names: readonly string[];
}

/** The compiled catalogue of one provider. */
export interface Catalogue {
  readonly root: Branch;
  readonly methods: ReadonlySet<string>;
  /** Paths that mint, and whatever a provider might take for one of them: no `{rest*}` leads there. */
  readonly minting: readonly RegExp[];
  /** Whether any action's WebSocket has its key in the first message. */
  readonly hasFirstFrames: boolean;
}

function emptyBranch(): Branch {
  return { literals: new Map(), parameter: null, leaves: new Map(), rests: new Map() };
}

/** Compiles a catalogue. Throws where two actions would match the same requests: that is a programmer's error. */
export function compileCatalogue(actions: readonly Action[]): Catalogue {
  const root = emptyBranch();
  const methods = new Set<string>();
  for (const action of actions) {
    methods.add(action.method);
    let branch = root;
    const names: string[] = [];
    const segments = action.path.split('/').slice(1);
    const rest = /^\{(\w+)\*\}$/.exec(segments[segments.length - 1]!);
    if (rest !== null) segments.pop();
    for (const segment of segments) {
      const parameter = /^\{(\w+)\}$/.exec(segment);
      if (parameter === null) {
        let next = branch.literals.get(segment);
        if (next === undefined) {
          next = emptyBranch();
          branch.literals.set(segment, next);
        }
        branch = next;
        continue;
      }
      names.push(parameter[1]!);
      branch.parameter ??= emptyBranch();
      branch = branch.parameter;
    }
    const leaves = rest === null ? branch.leaves : branch.rests;
    if (leaves.has(action.method)) throw new Error(`two actions for ${action.method} ${action.path}`);
    leaves.set(action.method, { action, names: rest === null ? names : [...names, rest[1]!] });
  }
  const minting = actions.filter((action) => action.mints === true).map((action) => lookalikesOf(action.path));
  return { root, methods, minting, hasFirstFrames: actions.some((action) => action.firstFrame !== undefined) };
}

/** A path in another case, with a slash or an extension behind it, or below it. */
function lookalikesOf(path: string): RegExp {
  const segments = path.split('/').map((segment) => (segment.startsWith('{') ? '[^/]+' : RegExp.escape(segment)));
  return new RegExp(`^${segments.join('/')}(?:[/.].*)?$`, 'i');
}

export interface Match {
  readonly action: Action;
  /** Path parameters by name, decoded: unambiguous, since encodings of unreserved characters were refused. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** Finds the action of a checked path. A literal segment beats a parameter; where the literal leads nowhere the parameter is tried. */
export function matchAction(catalogue: Catalogue, method: string, path: string): Match | null {
  const segments = path.split('/');
  const values: string[] = [];
  const leaf = walk(catalogue.root, segments, 1, method, values);
  if (leaf === null) return null;
  if (leaf.action.path.endsWith('*}') && catalogue.minting.some((one) => one.test(path))) return null;
  const parameters: Record<string, string> = {};
  for (let i = 0; i < leaf.names.length; i++) {
    const value = values[i]!;
    const decoded = value.includes('%') ? decodeFormPart(value.replaceAll('+', '%2B')) : value;
    if (decoded === null) return null;
    parameters[leaf.names[i]!] = decoded;
  }
  return { action: leaf.action, parameters };
}

function walk(branch: Branch, segments: readonly string[], at: number, method: string, values: string[]): Leaf | null {
  if (at === segments.length) {
    const leaf = branch.leaves.get(method);
    return leaf !== undefined && mayHoldSlashes(leaf, values) ? leaf : null;
  }
  const segment = segments[at]!;
  const literal = branch.literals.get(segment);
  if (literal !== undefined) {
    const found = walk(literal, segments, at + 1, method, values);
    if (found !== null) return found;
  }
  if (branch.parameter !== null && segment !== '') {
    values.push(segment);
    const found = walk(branch.parameter, segments, at + 1, method, values);
    if (found !== null) return found;
    values.pop();
  }
  return restOf(branch, segments, at, method, values);
}

/** The action that takes whatever is left, where nothing more exact was found. */
function restOf(
  branch: Branch,
  segments: readonly string[],
  at: number,
  method: string,
  values: string[],
): Leaf | null {
  const leaf = branch.rests.get(method);
  if (leaf === undefined) return null;
  const rest = segments.slice(at).join('/');
  if (/%2f/i.test(rest) && leaf.action.slashes?.includes(leaf.names[leaf.names.length - 1]!) !== true) return null;
  values.push(rest);
  if (mayHoldSlashes(leaf, values)) return leaf;
  values.pop();
  return null;
}

/** Whether every encoded slash stands in a parameter for which this very action declares it. */
function mayHoldSlashes(leaf: Leaf, values: readonly string[]): boolean {
  return values.every(
    (value, i) => !value.includes('%') || !/%2f/i.test(value) || leaf.action.slashes?.includes(leaf.names[i]!) === true,
  );
}

/** A path of plain characters: no escapes, no empty segment. Dot segments are looked for separately. */
/** A path may end with a slash: then it is another path, which the catalogue has or has not. */
const PLAIN_PATH = /^(?:\/[A-Za-z0-9._~!$&'()*+,=:@-]+)+\/?$/;
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/;
/** What RFC 3986 allows in a path, and the backslash, which has a reason of its own. Whatever else a normaliser would escape. */
const TARGET = /^\/[A-Za-z0-9._~!$&'()*+,;=:@%/\\-]*$/;

/**
 * What is wrong with a path, or null. An encoded slash is passed here, and refused by `matchAction` where the parameter does
 * not declare that it takes one.
 */
export function pathProblem(path: string): TargetProblem | null {
  if (PLAIN_PATH.test(path)) return DOT_SEGMENT.test(path) ? 'dot-segment' : null;
  if (!TARGET.test(path)) return 'target-form';
  if (path.includes('\\')) return 'encoded-backslash';
  if (path.includes(';')) return 'path-parameter';
  for (let i = path.indexOf('%'); i >= 0; i = path.indexOf('%', i + 1)) {
    const problem = escapeProblem(path.slice(i + 1, i + 3));
    if (problem !== null) return problem;
  }
  if (path.includes('//')) return 'empty-segment';
  if (DOT_SEGMENT.test(path)) return 'dot-segment';
  return null;
}

function escapeProblem(hex: string): TargetProblem | null {
  if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return 'bad-encoding';
  const code = Number.parseInt(hex, 16);
  if (code === 0x2e) return 'encoded-dot';
  if (code === 0x5c) return 'encoded-backslash';
  if (code < 0x20 || code === 0x7f) return 'encoded-control';
  if (code === 0x25) return 'bad-encoding';
  if (/[A-Za-z0-9\-_~]/.test(String.fromCharCode(code))) return 'encoded-unreserved';
  return null;
}

export interface Query {
  /** Values of the parameters that were asked for, decoded; a parameter that is absent is absent. */
  readonly values: Readonly<Record<string, string>>;
  readonly problem: TargetProblem | null;
}

/** The values of a query in which nothing wanted stands. */
export const NO_VALUES: Readonly<Record<string, string>> = {};
const NO_QUERY: Query = { values: NO_VALUES, problem: null };
const QUERY_FORM = /[^\x21-\x7e]|#/;
/** A query without these has no name that could be a method override, however it is spelt. */
const MAY_OVERRIDE = /[_%.[]/;
/** A query without these says its names as they are, but for their case. */
const MAY_RESPELL = /[+;]/;

/**
 * What providers may take a query's name for, in lower case: some trim it, end it at a NUL or ignore its case, some cut it at a bracket or
 * a dot, and PHP makes `_` of dots, spaces and an open bracket.
 */
function readingsOf(name: string): string[] {
  if (/^[A-Za-z0-9_-]*$/.test(name)) return [name.toLowerCase()];
  const plain = name
    .replace(/\u0000.*$/s, '')
    .trim()
    .toLowerCase();
  const beforeBracket = plain.replace(/\[.*$/s, '');
  const beforeDot = beforeBracket.replace(/\..*$/s, '').trim();
  return [beforeDot, beforeBracket.replace(/[ .]/g, '_'), plain.replace(/[ .[]/g, '_')];
}

/** Whether a parameter is among the readings of a name. One that has a dot of its own (`account.id`) is read with it, or with a `_` for it. */
function isRead(readings: readonly string[], parameter: string): boolean {
  const lower = parameter.toLowerCase();
  return readings.includes(lower.includes('.') ? lower.replaceAll('.', '_') : lower);
}

/** Whether no wanted name stands anywhere in a query that has no override: what most requests are, and soon said. */
function holdsNone(query: string, wanted: readonly string[]): boolean {
  if (MAY_RESPELL.test(query)) return false;
  const lower = query.toLowerCase();
  return !wanted.some((name) => lower.includes(name.toLowerCase()));
}

/**
 * Reads the wanted parameters of a query (without its `?`). A wanted parameter that comes twice, in whatever spelling (`a`, `a[]`, `%61`,
 * `A`), or in another one than its own, or beside a `;`, which some take for `&`, is a problem, and so is a method override.
 */
export function readQuery(query: string, wanted: readonly string[]): Query {
  if (query === '') return NO_QUERY;
  if (QUERY_FORM.test(query)) return { values: {}, problem: 'target-form' };
  if (!MAY_OVERRIDE.test(query) && (wanted.length === 0 || holdsNone(query, wanted))) return NO_QUERY;
  const values: Record<string, string> = {};
  for (const pair of query.split('&')) {
    const parts = pair.split(';');
    for (const part of parts) {
      const equals = part.indexOf('=');
      const name = decodeFormPart(equals < 0 ? part : part.slice(0, equals));
      if (name === null) return { values: {}, problem: 'bad-encoding' };
      const readings = readingsOf(name);
      if (readings.includes('_method')) return { values: {}, problem: 'method-override' };
      const meant = wanted.includes(name) ? name : wanted.find((one) => isRead(readings, one));
      if (meant === undefined) continue;
      const value = decodeFormPart(equals < 0 ? '' : part.slice(equals + 1));
      if (value === null) return { values: {}, problem: 'bad-encoding' };
      // It is recorded with the use, and what is recorded may not hold U+0000.
      if (value.includes('\u0000')) return { values: {}, problem: 'encoded-control' };
      const isPlain = name === meant && parts.length === 1;
      if (!isPlain || values[meant] !== undefined) return { values: {}, problem: 'repeated-parameter' };
      values[meant] = value;
    }
  }
  return { values, problem: null };
}

/** Whether a provider may read a pair of a query as this parameter, in whatever spelling. */
export function mayName(pair: string, parameter: string): boolean {
  return pair.split(';').some((part) => {
    const name = decodeFormPart(part.split('=', 1)[0]!);
    return name === null || isRead(readingsOf(name), parameter);
  });
}

function decodeFormPart(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return null;
  }
}

/** Headers with which a request can ask to be treated as another method. Any of them is refused. */
export const OVERRIDE_HEADERS: ReadonlySet<string> = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-original-method',
  'x-original-url',
  'x-rewrite-url',
]);
