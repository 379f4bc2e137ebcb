// The broker's own answers, as RFC 9457 problem details with types that no provider uses (`urn:claviger:problem:…`), so that a
// caller can tell "the broker refused" from "the provider refused". They say what to do, and nothing about what exists.
import { ALLOWED_METHODS } from './head.ts';

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

const TITLES: Readonly<Record<string, string>> = {
  'no-token': 'No Claviger token in the request. Put it where the provider’s key would stand.',
  'two-tokens': 'More than one Claviger token in the request.',
  'unknown-token': 'This token is not known, or no longer.',
  'malformed-token': 'This is not a Claviger token: its form or checksum is wrong.',
  'token-revoked': 'This token was revoked.',
  'token-expired': 'This token has expired.',
  'token-network': 'This token may not be used from this address.',
  'token-place': 'The token stands in a place that this provider does not use for its key.',
  'principal-disabled': 'The principal of this token is disabled.',
  'no-grant': 'No grant allows this.',
  'no-action': 'The provider’s catalogue has no action for this method and path.',
  'grant-expired': 'The grant for this has expired.',
  'wrong-credential': 'This token is bound to another credential.',
  network: 'The grant does not allow this address.',
  parameter: 'The grant does not allow these parameters.',
  'rate-limited': 'The grant’s rate limit is spent.',
  'credential-suspended': 'The credential is suspended.',
  'credential-retired': 'The credential is decommissioned.',
  'no-current-version': 'The credential has no usable version.',
  stale: 'Access ended while the request was being decided.',
  'access-ended': 'Access ended while the request was open.',
  sealed: 'Claviger is sealed: its keys are not in memory.',
  'record-unwritable': 'The request could not be recorded, so it was not served.',
  'upstream-unreachable': 'The provider could not be reached. The request was not sent.',
  'upstream-timeout': 'The provider did not answer in time. The request may have taken effect.',
  'upstream-ambiguous': 'The connection to the provider broke. The request may have taken effect.',
  'upstream-invalid': 'The provider’s answer could not be understood.',
  'upstream-redirect': 'The provider redirects to another origin, which this action does not allow.',
  'upgrade-refused': 'This action does not allow an upgrade of the connection.',
  'websocket-version': 'Only version 13 of the WebSocket protocol is spoken here.',
  handshake: 'The handshake of this WebSocket is not in order, or lacks the subprotocol that the provider asks for.',
  'too-many-upgrades': 'This token has too many WebSockets open.',
  'body-too-large': 'The body is larger than what can be edited.',
  method: 'No provider’s API is called with this method.',
  host: 'The Host header is missing, given twice, or not the name of a host.',
  'target-form': 'The request target is not a path.',
  'target-length': 'The request target is longer than the broker reads.',
  trailer: 'A field that belongs before the content stands behind it.',
  held: 'The key of this credential is being replaced, and too many requests wait for it.',
  stopping: 'The server is stopping.',
};

const UNSAFE = /[^a-z0-9-]/g;

/** The answer for a refusal. `retryAfterMs` above 0 adds Retry-After in whole seconds, rounded up. */
export function problemAnswer(status: number, reason: string, retryAfterMs: number, requestId: string): ProblemAnswer {
  const code = reason.replace(UNSAFE, '');
  const body = JSON.stringify({
    type: `urn:claviger:problem:${code}`,
    title: TITLES[code] ?? 'The broker refuses this request as it is formed.',
    status,
    code,
    instance: `urn:claviger:request:${requestId}`,
  });
  const headers = [
    'content-type',
    'application/problem+json',
    'content-length',
    String(Buffer.byteLength(body)),
    'cache-control',
    'no-store',
    'claviger-refused',
    code,
  ];
  if (status === 401) headers.push('www-authenticate', 'Bearer realm="claviger"');
  if (status === 426)
    headers.push('connection', 'Upgrade, close', 'upgrade', 'websocket', 'sec-websocket-version', '13');
  if (status === 405) headers.push('allow', ALLOWED_METHODS);
  if (retryAfterMs > 0) headers.push('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  return { status, headers, body };
}
