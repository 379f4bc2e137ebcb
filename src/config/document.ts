// From the text of claviger.yaml to plain values, with the line and column of each, so that every error can say where it is.
// A small part of YAML 1.2 (core schema) is accepted: mappings with plain keys, sequences and scalars. Refused: directives, tags, anchors,
// aliases, merge keys, several documents, duplicate keys, and documents that are large or deep. Configuration is data, and no way
// of writing it may grow when it is read. Messages are our own: those of the library quote the text, which may hold a secret.
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { isStorableText } from '../model/json.ts';

export interface Position {
  /** Both count from 1; columns in UTF-16 code units. */
  readonly line: number;
  readonly column: number;
}

/** Something wrong in the file. `position` is null only where there is no file. */
export interface Problem {
  /** JSON pointer of what is wrong; the empty pointer is the whole file. */
  readonly pointer: string;
  readonly message: string;
  readonly position: Position | null;
}

/** Where an option stands: its key, and its value. Equal for entries of a sequence and for the whole document. */
export interface Place {
  readonly key: Position;
  readonly value: Position;
}

export type ConfigDocument =
  | { readonly is: 'read'; readonly value: unknown; readonly places: ReadonlyMap<string, Place> }
  | { readonly is: 'refused'; readonly problems: readonly Problem[] };

export const DOCUMENT_CHARACTERS_MAX = 131_072;
const DEPTH_MAX = 16;
/** More problems than anybody reads; the rest is only counted. */
const PROBLEMS_MAX = 50;

const SYNTAX: Readonly<Record<string, string>> = {
  ALIAS_PROPS: 'anchors and aliases are not accepted',
  BAD_ALIAS: 'anchors and aliases are not accepted',
  BAD_DIRECTIVE: 'directives are not accepted',
  BAD_DQ_ESCAPE: 'a wrong escape within double quotes',
  BAD_INDENT: 'wrong indentation, or a bracket that is not closed',
  BAD_PROP_ORDER: 'anchors and tags are not accepted',
  BAD_SCALAR_START: 'this character cannot begin a value: write the value in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a second colon on the line: write the value in quotes',
  BLOCK_IN_FLOW: 'a block within braces or brackets',
  KEY_OVER_1024_CHARS: 'a key that is too long',
  MISSING_CHAR: 'a closing quote, bracket, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'a key over several lines, or a line without a colon',
  MULTIPLE_ANCHORS: 'anchors are not accepted',
  MULTIPLE_DOCS: 'there is more than one document in the file',
  MULTIPLE_TAGS: 'tags are not accepted',
  NON_STRING_KEY: 'a key must be plain text',
  RESOURCE_EXHAUSTION: 'nested too deeply',
  TAB_AS_INDENT: 'a tab as indentation: use spaces',
  TAG_RESOLVE_FAILED: 'tags are not accepted',
  UNEXPECTED_TOKEN: 'something stands here that does not belong: values with special characters need quotes',
};

/** One segment of a JSON pointer (RFC 6901). */
export function pointerSegment(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Whether a key may be repeated in a message: it looks like the name of an option, and not like a value that went astray. */
export function isNameLike(key: string): boolean {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(key);
}

/** Reads the text of the file. An empty document is the empty mapping. Never throws, whatever the text. */
export function readDocument(text: string, charactersMax = DOCUMENT_CHARACTERS_MAX): ConfigDocument {
  const start = { line: 1, column: 1 };
  if (text.length > charactersMax) {
    return refuse([{ pointer: '', message: `longer than ${charactersMax} characters`, position: start }]);
  }
  const lines = new LineCounter();
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      // Looked for below in linear time: the library compares each key with all others.
      uniqueKeys: false,
      resolveKnownTags: false,
    });
  } catch {
    return refuse([{ pointer: '', message: 'not readable as YAML', position: start }]);
  }
  const findings = createFindings(lines);
  for (const { code, pos } of [...document.errors, ...document.warnings]) {
    findings.complain('', SYNTAX[code] ?? 'not readable as YAML', pos[0]);
  }
  if (document.directives.yaml.explicit === true) findings.complain('', SYNTAX['BAD_DIRECTIVE']!, 0);
  if (findings.problems.length > 0) return refuse(findings.problems);
  const value = document.contents === null ? {} : readNode(document.contents, { pointer: '', depth: 0 }, findings);
  if (findings.problems.length > 0) return refuse(findings.problems);
  // A document of nothing but comments, or of one null, is empty.
  return { is: 'read', value: value ?? {}, places: findings.places };
}

/** `line 3, column 5: ` and nothing where the position is not known. */
export function describePosition(position: Position | null): string {
  return position === null ? '' : `line ${position.line}, column ${position.column}: `;
}

function refuse(problems: readonly Problem[]): ConfigDocument {
  return { is: 'refused', problems };
}

/** What one pass over the nodes collects beside the values. */
interface Findings {
  readonly places: Map<string, Place>;
  readonly problems: Problem[];
  /** Offsets count from the start of the text. */
  place(pointer: string, keyOffset: number, valueOffset: number): void;
  complain(pointer: string, message: string, offset: number): null;
}

function createFindings(lines: LineCounter): Findings {
  const places = new Map<string, Place>();
  const problems: Problem[] = [];
  function position(offset: number): Position {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
  return {
    places,
    problems,
    place(pointer, keyOffset, valueOffset) {
      places.set(pointer, { key: position(keyOffset), value: position(valueOffset) });
    },
    complain(pointer, message, offset) {
      if (problems.length < PROBLEMS_MAX) problems.push({ pointer, message, position: position(offset) });
      return null;
    },
  };
}

interface At {
  readonly pointer: string;
  readonly depth: number;
  /** Where the key stands that the value belongs to. */
  readonly keyOffset?: number;
}

function readNode(node: Node, at: At, findings: Findings): unknown {
  const { pointer, depth } = at;
  const offset = node.range?.[0] ?? at.keyOffset ?? 0;
  findings.place(pointer, at.keyOffset ?? offset, offset);
  if (isAlias(node) || node.anchor !== undefined) return findings.complain(pointer, SYNTAX['BAD_ALIAS']!, offset);
  if (node.tag !== undefined) return findings.complain(pointer, SYNTAX['MULTIPLE_TAGS']!, offset);
  if (isScalar(node)) {
    if (typeof node.value !== 'string' || isStorableText(node.value)) return node.value;
    return findings.complain(pointer, 'text with U+0000 or half a surrogate pair', offset);
  }
  if (depth >= DEPTH_MAX) return findings.complain(pointer, SYNTAX['RESOURCE_EXHAUSTION']!, offset);
  if (isMap(node)) return readMapping(node.items as Pair[], { pointer, depth, keyOffset: offset }, findings);
  if (!isSeq(node)) return findings.complain(pointer, 'not readable as YAML', offset);
  return node.items.map((item, index) =>
    isNode(item)
      ? readNode(item, { pointer: `${pointer}/${index}`, depth: depth + 1 }, findings)
      : findings.complain(pointer, 'a pair within a list stands in braces', offset),
  );
}

/** Mappings have no prototype, so that no key means more than what it says. */
function readMapping(pairs: readonly Pair[], at: Required<At>, findings: Findings): unknown {
  const mapping: Record<string, unknown> = Object.create(null);
  for (const { key, value } of pairs) {
    if (!isScalar(key) || typeof key.value !== 'string') {
      findings.complain(at.pointer, SYNTAX['NON_STRING_KEY']!, at.keyOffset);
      continue;
    }
    const name = key.value;
    const keyOffset = key.range?.[0] ?? at.keyOffset;
    const pointer = `${at.pointer}/${pointerSegment(name)}`;
    const shown = isNameLike(name) ? pointer : at.pointer;
    if (key.anchor !== undefined) findings.complain(shown, SYNTAX['BAD_ALIAS']!, keyOffset);
    else if (key.tag !== undefined) findings.complain(shown, SYNTAX['MULTIPLE_TAGS']!, keyOffset);
    else if (Object.hasOwn(mapping, name)) findings.complain(shown, 'this key stands here twice', keyOffset);
    else if (name === '__proto__' || !isStorableText(name)) {
      findings.complain(at.pointer, 'this cannot be the name of anything', keyOffset);
    } else if (isNode(value)) {
      mapping[name] = readNode(value, { pointer, depth: at.depth + 1, keyOffset }, findings);
    } else {
      mapping[name] = null;
      findings.place(pointer, keyOffset, keyOffset);
    }
  }
  return mapping;
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}
