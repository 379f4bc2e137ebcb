// Routes of credentials: rows, versions brought in by hand, suspension, decommissioning. The rules are in manage*.ts. Not here: the route that shows
// one credential, which says what its grants need (access/api-credential.ts).
import { z } from 'zod';
import type { Row } from '../model/change.ts';
import { allRows, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import {
  type Answer,
  idParams,
  NO_BODY,
  PAGE_MEMBERS,
  pageAnswer,
  pageOf,
  pageOfSchema,
  queryFlag,
  type Records,
  type Route,
  route,
  rowAnswer,
  rowView,
} from '../model/route.ts';
import type { Kind } from '../providers/provider.ts';
import { identifyAnswer, identifyVersion } from './api-identify.ts';
import { inspectVersion } from './api-inspect.ts';
import { inventoryRoutes } from './api-inventory.ts';
import {
  broughtViewSchema,
  credentialChangeSchema,
  credentialSchema,
  identifiedSchema,
  inspectionSchema,
  newCredentialSchema,
  newVersionSchema,
  suspendSchema,
} from './api-schemas.ts';
import type { CredentialRow, VersionRow } from './credential.ts';
import type { Identified, IdentifyTools } from './identify.ts';
import { type Inspection, inspectable } from './inspecting.ts';
import type { InventoryRunner } from './inventory-runner.ts';
import {
  type Acting,
  changeCredential,
  credentialEvent,
  credentialRow,
  demandIssuer,
  demandSettings,
  issuerProblem,
  type Kinds,
  kindAt,
  resumeCredential,
  retireCredential,
  suspendCredential,
} from './manage.ts';
import { bringVersion, type Keys, versionsOf } from './manage-versions.ts';

export interface CredentialRoom {
  readonly kinds: Kinds;
  readonly keys: Keys;
  readonly inventory: InventoryRunner;
  readonly records: Records;
  /** Asks the provider what it knows of a version's key. */
  inspect(credential: CredentialRow, version: VersionRow): Promise<Inspection>;
  /** What identifying a version takes: the provider's list by the issuer's key, else by the key itself. */
  identifyTools(
    credential: CredentialRow,
    version: VersionRow,
  ): { readonly tools: IdentifyTools; readonly isOwnList: boolean };
}

interface Granted extends Row {
  readonly credentialId: string;
}

/** A credential with what belongs to it. */
export function credentialView(context: Acting, row: CredentialRow): Record<string, unknown> {
  const versions = versionsOf(context, row.id);
  const current = versions.find((version) => version.state === 'current');
  const grants = allRows<Granted>(context.desk.rows, 'grant').filter((grant) => grant.credentialId === row.id);
  return {
    credential: rowView(row),
    versions: versions.map((version) => rowView(version)),
    protected: current !== undefined && current.secondCopyAt !== null,
    grants: grants.length,
  };
}

function viewAnswer(context: Acting, row: CredentialRow, status = 200, identified?: Identified | null): Answer {
  const more = identified === undefined ? {} : { identified: identified === null ? null : identifyAnswer(identified) };
  return rowAnswer(row, { ...credentialView(context, row), ...more }, status);
}

const RESOLVE = z.strictObject({
  resolve: queryFlag(true).meta({
    description: 'false: the provider is not asked, neither whether it accepts the key nor for the key’s id',
  }),
});

export function credentialRoutes(room: CredentialRoom): Route[] {
  const { kinds, keys } = room;
  const params = idParams('credential');
  const tag = 'credentials';
  const path = '/v1/credentials/{id}';
  const shown = { 200: { about: 'The credential as it is now', schema: credentialSchema } };

  /** Notes what the provider says of a version that was brought, and finds its id where it came without one. */
  async function identified(context: Acting, row: CredentialRow, version: VersionRow, isWanted: boolean) {
    if (!isWanted) return null;
    // The key is stored: that nobody can be asked about it now is no reason to say that it is not.
    const { after } = await inspectVersion(context, row, version, room.inspect).catch((error: unknown) => {
      if (!Failure.is(error)) throw error;
      return { after: version };
    });
    if (version.providerKeyId !== null) return null;
    if (after.providerKeyId !== null)
      return { providerKeyId: after.providerKeyId, why: 'the provider says so itself', rounds: 0 };
    return identifyVersion(context, row, after, room.identifyTools(row, after));
  }

  return [
    route({
      method: 'GET',
      path: '/v1/credentials',
      permission: 'credential:read',
      summary: 'The credentials, oldest first',
      tag,
      query: z.strictObject(PAGE_MEMBERS),
      answers: { 200: { about: 'A page of credentials', schema: pageOfSchema(credentialSchema) } },
      handler({ desk }, { query }) {
        const rows = allRows<CredentialRow>(desk.rows, 'credential');
        return pageAnswer(
          pageOf(rows, { ...query, order: 'asc' }, () => true),
          rowView,
        );
      },
    }),
    route({
      method: 'POST',
      path: '/v1/credentials',
      permission: 'credential:write',
      summary: 'Adds a credential, with its key where parts are given',
      description:
        'Places are pinned from the kind and the origin from the configuration. Without parts it has no version yet. A key that the provider refuses is not taken.',
      tag,
      query: RESOLVE,
      body: newCredentialSchema,
      answers: { 201: { about: 'The credential with its versions', schema: broughtViewSchema } },
      effect: 'outside',
      async handler(context, { query, body }) {
        const { parts, providerKeyId, issuer, policy, ...rest } = body;
        const row = credentialRow(context, { ...rest, issuerId: issuer, policy: definedOf(policy) }, kinds, null);
        if (parts === undefined) {
          await context.desk.write({ events: [credentialEvent(context, 'credential.added', row)] });
          return viewAnswer(context, row, 201, null);
        }
        const kind = kindAt(kinds, row.provider, row.kind);
        const version = await bringVersion(
          context,
          {
            credential: row,
            kind,
            parts,
            providerKeyId,
            isProbed: query.resolve,
            image: { row, type: 'credential.added' },
          },
          keys,
        );
        return viewAnswer(context, row, 201, await identified(context, row, version, query.resolve));
      },
    }),
    route({
      method: 'PATCH',
      path,
      permission: 'credential:write',
      summary: 'Changes name, owner, note, issuer, rotation policy or settings',
      description:
        'Origin, and settings that belong to the key itself, change only together with new bytes: add a version. What the next key is asked for changes here.',
      tag,
      params,
      body: credentialChangeSchema,
      answers: shown,
      matches: 'credential',
      async handler(context, { params: { id }, body }) {
        const { issuer, policy, ...rest } = body;
        const change = { ...definedOf(rest), ...(issuer === undefined ? {} : { issuerId: issuer }) };
        const more = policy === undefined ? {} : { policy: definedOf(policy) };
        const row = await changeCredential(context, id, { ...change, ...more }, kinds);
        return rowAnswer(row, rowView(row));
      },
    }),
    route({
      method: 'POST',
      path: `${path}/versions`,
      permission: 'credential:write',
      summary: 'Brings a new key by hand',
      description: 'It becomes the current version, the one before the previous. Needs credential:rotate too.',
      tag,
      params,
      query: RESOLVE,
      body: newVersionSchema,
      answers: { 201: { about: 'The credential with its versions', schema: broughtViewSchema } },
      matches: 'credential',
      effect: 'outside',
      async handler(context, { params: { id }, query, body }) {
        demandRotating(context);
        const before = getRow<CredentialRow>(context.desk.rows, 'credential', id);
        if (before.retiredAt !== null) throw new Failure('conflict', 'the credential is decommissioned');
        const kind = kindAt(kinds, before.provider, before.kind);
        const row = redirected(context, before, body, kind, kinds);
        if (body.issuer !== undefined) demandIssuer(context, body.issuer, { ...row, kind }, kinds);
        const version = await bringVersion(
          context,
          {
            credential: row,
            kind,
            parts: body.parts,
            providerKeyId: body.providerKeyId,
            issuerId: body.issuer,
            isProbed: query.resolve,
            image: row === before ? null : { row, type: 'credential.redirected' },
          },
          keys,
        );
        return viewAnswer(context, row, 201, await identified(context, row, version, query.resolve));
      },
    }),
    route({
      method: 'POST',
      path: `${path}/identify`,
      permission: 'credential:write',
      summary: 'Finds the provider’s id of the current version',
      description: 'Lists, uses the key, lists again; the one entry that moved each time is it. Takes some seconds.',
      tag,
      params,
      body: NO_BODY,
      answers: { 200: { about: 'The id, or why it was not found', schema: identifiedSchema } },
      matches: 'credential',
      effect: 'outside',
      async handler(context, { params: { id } }) {
        const row = getRow<CredentialRow>(context.desk.rows, 'credential', id);
        const current = versionsOf(context, id).find((version) => version.state === 'current');
        if (current === undefined) throw new Failure('conflict', 'the credential has no current version');
        if (current.providerKeyId !== null) {
          return { status: 200, body: { providerKeyId: current.providerKeyId, why: 'it was known' } };
        }
        const found = await identifyVersion(context, row, current, room.identifyTools(row, current));
        return { status: 200, body: identifyAnswer(found) };
      },
    }),
    route({
      method: 'POST',
      path: `${path}/inspect`,
      permission: 'credential:write',
      summary: 'Asks the provider about the current version’s key, and notes what it says',
      description:
        'Whose it is, its id, what it may do and when it ends, as far as the provider says so. What it does not say stays as it was noted.',
      tag,
      params,
      body: NO_BODY,
      answers: { 200: { about: 'What it said', schema: inspectionSchema } },
      matches: 'credential',
      effect: 'outside',
      async handler(context, { params: { id } }) {
        const row = getRow<CredentialRow>(context.desk.rows, 'credential', id);
        const version = inspectable(versionsOf(context, id));
        const { seen, after } = await inspectVersion(context, row, version, room.inspect);
        return { status: 200, body: { ...rowView(seen), version: rowView(after) } };
      },
    }),
    route({
      method: 'POST',
      path: `${path}/suspend`,
      permission: 'credential:suspend',
      summary: 'Stops lending at once',
      description:
        'Refused from the next request on; what is open is cut, unless the policy lets it finish. The key stays alive at the provider.',
      tag,
      params,
      body: suspendSchema,
      answers: shown,
      matches: 'credential',
      effect: 'rows',
      async handler(context, { params: { id }, body }) {
        const row = await suspendCredential(context, id, body.reason);
        return rowAnswer(row, rowView(row));
      },
    }),
    route({
      method: 'POST',
      path: `${path}/resume`,
      permission: 'credential:suspend',
      summary: 'Lends again',
      tag,
      params,
      body: NO_BODY,
      answers: shown,
      matches: 'credential',
      effect: 'rows',
      async handler(context, { params: { id } }) {
        const row = await resumeCredential(context, id);
        return rowAnswer(row, rowView(row));
      },
    }),
    route({
      method: 'POST',
      path: `${path}/retire`,
      permission: 'credential:revoke',
      summary: 'Decommissions: never lent again',
      description: 'Its keys at the provider are ended by a revocation.',
      tag,
      params,
      body: NO_BODY,
      answers: shown,
      matches: 'credential',
      effect: 'rows',
      async handler(context, { params: { id } }) {
        const row = await retireCredential(context, id);
        return rowAnswer(row, rowView(row));
      },
    }),
    ...inventoryRoutes(room),
  ];
}

/** Bringing bytes is minting: whoever may write rows alone may not replace a key. */
function demandRotating({ caller }: Acting): void {
  if (!caller.permissions.has('credential:rotate')) {
    throw new Failure('denied', 'bringing a key needs credential:rotate besides credential:write');
  }
}

/** The credential with the origin and settings that come with new bytes; the row itself where they stay. */
function redirected(
  context: Acting,
  before: CredentialRow,
  body: { readonly origin?: string | undefined; readonly settings?: Readonly<Record<string, string>> | undefined },
  kind: Kind,
  kinds: Kinds,
): CredentialRow {
  const origin = body.origin === undefined ? before.origin : kinds.originFor(before.provider, body.origin, before.kind);
  const settings = body.settings ?? before.settings;
  if (body.settings !== undefined) demandSettings(kind, settings);
  if (origin === before.origin && JSON.stringify(settings) === JSON.stringify(before.settings)) return before;
  const alive = versionsOf(context, before.id).filter((version) => version.state !== 'revoked');
  if (origin !== before.origin && alive.length > 0) {
    // Their envelopes are bound to the old origin: under the new one nobody could open them, nor prove their death.
    throw new Failure('conflict', `${alive.length} versions are bound to the old origin: revoke them first`);
  }
  if (origin !== before.origin) demandSameInstallation(context, { ...before, origin }, kind, kinds);
  return { ...before, origin, settings, rowVersion: before.rowVersion + 1 };
}

/** Throws `invalid` where the credential would part from its issuer, `conflict` where it would part from what it issues. */
function demandSameInstallation(context: Acting, after: CredentialRow, kind: Kind, kinds: Kinds): void {
  if (after.issuerId !== null) demandIssuer(context, after.issuerId, { ...after, kind }, kinds);
  const parted = allRows<CredentialRow>(context.desk.rows, 'credential').filter(
    (row) =>
      row.issuerId === after.id &&
      row.retiredAt === null &&
      issuerProblem(after, { ...row, kind: kindAt(kinds, row.provider, row.kind) }, kinds) !== null,
  );
  if (parted.length > 0)
    throw new Failure('conflict', `${parted.length} credentials that it issues are at the old origin: move them first`);
}

/** Without the members that were left out. */
function definedOf<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
