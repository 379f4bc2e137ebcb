// What the standing inventory found at a provider: a key that nobody registered, an orphan that the brake held back, a key that was
// certified dead and is accepted again, a key in use that somebody else ended or replaced. An orphan that was deleted is on record here too.

import type { Row } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';

export interface FindingRow extends Row {
  /** The credential whose key listed it. */
  readonly issuerId: string;
  readonly providerKeyId: string;
  readonly kind: 'unregistered' | 'orphan' | 'held-back' | 'missing' | 'resurrected' | 'changed-outside';
  /** The name in the provider's list: somebody else's text. */
  readonly name: string;
  readonly state: 'open' | 'deleted' | 'adopted' | 'ignored' | 'gone';
  readonly firstSeenAt: UtcMs;
  readonly closedAt: UtcMs | null;
  readonly lastUsedAt: UtcMs | null;
  /** What the provider's own log says of it; absent where it says nothing, or there is none. */
  readonly told?: Told;
}

/** An event of the provider's log: its name there, when it happened, and who did it, which is somebody else's text. */
export interface Told {
  readonly event: string;
  readonly at: UtcMs;
  readonly by: string | null;
}

export type FindingSeverity = 'critical' | 'warning';

/** How much a finding matters. It follows from the kind, so no row holds it. */
export const FINDING_SEVERITY: Readonly<Record<FindingRow['kind'], FindingSeverity>> = {
  /** A certificate is contradicted: whoever had the key has it again. */
  resurrected: 'critical',
  /** What applications are lent may fail at any moment, and somebody else holds what has come in its place. */
  'changed-outside': 'critical',
  orphan: 'warning',
  'held-back': 'warning',
  unregistered: 'warning',
  missing: 'warning',
};
