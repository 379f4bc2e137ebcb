// Texts of a form: for keys and settings of which a declaration says no more than a pattern. Understands what such patterns are made of: literal
// text, classes of characters, groups of alternatives, how often each stands; what it cannot make it refuses, and is told by hand.
import { ALPHANUMERIC, type Prng } from './prng.ts';

const MARK = 'canary';
const TRIES = 20;
/** As many of what may stand more often: long enough to be a key, short enough to be read. */
const LENGTH = 32;
const PRINTABLE = Array.from({ length: 0x7f - 0x20 }, (_, n) => String.fromCharCode(0x20 + n));

/** What stands at one place of a pattern, and how often. */
interface Atom {
  readonly make: (count: number) => string;
  readonly end: number;
}

/** The place behind the bracket that closes the one at `from`. */
function closing(pattern: string, from: number, [open, close]: readonly [string, string]): number {
  let depth = 0;
  let isClass = false;
  for (let i = from; i < pattern.length; i++) {
    if (pattern[i] === '\\') i++;
    else if (pattern[i] === '[' && open !== '[') isClass = true;
    else if (pattern[i] === ']' && open !== '[') isClass = false;
    else if (isClass) continue;
    else if (pattern[i] === open) depth++;
    else if (pattern[i] === close && (open === '[' || --depth === 0)) return i + 1;
  }
  throw new Error('a bracket is not closed');
}

/** The alternatives of a group's inside. */
function alternatives(inside: string): string[] {
  const found = [''];
  let depth = 0;
  for (let i = 0; i < inside.length; i++) {
    if (inside[i] === '(' || inside[i] === '[') depth++;
    if (inside[i] === ')' || inside[i] === ']') depth--;
    if (inside[i] === '|' && depth === 0) found.push('');
    else found.push(found.pop()! + (inside[i] === '\\' ? inside.slice(i, ++i + 1) : inside[i]!));
  }
  return found;
}

function classAtom(pattern: string, from: number, random: Prng): Atom {
  const end = closing(pattern, from, ['[', ']']);
  const form = new RegExp(`^${pattern.slice(from, end)}$`, 'u');
  const alphabet =
    [...ALPHANUMERIC].filter((one) => form.test(one)).join('') || PRINTABLE.filter((one) => form.test(one)).join('');
  return {
    make(count) {
      const canMark = count >= 2 * MARK.length && [...MARK].every((one) => form.test(one));
      return (canMark ? MARK : '') + random.text(count - (canMark ? MARK.length : 0), alphabet);
    },
    end,
  };
}

function atomAt(pattern: string, from: number, random: Prng): Atom {
  const literal = (text: string, end: number): Atom => ({ make: (count) => text.repeat(count), end });
  if (pattern.startsWith('(?!', from)) return literal('', closing(pattern, from, ['(', ')']));
  if (pattern[from] === '(') {
    const end = closing(pattern, from, ['(', ')']);
    const inside = pattern.slice(from + (pattern.startsWith('(?:', from) ? 3 : 1), end - 1);
    const [first = ''] = alternatives(inside);
    return { make: (count) => Array.from({ length: count }, () => drawn(first, random)).join(''), end };
  }
  if (pattern[from] === '[') return classAtom(pattern, from, random);
  if (pattern[from] === '.') return { make: (count) => random.text(count, ALPHANUMERIC), end: from + 1 };
  if (pattern.startsWith('\\b', from)) return literal('', from + 2);
  if (pattern[from] === '\\') return literal(pattern[from + 1] ?? '', from + 2);
  return literal(pattern[from]!, from + 1);
}

/** How often what stands before it does, and the place behind. */
function countAt(pattern: string, from: number): readonly [count: number, end: number] {
  const [whole, least, comma, most] = /^\{(\d+)(,?)(\d*)\}/.exec(pattern.slice(from)) ?? [];
  if (whole !== undefined) {
    const upTo = comma === '' ? Number(least) : Math.min(most === '' ? LENGTH : Number(most), LENGTH);
    return [Math.max(Number(least), upTo), from + whole.length];
  }
  if (pattern[from] === '?' || pattern[from] === '*') return [0, from + 1];
  return [1, pattern[from] === '+' ? from + 1 : from];
}

function drawn(pattern: string, random: Prng): string {
  let text = '';
  for (let i = 0; i < pattern.length; ) {
    const atom = atomAt(pattern, i, random);
    const [count, end] = countAt(pattern, atom.end);
    text += atom.make(count);
    i = end;
  }
  return text;
}

/** A text that an anchored pattern matches, with the mark of test secrets where there is room for it. Throws where none was found. */
export function textOfForm(pattern: string, random: Prng): string {
  const form = new RegExp(pattern, 'u');
  for (let tries = 0; tries < TRIES; tries++) {
    const text = drawn(pattern.replace(/^\^/, '').replace(/\$$/, ''), random);
    if (form.test(text)) return text;
  }
  throw new Error(`no text is known that ${pattern} matches: say how it looks`);
}
