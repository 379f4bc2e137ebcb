// What narrows a token at Cloudflare: its policies and its condition, which a credential's settings hold as JSON text. Here they are read, held
// to their form, and compared with what Cloudflare says that a new token has. Follows the types of Cloudflare's own client (npm cloudflare
// 7.3.0: TokenPolicyParam, TokenCreateParams.Condition, read 2026-11-21).
import { Failure } from '../model/failure.ts';
import { canonicalJson, type Json, type JsonObject } from '../model/json.ts';
import type { KindSettings } from './provider.ts';

const POLICIES_MAX = 50;
const ID = /^[A-Za-z0-9-]{1,64}$/;

export interface Narrowing {
  readonly policies: readonly JsonObject[];
  /** Absent: from everywhere. */
  readonly condition: JsonObject | null;
}

function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function parsed(name: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new Failure('invalid', `the setting ${name} is not JSON`);
  }
}

/** A policy as it is sent: its effect, ids of permission groups, resources. Null where it has another form. */
function policyOf(json: Json): JsonObject | null {
  if (!isObject(json)) return null;
  const { effect, permission_groups: groups, resources } = json;
  if ((effect !== 'allow' && effect !== 'deny') || !Array.isArray(groups) || groups.length === 0) return null;
  const ids = groups.map((group: Json) => (isObject(group) ? group['id'] : null));
  if (!ids.every((id) => typeof id === 'string' && ID.test(id))) return null;
  if (!isObject(resources) || Object.keys(resources).length === 0) return null;
  return { effect, permission_groups: ids.map((id) => ({ id: id as string })), resources };
}

/** The policies and the condition of a credential's settings. Throws `invalid` where one of them has not its form. */
export function narrowingOf(settings: KindSettings): Narrowing {
  const list = parsed('policies', settings['policies'] ?? '');
  const policies = Array.isArray(list) && list.length <= POLICIES_MAX ? list.map(policyOf) : [];
  if (policies.length === 0 || !policies.every((policy) => policy !== null))
    throw new Failure(
      'invalid',
      'the setting policies is a list of {"effect","permission_groups":[{"id"}],"resources":{…}}, as Cloudflare takes it',
    );
  if (settings['condition'] === undefined) return { policies, condition: null };
  const condition = parsed('condition', settings['condition']);
  if (!isObject(condition) || !isObject(condition['request_ip']))
    throw new Failure('invalid', 'the setting condition is {"request_ip":{"in":[…],"not_in":[…]}}');
  return { policies, condition: { request_ip: condition['request_ip'] } };
}

/** Every single thing that policies say: an effect, a permission, a resource. */
function sayings(policies: readonly Json[]): Set<string> {
  const all = new Set<string>();
  for (const policy of policies.map(policyOf)) {
    if (policy === null) continue;
    const {
      effect,
      permission_groups: groups,
      resources,
    } = policy as {
      effect: string;
      permission_groups: { id: string }[];
      resources: JsonObject;
    };
    for (const { id } of groups)
      for (const [resource, value] of Object.entries(resources))
        all.add(`${effect} ${id} ${resource}=${canonicalJson(value)}`);
  }
  return all;
}

/** Whether a token as Cloudflare shows it may do no more than was asked for. False where it does not say. */
export function isNoWider(token: Json | undefined, asked: Narrowing): boolean {
  const shown = isObject(token) ? token : {};
  const has = shown['policies'];
  if (!Array.isArray(has) || !has.every((policy: Json) => policyOf(policy) !== null)) return false;
  const [had, wanted] = [sayings(has), sayings(asked.policies)];
  const allows = [...had].filter((one) => one.startsWith('allow '));
  const denies = [...wanted].filter((one) => one.startsWith('deny '));
  if (!allows.every((one) => wanted.has(one)) || !denies.every((one) => had.has(one))) return false;
  const { condition } = shown;
  return asked.condition === null || (isObject(condition) && isObject(condition['request_ip']));
}

/** What narrows a listed token, as text for comparison; null where Cloudflare does not say. */
export function scopeOf(token: Json | undefined): string | null {
  const policies = isObject(token) ? token['policies'] : undefined;
  return Array.isArray(policies) ? [...sayings(policies)].sort().join(', ') : null;
}
