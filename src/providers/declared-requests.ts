// Requests by declaration: names in braces become values, each escaped for its place, and settings are held to their form. Here, too, what an
// answer must show for the key in it to be the one that was asked for, since that is written with the same names.
import { Failure } from '../model/failure.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { DeclaredKind, DeclaredRequest } from './declaration.ts';
import type { IssueInput, ProviderRequest, SecretPlace } from './provider.ts';

export type Values = Readonly<Record<string, Json | undefined>>;

const NAMED = /\{([A-Za-z][A-Za-z0-9]*)\}/g;

function textOf(value: Json | undefined, name = ''): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new Failure(
    'invalid',
    name === '' ? 'a setting that the provider needs is missing' : `the setting ${name} is missing`,
  );
}

/** Fills names in braces; a text that is one name alone becomes its value, whatever its type. One without a value leaves its member out. */
function filled(template: Json, values: Values): Json | undefined {
  if (typeof template === 'string') {
    const whole = /^\{([A-Za-z][A-Za-z0-9]*)\}$/.exec(template);
    if (whole !== null) return values[whole[1]!];
    return template.replaceAll(NAMED, (_, name: string) => textOf(values[name]));
  }
  if (Array.isArray(template)) return template.map((one) => filled(one, values)).filter((one) => one !== undefined);
  if (typeof template !== 'object' || template === null) return template;
  const members = Object.entries(template).map(([key, value]) => [key, filled(value, values)] as const);
  return Object.fromEntries(members.filter(([, value]) => value !== undefined)) as JsonObject;
}

function inPath(template: string, values: Values): string {
  return template.replaceAll(NAMED, (_, name: string) => encodeURIComponent(textOf(values[name], name)));
}

/** The values with the settings of the kind as they are sent: held to their form, defaults filled in, numbers as numbers. */
function withSettings(kind: DeclaredKind, given: Values): Values {
  const values: Record<string, Json | undefined> = { ...given };
  for (const [key, setting] of Object.entries(kind.settings)) {
    const value = given[key] ?? setting.default;
    if (value === undefined && setting.required) throw new Failure('invalid', `the setting ${key} is missing`);
    if (value === undefined) continue;
    const hasForm = setting.format === undefined || new RegExp(setting.format, 'u').test(textOf(value));
    if (!hasForm || (setting.number && !/^-?[0-9]{1,15}$/.test(textOf(value))))
      throw new Failure('invalid', `the setting ${key} does not have its form`);
    values[key] = setting.number ? Number(value) : value;
  }
  return values;
}

/** What a template is with these values; undefined where it is one name alone that has none. */
export function filledText(kind: DeclaredKind, template: string, values: Values): Json | undefined {
  return filled(template, withSettings(kind, values));
}

export function requestOf(kind: DeclaredKind, declaredRequest: DeclaredRequest, given: Values): ProviderRequest {
  const values = withSettings(kind, given);
  const { method, headers, json, form, secrets, page } = declaredRequest;
  let path = inPath(declaredRequest.path, values);
  if (page !== undefined && values['cursor'] !== undefined)
    path += `${path.includes('?') ? '&' : '?'}${inPath(page, values)}`;
  return {
    method,
    path,
    ...(headers === undefined ? {} : { headers }),
    ...(json === undefined ? {} : { json: filled(json as Json, values) ?? {} }),
    ...(form === undefined ? {} : { form: filledForm(form, values) }),
    ...(secrets === undefined ? {} : { secrets: secrets as unknown as readonly SecretPlace[] }),
  };
}

function filledForm(form: Readonly<Record<string, string>>, values: Values): Record<string, string> {
  const members = Object.entries(filled(form as JsonObject, values) as JsonObject);
  return Object.fromEntries(members.map(([key, value]) => [key, textOf(value)]));
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** Whether a new key's end has a place in the request for it: an end without one would be forgotten in silence. */
export function namesEnd(declaredRequest: DeclaredRequest | undefined): boolean {
  return /\{(?:expires[A-Z][A-Za-z]*|lifetimeSeconds)\}/.test(JSON.stringify(declaredRequest) ?? '');
}

/**
 * A lifetime counts from the provider's now, which comes after ours: by as long as the request is under way, and by what the clocks differ. So
 * much less is asked for, that no key outlives the end that was set for it.
 */
const LIFETIME_MARGIN_SECONDS = 60;

/** Whole seconds from now to the end. Absent where no end is asked for, or nobody says what time it is. */
function lifetimeSeconds({ expiresAt, askedAt }: IssueInput): number | undefined {
  if (expiresAt === undefined || askedAt === undefined) return undefined;
  return Math.floor((expiresAt - askedAt) / 1000) - LIFETIME_MARGIN_SECONDS;
}

/** Throws `invalid` where the end that is asked for cannot be said in this request. */
export function demandEnd(declaredRequest: DeclaredRequest, input: IssueInput): void {
  if (input.expiresAt === undefined) return;
  if (!namesEnd(declaredRequest)) throw new Failure('invalid', 'a key of this kind cannot be asked for with an end');
  if (!JSON.stringify(declaredRequest).includes('{lifetimeSeconds}')) return;
  const seconds = lifetimeSeconds(input);
  if (seconds === undefined) throw new Failure('invalid', 'a lifetime is asked for, and nobody says what time it is');
  if (seconds < 1)
    throw new Failure('invalid', `the end is less than ${LIFETIME_MARGIN_SECONDS} seconds away: too near to ask for`);
}

export function issueValues(input: IssueInput & { providerKeyId?: string; grace?: number }): Values {
  const { expiresAt } = input;
  return {
    ...input.settings,
    label: input.label,
    scopes: input.scopes === undefined ? undefined : [...input.scopes],
    scopesText: input.scopes?.join(' '),
    expiresAt: expiresAt === undefined ? undefined : rfc3339(expiresAt),
    expiresDate: expiresAt === undefined ? undefined : rfc3339(expiresAt).slice(0, 10),
    expiresUnix: expiresAt === undefined ? undefined : Math.floor(expiresAt / 1000),
    lifetimeSeconds: lifetimeSeconds(input),
    providerKeyId: input.providerKeyId,
    grace: input.grace,
  };
}
