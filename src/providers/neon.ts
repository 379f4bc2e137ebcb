// Neon: its three kinds of API key, how each is minted, listed, revoked and probed, and what each answer means. It sends nothing and
// keeps nothing; the names of Neon's operations are in neon.actions.ts.
// Follows Neon's OpenAPI document v2 and its pages on API keys (read 2026-11-21); docs/providers/neon.md says what was never seen live.
//
// A refused key and an outage look alike (401), so death is claimed for one exact body only. Unrecognised answers stay `unknown` or
// `ambiguous`: a page from a proxy in between is not Neon's word.
import { Failure } from '../model/failure.ts';
import type { Json, JsonObject } from '../model/json.ts';
import { Secret } from '../model/secret.ts';
import { neonActions } from './neon.actions.ts';
import type {
  Evidence,
  IssueInput,
  IssueOutcome,
  Kind,
  KindSettings,
  ListedKey,
  ListInput,
  ListOutcome,
  Liveness,
  Operation,
  ProbeInput,
  Provider,
  ProviderAnswer,
  RevokeInput,
  RevokeOutcome,
} from './provider.ts';

/** Neon's own limit for `key_name`. */
const LABEL_MAX = 64;
/** A provider that asks for more patience than this is asked again anyway. */
const RETRY_AFTER_MAX_MS = 3_600_000;
const TEXT_MAX = 256;

const HEADERS = { accept: 'application/json' };
/** Organization and project ids, as the OpenAPI document constrains them; nothing that matches needs encoding. */
const RESOURCE_ID = /^[a-z0-9-]{1,60}$/;
const KEY_ID = /^[1-9][0-9]{0,18}$/;
/** `napi_` and 64 characters; keys from before the prefix are 64 to 66 lower-case alphanumerics. No checksum is known. */
const KEY_FORMAT = /^(?:napi_[A-Za-z0-9]{64}|[a-z0-9]{64,66})$/;
/** What a new key must at least be, whatever its form: fit for a header. A key of a new form must not be lost for its form. */
const HEADER_SAFE = /^[\x21-\x7e]{16,512}$/;

const HTTP_DATE = /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$/;

/** Missing, unknown and revoked keys all get this body, with an empty code. */
const DOES_NOT_PASS = 'supplied credentials do not pass authentication';
/** A live key of another kind, on a route that its kind may not use. */
const ORGANIZATION_KEY_REFUSED = 'not allowed for organization API keys';
const PROJECT_KEY_REFUSED = 'not allowed to perform actions outside the project';
const ORG_ID_REQUIRED = 'org_id is required';

function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** Neon's GeneralError, or null where the body is somebody else's. */
function generalError(json: Json): { code: string; message: string } | null {
  if (!isObject(json)) return null;
  const { code, message } = json;
  return typeof code === 'string' && typeof message === 'string' ? { code, message } : null;
}

/** The name of what was seen, for evidence. Statuses without a body that is known are named by the status alone. */
function signatureOf(answer: ProviderAnswer): string {
  const error = generalError(answer.json);
  const prefix = `neon.${answer.status}`;
  if (error === null) return `${prefix}.foreign-body`;
  if (answer.status === 401) {
    return error.code === '' && error.message === DOES_NOT_PASS
      ? `${prefix}.credentials-do-not-pass`
      : `${prefix}.other-message`;
  }
  if (answer.status === 400 && error.message.includes(ORG_ID_REQUIRED)) return `${prefix}.org-id-required`;
  if (answer.status === 404 && error.message.includes(ORGANIZATION_KEY_REFUSED)) return `${prefix}.organization-key`;
  if (answer.status === 404 && error.message.includes(PROJECT_KEY_REFUSED)) return `${prefix}.project-key`;
  // By analogy: Neon is known to answer 422 BRANCHES_LIMIT_EXCEEDED; for keys no limit is documented.
  if (answer.status === 422 && error.code.endsWith('_LIMIT_EXCEEDED')) return `${prefix}.limit-exceeded`;
  return `${prefix}.general-error`;
}

const DEAD = 'neon.401.credentials-do-not-pass';
const ALIVE: ReadonlySet<string> = new Set([
  'neon.403.general-error',
  'neon.404.organization-key',
  'neon.404.project-key',
  'neon.400.org-id-required',
]);

function header(answer: ProviderAnswer, name: string): string | null {
  for (const [key, value] of Object.entries(answer.headers)) if (key.toLowerCase() === name) return value;
  return null;
}

/** Only what looks like an id is kept: evidence is published, and a request id is the peer's text. */
function requestIdOf(answer: ProviderAnswer): string | null {
  const inBody = isObject(answer.json) ? answer.json['request_id'] : null;
  for (const candidate of [header(answer, 'x-neon-ret-request-id'), header(answer, 'x-request-id'), inBody]) {
    if (typeof candidate === 'string' && /^[A-Za-z0-9._:-]{1,60}$/.test(candidate)) return candidate;
  }
  return null;
}

function evidence(answer: ProviderAnswer, signature: string): Evidence {
  return { status: answer.status, signature, requestId: requestIdOf(answer) };
}

/** Retry-After in milliseconds. A date is measured against the answer's own Date, never against our clock. Neon documents neither. */
function retryAfterMs(answer: ProviderAnswer): number | null {
  const value = header(answer, 'retry-after')?.trim();
  if (value === undefined) return null;
  const instant = (text: string | null) => (HTTP_DATE.test(text ?? '') ? Date.parse(text ?? '') : Number.NaN);
  const isSeconds = /^[0-9]{1,9}$/.test(value);
  const waitMs = isSeconds ? Number(value) * 1000 : instant(value) - instant(header(answer, 'date'));
  return Number.isFinite(waitMs) ? Math.min(Math.max(waitMs, 0), RETRY_AFTER_MAX_MS) : null;
}

/** Text of other people, fit for the ledger. */
function foreignText(text: string): string {
  return text.slice(0, TEXT_MAX).toWellFormed().replaceAll('\u0000', '\uFFFD');
}

/** An id is an int64 in the document; one that a JavaScript number cannot hold would be another key's id. */
function keyIdOf(json: Json | undefined): string | null {
  return typeof json === 'number' && Number.isSafeInteger(json) && json > 0 ? String(json) : null;
}

function projectOf(body: JsonObject): string | null {
  const project = body['project_id'];
  return typeof project === 'string' && project !== '' ? project : null;
}

/**
 * The statuses that the effect certainly did not happen at, and whether asking again can help. 423 and 503 are documented as always
 * safe to repeat; 429 is refused at the door. Null where the effect may have happened.
 */
function certainRefusal(answer: ProviderAnswer, signature: string): { final: boolean; quotaFull: boolean } | null {
  if (signature === DEAD) return { final: false, quotaFull: false };
  if (signature === 'neon.422.limit-exceeded') return { final: false, quotaFull: true };
  if ([423, 429, 503].includes(answer.status)) return { final: false, quotaFull: false };
  const isNeons = generalError(answer.json) !== null;
  return isNeons && [400, 403, 404, 422].includes(answer.status) ? { final: true, quotaFull: false } : null;
}

function readIssue(answer: ProviderAnswer, expectedProject: string | null): IssueOutcome {
  if (answer.status !== 200 && answer.status !== 201) {
    const signature = signatureOf(answer);
    const refusal = certainRefusal(answer, signature);
    const seen = evidence(answer, signature);
    return refusal === null ? { is: 'ambiguous', evidence: seen } : { is: 'refused', ...refusal, evidence: seen };
  }
  const body = answer.json;
  const providerKeyId = isObject(body) ? keyIdOf(body['id']) : null;
  const key = isObject(body) ? body['key'] : null;
  if (!isObject(body) || providerKeyId === null || typeof key !== 'string' || !HEADER_SAFE.test(key)) {
    return { is: 'ambiguous', evidence: evidence(answer, `neon.${answer.status}.malformed`) };
  }
  // A key wider or narrower than asked for is not the key that was asked for: it is found by its label and removed.
  if (projectOf(body) !== expectedProject) {
    return { is: 'ambiguous', evidence: evidence(answer, `neon.${answer.status}.other-scope`) };
  }
  const seen = evidence(answer, `neon.${answer.status}.key-created`);
  return { is: 'issued', parts: { key: new Secret(key) }, providerKeyId, evidence: seen };
}

function listedKey(item: Json, orgId: string | null): ListedKey | null {
  if (!isObject(item)) return null;
  const providerKeyId = keyIdOf(item['id']);
  const name = item['name'];
  if (providerKeyId === null || typeof name !== 'string') return null;
  const instant = (text: Json | undefined): number | null => {
    const at = typeof text === 'string' ? Date.parse(text) : Number.NaN;
    return Number.isFinite(at) ? at : null;
  };
  const project = projectOf(item);
  const from = item['last_used_from_addr'];
  return {
    providerKeyId,
    name: foreignText(name),
    createdAt: instant(item['created_at']),
    lastUsedAt: instant(item['last_used_at']),
    lastUsedFrom: typeof from === 'string' && from !== '' ? foreignText(from) : null,
    scope: project !== null ? `project:${foreignText(project)}` : orgId !== null ? `organization:${orgId}` : null,
  };
}

function readList(answer: ProviderAnswer, orgId: string | null): ListOutcome {
  if (answer.status === 200) {
    const keys = Array.isArray(answer.json) ? answer.json.map((item: Json) => listedKey(item, orgId)) : [null];
    // One entry that cannot be read may be the orphan that is looked for: the whole list is worth nothing then.
    if (keys.every((key) => key !== null)) return { is: 'listed', keys };
    return { is: 'unknown', evidence: evidence(answer, 'neon.200.malformed'), retryAfterMs: null };
  }
  const signature = signatureOf(answer);
  const isRefusal = signature === DEAD || certainRefusal(answer, signature)?.final === true;
  const seen = evidence(answer, signature);
  return isRefusal
    ? { is: 'refused', evidence: seen }
    : { is: 'unknown', evidence: seen, retryAfterMs: retryAfterMs(answer) };
}

function readRevoke(answer: ProviderAnswer, providerKeyId: string): RevokeOutcome {
  if (answer.status === 200) {
    const body = answer.json;
    const isRevoked = isObject(body) && keyIdOf(body['id']) === providerKeyId && body['revoked'] === true;
    return isRevoked
      ? { is: 'accepted', evidence: evidence(answer, 'neon.200.revoked') }
      : { is: 'ambiguous', evidence: evidence(answer, 'neon.200.malformed'), retryAfterMs: null };
  }
  const signature = signatureOf(answer);
  const seen = evidence(answer, signature);
  if (signature === 'neon.404.general-error') return { is: 'absent', evidence: seen };
  const refusal = certainRefusal(answer, signature);
  return refusal === null
    ? { is: 'ambiguous', evidence: seen, retryAfterMs: retryAfterMs(answer) }
    : { is: 'refused', final: refusal.final, evidence: seen };
}

function readProbe(answer: ProviderAnswer): Liveness {
  if (answer.status === 200 && isObject(answer.json) && typeof answer.json['account_id'] === 'string') {
    const method = answer.json['auth_method'];
    if (method === 'api_key_user') return { is: 'alive', evidence: evidence(answer, 'neon.200.api-key-user') };
    if (method === 'api_key_org') return { is: 'alive', evidence: evidence(answer, 'neon.200.api-key-org') };
  }
  const signature = answer.status === 200 ? 'neon.200.malformed' : signatureOf(answer);
  const seen = evidence(answer, signature);
  if (signature === DEAD) return { is: 'dead', evidence: seen };
  if (ALIVE.has(signature)) return { is: 'alive', evidence: seen };
  return { is: 'unknown', evidence: seen, retryAfterMs: retryAfterMs(answer) };
}

function resourceId(settings: KindSettings, name: string): string {
  const value = settings[name];
  if (value === undefined || !RESOURCE_ID.test(value)) {
    throw new Failure('invalid', `the setting ${name} must be a Neon id: lower-case letters, digits and dashes`);
  }
  return value;
}

const PROBE: Operation<ProbeInput, Liveness> = {
  // Answers every kind of key; documented. It moves the key's last_used_at.
  request: () => ({ method: 'GET', path: '/api/v2/auth', headers: HEADERS }),
  read: readProbe,
};

interface KindShape {
  readonly name: string;
  readonly title: string;
  readonly settings: Kind['settings'];
  readonly isOfOrganization: boolean;
  readonly isOfProject: boolean;
}

function kind({ name, title, settings, isOfOrganization, isOfProject }: KindShape): Kind {
  const orgIdOf = (given: KindSettings) => (isOfOrganization ? resourceId(given, 'orgId') : null);
  const projectIdOf = (given: KindSettings) => (isOfProject ? resourceId(given, 'projectId') : null);
  const keysPath = (given: KindSettings): string => {
    const orgId = orgIdOf(given);
    return orgId === null ? '/api/v2/api_keys' : `/api/v2/organizations/${orgId}/api_keys`;
  };

  const issue: Operation<IssueInput, IssueOutcome> = {
    request({ settings: given, label }) {
      if (label === '' || label.length > LABEL_MAX) {
        throw new Failure('invalid', `a key's label must have 1 to ${LABEL_MAX} characters at Neon`);
      }
      const projectId = projectIdOf(given);
      const json = projectId === null ? { key_name: label } : { key_name: label, project_id: projectId };
      return { method: 'POST', path: keysPath(given), headers: HEADERS, json };
    },
    read: (answer, input) => readIssue(answer, projectIdOf(input.settings)),
  };
  const list: Operation<ListInput, ListOutcome> = {
    request: ({ settings: given }) => ({ method: 'GET', path: keysPath(given), headers: HEADERS }),
    read: (answer, input) => readList(answer, orgIdOf(input.settings)),
  };
  const revoke: Operation<RevokeInput, RevokeOutcome> = {
    request({ settings: given, providerKeyId }) {
      if (!KEY_ID.test(providerKeyId)) throw new Failure('invalid', "a Neon key's id is a positive whole number");
      return { method: 'DELETE', path: `${keysPath(given)}/${providerKeyId}`, headers: HEADERS };
    },
    read: (answer, input) => readRevoke(answer, input.providerKeyId),
  };

  return {
    name,
    title,
    parts: ['key'],
    format: { key: KEY_FORMAT },
    places: [{ in: 'header', name: 'authorization', scheme: 'Bearer' }],
    rotation: 'overlap',
    // Unlimited; Neon advises fewer than 10,000 an account.
    activeMax: null,
    // Neon documents "immediately" (docs, manage/api-keys). Nobody measured it, so this leaves room for one short-lived cache at Neon's
    // edge. Caches of Neon's other services (its MCP server keeps a check for five minutes) are not the API and are not waited for.
    propagationMs: 2_000,
    settings,
    // Documented: an organization key lists and revokes organization keys but cannot mint one; that needs an admin's personal key.
    issuers: ['personal-key'],
    issue,
    list,
    showsLastUse: true,
    revoke,
    probe: PROBE,
  };
}

const ORG_ID = { required: true, about: 'Id of the organization, org-…; in the console under Settings' } as const;
const PROJECT_ID = { required: true, about: 'Id of the one project that the key may reach' } as const;

export const neon: Provider = {
  name: 'neon',
  title: 'Neon',
  origin: 'https://console.neon.tech',
  kinds: [
    kind({
      name: 'personal-key',
      title: 'Neon personal API key',
      settings: {},
      isOfOrganization: false,
      isOfProject: false,
    }),
    kind({
      name: 'organization-key',
      title: 'Neon organization API key',
      settings: { orgId: ORG_ID },
      isOfOrganization: true,
      isOfProject: false,
    }),
    // The list of this kind is the organization's: it shows every key with its scope, so that an orphan of the wrong scope is found too.
    kind({
      name: 'project-key',
      title: 'Neon project-scoped API key',
      settings: { orgId: ORG_ID, projectId: PROJECT_ID },
      isOfOrganization: true,
      isOfProject: true,
    }),
  ],
  actions: neonActions,
  console: 'https://console.neon.tech/app/settings/api-keys',
};
