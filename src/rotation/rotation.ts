// The row of a rotation: the protocol's state is the truth, the journal (the control log) its evidence. Policy, settings and
// protocol version are pinned here when the rotation is requested.
import type { RevocationReason } from '../credentials/credential.ts';
import type { RefusalRecord } from '../credentials/probing.ts';
import type { Row } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import type { OverlapEvent, OverlapState } from './overlap.ts';
import type { OverlapPolicy } from './policy.ts';
import type { SwapEvent, SwapPolicy, SwapState } from './swap-state.ts';

interface RotationBase extends Row {
  readonly credentialId: string;
  readonly trigger: 'schedule' | 'operator' | 'compromise';
  /** Why the old version goes, for its certificate. */
  readonly reason: RevocationReason;
  readonly requestedAt: UtcMs;
  /** Who asked: a principal's id, or `system:…`. */
  readonly requestedBy: string;
  readonly endedAt: UtcMs | null;
  /** Settings of the credential when it was requested: what is minted is never wider. */
  readonly settings: Readonly<Record<string, string>>;
  /** Refusals of the version under proof, since its last revoke call or acceptance. */
  readonly refusals: readonly RefusalRecord[];
  /** When the provider was last asked to revoke the version under proof. */
  readonly revokeCalledAt: UtcMs | null;
  /** What the last failure was, for people. */
  readonly lastProblem: string | null;
}

export interface OverlapRotation extends RotationBase {
  readonly state: OverlapState;
  readonly policy: OverlapPolicy;
}

export interface SwapRotation extends RotationBase {
  readonly state: SwapState;
  readonly policy: SwapPolicy;
}

/** Two protocols, told apart by what their state says. */
export type RotationRow = OverlapRotation | SwapRotation;
export type RotationState = OverlapState | SwapState;
export type RotationEvent = OverlapEvent | SwapEvent;

export function isSwap(row: RotationRow): row is SwapRotation {
  return row.state.protocol === 'swap/1';
}

export const rotationTable = {
  /** One running rotation for each credential, whoever asks. */
  naturalKey: (row: RotationRow) => (row.endedAt === null ? row.credentialId : null),
  parent: (row: RotationRow) => row.credentialId,
  isLive: (row: RotationRow) => row.endedAt === null,
};
