// Reading answers by declaration: what stands at a pointer, whether a condition holds, which rule speaks, and values in their forms.
// Pointers follow RFC 6901.
import type { Json, JsonObject } from '../model/json.ts';
import type { DeclaredCondition, DeclaredTime } from './declaration.ts';
import type { ProviderAnswer } from './provider.ts';

const RETRY_AFTER_MAX_MS = 3_600_000;
const TEXT_MAX = 256;

export function headerOf(answer: ProviderAnswer, name: string): string | null {
  for (const [key, value] of Object.entries(answer.headers)) if (key.toLowerCase() === name) return value;
  return null;
}

export function retryAfterMs(answer: ProviderAnswer): number | null {
  const value = headerOf(answer, 'retry-after')?.trim() ?? '';
  if (!/^[0-9]{1,9}$/.test(value)) return null;
  return Math.min(Number(value) * 1000, RETRY_AFTER_MAX_MS);
}

/** What stands at a pointer; undefined where nothing does. */
export function at(json: Json | undefined, pointer: string): Json | undefined {
  let value: Json | undefined = json;
  for (const raw of pointer.split('/').slice(1)) {
    const token = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value)) value = /^(?:0|[1-9][0-9]*)$/.test(token) ? value[Number(token)] : undefined;
    else value = Object.hasOwn(value, token) ? (value as JsonObject)[token] : undefined;
  }
  return value;
}

export function holds(condition: DeclaredCondition | undefined, json: Json | undefined, text: string): boolean {
  if (condition === undefined) return true;
  if (condition.contains !== undefined && !text.includes(condition.contains)) return false;
  return Object.entries(condition.json ?? {}).every(([pointer, wanted]) => {
    const value = at(json, pointer);
    if (typeof wanted !== 'object' || wanted === null) return value === wanted;
    if ('oneOf' in wanted) return wanted.oneOf.some((one) => one === value);
    if ('noneOf' in wanted) return value !== undefined && !wanted.noneOf.some((one) => one === value);
    if ('matches' in wanted) return typeof value === 'string' && new RegExp(wanted.matches, 'u').test(value);
    if ('exists' in wanted) return (value !== undefined) === wanted.exists;
    if (wanted.is === 'array') return Array.isArray(value);
    if (wanted.is === 'string') return typeof value === 'string';
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  });
}

export function ruleFor<
  Rule extends { readonly status: number | number[]; readonly when?: DeclaredCondition | undefined },
>(rules: readonly Rule[], answer: ProviderAnswer): Rule | null {
  return (
    rules.find((rule) => [rule.status].flat().includes(answer.status) && holds(rule.when, answer.json, answer.text)) ??
    null
  );
}

export function timeAt(json: Json | undefined, time: DeclaredTime | undefined): number | null {
  const value = time === undefined ? undefined : at(json, time.at);
  if (time?.in === 'rfc3339') {
    const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
    return Number.isNaN(ms) ? null : ms;
  }
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return null;
  return time?.in === 'unix' ? Math.round(value * 1000) : Math.round(value);
}

/** Ids are text or whole numbers; a number that JavaScript cannot hold would be another key's id. */
export function idAt(json: Json | undefined, pointer: string): string | null {
  const value = at(json, pointer);
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? String(value) : null;
  return typeof value === 'string' && /^[\x21-\x7e]{1,200}$/.test(value) ? value : null;
}

export function namesAt(json: Json | undefined, pointer: string | undefined): readonly string[] | null {
  const value = pointer === undefined ? undefined : at(json, pointer);
  if (typeof value === 'string') return value.split(/[ ,]+/).filter((one) => one !== '');
  return Array.isArray(value) && value.every((one) => typeof one === 'string') ? (value as string[]) : null;
}

const HINT_LENGTH_MAX = 4;
const HINT_LENGTH_MIN = 3;

/** The last characters of a key that is shown in part: `sk-...a1b2`. Null where fewer, or other characters, end the text. */
export function hintAt(json: Json | undefined, pointer: string): string | null {
  const value = at(json, pointer);
  const [, hint] = typeof value === 'string' ? (/([A-Za-z0-9_-]+)$/.exec(value) ?? []) : [];
  return hint === undefined || hint.length < HINT_LENGTH_MIN ? null : hint.slice(-HINT_LENGTH_MAX);
}

/** Only what looks like an id is kept: evidence is published, and a request id is the peer's text. */
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,60}$/;

/** The first of these headers, else of these places in the body, that holds something like an id. Names in lower case. */
export function requestIdOf(
  answer: ProviderAnswer,
  where: { readonly headers: readonly string[]; readonly pointers: readonly string[] },
): string | null {
  const candidates = [
    ...where.headers.map((name) => headerOf(answer, name)),
    ...where.pointers.map((pointer) => at(answer.json, pointer)),
  ];
  return candidates.find((one): one is string => typeof one === 'string' && REQUEST_ID.test(one)) ?? null;
}

/** Text of other people, fit for the ledger. */
export function foreignText(value: Json | undefined): string | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  return String(value).slice(0, TEXT_MAX).toWellFormed().replaceAll('\u0000', '\uFFFD');
}
