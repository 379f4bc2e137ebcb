// Our labels as names that Supabase takes: `^[a-z_][a-z0-9_]+$`, 4 to 64 characters (its OpenAPI document, CreateApiKeyBody.name, read
// 2026-11-21). A label holds slashes and more, and must be read back whole: it is what tells our keys from a person's. So every
// label has one name, every such name one label, and a name of any other form is a person's and stays as it is.
//
//   clv/0a1b2c3d/4e5f…/6a7b…/1  <->  claviger_clv__0a1b2c3d__4e5f…__6a7b…__1
import { Failure } from '../model/failure.ts';

const PREFIX = 'claviger_';
const NAME_LENGTH_MAX = 64;
const ESCAPES: Readonly<Record<string, string>> = { '/': '__', '-': '_h', '.': '_d', _: '_u' };
const ESCAPED = /^(?:[a-z0-9]|__|_[hdu]|_x[a-z])+$/;

function escapeOf(character: string): string {
  const escaped = ESCAPES[character] ?? (/^[A-Z]$/.test(character) ? `_x${character.toLowerCase()}` : undefined);
  if (escaped === undefined) throw new Failure('invalid', 'a label holds letters, digits, dots, dashes and slashes');
  return escaped;
}

/** The name of a label. Throws `invalid` for one that has none: an empty or too long one, or one with other characters than labels have. */
export function nameOfLabel(label: string): string {
  const name = PREFIX + label.replaceAll(/[^a-z0-9]/gu, escapeOf);
  if (label === '' || name.length > NAME_LENGTH_MAX)
    throw new Failure(
      'invalid',
      `at Supabase a label has at most ${NAME_LENGTH_MAX - PREFIX.length} characters, escaped`,
    );
  return name;
}

function characterOf(sequence: string): string {
  const found = Object.keys(ESCAPES).find((character) => ESCAPES[character] === sequence);
  return found ?? sequence.slice(2).toUpperCase();
}

/** The label of a name, or the name itself where no label has it. */
export function labelOfName(name: string): string {
  const escaped = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : '';
  if (!ESCAPED.test(escaped)) return name;
  return escaped.replaceAll(/_(?:_|[hdu]|x[a-z])/g, characterOf);
}
