// What the rest of the house may ask of the revocation engine. The engine itself is revoke.io.ts.
import type { RevocationReason } from '../credentials/credential.ts';
import type { Actor } from '../model/change.ts';
import type { RevocationRow } from './revocation.ts';

export interface RevocationRequest {
  readonly credentialId: string;
  /** The versions to end; null: all that are not revoked. */
  readonly versionIds: readonly string[] | null;
  readonly reason: RevocationReason;
  /** `revoke-first`: suspend and revoke now. `replace-first`: rotate, then revoke. Null: what the credential's policy says. */
  readonly order: 'revoke-first' | 'replace-first' | null;
  readonly note: string;
  readonly actor: Actor;
}

export interface RevocationStarted {
  /** Empty for `replace-first`: the rotation revokes. */
  readonly revocations: readonly RevocationRow[];
  readonly rotationId: string | null;
  /** Open requests that were cut when the credential was suspended. */
  readonly cut: number;
}

export interface Revoker {
  /**
   * Orders a revocation. `revoke-first` suspends the credential in the same transaction: the broker refuses from the next
   * request on. Versions whose own order stands are left to it, unless they are named. Throws `invalid` where nothing is left to revoke,
   * `conflict` where all that is left, or a version that is named, is ordered to end already.
   */
  request(request: RevocationRequest): Promise<RevocationStarted>;
  /** Lets a blocked or unproven revocation go on. */
  resume(revocationId: string, actor: Actor): Promise<RevocationRow>;
}
