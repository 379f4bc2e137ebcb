// The certificate of death: what was revoked, why, when the provider was asked, and the refusals that prove it, each beside the
// acceptances of a known-live key through the same path. A signed note over canonical JSON, so that anybody with the public
// key can check it without us. It names one version.
import type { CredentialRow, RevocationReason, VersionRow } from '../credentials/credential.ts';
import type { RefusalRecord } from '../credentials/probing.ts';
import { type Signer, signNote } from '../ledger/note.ts';
import { toRfc3339, type UtcMs } from '../model/clock.ts';
import { canonicalJson, type Json, type JsonObject } from '../model/json.ts';
import type { CertificateRow } from './revocation.ts';

export interface DeathFacts {
  readonly instance: string;
  readonly credential: CredentialRow;
  readonly version: VersionRow;
  readonly reason: RevocationReason;
  readonly actor: string;
  readonly requestedAt: UtcMs;
  readonly revokeCalledAt: UtcMs | null;
  readonly refusals: readonly RefusalRecord[];
  readonly issuedAt: UtcMs;
}

export const CERTIFICATE_TYPE = 'claviger/certificate-of-death/v1';

function instant(at: UtcMs | null): Json {
  return at === null ? null : toRfc3339(at);
}

function reading(record: RefusalRecord['target']): JsonObject {
  return {
    at: toRfc3339(record.at),
    is: record.is,
    requestId: record.requestId,
    signature: record.signature,
    status: record.status,
  };
}

/** What the certificate says. No secret: the key's bytes appear nowhere, its provider's id does. */
export function deathStatement(facts: DeathFacts): JsonObject {
  const { credential, version } = facts;
  return {
    type: CERTIFICATE_TYPE,
    instance: facts.instance,
    credential: {
      id: credential.id,
      provider: credential.provider,
      environment: credential.environment,
      name: credential.name,
      kind: credential.kind,
      origin: credential.origin,
    },
    version: { id: version.id, number: version.number, providerKeyId: version.providerKeyId },
    reason: facts.reason,
    requestedBy: facts.actor,
    requestedAt: instant(facts.requestedAt),
    revokeCalledAt: instant(facts.revokeCalledAt),
    refusals: facts.refusals.map((refusal) => ({
      refused: reading(refusal.target),
      control: {
        version: refusal.control.versionId,
        before: reading(refusal.control.before),
        after: reading(refusal.control.after),
      },
    })),
    issuedAt: instant(facts.issuedAt),
  };
}

/** The row of a new certificate, signed. */
export function issueCertificate(id: string, facts: DeathFacts, signer: Signer): CertificateRow {
  const statement = deathStatement(facts);
  return {
    id,
    rowVersion: 1,
    credentialId: facts.credential.id,
    versionId: facts.version.id,
    issuedAt: facts.issuedAt,
    statement,
    note: signNote(`${canonicalJson(statement)}\n`, signer),
  };
}
