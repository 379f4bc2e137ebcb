// A credential is one right to act at one provider; its bytes live in versions. At most one version is `current`. These rows hold
// no secret: the bytes are in the version's envelope (vault), the provider's id of a key is no secret.

import type { Row } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import type { Place } from '../providers/provider.ts';

export interface CredentialRow extends Row {
  /** One value today: `default`. */
  readonly space: string;
  readonly environment: string;
  /** Name of the provider in the registry. */
  readonly provider: string;
  /** Slug; unique within space, environment and provider. */
  readonly name: string;
  /** Name of the kind in the provider. */
  readonly kind: string;
  /** `lend`: may be granted and lent by the broker. `manage`: mints and revokes others, never granted, never lent. */
  readonly purpose: 'lend' | 'manage';
  /** The credential with which this one is minted and revoked; null where a person does it. */
  readonly issuerId: string | null;
  /** Where its bytes may go, and how they stand in a request: pinned when the bytes came in, bound into the envelope. */
  readonly origin: string;
  readonly places: readonly Place[];
  /** What its kind needs to know: organisation, project. */
  readonly settings: Readonly<Record<string, string>>;
  readonly owner: string;
  readonly note: string;
  readonly policy: RotationSettings;
  readonly suspendedAt: UtcMs | null;
  readonly suspendReason: string | null;
  /** Decommissioned: no version will follow. */
  readonly retiredAt: UtcMs | null;
  readonly createdAt: UtcMs;
  /** `apply` where version-controlled files manage it, else null. */
  readonly managedBy: string | null;
}

/** The rotation policy of one credential, as people write it. Null means the default of rotation/policy.ts. */
export interface RotationSettings {
  /** Days after which the current version is due; null: only on request. */
  readonly everyDays: number | null;
  readonly quietSeconds: number | null;
  readonly drainMaxSeconds: number | null;
  /** Under compromise: revoke first and stand still, or replace first. */
  readonly onCompromise: 'revoke-first' | 'replace-first';
  /** What is open when a version or the lending ends: cut at once, or left to finish. Under compromise, and where a caller loses access, cut always. */
  readonly openStreams: 'cut' | 'finish';
}

export const DEFAULT_ROTATION: RotationSettings = {
  everyDays: null,
  quietSeconds: null,
  drainMaxSeconds: null,
  onCompromise: 'revoke-first',
  openStreams: 'cut',
};

/** NIST SP 800-57 calls these states pre-activation, active, deactivated, compromised/destroyed; GLOSSARY.md says why ours differ. */
export type VersionState = 'pending' | 'current' | 'previous' | 'revoking' | 'revoked';

/** Why a version was revoked: the reasons of RFC 5280 section 5.3.1 that fit keys. */
export type RevocationReason = 'superseded' | 'compromised' | 'unused' | 'owner-left' | 'decommissioned';

export interface VersionRow extends Row {
  readonly credentialId: string;
  /** 1, 2, 3, …: never reused. */
  readonly number: number;
  readonly state: VersionState;
  /** The provider's id of this key; null while unidentified: then its revocation needs a person. */
  readonly providerKeyId: string | null;
  /** With which credential this key is ended, where that is not its credential's issuer: a token belongs to the app that it was consented to. */
  readonly issuerId?: string;
  /** The name the key carries in the provider's list; null for an imported one. */
  readonly label: string | null;
  /** SHA-256 of the envelope: ties the log to the bytes that were stored. */
  readonly envelopeDigest: string;
  /** When the envelope was confirmed in a second failure domain; null: unprotected. */
  readonly secondCopyAt: UtcMs | null;
  /** When the provider ends it by itself; null: never. */
  readonly expiresAt: UtcMs | null;
  /** What the provider said that it may do, and when; absent where it was not asked, or does not say. */
  readonly holds?: { readonly scopes: readonly string[]; readonly at: UtcMs };
  readonly createdAt: UtcMs;
  readonly promotedAt: UtcMs | null;
  readonly retiredAt: UtcMs | null;
  readonly revokingAt: UtcMs | null;
  readonly revokedAt: UtcMs | null;
  readonly reason: RevocationReason | null;
  readonly certificateId: string | null;
}

/** The key under which a credential is unique. */
export function credentialKey(c: Pick<CredentialRow, 'space' | 'environment' | 'provider' | 'name'>): string {
  return `${c.space}/${c.environment}/${c.provider}/${c.name}`;
}
