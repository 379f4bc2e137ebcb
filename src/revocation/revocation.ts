// The row of a revocation: an order to end versions of a credential, its reason, and how far it has come. And the row of a certificate of death.

import type { RevocationReason } from '../credentials/credential.ts';
import type { DeathEvidence } from '../credentials/death.ts';
import type { RefusalRecord } from '../credentials/probing.ts';
import type { Row } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import type { Instant } from '../model/instant.ts';
import type { JsonObject } from '../model/json.ts';

export interface RevocationRow extends Row {
  readonly credentialId: string;
  readonly versionId: string;
  readonly reason: RevocationReason;
  readonly note: string;
  readonly requestedAt: UtcMs;
  /** Who asked: a principal's id, or `system:…`. */
  readonly requestedBy: string;
  readonly endedAt: UtcMs | null;
  readonly state: RevocationState;
  readonly policy: RevocationPolicy;
  readonly refusals: readonly RefusalRecord[];
  readonly revokeCalledAt: UtcMs | null;
  readonly certificateId: string | null;
}

export interface RevocationPolicy {
  readonly refusals: number;
  readonly spacingMs: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  readonly revokesMax: number;
  readonly failuresMax: number;
}

export interface RevocationState {
  readonly protocol: 'revoke/1';
  readonly step: 'revoke' | 'prove';
  readonly intent: boolean;
  readonly providerKeyId: string | null;
  readonly revokes: number;
  readonly failures: number;
  readonly death: DeathEvidence;
  readonly pause: { readonly from: Instant; readonly ms: number } | null;
  /** A person was asked to end the key, and has said go on: where there is nothing to call with, what they did is proven. */
  readonly byHand?: boolean;
  /** `unproven`: no live control, so no refusal counts; `assisted`: a person must revoke it at the provider. */
  readonly end: 'proven' | 'unproven' | 'blocked' | null;
  readonly reason: string | null;
}

export interface CertificateRow extends Row {
  readonly credentialId: string;
  readonly versionId: string;
  readonly issuedAt: UtcMs;
  /** What is certified, canonical JSON in the signed note. */
  readonly statement: JsonObject;
  /** The signed note: the statement's text and the log key's signature over it. */
  readonly note: string;
}

export const revocationTable = {
  /** One running revocation for each version. */
  naturalKey: (row: RevocationRow) => (row.endedAt === null ? row.versionId : null),
  parent: (row: RevocationRow) => row.credentialId,
  isLive: (row: RevocationRow) => row.endedAt === null,
};

export const certificateTable = {
  naturalKey: (row: CertificateRow) => row.versionId,
  parent: (row: CertificateRow) => row.credentialId,
  isLive: () => false,
};
