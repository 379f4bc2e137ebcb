// The one write of each step of a rotation: what record.ts says of rows, with the envelope that a new key brings, the certificate that a proof is
// due, and the version made ready for the broker before the write that makes it current.
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { RefusalRecord } from '../credentials/probing.ts';
import type { Actor, Blob, ControlWrite, Row, RowImage } from '../model/change.ts';
import type { Desk } from '../model/desk.ts';
import { allRows, getRow } from '../model/desk.ts';
import type { Parts } from '../providers/provider.ts';
import type { Brought } from './effects.ts';
import { recordStep, withCertificate } from './record.ts';
import type { RotationEvent, RotationRow, RotationState } from './rotation.ts';

export interface WritingOptions {
  readonly desk: Desk;
  readonly instance: string;
  /** Seals the parts of a new version and keeps them at hand. */
  readonly seal: (credential: CredentialRow, versionId: string, parts: Parts) => { bytes: Uint8Array; digest: string };
  /** Makes a version usable by the broker; before it is promoted. */
  readonly arm: (credential: CredentialRow, version: VersionRow) => Promise<void>;
  /** The certificate row for a proven death. */
  readonly certify: (facts: {
    credential: CredentialRow;
    version: VersionRow;
    row: RotationRow;
    refusals: readonly RefusalRecord[];
    actor: Actor;
  }) => Row;
}

export interface Change {
  readonly after: RotationState;
  readonly event: RotationEvent;
}

export function versionsOf(desk: Desk, credentialId: string): VersionRow[] {
  return allRows<VersionRow>(desk.rows, 'version').filter((version) => version.credentialId === credentialId);
}

const ACTOR = 'system:rotator';

/** The write of a step. `last`: what the effect brought whose event this is; null where there was none. */
export async function stepWrite(
  row: RotationRow,
  change: Change,
  last: Brought | null,
  actor: Actor,
  options: WritingOptions,
): Promise<ControlWrite> {
  const { desk } = options;
  const credential = getRow<CredentialRow>(desk.rows, 'credential', row.credentialId);
  const versions = versionsOf(desk, credential.id);
  const about = last !== null && last.event === change.event ? last : null;
  const blobs: Blob[] = [];
  let envelopeDigest: string | null = null;
  if (about !== null && about.parts !== null && 'versionId' in change.event) {
    const sealed = options.seal(credential, change.event.versionId, about.parts);
    blobs.push({ kind: 'envelope', id: change.event.versionId, value: sealed.bytes });
    envelopeDigest = sealed.digest;
  }
  const step = recordStep({
    instance: options.instance,
    at: desk.clock.now(),
    actor,
    row,
    after: change.after,
    event: change.event,
    detail: about?.detail ?? {},
    bracketed: about?.bracketed ?? null,
    credential,
    versions,
    envelopeDigest,
    expiresAt: about?.expiresAt ?? null,
    label: about?.label ?? null,
    issuerId: about?.issuerId ?? null,
    scopes: about?.scopes ?? null,
  });
  const { on } = change.event;
  if (on === 'promoted' || on === 'demoted') {
    const id = on === 'promoted' ? row.state.fresh?.versionId : row.state.old.versionId;
    const version = versions.find((one) => one.id === id);
    if (version !== undefined && credential.purpose === 'lend') await options.arm(credential, version);
  }
  let rows: readonly RowImage[] = step.event.rows;
  if (step.proven !== null && step.proven.state !== 'revoked') {
    const facts = { credential, version: step.proven, row, refusals: step.row.refusals, actor: ACTOR };
    rows = withCertificate(rows, step.proven.id, options.certify(facts));
  }
  return { events: [{ ...step.event, rows }], blobs, checkpoint: step.checkpoint };
}
