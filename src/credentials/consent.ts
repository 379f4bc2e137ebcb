// Consents that are under way: an operator begins one and is given an address, a person opens it at the instance and agrees, the browser brings a code
// back, and the token that it is worth is handed on. Each is good for one answer within ten minutes, newest wins. Pure but for the calls
// that it is given. Not here: addresses (consent-flow.ts), the exchange (consent-exchange.ts), what becomes of the token (`bring`).
//
// Kept in memory and not as a row: a consent holds a verifier, which the log must not, and dies by itself. After a restart it is begun again; a
// browser that comes back too late is told so. With several nodes the answer must reach the node that began.
import type { Rows } from '../model/change.ts';
import type { Clock, Random, UtcMs } from '../model/clock.ts';
import { findRow, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import type { Caller } from '../model/route.ts';
import { Secret } from '../model/secret.ts';
import type { Acting, Parts } from '../providers/provider.ts';
import { type AskTools, createAsker, type Holder } from './asking.ts';
import { endToken, exchangeCode } from './consent-exchange.ts';
import { authorizeUrl, type ConsentFlow, challengeOf, randomText, uncovered } from './consent-flow.ts';
import type { CredentialRow } from './credential.ts';

/** As long as a code lives at Mastodon. */
export const CONSENT_MS = 600_000;
/** How long it can be asked what became of one. */
const REMEMBERED_MS = 3_600_000;
const CONSENTS_MAX = 1_000;
const CODE = /^[\x21-\x7e]{6,512}$/;
const ERROR_CODE = /^[a-z_]{1,60}$/;

/** What is known of a token that was consented to, for whoever takes it. */
export interface Consented {
  /** Whose it is, as the instance names the account; null where its scopes do not let it ask. Held against the account before. */
  readonly account: string | null;
  readonly scopes: readonly string[];
  readonly expiresAt: UtcMs | null;
  /** The app it belongs to, and which alone can end it: not always the credential's issuer. */
  readonly app: Holder;
}

/** Takes the key of a credential: its first version, or the one that a rotation waits for. Throws a Failure where it is not taken. */
export type Bring = (credentialId: string, parts: Parts, actor: Caller, consented: Consented) => Promise<void>;

export interface ConsentTools extends AskTools {
  readonly rows: Rows;
  readonly clock: Clock;
  readonly random: Random;
  /** SHA-256 as hex. */
  readonly hash: (text: string) => string;
  /** A part that is no secret, as text. */
  readonly publicText: (part: Secret) => string;
  /** Whether whoever began may still do what they began: the callback itself has no caller. */
  readonly mayStill: (caller: Caller) => boolean;
  /** Whether any version that is known holds this key, or none that could be looked at rules it out. */
  readonly isHeld: (credential: CredentialRow, parts: Parts) => Promise<boolean>;
  readonly bring: Bring;
}

export type ConsentState = 'waiting' | 'brought' | 'denied' | 'refused' | 'expired';

export interface ConsentView {
  readonly state: ConsentState;
  /** Why, where it was refused. */
  readonly why: string | null;
  readonly app: string;
  readonly scopes: readonly string[];
  /** Whose token it is; null before, and where nobody can tell. */
  readonly account: string | null;
  readonly startedAt: UtcMs;
  readonly expiresAt: UtcMs;
}

interface Consent {
  readonly credentialId: string;
  readonly app: Holder;
  readonly flow: ConsentFlow;
  readonly redirectUri: string;
  readonly stateHash: string;
  readonly verifier: Secret;
  readonly caller: Caller;
  readonly beganMs: number;
  view: ConsentView;
}

export interface ConsentAnswer {
  readonly state: string;
  readonly code: string | null;
  readonly error: string | null;
  /** RFC 9207: who answers, where the instance says so. */
  readonly issuer: string | null;
}

export interface Consents {
  /** Begins one, in place of the one before. Throws `sealed`, `rate-limited` where too many are under way. */
  begin(asked: {
    readonly credential: CredentialRow;
    readonly app: Holder;
    readonly flow: ConsentFlow;
    readonly redirectUri: string;
    readonly scopes: readonly string[];
    readonly caller: Caller;
  }): Promise<{ readonly url: string; readonly view: ConsentView }>;
  /** What became of the newest one; null where nobody knows of any. */
  view(credentialId: string): ConsentView | null;
  /** An answer that a browser brings. Null: nobody waits for it, or not any more. */
  finish(answer: ConsentAnswer): Promise<ConsentView | null>;
}

export function createConsents(tools: ConsentTools): Consents {
  const { clock, random, hash } = tools;
  const newest = new Map<string, Consent>();
  const byState = new Map<string, Consent>();
  const asker = createAsker(tools);

  function prune(): void {
    const now = clock.monotonic();
    for (const consent of newest.values()) {
      const age = now - consent.beganMs;
      if (age >= CONSENT_MS) expire(consent);
      if (age >= REMEMBERED_MS) newest.delete(consent.credentialId);
    }
  }

  /** From now on no answer finds it. One that was answered already goes on. */
  function expire(consent: Consent): void {
    if (!byState.delete(consent.stateHash)) return;
    consent.verifier.wipe();
    consent.view = { ...consent.view, state: 'expired', why: 'nobody came back in time' };
  }

  async function actingOf({ credential, version }: Holder): Promise<Acting> {
    const { publicParts = [] } = tools.kindOf(credential).kind;
    return { parts: await tools.open(credential, version), places: credential.places, publicParts };
  }

  /** What an answer is worth. Throws `denied` with the reason where it is worth nothing. */
  async function redeem(consent: Consent, answer: ConsentAnswer): Promise<Partial<ConsentView>> {
    const credential = getRow<CredentialRow>(tools.rows, 'credential', consent.credentialId);
    if (answer.issuer !== null && answer.issuer !== credential.origin) throw refusal('another server answered');
    if (answer.error === 'access_denied') return { state: 'denied', why: 'the person did not agree' };
    if (answer.error !== null) {
      const name = ERROR_CODE.test(answer.error) ? answer.error : 'an error';
      throw refusal(`the instance answered with ${name}`);
    }
    if (answer.code === null || !CODE.test(answer.code)) throw refusal('the answer has no code');
    if (!tools.mayStill(consent.caller)) throw refusal('whoever began this may not do it any more');
    const app = findRow<CredentialRow>(tools.rows, 'credential', consent.app.credential.id);
    if (credential.retiredAt !== null || app?.retiredAt !== null) throw refusal('the credential was decommissioned');
    if (app.origin !== credential.origin) throw refusal('the credential has moved to another origin');
    const acting = await actingOf(consent.app);
    const call = tools.callFor(app);
    const got = await exchangeCode(call, acting, { ...consent, code: answer.code });
    if (got.is === 'refused') throw refusal(got.why);
    const { kind } = tools.kindOf(credential);
    try {
      return await hand(consent, credential, got);
    } catch (error) {
      if (!Failure.is(error)) throw error;
      // A token that is in use somewhere would be ended where it is used.
      const mayEnd = got.isFresh && !(await tools.isHeld(credential, got.parts));
      const isEnded = mayEnd && (await endToken(call, acting, kind, got.parts, credential.settings));
      const left = 'the token that was made may live on: end it in the account’s authorised applications';
      throw refusal(isEnded ? error.message : `${error.message}; ${left}`);
    }
  }

  async function hand(
    consent: Consent,
    credential: CredentialRow,
    got: { readonly parts: Parts; readonly scopes: readonly string[] | null; readonly expiresInSeconds: number | null },
  ): Promise<Partial<ConsentView>> {
    const { scopes: asked } = consent.view;
    const given = got.scopes ?? asked;
    const model = tools.kindOf(credential).kind.scopes;
    const missing = uncovered(given, asked, model);
    if (missing.length > 0) throw refusal(`the token lacks scopes that were asked for: ${missing.join(', ')}`);
    const wider = uncovered(asked, given, model);
    if (wider.length > 0) throw refusal('the token has scopes that nobody asked for');
    const whose = await asker.identify(credential, got.parts, consent.app);
    const account = whose?.is === 'known' ? whose.account : null;
    const endsInMs = got.expiresInSeconds === null ? null : got.expiresInSeconds * 1000;
    const expiresAt = endsInMs === null ? null : clock.now() + endsInMs;
    await tools.bring(credential.id, got.parts, consent.caller, {
      account,
      scopes: given,
      expiresAt,
      app: consent.app,
    });
    return { state: 'brought', account, scopes: given };
  }

  return {
    async begin({ credential, app, flow, redirectUri, scopes, caller }) {
      prune();
      if (newest.size >= CONSENTS_MAX && !newest.has(credential.id)) {
        throw new Failure('rate-limited', `${CONSENTS_MAX} consents are under way`, { retryAfterSeconds: 600 });
      }
      const clientId = (await tools.open(app.credential, app.version))['clientId'];
      if (clientId === undefined) throw new Failure('corrupt', 'the app has no client id');
      const [state, verifier] = [randomText(random.bytes(32)), randomText(random.bytes(32))];
      const now = clock.now();
      const consent: Consent = {
        credentialId: credential.id,
        app,
        flow,
        redirectUri,
        stateHash: hash(state),
        verifier: new Secret(verifier),
        caller,
        beganMs: clock.monotonic(),
        view: {
          state: 'waiting',
          why: null,
          app: app.credential.id,
          scopes,
          account: null,
          startedAt: now,
          expiresAt: now + CONSENT_MS,
        },
      };
      const before = newest.get(credential.id);
      if (before !== undefined) expire(before);
      newest.set(credential.id, consent);
      byState.set(consent.stateHash, consent);
      const challenge = challengeOf(verifier, hash);
      const { origin } = credential;
      const url = authorizeUrl(flow, {
        origin,
        clientId: tools.publicText(clientId),
        redirectUri,
        scopes,
        state,
        challenge,
      });
      return { url, view: consent.view };
    },
    view(credentialId) {
      prune();
      return newest.get(credentialId)?.view ?? null;
    },
    async finish(answer) {
      prune();
      const consent = byState.get(hash(answer.state));
      if (consent === undefined) return null;
      // Whatever comes of it, no second answer is looked at.
      byState.delete(consent.stateHash);
      try {
        consent.view = { ...consent.view, ...(await redeem(consent, answer)) };
      } catch (error) {
        const why = Failure.is(error) ? error.message : 'it failed in the server';
        consent.view = { ...consent.view, state: 'refused', why };
        if (!Failure.is(error)) throw error;
      } finally {
        consent.verifier.wipe();
      }
      return consent.view;
    },
  };
}

function refusal(why: string): Failure {
  return new Failure('denied', why);
}
