// What an entry of the use log says of a request: from the head, the plan and the moment at which it was decided.
import type { IncomingMessage } from 'node:http';
import { storableUserAgent, type UseFacts } from '../access/leaf.ts';
import type { Companion } from './companion.ts';
import type { Forward, Identity } from './plan.ts';

/** When a request was decided, and on how much of the control log. */
export interface When {
  readonly id: string;
  readonly at: number;
  readonly mono: number;
  readonly asOf: number;
}

export function factsOf(made: Forward, request: IncomingMessage, when: When): UseFacts {
  return factsFor(made.identity, made.ip, request, when, made.facts.userAgent, made.versionId);
}

/** The second use of the same request: the same id, another token, credential, version and grant. */
export function factsAlong(made: Forward, companion: Companion, request: IncomingMessage, when: When): UseFacts {
  return factsFor(companion.identity, made.ip, request, when, made.facts.userAgent, companion.versionId);
}

export function factsFor(
  identity: Identity,
  ip: string,
  request: IncomingMessage,
  when: When,
  userAgent: string,
  version: string | null,
): UseFacts {
  const { token, credential, action } = identity;
  return {
    id: when.id,
    at: when.at,
    monoMs: when.mono,
    asOf: when.asOf,
    ip,
    userAgent: storableUserAgent(userAgent),
    method: request.method ?? '',
    token: token.row.id,
    principal: token.row.principalId,
    credential: credential?.row.id ?? null,
    provider: credential?.row.provider ?? null,
    version,
    grant: identity.grantId,
    action: action?.name ?? null,
    effect: action?.effect ?? null,
    path: identity.path,
    query: identity.query,
  };
}
