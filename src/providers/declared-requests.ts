// Requests by declaration: names in braces become values, each escaped for its place, and settings are held to their form.
import { Failure } from '../model/failure.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { DeclaredKind, DeclaredRequest } from './declaration.ts';
import type { IssueInput, ProviderRequest, SecretPlace } from './provider.ts';

export type Values = Readonly<Record<string, Json | undefined>>;

const NAMED = /\{([A-Za-z][A-Za-z0-9]*)\}/g;

function textOf(value: Json | undefined): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new Failure('invalid', 'a setting that the provider needs is missing');
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
  return template.replaceAll(NAMED, (_, name: string) => encodeURIComponent(textOf(values[name])));
}

export function requestOf(kind: DeclaredKind, declaredRequest: DeclaredRequest, values: Values): ProviderRequest {
  for (const [key, { required, format }] of Object.entries(kind.settings)) {
    const value = values[key];
    if (value === undefined && required) throw new Failure('invalid', `the setting ${key} is missing`);
    if (value !== undefined && format !== undefined && !new RegExp(format, 'u').test(textOf(value)))
      throw new Failure('invalid', `the setting ${key} does not have its form`);
  }
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
    providerKeyId: input.providerKeyId,
    grace: input.grace,
  };
}
