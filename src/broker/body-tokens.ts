// Tokens in a JSON body: the caller's own where a client writes the provider's key there, and handles, which are tokens bound to a second
// credential. Finds every one and says at which pointer it stands; what stands where no value can be replaced (in a key, in a member that
// is named twice, inside a longer text) has no place. Not here: what a token means (plan.ts, companion.ts), writing (splice.ts).
import { bareToken } from '../access/token.ts';
import { type FoundToken, MARK, tokensIn } from './inject.ts';

const NONE: readonly FoundToken[] = [];
/** As deep as splice.ts reads. */
const DEPTH_MAX = 64;

/** The texts of all string literals, keys included, without their quotes. The text is JSON, or what is found means nothing. */
function* literalsOf(text: string): Generator<string> {
  for (let from = text.indexOf('"'); from >= 0; ) {
    let to = from + 1;
    while (to < text.length && text[to] !== '"') to += text[to] === '\\' ? 2 : 1;
    const raw = text.slice(from + 1, to);
    yield raw.includes('\\u') ? unescaped(raw) : raw;
    from = text.indexOf('"', to + 1);
  }
}

function unescaped(raw: string): string {
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}

function walk(value: unknown, pointer: string, depth: number, found: FoundToken[]): void {
  if (typeof value === 'string') {
    if (!value.includes(MARK)) return;
    for (const text of tokensIn(value)) {
      found.push({ text, header: null, query: null, ...(bareToken(value) === text ? { pointer } : {}) });
    }
    return;
  }
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return;
  for (const [name, member] of Object.entries(value)) {
    walk(member, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1, found);
  }
}

/** Every token in a JSON text, in its members' order; none where the text is no JSON. Those without a pointer may not stay where they are. */
export function tokensOfBody(text: string): readonly FoundToken[] {
  if (!text.includes(MARK) && !text.includes('\\u')) return NONE;
  const written: string[] = [];
  for (const literal of literalsOf(text)) if (literal.includes(MARK)) written.push(...tokensIn(literal));
  if (written.length === 0) return NONE;
  const found: FoundToken[] = [];
  try {
    walk(JSON.parse(text), '', 0, found);
  } catch {
    return NONE;
  }
  // What the parser dropped, or never took for a value.
  for (const { text: seen } of found) {
    const at = written.indexOf(seen);
    if (at >= 0) written.splice(at, 1);
  }
  for (const hidden of written) found.push({ text: hidden, header: null, query: null });
  return found;
}
