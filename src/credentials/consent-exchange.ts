// The second half of a consent: the code for a token at the instance, whether the token is what was asked for, whose it is, and letting go of one that
// was not taken. Pure but for the calls that it is given. Follows RFC 6749 sections 4.1.3, 5.1 and 5.2. No redirect is followed, to no origin: a
// `call` never does.
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import type { Acting, Call, Kind, Operation, Parts, ProviderAnswer } from '../providers/provider.ts';
import type { ConsentFlow } from './consent-flow.ts';
import { namesIn } from './consent-flow.ts';

interface ExchangeInput {
  readonly flow: ConsentFlow;
  readonly redirectUri: string;
}

export type Exchanged =
  | {
      readonly is: 'token';
      readonly parts: Parts;
      /** Null: the answer does not say, and they are those that were asked for. */
      readonly scopes: readonly string[] | null;
      /** Whether it was made just now: a server may give a token that somebody uses already. */
      readonly isFresh: boolean;
      readonly expiresInSeconds: number | null;
    }
  | { readonly is: 'refused'; readonly why: string };

/** What a header can carry, in any length that a token has. */
const TOKEN = /^[\x21-\x7e]{6,512}$/;
/** The error codes of RFC 6749 section 5.2, and their like. */
const ERROR_CODE = /^[a-z_]{1,60}$/;
const FRESH_MS = 120_000;

/** The app acts; `target` are the code and the verifier: they are secrets until they are used. */
const EXCHANGE: Operation<ExchangeInput, Exchanged> = {
  request: ({ flow, redirectUri }) => ({
    method: 'POST',
    path: flow.tokenPath,
    form: { grant_type: 'authorization_code', redirect_uri: redirectUri },
    secrets: [
      { of: 'acting', part: 'clientId', in: 'form', name: 'client_id' },
      { of: 'acting', part: 'clientSecret', in: 'form', name: 'client_secret' },
      { of: 'target', part: 'code', in: 'form', name: 'code' },
      { of: 'target', part: 'verifier', in: 'form', name: 'code_verifier' },
    ],
  }),
  read: readToken,
};

function memberOf(answer: ProviderAnswer, name: string): unknown {
  const { json } = answer;
  const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
  return isObject ? (json as Readonly<Record<string, unknown>>)[name] : undefined;
}

function readToken(answer: ProviderAnswer): Exchanged {
  const token = memberOf(answer, 'access_token');
  const type = memberOf(answer, 'token_type');
  const isBearer = typeof type === 'string' && type.toLowerCase() === 'bearer';
  if (answer.status === 200 && typeof token === 'string' && TOKEN.test(token) && isBearer) {
    const scope = memberOf(answer, 'scope');
    const endsIn = memberOf(answer, 'expires_in');
    return {
      is: 'token',
      parts: { key: new Secret(token) },
      scopes: typeof scope === 'string' ? namesIn(scope) : null,
      isFresh: isFresh(answer),
      expiresInSeconds: typeof endsIn === 'number' && endsIn > 0 ? endsIn : null,
    };
  }
  const error = memberOf(answer, 'error');
  const isCode = typeof error === 'string' && ERROR_CODE.test(error);
  if (isCode && answer.status >= 400 && answer.status < 500) return refused(`the instance refuses the code: ${error}`);
  return refused(`the instance’s answer to the code is none that is known (${answer.status})`);
}

function refused(why: string): Exchanged {
  return { is: 'refused', why };
}

/** By the instance's own clock, which is in its answer: ours may differ. */
function isFresh(answer: ProviderAnswer): boolean {
  const date = Object.entries(answer.headers).find(([name]) => name.toLowerCase() === 'date')?.[1];
  const [said, madeSeconds] = [Date.parse(date ?? ''), memberOf(answer, 'created_at')];
  return typeof madeSeconds === 'number' && Math.abs(said - madeSeconds * 1000) <= FRESH_MS;
}

/** Exchanges a code. Never throws for what the instance does; what cannot be told is no token. */
export async function exchangeCode(
  call: Call,
  app: Acting,
  input: ExchangeInput & { readonly code: string; readonly verifier: Secret },
): Promise<Exchanged> {
  const target = { code: new Secret(input.code), verifier: input.verifier };
  try {
    return EXCHANGE.read(await call(EXCHANGE.request(input), app, target), input);
  } catch (error) {
    if (Failure.is(error, 'upstream-unavailable')) return refused('the instance could not be reached: begin again');
    if (Failure.is(error)) return refused('the instance did not answer: a token may have been made, begin again');
    throw error;
  } finally {
    target.code.wipe();
  }
}

/** Ends a token that was not taken, with its own app. False: it may live on. */
export async function endToken(
  call: Call,
  app: Acting,
  kind: Kind,
  parts: Parts,
  settings: Readonly<Record<string, string>>,
) {
  if (kind.revoke === null) return false;
  // The token itself is named in the request: there is no other id of it.
  const input = { settings, providerKeyId: '-' };
  try {
    const { is } = kind.revoke.read(await call(kind.revoke.request(input), app, parts), input);
    return is === 'accepted' || is === 'absent';
  } catch (error) {
    if (Failure.is(error)) return false;
    throw error;
  }
}
