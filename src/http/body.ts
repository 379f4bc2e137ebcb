// From the bytes of a body to a JSON value that may be worked with. What is not JSON is told apart from what is JSON and may not be
// stored: text with U+0000 or a lone surrogate, a member called __proto__, nesting beyond any use. Follows RFC 8259 and
// DESIGN section 9 ("free text round-trips").
import { isStorableText, type Json } from '../model/json.ts';
import { type Problem, problem } from './problem.ts';

export const BODY_BYTES_MAX = 1_048_576;
const DEPTH_MAX = 32;
const ERRORS_MAX = 50;

export type ParsedBody =
  | { readonly is: 'json'; readonly value: Json }
  | { readonly is: 'problem'; readonly problem: Problem };

/** Parses a body. Takes UTF-8 only, without a byte order mark. */
export function parseBody(bytes: Uint8Array): ParsedBody {
  let value: Json;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as Json;
  } catch {
    return { is: 'problem', problem: problem('malformed-json', 'the body cannot be parsed as JSON in UTF-8') };
  }
  const errors = unwelcome(value);
  if (errors.length > 0)
    return { is: 'problem', problem: problem('invalid', 'the body may not be stored', { errors }) };
  return { is: 'json', value };
}

interface Place {
  readonly value: Json;
  readonly pointer: string;
  readonly depth: number;
}

/** Everything in a value that may not be stored, by its JSON pointer. Walks without recursion: depth costs no stack. */
function unwelcome(root: Json): { pointer: string; detail: string }[] {
  const errors: { pointer: string; detail: string }[] = [];
  const places: Place[] = [{ value: root, pointer: '', depth: 0 }];
  for (let place = places.pop(); place !== undefined && errors.length < ERRORS_MAX; place = places.pop()) {
    const { value, pointer, depth } = place;
    if (typeof value === 'string') {
      if (!isStorableText(value)) errors.push({ pointer, detail: 'text holds U+0000 or a lone surrogate' });
    } else if (typeof value === 'object' && value !== null) {
      if (depth >= DEPTH_MAX) {
        errors.push({ pointer, detail: `nested deeper than ${DEPTH_MAX} levels` });
        continue;
      }
      for (const [name, member] of Object.entries(value) as [string, Json][]) {
        if (name === '__proto__' || !isStorableText(name)) {
          errors.push({ pointer, detail: 'a member has a name that is not allowed' });
        } else {
          places.push({ value: member, pointer: `${pointer}/${escapePointer(name)}`, depth: depth + 1 });
        }
      }
    }
  }
  return errors;
}

const NAME_LENGTH_MAX = 100;

/** A reference token of a JSON pointer (RFC 6901), cut to a bounded length: the name is the caller's text. */
export function escapePointer(name: string): string {
  return name.slice(0, NAME_LENGTH_MAX).toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1');
}
