// What the rest of the house may ask of the rotation engine. The engine itself is rotator.io.ts.
import type { RevocationReason } from '../credentials/credential.ts';
import type { Actor } from '../model/change.ts';
import type { Parts } from '../providers/provider.ts';
import type { RotationRow } from './rotation.ts';

export interface RotationRequest {
  readonly credentialId: string;
  readonly trigger: RotationRow['trigger'];
  readonly reason: RevocationReason;
  readonly actor: Actor;
  /** A person makes the new key and brings it, whatever the provider's API could do. */
  readonly byHand?: boolean;
}

/** What is known of a key that is brought, besides what its provider says when it is asked. */
export interface KnownKey {
  /** The credential with which it is ended, where that is another one than its credential's issuer. */
  readonly issuerId?: string | undefined;
  /** What it may do, by the provider's word when it was made. */
  readonly scopes?: readonly string[] | undefined;
}

export interface Rotator {
  /**
   * Requests a rotation and returns its row; it goes on by itself. Throws `conflict` where one is running for this credential,
   * `invalid` where it cannot be rotated as it stands, `sealed` while sealed.
   */
  request(request: RotationRequest): Promise<RotationRow>;
  /**
   * Ends a version that is not the current one: drains, revokes and proves it, without a successor. Throws `conflict` where a
   * rotation of its credential is running, `invalid` where it is current, revoked or unidentified.
   */
  retire(versionId: string, actor: Actor): Promise<RotationRow>;
  /**
   * Brings the key that a rotation waits for. Throws `invalid` where it is not of the kind's form, dead, the old one, of another account or able to do
   * more (on record as refused, and the rotation waits on), `upstream-unavailable` where the provider cannot be asked, `conflict` where none
   * is waited for. Once it resolves, the key is stored. `known`: what is known of the key besides.
   */
  bring(rotationId: string, parts: Parts, actor: Actor, known?: KnownKey): Promise<RotationRow>;
  /** Undoes a rotation that has not reached its pivot. Throws `conflict` where it has, `not-found` where none runs. */
  cancel(rotationId: string, reason: string, actor: Actor): Promise<RotationRow>;
  /** Ends a rotation where it stands, also past its pivot: what is left of it is somebody else's from now on. */
  supersede(rotationId: string, reason: string, actor: Actor): Promise<RotationRow>;
  /** Lets a blocked rotation go on. */
  resume(rotationId: string, actor: Actor): Promise<RotationRow>;
}
