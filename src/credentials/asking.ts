// Asking a provider with a key: the one place where an operation of a kind meets the key that acts, the key it is about and the `call`.
// Whatever a transport failure leaves open stays open: nothing here turns silence into a word of the provider's.
import type { Rows } from '../model/change.ts';
import { allRows, findRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import type {
  Acting,
  Call,
  Evidence,
  IdentityOutcome,
  IssueInput,
  IssueOutcome,
  Kind,
  KindSettings,
  ListedKey,
  ListOutcome,
  Liveness,
  LogInput,
  LogOutcome,
  Operation,
  Parts,
  ProbeInput,
  ReplaceInput,
  RevokeOutcome,
} from '../providers/provider.ts';
import type { CredentialRow, VersionRow } from './credential.ts';

/** A key that is at hand: a version and whose it is. */
export interface Holder {
  readonly credential: CredentialRow;
  readonly version: VersionRow;
}

/** Whoever mints and revokes a credential, or ends this version of it, with its current version; null where there is none at hand. */
export function issuerOf(
  rows: Rows,
  credential: CredentialRow,
  key: Pick<VersionRow, 'issuerId'> | null = null,
): Holder | null {
  const issuer = findRow<CredentialRow>(rows, 'credential', key?.issuerId ?? credential.issuerId ?? '');
  const version = allRows<VersionRow>(rows, 'version').find(
    (one) => one.credentialId === issuer?.id && one.state === 'current',
  );
  return issuer === null || version === undefined ? null : { credential: issuer, version };
}

/** Whether the provider is shown the key that is to go, and not its id. */
export function revokesByValue(kind: Kind, settings: KindSettings): boolean {
  try {
    const secrets = kind.revoke?.request({ settings, providerKeyId: '' }).secrets;
    return secrets?.some((place) => place.of === 'target') === true;
  } catch {
    // It takes an id, and says that this is none.
    return false;
  }
}

export interface AskTools {
  readonly kindOf: (credential: CredentialRow) => { readonly kind: Kind };
  readonly callFor: (credential: CredentialRow) => Call;
  readonly open: (credential: CredentialRow, version: VersionRow) => Promise<Parts>;
}

/** Why there is no answer: the code of the Failure. `unsent` and its like are the caller's to conclude from. */
export interface NoAnswer {
  readonly is: 'no-answer';
  readonly code: string;
}

export type WholeList =
  | { readonly is: 'listed'; readonly keys: readonly ListedKey[] }
  | Exclude<ListOutcome, { readonly is: 'listed' }>;

export interface Asker {
  /** Nothing is sent where an end is asked for that the kind cannot give its keys: that one would be forgotten in silence. */
  issue(kind: Kind, input: IssueInput, issuer: Holder): Promise<IssueOutcome | NoAnswer>;
  /** In place of the key that `old` holds: see Kind.replace. */
  replace(kind: Kind, input: ReplaceInput, issuer: Holder, old: Holder): Promise<IssueOutcome | NoAnswer>;
  /** All pages; a list that does not end, or changes its mind on the way, is `unknown`. */
  list(kind: Kind, settings: KindSettings, lister: Holder): Promise<WholeList | NoAnswer>;
  /** One page of the provider's own log. */
  log(kind: Kind, input: LogInput, reader: Holder): Promise<LogOutcome | NoAnswer>;
  /** `target`: the key that goes, where it is at hand and the kind's provider wants to be shown it. */
  revoke(
    kind: Kind,
    input: { readonly settings: KindSettings; readonly providerKeyId: string },
    issuer: Holder,
    target: Holder | null,
  ): Promise<RevokeOutcome | NoAnswer>;
  /**
   * `issuer`: who asks, where the kind says that its issuer does. A kind with a preflight is asked that first, without any key; what the
   * probe would say is worth nothing unless it is sound.
   */
  probe(key: Holder, issuer: Holder | null): Promise<Liveness>;
  /** The same of a key that no version holds yet. */
  probeParts(credential: CredentialRow, parts: Parts, issuer: Holder | null): Promise<Liveness>;
  /** Null where the kind has no such operation. */
  identify(credential: CredentialRow, parts: Parts, issuer: Holder | null): Promise<IdentityOutcome | null>;
  /** What the key may do, from all that is asked for it; null where the kind has no such operations. */
  rights(credential: CredentialRow, parts: Parts, issuer: Holder | null): Promise<IdentityOutcome | null>;
}

const PAGES_MAX = 200;

export function createAsker(tools: AskTools): Asker {
  async function actingOf({ credential, version }: Holder): Promise<Acting> {
    return acting(credential, await tools.open(credential, version));
  }

  function acting(credential: CredentialRow, parts: Parts): Acting {
    if (Object.keys(parts).length === 0) throw new Failure('corrupt', 'a version without parts');
    const { publicParts } = tools.kindOf(credential).kind;
    return { parts, places: credential.places, ...(publicParts === undefined ? {} : { publicParts }) };
  }

  async function ask<In, Out>(
    operation: Operation<In, Out>,
    input: In,
    who: { readonly credential: CredentialRow; readonly acting: () => Promise<Acting> },
    target: () => Promise<Parts | undefined>,
  ): Promise<Out | NoAnswer> {
    try {
      const request = operation.request(input);
      const answer = await tools.callFor(who.credential)(request, await who.acting(), await target());
      return operation.read(answer, input);
    } catch (error) {
      return { is: 'no-answer', code: Failure.is(error) ? error.code : 'error' };
    }
  }

  function as(holder: Holder): { credential: CredentialRow; acting: () => Promise<Acting> } {
    return { credential: holder.credential, acting: () => actingOf(holder) };
  }

  const nobody = () => Promise.resolve(undefined);
  const partsOf = (holder: Holder | null) => () =>
    holder === null ? nobody() : tools.open(holder.credential, holder.version);

  /** Asks about a key of this credential: as itself, or as its issuer with it as the target. */
  async function about<Out>(
    operation: Operation<{ settings: KindSettings }, Out>,
    credential: CredentialRow,
    parts: () => Promise<Parts>,
    issuer: Holder | null,
  ): Promise<Out | NoAnswer> {
    const input = { settings: credential.settings };
    if (tools.kindOf(credential).kind.asks !== 'issuer') {
      const own = { credential, acting: async () => acting(credential, await parts()) };
      return ask(operation, input, own, nobody);
    }
    if (issuer === null) return { is: 'no-answer', code: 'no-issuer' };
    return ask(operation, input, as(issuer), parts);
  }

  async function probeWith(
    credential: CredentialRow,
    parts: () => Promise<Parts>,
    issuer: Holder | null,
  ): Promise<Liveness> {
    const { kind } = tools.kindOf(credential);
    const doubt = await doubtOf(kind, credential);
    if (doubt !== null) return doubt;
    const said = await about(kind.probe, credential, parts, issuer);
    return said.is === 'no-answer' ? silence(said.code) : said;
  }

  /** Why a probe would prove nothing here; null where it would. */
  async function doubtOf({ preflight }: Kind, credential: CredentialRow): Promise<Liveness | null> {
    if (preflight === undefined) return null;
    // Whatever the member wrote, no key goes along.
    const keyless = {
      request: (input: ProbeInput) => ({ ...preflight.request(input), secrets: [] }),
      read: preflight.read,
    };
    const nobodys = () => Promise.resolve({ parts: {}, places: [] });
    const said = await ask(keyless, { settings: credential.settings }, { credential, acting: nobodys }, nobody);
    if (said.is === 'sound') return null;
    if (said.is === 'no-answer') return silence(said.code);
    return { is: 'unknown', evidence: said.evidence, retryAfterMs: said.is === 'unknown' ? said.retryAfterMs : null };
  }

  async function identityOf(
    operation: Operation<ProbeInput, IdentityOutcome>,
    credential: CredentialRow,
    parts: Parts,
    issuer: Holder | null,
  ): Promise<IdentityOutcome> {
    try {
      operation.request({ settings: credential.settings });
    } catch (error) {
      // Nothing is wrong with the key: the credential lacks what the question needs.
      if (!Failure.is(error, 'invalid')) throw error;
      return { is: 'unknown', evidence: { status: null, signature: error.message, requestId: null } };
    }
    const said = await about(operation, credential, () => Promise.resolve(parts), issuer);
    return said.is === 'no-answer'
      ? { is: 'unknown', evidence: { status: null, signature: `transport.${said.code}`, requestId: null } }
      : said;
  }

  /** Null where the request can be made: an end that the kind's keys cannot be given would be forgotten in silence. */
  function unaskable(kind: Kind, input: IssueInput): NoAnswer | null {
    const isForgotten = input.expiresAt !== undefined && kind.canExpire !== true;
    return isForgotten ? { is: 'no-answer', code: 'invalid' } : null;
  }

  return {
    issue(kind, input, issuer) {
      if (kind.issue === null) return Promise.resolve({ is: 'no-answer', code: 'impossible' });
      const refusal = unaskable(kind, input);
      return refusal === null ? ask(kind.issue, input, as(issuer), nobody) : Promise.resolve(refusal);
    },
    replace(kind, input, issuer, old) {
      if (kind.replace === undefined) return Promise.resolve({ is: 'no-answer', code: 'impossible' });
      const refusal = unaskable(kind, input);
      return refusal === null ? ask(kind.replace, input, as(issuer), partsOf(old)) : Promise.resolve(refusal);
    },
    async list(kind, settings, lister) {
      if (kind.list === null) return { is: 'no-answer', code: 'impossible' };
      const keys: ListedKey[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < PAGES_MAX; page++) {
        const input = cursor === undefined ? { settings } : { settings, cursor };
        const said = await ask(kind.list, input, as(lister), nobody);
        if (said.is !== 'listed') return said;
        keys.push(...said.keys);
        if (said.next === undefined) return { is: 'listed', keys };
        if (said.next === cursor) break;
        cursor = said.next;
      }
      const evidence = { status: null, signature: 'list.endless', requestId: null };
      return { is: 'unknown', evidence, retryAfterMs: null };
    },
    log(kind, input, reader) {
      if (kind.log === undefined) return Promise.resolve({ is: 'no-answer', code: 'impossible' });
      return ask(kind.log, input, as(reader), nobody);
    },
    revoke(kind, input, issuer, target) {
      if (kind.revoke === null) return Promise.resolve({ is: 'no-answer', code: 'impossible' });
      return ask(kind.revoke, input, as(issuer), partsOf(target));
    },
    probe: (key, issuer) => probeWith(key.credential, () => tools.open(key.credential, key.version), issuer),
    probeParts: (credential, parts, issuer) => probeWith(credential, () => Promise.resolve(parts), issuer),
    async identify(credential, parts, issuer) {
      const { identity } = tools.kindOf(credential).kind;
      return identity === undefined ? null : identityOf(identity, credential, parts, issuer);
    },
    async rights(credential, parts, issuer) {
      const { rights } = tools.kindOf(credential).kind;
      if (rights === undefined) return null;
      const scopes: string[] = [];
      let evidence: Evidence = { status: null, signature: 'rights.none', requestId: null };
      for (const operation of rights) {
        const said = await identityOf(operation, credential, parts, issuer);
        evidence = said.evidence;
        if (said.is !== 'known' || said.scopes === undefined) return { is: 'unknown', evidence };
        scopes.push(...said.scopes);
      }
      return { is: 'known', account: null, scopes, evidence };
    },
  };
}

function silence(code: string): Liveness {
  const evidence = { status: null, signature: `transport.${code}`, requestId: null };
  return { is: 'unknown', evidence, retryAfterMs: null };
}
