// What a step of a rotation writes: the event, the rotation's next image, and the images of the versions that the step moves. Pure:
// the same step gives the same write.
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { notedScopes } from '../credentials/inspecting.ts';
import type { Bracketed } from '../credentials/prober.ts';
import { type ControlEvent, nextImage, type Row, type RowImage } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import type { JsonObject } from '../model/json.ts';
import type { Held } from './overlap.ts';
import type { RotationEvent, RotationRow, RotationState } from './rotation.ts';

export interface StepInput {
  readonly instance: string;
  readonly at: UtcMs;
  readonly actor: string;
  readonly row: RotationRow;
  readonly after: RotationState;
  readonly event: RotationEvent;
  readonly detail: JsonObject;
  readonly bracketed: Bracketed | null;
  readonly credential: CredentialRow;
  readonly versions: readonly VersionRow[];
  /** For an event that brings a key: the digest of the envelope that is written with it. */
  readonly envelopeDigest: string | null;
  /** For an event that brings a key: when the provider ends it by itself. */
  readonly expiresAt: UtcMs | null;
  /** For an event that brings a key: the name it carries in the provider's list. */
  readonly label: string | null;
  /** With which credential a new key is ended, where that is not its credential's issuer. */
  readonly issuerId: string | null;
  /** What the provider says that a new key may do; null where it does not. */
  readonly scopes: readonly string[] | null;
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
function nameOf(before: RotationState, event: RotationEvent): string {
  return event.on === 'begun' ? `rotation.${before.step}-begun` : `rotation.${event.on}`;
}

function find(versions: readonly VersionRow[], id: string | undefined): VersionRow | null {
  return versions.find((version) => version.id === id) ?? null;
}

export function recordStep(input: StepInput): Step {
  const { row, after, event, at } = input;
  const before = row.state;
  const dead = provenBy(before, after, event);
  const proven = dead === null ? null : find(input.versions, dead.versionId);
  const isCall = event.on === 'begun' && endsAKey(before);
  const change = {
    endedAt: isOpen(after) && event.on !== 'superseded' ? null : at,
    refusals: refusalsAfter(row, after, dead !== null, input.bracketed),
    revokeCalledAt: isCall ? at : event.on === 'no-means' ? lastCall(row) : row.revokeCalledAt,
    lastProblem: problemAfter(after, event, input.detail),
  };
  const next = { ...nextImage<RotationRow>(row, change), state: after } as RotationRow;
  const images: RowImage[] = [{ noun: 'rotation', row: next }, ...versionImages(input, proven)];
  const control: ControlEvent = {
    v: 1,
    at,
    actor: input.actor,
    type: nameOf(before, event),
    rows: images,
    detail: { ...input.detail, step: before.step, to: after.step, ...(after.end === null ? {} : { end: after.end }) },
  };
  const isPivot = event.on === 'begun' && (before.step === 'revoke' || before.step === 'replace');
  return { event: control, row: next, proven, checkpoint: isPivot };
}

/** When the provider was asked last, where what was begun just now was not sent. Of several calls the journal knows the times. */
function lastCall({ state, revokeCalledAt }: RotationRow): UtcMs | null {
  return state.protocol === 'overlap/1' && state.step === 'revoke' && state.revokes === 0 ? null : revokeCalledAt;
}

/** Whether it runs, or waits for a person. */
function isOpen(state: RotationState): boolean {
  return state.end === null || state.end === 'blocked' || state.end === 'lost';
}

/** Whether what is begun in this state is a call that ends a key at the provider. */
function endsAKey(state: RotationState): boolean {
  if (state.protocol === 'swap/1') return state.step === 'replace';
  return state.step === 'revoke' && state.means.revoke === 'api';
}

function problemAfter(after: RotationState, event: RotationEvent, detail: JsonObject): string | null {
  if (after.end === 'blocked' || after.end === 'lost') return after.reason;
  return after.failures > 0 || event.on === 'key-refused' ? problemOf(detail) : null;
}

function problemOf(detail: JsonObject): string {
  const parts = [detail['outcome'], detail['signature'], detail['status']].filter(
    (part) => part !== undefined && part !== null,
  );
  return parts.join(' ').slice(0, 200);
}

/** The key whose death is proven by a step: a proof is over when a refusal leaves nothing more to prove. */
function provenBy(before: RotationState, after: RotationState, event: RotationEvent): Held | null {
  if (before.step !== 'prove' || event.on !== 'probed' || event.verdict !== 'dead') return null;
  if (after.step === 'prove' && (after.end === null || after.end === 'blocked')) return null;
  return before.protocol === 'overlap/1' && before.target === 'fresh' ? before.fresh : before.old;
}

/** Steps in which the refusals of the last proof are still to be read. */
const AFTER_PROOF: ReadonlySet<string> = new Set(['sweep', 'issue', 'await']);

function refusalsAfter(
  row: RotationRow,
  after: RotationState,
  isProof: boolean,
  bracketed: Bracketed | null,
): RotationRow['refusals'] {
  if (!isProof && after.death.refusals === 0 && !AFTER_PROOF.has(after.step)) return [];
  if (bracketed?.record === undefined || bracketed.record === null) return row.refusals;
  const isCounted = isProof || after.death.refusals > row.state.death.refusals;
  return isCounted ? [...row.refusals, bracketed.record] : row.refusals;
}

function versionImages(input: StepInput, proven: VersionRow | null): RowImage[] {
  const { event, at, row, versions } = input;
  const image = (version: VersionRow | null, change: Partial<VersionRow>): RowImage[] =>
    version === null ? [] : [{ noun: 'version', row: nextImage<VersionRow>(version, change) }];
  // A revocation was about the same key, and has proven and certified its death first.
  if (proven?.state === 'revoked') return [];
  if (proven !== null)
    return image(proven, { state: 'revoked', revokedAt: at, reason: proven.reason ?? reasonOf(input, proven) });
  const old = find(versions, row.state.old.versionId);
  const fresh = find(versions, row.state.fresh?.versionId);
  switch (event.on) {
    case 'issued':
    case 'prepared':
      return [{ noun: 'version', row: issuedVersion(input, event) }];
    case 'replaced':
      // A value of ours was stored before it was sent.
      return fresh === null ? [{ noun: 'version', row: issuedVersion(input, event) }] : [];
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
      if (row.state.protocol !== 'overlap/1' || row.state.step !== 'revoke') return [];
      const isOld = row.state.target === 'old';
      const target = isOld ? old : fresh;
      if (target === null || target.state === 'revoking') return [];
      return image(target, { state: 'revoking', revokingAt: at, reason: isOld ? row.reason : 'superseded' });
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

/** A key of this very rotation that came to nothing was not what it was asked for. */
function reasonOf({ row }: StepInput, proven: VersionRow): RotationRow['reason'] {
  return proven.id === row.state.fresh?.versionId ? 'superseded' : row.reason;
}

function issuedVersion(
  input: StepInput,
  brought: { readonly versionId: string; readonly providerKeyId: string },
): VersionRow {
  const { row, at } = input;
  const scopes = input.scopes === null ? null : notedScopes(input.scopes);
  return {
    id: brought.versionId,
    rowVersion: 1,
    credentialId: row.credentialId,
    number: 1 + Math.max(0, ...input.versions.map((version) => version.number)),
    state: 'pending',
    providerKeyId: brought.providerKeyId === '' ? null : brought.providerKeyId,
    ...(input.issuerId === null ? {} : { issuerId: input.issuerId }),
    label: input.label,
    envelopeDigest: input.envelopeDigest ?? '',
    secondCopyAt: null,
    expiresAt: input.expiresAt,
    ...(scopes === null ? {} : { holds: { scopes, at } }),
    createdAt: at,
    promotedAt: null,
    retiredAt: null,
    revokingAt: null,
    revokedAt: null,
    reason: null,
    certificateId: null,
  };
}
