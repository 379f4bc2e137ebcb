// Principals: who asks. A service uses keys through the broker; a person, or a pipeline, uses the control API. An identity is not a
// credential and not a session: it has tokens (token.ts), and what it may do is in its roles and its grants.

import type { Row } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import type { RoleName } from './role.ts';

export interface PrincipalRow extends Row {
  readonly space: string;
  /** Slug; unique within the space. */
  readonly name: string;
  readonly kind: 'service' | 'person';
  readonly roles: readonly RoleName[];
  readonly owner: string;
  readonly note: string;
  readonly disabledAt: UtcMs | null;
  readonly createdAt: UtcMs;
  readonly managedBy: string | null;
}

/** A token as it is kept: only its hash. Its text is shown once. */
export interface TokenRow extends Row {
  readonly principalId: string;
  /** SHA-256 of the token's text, hex. The token has 160 random bits: no salt or slow hash is needed. */
  readonly hash: string;
  /** The last four characters, to recognise it by. */
  readonly hint: string;
  readonly note: string;
  /** The one credential it opens, at the root of the broker's paths; null: credentials are named in the path. */
  readonly credentialId: string | null;
  /** CIDR networks that it may come from; empty: any. */
  readonly networks: readonly string[];
  readonly createdAt: UtcMs;
  readonly expiresAt: UtcMs | null;
  readonly revokedAt: UtcMs | null;
  /** The token that took its place. */
  readonly replacedBy: string | null;
}

export interface Rate {
  /** Requests per period, evenly spaced, with `burst` of them allowed at once. */
  readonly requests: number;
  readonly perSeconds: number;
  readonly burst: number;
}

/** A grant: one principal may do these actions with one credential. Deny by default: what no grant names is refused. */
export interface GrantRow extends Row {
  readonly principalId: string;
  readonly credentialId: string;
  /** Action patterns: `branch.create`, `branch.*`, `*:read`. Actions that mint or reveal credentials match only their full name. */
  readonly actions: readonly string[];
  /** Allowed values for each constrained parameter, by its name in the catalogue. A value absent from the request is a denial. */
  readonly parameters: Readonly<Record<string, readonly string[]>>;
  readonly networks: readonly string[];
  readonly rate: Rate | null;
  readonly expiresAt: UtcMs | null;
  readonly revokedAt: UtcMs | null;
  readonly createdAt: UtcMs;
  /** Why it was given: for the next review. */
  readonly note: string;
  readonly managedBy: string | null;
}
