// Where a person consents, and what is said there: the authorization code grant of RFC 6749 with PKCE (RFC 7636, S256), for the kinds of keys that
// are made that way. Pure. Not here: who waits for whom (consent.ts), the exchange of the code (consent-exchange.ts).
//
// Servers of old ignore the two PKCE parameters (Mastodon reads them from 4.3 on). The code is of no use without the app's own secret there.
import type { ScopeModel } from '../providers/provider.ts';

/** A provider's endpoints, below its origin. */
export interface ConsentFlow {
  readonly authorizePath: string;
  readonly tokenPath: string;
  /** What else the page is asked with. */
  readonly more: Readonly<Record<string, string>>;
}

/** By provider and kind. The keys of a kind's issuers are the apps that people consent to. */
const FLOWS: Readonly<Record<string, ConsentFlow>> = {
  'mastodon/user-token': {
    authorizePath: '/oauth/authorize',
    tokenPath: '/oauth/token',
    // Whoever opens the page sees whose consent it is (docs.joinmastodon.org/methods/oauth, read 2026-11-21); GoToSocial ignores it.
    more: { force_login: 'true' },
  },
};

/** The flow of a kind; null where its keys are not made by consent. */
export function consentFlow(provider: string, kind: string): ConsentFlow | null {
  const name = `${provider}/${kind}`;
  return Object.hasOwn(FLOWS, name) ? FLOWS[name]! : null;
}

export const CALLBACK_PATH = '/v1/consent/callback';

/** What is wrong with an address as the place to which a browser brings a code; null where nothing is. */
export function redirectProblem(text: string | undefined): string | null {
  const url = text === undefined ? null : URL.parse(text);
  if (url === null)
    return 'the app’s setting redirectUri is not set: it is the address of this API’s /v1/consent/callback';
  const isLocal = url.protocol === 'http:' && /^(?:127\.[0-9.]+|\[::1\]|localhost)$/.test(url.hostname);
  if (url.protocol !== 'https:' && !isLocal)
    return 'the app’s setting redirectUri is neither https nor on this machine';
  const isPlain = url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (!isPlain || !url.pathname.endsWith(CALLBACK_PATH))
    return `the app’s setting redirectUri does not end with ${CALLBACK_PATH}`;
  return null;
}

export interface AuthorizeInput {
  readonly origin: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly state: string;
  readonly challenge: string;
}

/** The address that the person opens. Holds no secret: the state is for this browser's way back alone, the challenge hides the verifier. */
export function authorizeUrl(flow: ConsentFlow, input: AuthorizeInput): string {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: input.clientId,
    redirect_uri: input.redirectUri,
    scope: input.scopes.join(' '),
    state: input.state,
    code_challenge: input.challenge,
    code_challenge_method: 'S256',
    ...flow.more,
  });
  return `${input.origin}${flow.authorizePath}?${query}`;
}

/** Text for a state or a verifier: 32 random bytes, 43 characters. */
export function randomText(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: 'base64url', omitPadding: true });
}

/** RFC 7636 section 4.2. `hash` is SHA-256 as hex. */
export function challengeOf(verifier: string, hash: (text: string) => string): string {
  return randomText(Uint8Array.fromHex(hash(verifier)));
}

export function namesIn(text: string | undefined): readonly string[] {
  return [...new Set((text ?? '').split(/[\s,]+/).filter((one) => one !== ''))];
}

/** The scopes among `wanted` that `held` does not give, those included that a wider one brings along. */
export function uncovered(
  held: readonly string[],
  wanted: readonly string[],
  model: ScopeModel | undefined,
): readonly string[] {
  const all = new Set(held.flatMap((one) => [one, ...(model?.includes?.[one] ?? [])]));
  return wanted.filter((one) => !all.has(one));
}
