// Issuing, rotating and revoking the tokens that Claviger gives out. A token's text exists in the answer of the call that made it and
// nowhere else; it is kept as a hash. Whoever makes a token of a principal can act as it, so all of these need its every permission.
import type { CredentialRow } from '../credentials/credential.ts';
import { parseNetworks } from '../model/address.ts';
import { nextImage } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import { allRows, findRow, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import { type Context, eventOf, invalidField } from '../model/route.ts';
import { demandAuthorityOver } from './manage-ceiling.ts';
import type { PrincipalRow, TokenRow } from './principal.ts';
import { newTokenText } from './token.ts';

const TOKENS_MAX = 100;
/** The token that is being used to rotate itself stays good for at least this long: the answer may get lost. */
const OWN_OVERLAP_MIN_SECONDS = 60;

type Acting = Pick<Context, 'caller' | 'desk'>;
/** SHA-256 as hex. */
export type Hash = (text: string) => string;

export interface NewToken {
  readonly note: string;
  readonly credentialId: string | null;
  readonly networks: readonly string[];
  readonly expiresInSeconds: number | null;
}

export interface IssuedToken {
  readonly token: TokenRow;
  /** To be shown once. */
  readonly text: string;
}

/** Throws `denied` above the caller's rights, `conflict` for a disabled principal or too many tokens. */
export async function issueToken(
  context: Acting,
  principalId: string,
  input: NewToken,
  hash: Hash,
): Promise<IssuedToken> {
  const { desk } = context;
  const principal = getRow<PrincipalRow>(desk.rows, 'principal', principalId);
  demandUsable(context, principal);
  parseNetworks(input.networks, '/networks');
  if (input.credentialId !== null) demandLendable(context, input.credentialId);
  const now = desk.clock.now();
  const expiresAt = input.expiresInSeconds === null ? null : now + input.expiresInSeconds * 1000;
  const issued = newToken(context, { principalId, ...input, expiresAt, now }, hash);
  await desk.write({ events: [eventOf(context, 'token.issued', [{ noun: 'token', row: issued.token }])] });
  return issued;
}

function demandUsable(context: Acting, principal: PrincipalRow): void {
  demandAuthorityOver(context, principal);
  if (principal.disabledAt !== null) throw new Failure('conflict', 'the principal is disabled: enable it first');
  const tokens = allRows<TokenRow>(context.desk.rows, 'token').filter((row) => row.principalId === principal.id);
  if (tokens.length >= TOKENS_MAX) {
    throw new Failure('conflict', `the principal has ${TOKENS_MAX} tokens already: revoke some`);
  }
}

function demandLendable(context: Acting, credentialId: string): void {
  const credential = findRow<CredentialRow>(context.desk.rows, 'credential', credentialId);
  if (credential === null) throw invalidField('/credential', 'there is no such credential');
  if (credential.purpose !== 'lend') throw invalidField('/credential', 'this credential is not lent');
  if (credential.retiredAt !== null) throw invalidField('/credential', 'this credential is decommissioned');
}

function newToken(
  context: Acting,
  input: Omit<NewToken, 'expiresInSeconds'> & { principalId: string; expiresAt: UtcMs | null; now: UtcMs },
  hash: Hash,
): IssuedToken {
  const text = newTokenText(context.desk.random);
  const token: TokenRow = {
    id: newId('token', input.now, context.desk.random),
    rowVersion: 1,
    principalId: input.principalId,
    hash: hash(text),
    hint: text.slice(-4),
    note: input.note,
    credentialId: input.credentialId,
    networks: input.networks,
    createdAt: input.now,
    expiresAt: input.expiresAt,
    revokedAt: null,
    replacedBy: null,
  };
  return { token, text };
}

/**
 * Puts a new token in the place of one: same principal, credential, networks and expiry, which is never extended. The old one ends after
 * the overlap, or sooner where it would have. Throws `conflict` for one that was revoked, has expired or was replaced before.
 */
export async function rotateToken(
  context: Acting,
  id: string,
  overlapSeconds: number,
  hash: Hash,
): Promise<IssuedToken & { readonly replaces: TokenRow }> {
  const { desk, caller } = context;
  const old = getRow<TokenRow>(desk.rows, 'token', id);
  const principal = getRow<PrincipalRow>(desk.rows, 'principal', old.principalId);
  demandUsable(context, principal);
  const now = desk.clock.now();
  if (old.replacedBy !== null) throw new Failure('conflict', `the token was replaced by ${old.replacedBy} already`);
  if (old.expiresAt !== null && old.expiresAt <= now) throw new Failure('conflict', 'the token has expired');
  if (id === caller.tokenId && overlapSeconds < OWN_OVERLAP_MIN_SECONDS) {
    throw invalidField('/overlapSeconds', `at least ${OWN_OVERLAP_MIN_SECONDS} for the token that makes this call`);
  }
  const { note, credentialId, networks, expiresAt } = old;
  const issued = newToken(context, { principalId: principal.id, note, credentialId, networks, expiresAt, now }, hash);
  const end = now + overlapSeconds * 1000;
  const replaces = nextImage(old, {
    replacedBy: issued.token.id,
    expiresAt: expiresAt === null ? end : Math.min(expiresAt, end),
  });
  const rows = [
    { noun: 'token' as const, row: issued.token },
    { noun: 'token' as const, row: replaces },
  ];
  await desk.write({ events: [eventOf(context, 'token.rotated', rows, { replaces: id })] });
  return { ...issued, replaces };
}

/** Throws `conflict` for the token that makes the call. */
export async function revokeToken(context: Acting, id: string): Promise<TokenRow> {
  const { desk, caller } = context;
  const before = getRow<TokenRow>(desk.rows, 'token', id);
  demandAuthorityOver(context, getRow<PrincipalRow>(desk.rows, 'principal', before.principalId));
  if (id === caller.tokenId) throw new Failure('conflict', 'this is the token that makes the call: use another one');
  const row = nextImage(before, { revokedAt: desk.clock.now() });
  await desk.write({ events: [eventOf(context, 'token.revoked', [{ noun: 'token', row }])] });
  return row;
}
