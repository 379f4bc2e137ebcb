// Bodies for the answers that a declaration names: the least that makes a rule's condition true. For the twin of a declaration (declared.ts).
import type { Json, JsonObject } from '../src/model/json.ts';
import type { DeclaredCondition } from '../src/providers/declaration.ts';
import { at } from '../src/providers/declared-answers.ts';
import { textOfForm } from './declared.texts.ts';
import type { KitAnswer } from './kit.ts';
import { prng } from './prng.ts';

/** A copy with a value at the pointer; what leads there is made: arrays for numbers, objects for names. */
export function withValue(body: Json, pointer: string, value: Json): Json {
  const [, raw, ...rest] = pointer.split('/');
  if (raw === undefined) return value;
  const token = raw.replaceAll('~1', '/').replaceAll('~0', '~');
  const below = rest.length === 0 ? '' : `/${rest.join('/')}`;
  if (/^[0-9]+$/.test(token)) {
    const items = Array.isArray(body) ? [...body] : [];
    items[Number(token)] = withValue(items[Number(token)] ?? {}, below, value);
    return items;
  }
  const members = typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as JsonObject) : {};
  return { ...members, [token]: withValue(members[token] ?? {}, below, value) };
}

type Wanted = NonNullable<DeclaredCondition['json']>[string];

function valueFor(wanted: Wanted): Json | undefined {
  if (typeof wanted !== 'object' || wanted === null) return wanted;
  if ('oneOf' in wanted) return wanted.oneOf[0]!;
  if ('noneOf' in wanted) return 'another';
  if ('matches' in wanted) return textOfForm(wanted.matches, prng(1));
  if ('exists' in wanted) return wanted.exists ? 'something' : undefined;
  return { array: [], object: {}, string: 'text' }[wanted.is];
}

export interface AnyRule {
  readonly status: number | number[];
  readonly name: string;
  readonly when?: DeclaredCondition | undefined;
}

/** The answer that a rule is for: its first status, and a body in which its condition holds beside what is given. */
export function answerFor(rule: AnyRule, body: Json = null): KitAnswer {
  const status = [rule.status].flat()[0]!;
  const { json = {}, contains } = rule.when ?? {};
  if (contains !== undefined) return { status, body: `<p>${contains}</p>`, headers: { 'content-type': 'text/plain' } };
  const whole = Object.entries(json).reduce<Json>((made, [pointer, wanted]) => {
    const value = valueFor(wanted);
    return value === undefined ? made : withValueUnlessThere(made, pointer, value);
  }, body);
  return { status, body: status === 204 ? null : whole };
}

/** Objects and arrays that are there stay; texts and numbers become what the rule wants. */
function withValueUnlessThere(body: Json, pointer: string, value: Json): Json {
  const isContainer = typeof value === 'object' && value !== null;
  const there = isContainer ? at(body, pointer) : undefined;
  return typeof there === 'object' && there !== null ? body : withValue(body ?? {}, pointer, value);
}
