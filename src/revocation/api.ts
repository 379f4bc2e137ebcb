// Routes of revocations and certificates of death. The engine comes in as an interface.
import { z } from 'zod';
import { REASONS } from '../credentials/api-schemas.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { Failure } from '../model/failure.ts';
import {
  idParams,
  idSchema,
  invalidField,
  NO_BODY,
  NOTE_LENGTH_MAX,
  PAGE_MEMBERS,
  pageAnswer,
  pageOfSchema,
  type Records,
  type Route,
  route,
  rowAnswer,
  rowView,
  textSchema,
  timeOrNull,
  timeSchema,
} from '../model/route.ts';
import type { CertificateRow, RevocationRow } from './revocation.ts';
import type { Revoker } from './revoker.ts';

export interface RevocationRoom {
  readonly revoker: Revoker;
  readonly records: Records;
}

const reasonSchema = z.enum(REASONS);
const orderSchema = z.enum(['revoke-first', 'replace-first']);

export const revocationSchema = z.object({
  id: idSchema('revocation'),
  rowVersion: z.int().min(1),
  credentialId: idSchema('credential'),
  versionId: idSchema('version'),
  reason: reasonSchema,
  note: z.string(),
  requestedAt: timeSchema,
  requestedBy: z.string(),
  endedAt: timeOrNull,
  state: z.looseObject({ protocol: z.string(), step: z.string(), end: z.string().nullable() }),
  policy: z.looseObject({}),
  refusals: z.array(z.looseObject({ at: timeSchema })),
  revokeCalledAt: timeOrNull,
  certificateId: idSchema('certificate').nullable(),
});

const certificateSchema = z.object({
  id: idSchema('certificate'),
  rowVersion: z.int().min(1),
  credentialId: idSchema('credential'),
  versionId: idSchema('version'),
  issuedAt: timeSchema,
  statement: z.looseObject({}).meta({ description: 'What is certified, as it is signed: times are UTC milliseconds' }),
  note: z.string(),
});

const query = z.strictObject({ ...PAGE_MEMBERS, credential: idSchema('credential').optional() });

export function revocationRoutes(room: RevocationRoom): Route[] {
  return [...orderRoutes(room), ...certificateRoutes(room)];
}

function orderRoutes({ revoker, records }: RevocationRoom): Route[] {
  const tag = 'revocations';
  return [
    route({
      method: 'GET',
      path: '/v1/revocations',
      permission: 'credential:read',
      summary: 'Revocations, newest first, ended ones included',
      tag,
      query,
      answers: { 200: { about: 'A page of revocations', schema: pageOfSchema(revocationSchema) } },
      async handler(_context, { query: { credential, limit, cursor } }) {
        const page = { limit, cursor, order: 'desc' as const };
        const filter = { parent: credential ?? null, live: null };
        return pageAnswer(await records.page<RevocationRow>('revocation', filter, page), rowView);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/revocations',
      permission: 'credential:revoke',
      summary: 'Orders the end of keys',
      description:
        'revoke-first suspends the credential in the same transaction. replace-first rotates, which needs credential:rotate. Where no order is given, the credential’s policy says.',
      tag,
      body: z.strictObject({
        credential: idSchema('credential'),
        versions: z.array(idSchema('version')).min(1).max(1_000).nullable().default(null),
        reason: reasonSchema,
        order: orderSchema.nullable().default(null),
        note: textSchema(NOTE_LENGTH_MAX).default(''),
      }),
      answers: {
        202: {
          about: 'What was ordered: revocations, or the rotation that will revoke',
          schema: z.object({
            revocations: z.array(revocationSchema),
            rotationId: idSchema('rotation').nullable(),
            cut: z.int().meta({ description: 'Open requests that were cut' }),
          }),
        },
      },
      effect: 'outside',
      async handler({ caller, desk }, { body }) {
        const credential = desk.rows.get('credential')?.get(body.credential) as CredentialRow | undefined;
        if (credential === undefined) throw invalidField('/credential', 'there is no such credential');
        for (const [i, id] of (body.versions ?? []).entries()) {
          const version = desk.rows.get('version')?.get(id) as VersionRow | undefined;
          if (version?.credentialId !== credential.id) {
            throw invalidField(`/versions/${i}`, 'the credential has no such version');
          }
        }
        const replaces = (body.order ?? credential.policy.onCompromise) === 'replace-first';
        if (replaces && !caller.permissions.has('credential:rotate')) {
          throw new Failure('denied', 'replacing makes a new key, which needs credential:rotate');
        }
        const started = await revoker.request({
          credentialId: credential.id,
          versionIds: body.versions,
          reason: body.reason,
          order: body.order,
          note: body.note,
          actor: caller.principalId,
        });
        const revocations = started.revocations.map((row) => rowView(row));
        return { status: 202, body: { revocations, rotationId: started.rotationId, cut: started.cut } };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/revocations/{id}',
      permission: 'credential:read',
      summary: 'A revocation',
      tag,
      params: idParams('revocation'),
      answers: { 200: { about: 'The revocation', schema: revocationSchema } },
      async handler(_context, { params: { id } }) {
        const row = await records.find<RevocationRow>('revocation', id);
        if (row === null) throw new Failure('not-found', 'there is no such revocation');
        return rowAnswer(row, rowView(row));
      },
    }),
    route({
      method: 'POST',
      path: '/v1/revocations/{id}/resume',
      permission: 'credential:revoke',
      summary: 'Lets a blocked or unproven revocation go on',
      description: 'After the key was revoked by hand in the provider’s console, too: then its death is proven.',
      tag,
      params: idParams('revocation'),
      body: NO_BODY,
      answers: { 202: { about: 'The revocation as it is now', schema: revocationSchema } },
      matches: 'revocation',
      effect: 'outside',
      async handler({ caller }, { params: { id } }) {
        if ((await records.find('revocation', id)) === null) {
          throw new Failure('not-found', 'there is no such revocation');
        }
        const row = await revoker.resume(id, caller.principalId);
        return rowAnswer(row, rowView(row), 202);
      },
    }),
  ];
}

function certificateRoutes({ records }: RevocationRoom): Route[] {
  const tag = 'certificates';
  return [
    route({
      method: 'GET',
      path: '/v1/certificates',
      permission: 'certificate:read',
      summary: 'Certificates of death, newest first',
      tag,
      query,
      answers: { 200: { about: 'A page of certificates', schema: pageOfSchema(certificateSchema) } },
      async handler(_context, { query: { credential, limit, cursor } }) {
        const page = { limit, cursor, order: 'desc' as const };
        const filter = { parent: credential ?? null, live: null };
        return pageAnswer(await records.page<CertificateRow>('certificate', filter, page), rowView);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/certificates/{id}',
      permission: 'certificate:read',
      summary: 'A certificate; as text/plain the signed note, which can be verified offline',
      tag,
      params: idParams('certificate'),
      answers: {
        200: { about: 'The certificate', schema: certificateSchema, types: ['application/json', 'text/plain'] },
      },
      async handler({ type }, { params: { id } }) {
        const row = await records.find<CertificateRow>('certificate', id);
        if (row === null) throw new Failure('not-found', 'there is no such certificate');
        return type === 'text/plain'
          ? { status: 200, body: row.note, etag: row.rowVersion }
          : rowAnswer(row, rowView(row));
      },
    }),
  ];
}
