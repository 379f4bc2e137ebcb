// Bringing a key's bytes in by hand: format, whether they are stored already, a look whether the provider accepts them, the envelope, and the version that
// becomes current.
// The bytes are sealed and ready for the broker before the version is current, so that no request meets a gap.
import { type Blob, type ControlEvent, nextImage, type RowImage } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import { allRows } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import { eventOf, invalidField } from '../model/route.ts';
import { revealSecretText, type Secret } from '../model/secret.ts';
import type { Kind, Liveness } from '../providers/provider.ts';
import type { CredentialRow, VersionRow } from './credential.ts';
import type { FindingRow } from './finding.ts';
import { notedScopes } from './inspecting.ts';
import { type Acting, demandNoRotation } from './manage.ts';
import { heldElsewhere, holderOfKey, type KeyHolder } from './same-key.ts';

export type Parts = Readonly<Record<string, Secret>>;

export interface Keys {
  /** Throws `sealed`. */
  seal(
    credential: CredentialRow,
    versionId: string,
    parts: Parts,
  ): { readonly bytes: Uint8Array; readonly digest: string };
  /** Throws `sealed`, and `corrupt` or `not-found` where it cannot be opened. */
  open(credential: CredentialRow, version: VersionRow): Promise<Parts>;
  /** Takes opened parts and makes the version usable by the broker, where it is for lending. */
  arm(credential: CredentialRow, version: VersionRow, parts: Parts): Promise<void>;
  /** Forgets a version that came to nothing. */
  disarm(versionId: string): void;
  /** Asks the provider about a key that is not stored yet; `unknown` where it cannot be asked. */
  probe(credential: CredentialRow, kind: Kind, parts: Parts): Promise<Liveness['is']>;
}

/** Throws `invalid` where parts are missing, unknown or not of the kind's form. Says nothing about their content. */
export function demandParts(kind: Kind, parts: Parts): void {
  const errors: { pointer: string; detail: string }[] = [];
  for (const name of Object.keys(parts)) {
    if (!kind.parts.includes(name)) errors.push({ pointer: `/parts/${name}`, detail: 'this kind has no such part' });
  }
  for (const name of kind.parts) {
    const part = parts[name];
    const format = kind.format[name];
    if (part === undefined) errors.push({ pointer: `/parts/${name}`, detail: 'missing' });
    else if (format !== undefined && !format.test(revealSecretText(part))) {
      errors.push({ pointer: `/parts/${name}`, detail: `not of the form that a ${kind.title} has` });
    } else if (kind.check?.[name]?.(revealSecretText(part)) === false) {
      errors.push({ pointer: `/parts/${name}`, detail: 'its checksum is wrong: it was not copied whole' });
    }
  }
  if (errors.length > 0) throw new Failure('invalid', 'the key does not fit its kind', { errors });
}

export function versionsOf(context: Acting, credentialId: string): VersionRow[] {
  const rows = allRows<VersionRow>(context.desk.rows, 'version').filter((row) => row.credentialId === credentialId);
  return rows.sort((a, b) => b.number - a.number);
}

/** The version that holds this id at the provider, among credentials that share its list of keys; null where none does. */
export function holderOf(context: Acting, credential: CredentialRow, providerKeyId: string): VersionRow | null {
  const credentials = new Map(
    allRows<CredentialRow>(context.desk.rows, 'credential')
      .filter(
        (row) =>
          row.provider === credential.provider && row.origin === credential.origin && row.kind === credential.kind,
      )
      .map((row) => [row.id, row]),
  );
  const versions = allRows<VersionRow>(context.desk.rows, 'version');
  return versions.find((row) => row.providerKeyId === providerKeyId && credentials.has(row.credentialId)) ?? null;
}

export interface BroughtVersion {
  readonly credential: CredentialRow;
  readonly kind: Kind;
  readonly parts: Parts;
  readonly providerKeyId: string | null;
  /** With which credential it is ended; absent: its credential's issuer. */
  readonly issuerId?: string | undefined;
  /** What it may do, by the provider's word when it was made. */
  readonly scopes?: readonly string[] | undefined;
  /** Whether the provider may be asked; where it refuses the key, the key is not taken. */
  readonly isProbed: boolean;
  /** The image of the credential that is written with the version; null where its row stays. */
  readonly image: { readonly row: CredentialRow; readonly type: string } | null;
}

/**
 * Stores a key and makes it the current version; the one before becomes previous. A key that a previous version holds becomes current as that
 * version. Throws `invalid` for a key that does not fit, that the provider refuses or that is stored already, `conflict` while a rotation runs,
 * `sealed`. After a crash there is the whole version, or nothing of it.
 */
export async function bringVersion(context: Acting, brought: BroughtVersion, keys: Keys): Promise<VersionRow> {
  const { desk } = context;
  const { credential, kind, parts, providerKeyId, issuerId, scopes } = brought;
  demandParts(kind, parts);
  demandNoRotation(context, credential.id);
  const known = await holderOfKey(desk.rows, { credential, kind, parts }, keys.open);
  // A version that nobody can open lends nothing: it is not in the way of a key.
  const former = known.is === 'held' ? formerOf(known, credential) : null;
  const holder = providerKeyId === null ? null : holderOf(context, credential, providerKeyId);
  if (holder !== null && holder.id !== former?.id)
    throw invalidField('/providerKeyId', 'another version has this id at the provider');
  const versionId = newId('version', desk.clock.now(), desk.random);
  const sealed = keys.seal(credential, versionId, parts);
  if (brought.isProbed && (await keys.probe(credential, kind, parts)) === 'dead') {
    throw invalidField('/parts', 'the provider refuses this key');
  }
  // Looked at again, since the provider was asked meanwhile.
  demandNoRotation(context, credential.id);
  if (former !== null) return bringBack(context, former, brought, keys);
  const now = desk.clock.now();
  const before = versionsOf(context, credential.id);
  const holds = scopes === undefined ? null : notedScopes(scopes);
  const version: VersionRow = {
    id: versionId,
    rowVersion: 1,
    credentialId: credential.id,
    number: 1 + (before[0]?.number ?? 0),
    state: 'current',
    providerKeyId,
    ...(issuerId === undefined || issuerId === credential.issuerId ? {} : { issuerId }),
    label: null,
    envelopeDigest: sealed.digest,
    secondCopyAt: null,
    expiresAt: null,
    ...(holds === null ? {} : { holds: { scopes: holds, at: now } }),
    createdAt: now,
    promotedAt: now,
    retiredAt: null,
    revokingAt: null,
    revokedAt: null,
    reason: null,
    certificateId: null,
  };
  const rows: RowImage[] = [
    ...replaced(before, now),
    { noun: 'version', row: version },
    ...adopted(context, credential, providerKeyId),
  ];
  const events = [
    ...changed(context, brought.image),
    eventOf(context, 'version.brought', rows, { isIdentified: providerKeyId !== null }),
  ];
  const blobs: Blob[] = [{ kind: 'envelope', id: versionId, value: sealed.bytes }];
  await keys.arm(credential, version, parts);
  try {
    await desk.write({ events, blobs });
  } catch (error) {
    keys.disarm(versionId);
    throw error;
  }
  return version;
}

/** The version that was current is the previous one from now on. */
function replaced(versions: readonly VersionRow[], now: UtcMs): RowImage[] {
  const old = versions.find((row) => row.state === 'current');
  return old === undefined ? [] : [{ noun: 'version', row: nextImage(old, { state: 'previous', retiredAt: now }) }];
}

function changed(context: Acting, image: BroughtVersion['image']): ControlEvent[] {
  return image === null ? [] : [eventOf(context, image.type, [{ noun: 'credential', row: image.row }])];
}

/** The version of this very credential that holds the key and may become current again. Throws `invalid` where the key is stored otherwise. */
function formerOf({ credential: holder, version }: KeyHolder, credential: CredentialRow): VersionRow {
  if (holder.id !== credential.id) throw invalidField('/parts', heldElsewhere({ credential: holder, version }));
  if (version.state === 'previous') return version;
  const how = version.state === 'current' ? 'it is current already' : 'it is being revoked';
  throw invalidField('/parts', `this is the key of version ${version.number}: ${how}`);
}

/** Another version with the same bytes would be ended with the one that it is. */
async function bringBack(context: Acting, held: VersionRow, brought: BroughtVersion, keys: Keys): Promise<VersionRow> {
  const { desk } = context;
  const { credential, image, parts, providerKeyId, issuerId, scopes } = brought;
  const now = desk.clock.now();
  const versions = versionsOf(context, credential.id);
  const former = versions.find((row) => row.id === held.id);
  if (former?.state !== 'previous') throw new Failure('conflict', 'the version was changed meanwhile');
  if (providerKeyId !== null && former.providerKeyId !== null && former.providerKeyId !== providerKeyId)
    throw invalidField(
      '/providerKeyId',
      `this is the key of version ${former.number}, which has another id at the provider`,
    );
  const holds = scopes === undefined ? null : notedScopes(scopes);
  const version = nextImage(former, {
    state: 'current' as const,
    promotedAt: now,
    retiredAt: null,
    providerKeyId: former.providerKeyId ?? providerKeyId,
    ...(issuerId === undefined ? {} : { issuerId }),
    ...(holds === null ? {} : { holds: { scopes: holds, at: now } }),
  });
  const rows: RowImage[] = [
    ...replaced(versions, now),
    { noun: 'version', row: version },
    ...adopted(context, credential, version.providerKeyId),
  ];
  const events = [...changed(context, image), eventOf(context, 'version.brought-back', rows)];
  await keys.arm(credential, version, parts);
  await desk.write({ events });
  return version;
}

/** An open finding about this key is closed with it: the key is registered now. */
export function adopted(context: Acting, credential: CredentialRow, providerKeyId: string | null): RowImage[] {
  if (providerKeyId === null || credential.issuerId === null) return [];
  const finding = allRows<FindingRow>(context.desk.rows, 'finding').find(
    (row) => row.issuerId === credential.issuerId && row.providerKeyId === providerKeyId && row.state === 'open',
  );
  if (finding === undefined) return [];
  const closedAt = context.desk.clock.now();
  return [{ noun: 'finding', row: nextImage(finding, { state: 'adopted' as const, closedAt }) }];
}
