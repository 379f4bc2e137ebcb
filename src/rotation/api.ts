// Routes of rotations: what runs and ran, its journal, asking for one, and retiring a version that was replaced. The engine comes in as an
// interface.
import { z } from 'zod';
import { REASONS } from '../credentials/api-schemas.ts';
import type { CredentialRow } from '../credentials/credential.ts';
import { getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import {
  type Context,
  idParams,
  idSchema,
  invalidField,
  NO_BODY,
  NOTE_LENGTH_MAX,
  PAGE_MEMBERS,
  pageAnswer,
  pageOfSchema,
  queryFlag,
  type Records,
  type Route,
  route,
  rowAnswer,
  rowView,
  timeOrNull,
  timeSchema,
} from '../model/route.ts';
import type { RotationRow } from './rotation.ts';
import type { Rotator } from './rotator.ts';

/** One entry of a rotation's journal, as it stands in the control log. */
export interface JournalEntry {
  readonly index: number;
  readonly at: number;
  readonly actor: string;
  readonly type: string;
  readonly detail: object;
}

export interface RotationRoom {
  readonly rotator: Rotator;
  readonly records: Records;
  /** The control entries that changed this rotation, in order; bounded. */
  journal(row: RotationRow): Promise<readonly JournalEntry[]>;
}

const reasonSchema = z.enum(REASONS);
/** The protocol's own state: its form belongs to the version of the protocol that it names. */
const stateSchema = z.looseObject({ protocol: z.string(), step: z.string(), end: z.string().nullable() });

export const rotationSchema = z.object({
  id: idSchema('rotation'),
  rowVersion: z.int().min(1),
  credentialId: idSchema('credential'),
  trigger: z.enum(['schedule', 'operator', 'compromise']),
  reason: reasonSchema,
  requestedAt: timeSchema,
  requestedBy: z.string(),
  endedAt: timeOrNull,
  settings: z.record(z.string(), z.string()),
  policy: z.looseObject({}),
  state: stateSchema,
  refusals: z.array(z.looseObject({ at: timeSchema })),
  revokeCalledAt: timeOrNull,
  lastProblem: z.string().nullable(),
});

const stepSchema = z.object({
  index: z.int().meta({ description: 'Of the control log' }),
  at: timeSchema,
  actor: z.string(),
  type: z.string(),
  detail: z.looseObject({}),
});

/**
 * What rotating a credential needs besides credential:rotate: every permission that minting its key would need. The key of an issuer
 * mints others, so it counts as writing credentials.
 */
export function demandMinting({ caller }: Pick<Context, 'caller'>, credential: CredentialRow): void {
  for (const permission of ['credential:rotate', ...(credential.purpose === 'manage' ? ['credential:write'] : [])]) {
    if (!caller.permissions.has(permission)) {
      throw new Failure('denied', `making a new key of this credential needs ${permission}`);
    }
  }
}

export function rotationRoutes({ rotator, records, journal }: RotationRoom): Route[] {
  const tag = 'rotations';
  const params = idParams('rotation');
  const shown = { about: 'The rotation as it is now', schema: rotationSchema };

  async function found(context: Context, id: string): Promise<RotationRow> {
    const row = await records.find<RotationRow>('rotation', id);
    if (row === null) throw new Failure('not-found', 'there is no such rotation');
    demandMinting(context, getRow<CredentialRow>(context.desk.rows, 'credential', row.credentialId));
    return row;
  }

  return [
    route({
      method: 'GET',
      path: '/v1/rotations',
      permission: 'credential:read',
      summary: 'Rotations, newest first, ended ones included',
      tag,
      query: z.strictObject({
        ...PAGE_MEMBERS,
        credential: idSchema('credential').optional(),
        running: queryFlag(false).meta({ description: 'true: only those that have not ended' }),
      }),
      answers: { 200: { about: 'A page of rotations', schema: pageOfSchema(rotationSchema) } },
      async handler(_context, { query }) {
        const filter = { parent: query.credential ?? null, live: query.running ? true : null };
        const page = { limit: query.limit, cursor: query.cursor, order: 'desc' as const };
        return pageAnswer(await records.page<RotationRow>('rotation', filter, page), rowView);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/rotations',
      permission: 'credential:rotate',
      summary: 'Rotates a credential',
      description: 'It goes on by itself. The key of an issuer needs credential:write too.',
      tag,
      body: z.strictObject({ credential: idSchema('credential'), reason: reasonSchema.default('superseded') }),
      answers: { 202: { about: 'The rotation has begun', schema: rotationSchema } },
      effect: 'outside',
      async handler(context, { body: { credential: id, reason } }) {
        const credential = context.desk.rows.get('credential')?.get(id) as CredentialRow | undefined;
        if (credential === undefined) throw invalidField('/credential', 'there is no such credential');
        demandMinting(context, credential);
        const trigger = reason === 'compromised' ? 'compromise' : 'operator';
        const actor = context.caller.principalId;
        const row = await rotator.request({ credentialId: id, trigger, reason, actor });
        return rowAnswer(row, rowView(row), 202);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/rotations/{id}',
      permission: 'credential:read',
      summary: 'A rotation with its journal',
      tag,
      params,
      answers: {
        200: {
          about: 'The rotation, and each step on record',
          schema: z.object({ rotation: rotationSchema, steps: z.array(stepSchema) }),
        },
      },
      async handler(_context, { params: { id } }) {
        const row = await records.find<RotationRow>('rotation', id);
        if (row === null) throw new Failure('not-found', 'there is no such rotation');
        const steps = (await journal(row)).map((step) => ({ ...step, at: new Date(step.at).toISOString() }));
        return rowAnswer(row, { rotation: rowView(row), steps });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/rotations/{id}/cancel',
      permission: 'credential:rotate',
      summary: 'Undoes a rotation that has not begun to revoke the old key',
      tag,
      params,
      body: z.strictObject({ reason: z.string().min(1).max(NOTE_LENGTH_MAX) }),
      answers: { 202: shown },
      matches: 'rotation',
      effect: 'outside',
      async handler(context, { params: { id }, body }) {
        await found(context, id);
        const row = await rotator.cancel(id, body.reason, context.caller.principalId);
        return rowAnswer(row, rowView(row), 202);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/rotations/{id}/resume',
      permission: 'credential:rotate',
      summary: 'Lets a blocked rotation go on',
      tag,
      params,
      body: NO_BODY,
      answers: { 202: shown },
      matches: 'rotation',
      effect: 'outside',
      async handler(context, { params: { id } }) {
        await found(context, id);
        const row = await rotator.resume(id, context.caller.principalId);
        return rowAnswer(row, rowView(row), 202);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/versions/{id}/retire',
      permission: 'credential:revoke',
      summary: 'Ends a version that stands beside the current one: drains, revokes and proves it',
      description:
        'It is a rotation without a new key: it waits until nobody uses the version any more, and can be cancelled until it is revoked. To end a version at once, order a revocation.',
      tag,
      params: idParams('version'),
      body: NO_BODY,
      answers: { 202: { about: 'The rotation that ends it', schema: rotationSchema } },
      matches: 'version',
      effect: 'outside',
      async handler({ caller }, { params: { id } }) {
        const row = await rotator.retire(id, caller.principalId);
        return rowAnswer(row, rowView(row), 202);
      },
    }),
  ];
}
