// What a step of a rotation writes: the event, the rotation's next image, and the images of the versions that the step moves. Pure:
// the same step gives the same write.
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { Bracketed } from '../credentials/prober.ts';
import { type ControlEvent, nextImage, type Row, type RowImage } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import type { JsonObject } from '../model/json.ts';
import { labelFor } from './effects.ts';
import type { OverlapEvent, OverlapState } from './overlap.ts';
import type { RotationRow } from './rotation.ts';

export interface StepInput {
  readonly instance: string;
  readonly at: UtcMs;
  readonly actor: string;
  readonly row: RotationRow;
  readonly after: OverlapState;
  readonly event: OverlapEvent;
  readonly detail: JsonObject;
  readonly bracketed: Bracketed | null;
  readonly credential: CredentialRow;
  readonly versions: readonly VersionRow[];
  /** For `issued`: the digest of the envelope that is written with it. */
  readonly envelopeDigest: string | null;
  /** For `issued`: when the provider ends it by itself. */
  readonly expiresAt: UtcMs | null;
}

export interface Step {
  readonly event: ControlEvent;
  readonly row: RotationRow;
  /** The version whose death this step proves; its certificate is written with it. */
  readonly proven: VersionRow | null;
  /** The step that follows cannot be undone: a checkpoint must hold this one first. */
  readonly checkpoint: boolean;
}

/** The event's name in the journal. */
function nameOf(before: OverlapState, event: OverlapEvent): string {
  return event.on === 'begun' ? `rotation.${before.step}-begun` : `rotation.${event.on}`;
}

function find(versions: readonly VersionRow[], id: string | undefined): VersionRow | null {
  return versions.find((version) => version.id === id) ?? null;
}

export function recordStep(input: StepInput): Step {
  const { row, after, event, at } = input;
  const before = row.state;
  const proven = isProven(before, after, event) ? find(input.versions, heldOf(before)?.versionId) : null;
  const next = nextImage<RotationRow>(row, {
    state: after,
    endedAt: after.end === null || after.end === 'blocked' ? null : at,
    refusals: refusalsAfter(row, after, input.bracketed),
    revokeCalledAt: event.on === 'begun' && before.step === 'revoke' ? at : row.revokeCalledAt,
    lastProblem: after.end === 'blocked' ? after.reason : after.failures > 0 ? problemOf(input.detail) : null,
  });
  const images: RowImage[] = [{ noun: 'rotation', row: next }, ...versionImages(input, proven)];
  const control: ControlEvent = {
    v: 1,
    at,
    actor: input.actor,
    type: nameOf(before, event),
    rows: images,
    detail: { ...input.detail, step: before.step, to: after.step, ...(after.end === null ? {} : { end: after.end }) },
  };
  return { event: control, row: next, proven, checkpoint: event.on === 'begun' && before.step === 'revoke' };
}

function problemOf(detail: JsonObject): string {
  const parts = [detail['outcome'], detail['signature'], detail['status']].filter(
    (part) => part !== undefined && part !== null,
  );
  return parts.join(' ').slice(0, 200);
}

function heldOf(state: OverlapState) {
  return state.target === 'old' ? state.old : state.fresh;
}

/** A proof has ended when its step is left for anything but another revoke call or a standstill. */
function isProven(before: OverlapState, after: OverlapState, event: OverlapEvent): boolean {
  return (
    before.step === 'prove' &&
    event.on === 'probed' &&
    after.step !== 'prove' &&
    after.step !== 'revoke' &&
    after.end === null
  );
}

function refusalsAfter(row: RotationRow, after: OverlapState, bracketed: Bracketed | null): RotationRow['refusals'] {
  if (after.death.refusals === 0 && after.step !== 'sweep' && after.step !== 'issue') return [];
  if (bracketed?.record === undefined || bracketed.record === null) return row.refusals;
  const counted = after.death.refusals > row.state.death.refusals || after.step !== row.state.step;
  return counted ? [...row.refusals, bracketed.record] : row.refusals;
}

function versionImages(input: StepInput, proven: VersionRow | null): RowImage[] {
  const { after, event, at, row, versions } = input;
  const image = (version: VersionRow | null, change: Partial<VersionRow>): RowImage[] =>
    version === null ? [] : [{ noun: 'version', row: nextImage<VersionRow>(version, change) }];
  // A revocation was about the same key, and has proven and certified its death first.
  if (proven?.state === 'revoked') return [];
  if (proven !== null) return image(proven, { state: 'revoked', revokedAt: at, reason: proven.reason ?? row.reason });
  const old = find(versions, row.state.old.versionId);
  const fresh = find(versions, row.state.fresh?.versionId);
  switch (event.on) {
    case 'issued':
      return [{ noun: 'version', row: issuedVersion(input) }];
    case 'promoted':
      return [
        ...image(old, { state: 'previous', retiredAt: at }),
        ...image(fresh, { state: 'current', promotedAt: at }),
      ];
    case 'demoted':
      return [
        ...image(fresh, { state: 'previous', retiredAt: at }),
        ...image(old, { state: 'current', retiredAt: null }),
      ];
    case 'covered':
      return event.by === 'copy' ? image(fresh, { secondCopyAt: at }) : [];
    case 'begun': {
      if (row.state.step !== 'revoke') return [];
      const target = row.state.target === 'old' ? old : fresh;
      if (target === null || target.state === 'revoking') return [];
      return image(target, {
        state: 'revoking',
        revokingAt: at,
        reason: after.target === 'old' ? row.reason : 'superseded',
      });
    }
    default:
      return [];
  }
}

/** The images of a step that proves a death, with its certificate. */
export function withCertificate(rows: readonly RowImage[], versionId: string, certificate: Row): readonly RowImage[] {
  const named = rows.map((image) =>
    image.noun === 'version' && image.row.id === versionId
      ? { noun: image.noun, row: { ...image.row, certificateId: certificate.id } as Row }
      : image,
  );
  return [...named, { noun: 'certificate', row: certificate }];
}

function issuedVersion(input: StepInput): VersionRow {
  const { event, row, at } = input;
  if (event.on !== 'issued') throw new Error('not an issue');
  return {
    id: event.versionId,
    rowVersion: 1,
    credentialId: row.credentialId,
    number: 1 + Math.max(0, ...input.versions.map((version) => version.number)),
    state: 'pending',
    providerKeyId: event.providerKeyId,
    label: labelFor(input.instance, row, row.state.attempt),
    envelopeDigest: input.envelopeDigest ?? '',
    secondCopyAt: null,
    expiresAt: input.expiresAt,
    createdAt: at,
    promotedAt: null,
    retiredAt: null,
    revokingAt: null,
    revokedAt: null,
    reason: null,
    certificateId: null,
  };
}
