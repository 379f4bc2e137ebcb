// The nouns that this room owns, as the database sees them.
import type { GrantRow, PrincipalRow, TokenRow } from './principal.ts';

export const principalTable = {
  naturalKey: (row: PrincipalRow) => `${row.space}/${row.name}`,
  parent: () => null,
  isLive: () => true,
};

export const tokenTable = {
  naturalKey: (row: TokenRow) => row.hash,
  parent: (row: TokenRow) => row.principalId,
  /** Revoked tokens stay in the table; the server need not remember them. */
  isLive: (row: TokenRow) => row.revokedAt === null,
};

export const grantTable = {
  naturalKey: () => null,
  parent: (row: GrantRow) => row.credentialId,
  isLive: (row: GrantRow) => row.revokedAt === null,
};
