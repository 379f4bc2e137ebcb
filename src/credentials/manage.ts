// Adding and changing credentials: the rules over their rows. Bytes come in manage-versions.ts. Pure but for the desk's write.
import { type ControlEvent, nextImage, type Row, type RowImage } from '../model/change.ts';
import { allRows, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import { type Context, eventOf, invalidField } from '../model/route.ts';
import type { Kind } from '../providers/provider.ts';
import {
  type CredentialRow,
  credentialKey,
  DEFAULT_ROTATION,
  type RotationSettings,
  type VersionRow,
} from './credential.ts';
import { issuing, sharedSettings } from './issuing.ts';

/** Bounds what is in memory for deciding. */
const CREDENTIALS_MAX = 100_000;
export const SPACE = 'default';

export type Acting = Pick<Context, 'caller' | 'desk'>;

/** What adding a credential asks of the rest of the house. */
export interface Kinds {
  /** The kind of a provider, or null where this program has none. */
  kindNamed(provider: string, kind: string): Kind | null;
  /**
   * Where a credential of this provider may go: what was asked for, else what is configured, else the provider's own origin. Throws
   * `invalid` where the origin may not be reached.
   */
  originFor(provider: string, asked: string | null, kind: string): string;
  /** Where the provider's own service is for a kind, whatever is configured; null where this program knows of none. */
  ownOrigin(provider: string, kind: string): string | null;
}

export interface NewCredential {
  readonly environment: string;
  readonly provider: string;
  readonly name: string;
  readonly kind: string;
  readonly purpose: CredentialRow['purpose'];
  readonly issuerId: string | null;
  readonly origin: string | null;
  readonly settings: Readonly<Record<string, string>>;
  readonly owner: string;
  readonly note: string;
  readonly policy: Partial<RotationSettings>;
}

export interface CredentialChange {
  readonly name?: string | undefined;
  readonly owner?: string | undefined;
  readonly note?: string | undefined;
  readonly issuerId?: string | null | undefined;
  readonly policy?: Partial<RotationSettings> | undefined;
  /** Those that change, by name; null takes one away. */
  readonly settings?: Readonly<Record<string, string | null>> | undefined;
}

/** The kind, by names that a caller wrote. Throws `invalid` with a pointer. */
export function kindAt(kinds: Kinds, provider: string, kind: string): Kind {
  const found = kinds.kindNamed(provider, kind);
  if (found === null) throw invalidField('/kind', `this program knows no provider ${provider} with a kind ${kind}`);
  return found;
}

/** Holds settings against their kind: no unknown ones, none missing, each of the form that the kind's own requests need. */
export function demandSettings(kind: Kind, settings: Readonly<Record<string, string>>): void {
  const errors: { pointer: string; detail: string }[] = [];
  const known = { ...sharedSettings(kind), ...kind.settings };
  for (const name of Object.keys(settings)) {
    if (!Object.hasOwn(known, name))
      errors.push({ pointer: `/settings/${name}`, detail: 'this kind has no such setting' });
  }
  for (const [name, { required, about }] of Object.entries(known)) {
    if (required && !Object.hasOwn(settings, name))
      errors.push({ pointer: `/settings/${name}`, detail: `needed: ${about}` });
  }
  if (errors.length > 0) throw new Failure('invalid', `the settings do not fit the kind ${kind.name}`, { errors });
  try {
    kind.issue?.request({ ...issuing(kind, settings, 0), label: 'check' });
    kind.list?.request({ settings });
  } catch (error) {
    if (Failure.is(error, 'invalid')) throw invalidField('/settings', error.message);
    throw error;
  }
}

/** A credential as far as its issuer is concerned. */
export interface Issued {
  /** Null for one that is not there yet. */
  readonly id: string | null;
  readonly provider: string;
  readonly origin: string;
  readonly kind: Kind;
}

/** Throws `invalid` unless the issuer may mint keys of this kind towards this origin. */
export function demandIssuer(context: Acting, issuerId: string, of: Issued, kinds: Kinds): void {
  const issuer = allRows<CredentialRow>(context.desk.rows, 'credential').find((row) => row.id === issuerId);
  if (issuer === undefined) throw invalidField('/issuer', 'there is no such credential');
  const wrong = issuerProblem(issuer, of, kinds);
  if (wrong !== null) throw invalidField('/issuer', wrong);
}

/** Why a credential cannot be the issuer of another one, or null. */
export function issuerProblem(issuer: CredentialRow, of: Issued, kinds: Kinds): string | null {
  if (issuer.id === of.id) return 'a credential does not issue itself';
  if (issuer.purpose !== 'manage') return 'this credential is for lending: an issuer has the purpose manage';
  if (issuer.provider !== of.provider) return 'the issuer belongs to another provider';
  if (!isSameInstallation(issuer, of, kinds)) return 'the issuer belongs to another origin';
  if (issuer.retiredAt !== null) return 'the issuer is decommissioned';
  if (!of.kind.issuers.includes(issuer.kind)) return `keys of kind ${issuer.kind} do not mint this kind`;
  return null;
}

/**
 * Whether both are at one installation: at one origin, or each where the provider's own service has its kind (Twilio mints at one host what
 * is used at another). Of two hosts that somebody has set nobody knows that they belong together.
 */
function isSameInstallation(issuer: CredentialRow, of: Issued, kinds: Kinds): boolean {
  if (issuer.origin === of.origin) return true;
  const isAtHome = issuer.origin === kinds.ownOrigin(issuer.provider, issuer.kind);
  return isAtHome && of.origin === kinds.ownOrigin(of.provider, of.kind.name);
}

export function demandFreeName(context: Acting, key: Parameters<typeof credentialKey>[0], ownId: string | null): void {
  const wanted = credentialKey(key);
  const taken = allRows<CredentialRow>(context.desk.rows, 'credential').some(
    (row) => row.id !== ownId && credentialKey(row) === wanted,
  );
  if (!taken) return;
  const errors = [{ pointer: '/name', detail: 'the name is taken' }];
  throw new Failure('conflict', `there is a credential ${key.environment}/${key.provider}/${key.name} already`, {
    errors,
  });
}

/** The row of a new credential. Places are pinned from the kind and the origin from the configuration: neither is the caller's text. */
export function credentialRow(
  context: Acting,
  input: NewCredential,
  kinds: Kinds,
  managedBy: string | null,
): CredentialRow {
  const { desk } = context;
  const kind = kindAt(kinds, input.provider, input.kind);
  demandSettings(kind, input.settings);
  const origin = kinds.originFor(input.provider, input.origin, input.kind);
  if (input.issuerId !== null) demandIssuer(context, input.issuerId, { ...input, origin, kind, id: null }, kinds);
  demandFreeName(context, { ...input, space: SPACE }, null);
  if (allRows(desk.rows, 'credential').length >= CREDENTIALS_MAX) {
    throw new Failure('conflict', `there are ${CREDENTIALS_MAX} credentials already`);
  }
  const now = desk.clock.now();
  return {
    id: newId('credential', now, desk.random),
    rowVersion: 1,
    space: SPACE,
    environment: input.environment,
    provider: input.provider,
    name: input.name,
    kind: input.kind,
    purpose: input.purpose,
    issuerId: input.issuerId,
    origin,
    places: kind.places,
    settings: input.settings,
    owner: input.owner,
    note: input.note,
    policy: { ...DEFAULT_ROTATION, ...input.policy },
    suspendedAt: null,
    suspendReason: null,
    retiredAt: null,
    createdAt: now,
    managedBy,
  };
}

/** The image of a credential with a change, or the row itself where nothing differs. */
export function changedCredential(
  context: Acting,
  row: CredentialRow,
  change: CredentialChange,
  kinds: Kinds,
): CredentialRow {
  if (row.retiredAt !== null) throw new Failure('conflict', 'the credential is decommissioned');
  const name = change.name ?? row.name;
  if (name !== row.name) demandFreeName(context, { ...row, name }, row.id);
  const issuerId = change.issuerId === undefined ? row.issuerId : change.issuerId;
  if (issuerId !== null && issuerId !== row.issuerId) {
    demandIssuer(context, issuerId, { ...row, kind: kindAt(kinds, row.provider, row.kind) }, kinds);
  }
  const policy = { ...row.policy, ...change.policy };
  const settings = changedSettings(row, change.settings ?? {}, kinds);
  const after = { name, issuerId, policy, owner: change.owner ?? row.owner, note: change.note ?? row.note, settings };
  const isSame = JSON.stringify(after) === JSON.stringify(pick(row));
  return isSame ? row : nextImage(row, after);
}

function pick({ name, issuerId, policy, owner, note, settings }: CredentialRow) {
  return { name, issuerId, policy, owner, note, settings };
}

/**
 * The settings with a change. What a setting says of the key that is there (its organisation, its project) changes with its bytes alone; what it
 * asks of the next one (scopes, lifetime, whatever may be left out) changes at any time, and a rotation that runs keeps to what it began with.
 */
function changedSettings(
  row: CredentialRow,
  change: Readonly<Record<string, string | null>>,
  kinds: Kinds,
): CredentialRow['settings'] {
  const before = new Map(Object.entries(row.settings));
  const changed = Object.entries(change).filter(([name, value]) => (before.get(name) ?? null) !== value);
  if (changed.length === 0) return row.settings;
  const kind = kindAt(kinds, row.provider, row.kind);
  const shared = sharedSettings(kind);
  const errors = changed
    .filter(([name]) => !Object.hasOwn(shared, name) && kind.settings[name]?.required === true)
    .map(([name]) => ({ pointer: `/settings/${name}`, detail: 'this changes only together with new bytes' }));
  if (errors.length > 0) throw new Failure('invalid', 'settings that belong to the key itself', { errors });
  const settings = Object.fromEntries(
    Object.entries({ ...row.settings, ...Object.fromEntries(changed) }).filter(([, value]) => value !== null),
  ) as CredentialRow['settings'];
  demandSettings(kind, settings);
  return settings;
}

/** Changes name, issuer, policy, owner, note or settings. A change that changes nothing writes nothing. */
export async function changeCredential(
  context: Acting,
  id: string,
  change: CredentialChange,
  kinds: Kinds,
): Promise<CredentialRow> {
  const before = getRow<CredentialRow>(context.desk.rows, 'credential', id);
  const row = changedCredential(context, before, change, kinds);
  if (row === before) return before;
  const detail = { fields: Object.keys(change).sort() };
  await context.desk.write({ events: [credentialEvent(context, 'credential.changed', row, detail)] });
  return row;
}

export function credentialEvent(
  context: Acting,
  type: string,
  row: CredentialRow,
  detail: ControlEvent['detail'] = {},
  more: readonly RowImage[] = [],
): ControlEvent {
  return eventOf(context, type, [{ noun: 'credential', row }, ...more], detail);
}

/** Stops lending at once: the broker refuses from the next request on, what is open is cut. Keys at the provider stay as they are. */
export async function suspendCredential(context: Acting, id: string, reason: string): Promise<CredentialRow> {
  const before = getRow<CredentialRow>(context.desk.rows, 'credential', id);
  if (before.retiredAt !== null) throw new Failure('conflict', 'the credential is decommissioned');
  if (before.suspendedAt !== null) return before;
  const row = nextImage(before, { suspendedAt: context.desk.clock.now(), suspendReason: reason });
  await context.desk.write({ events: [credentialEvent(context, 'credential.suspended', row, { reason })] });
  return row;
}

/** Lends again. */
export async function resumeCredential(context: Acting, id: string): Promise<CredentialRow> {
  const before = getRow<CredentialRow>(context.desk.rows, 'credential', id);
  if (before.suspendedAt === null) return before;
  const row = nextImage(before, { suspendedAt: null, suspendReason: null });
  await context.desk.write({ events: [credentialEvent(context, 'credential.resumed', row)] });
  return row;
}

/**
 * Decommissions: never lent again, no version will follow. Its keys at the provider are for a revocation to end. Throws `conflict` while
 * it is the issuer of others, or of one version that is not revoked, or while a rotation runs.
 */
export async function retireCredential(context: Acting, id: string): Promise<CredentialRow> {
  const { desk } = context;
  const before = getRow<CredentialRow>(desk.rows, 'credential', id);
  if (before.retiredAt !== null) return before;
  const issued = allRows<CredentialRow>(desk.rows, 'credential').filter(
    (row) => row.issuerId === id && row.retiredAt === null,
  );
  if (issued.length > 0) {
    throw new Failure('conflict', `it issues ${issued.length} other credentials: give them another issuer first`);
  }
  const alive = allRows<VersionRow>(desk.rows, 'version').filter(
    (row) => row.issuerId === id && row.state !== 'revoked',
  );
  if (alive.length > 0) {
    throw new Failure(
      'conflict',
      `${alive.length} versions of other credentials can be ended by it alone: rotate them first`,
    );
  }
  demandNoRotation(context, id);
  const row = nextImage(before, { retiredAt: desk.clock.now() });
  await desk.write({ events: [credentialEvent(context, 'credential.retired', row)] });
  return row;
}

/** A rotation as far as this room looks at it. */
interface Running extends Row {
  readonly credentialId: string;
  readonly endedAt: number | null;
}

/** Throws `conflict` while a rotation of the credential runs: the versions are its to move. */
export function demandNoRotation(context: Acting, credentialId: string): void {
  const running = allRows<Running>(context.desk.rows, 'rotation').find(
    (row) => row.credentialId === credentialId && row.endedAt === null,
  );
  if (running !== undefined)
    throw new Failure('conflict', `rotation ${running.id} is running: let it end, or cancel it`);
}
