// Routes of rotations: what runs and ran, its journal, what a person must do for it, asking for one, bringing its key, and retiring a version
// that was replaced. The engine comes in as an interface.
import { z } from 'zod';
import { broughtIssuerSchema, partsSchema, REASONS } from '../credentials/api-schemas.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { demandIssuer, type Kinds, kindAt } from '../credentials/manage.ts';
import { toRfc3339 } from '../model/clock.ts';
import { allRows, findRow, getRow } from '../model/desk.ts';
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
import type { Kind, Provider } from '../providers/provider.ts';
import type { RotationRow } from './rotation.ts';
import type { Rotator } from './rotator.ts';
import { todoOf } from './todo.ts';

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
  readonly kinds: Kinds;
  /** Null where this program has no such kind. */
  kindOf(credential: CredentialRow): { readonly provider: Provider; readonly kind: Kind } | null;
  /** The control entries that changed this rotation, in order; bounded. */
  journal(row: RotationRow): Promise<readonly JournalEntry[]>;
  /** Why it may be an outage to rotate this credential now; null where nothing speaks for one. */
  doubtOf(credential: CredentialRow): Promise<string | null>;
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

const todoSchema = z.object({
  url: z.string().meta({ description: 'The page where it is done' }),
  steps: z.array(z.string()),
  until: timeOrNull.meta({ description: 'When the rotation gives up waiting; null where it does not say' }),
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

export function rotationRoutes({ rotator, records, kinds, kindOf, journal, doubtOf }: RotationRoom): Route[] {
  const tag = 'rotations';
  const params = idParams('rotation');
  const shown = { about: 'The rotation as it is now', schema: rotationSchema };

  async function found(context: Context, id: string): Promise<RotationRow> {
    const row = await records.find<RotationRow>('rotation', id);
    if (row === null) throw new Failure('not-found', 'there is no such rotation');
    demandMinting(context, getRow<CredentialRow>(context.desk.rows, 'credential', row.credentialId));
    return row;
  }

  function todoView({ desk }: Pick<Context, 'desk'>, row: RotationRow): object | null {
    const credential = findRow<CredentialRow>(desk.rows, 'credential', row.credentialId);
    const found = credential === null ? null : kindOf(credential);
    if (credential === null || found === null) return null;
    const own = new Set([row.state.old.versionId, row.state.fresh?.versionId]);
    const isOvertaken =
      allRows<RotationRow>(desk.rows, 'rotation').some(
        (one) => one.credentialId === credential.id && one.id !== row.id,
      ) ||
      allRows<VersionRow>(desk.rows, 'version').some(
        (one) => one.credentialId === credential.id && one.state === 'current' && !own.has(one.id),
      );
    const todo = todoOf(row, { credential, ...found, isOvertaken });
    return todo === null ? null : { ...todo, until: todo.until === null ? null : toRfc3339(todo.until) };
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
      description:
        'It goes on by itself. The key of an issuer needs credential:write too. 409 where somebody may hold the key outside and be refused: see `unseen`.',
      tag,
      body: z.strictObject({
        credential: idSchema('credential'),
        reason: reasonSchema.default('superseded'),
        byHand: z
          .boolean()
          .default(false)
          .meta({ description: 'A person makes the new key and brings it, whatever the provider’s API could do' }),
        unseen: z.boolean().default(false).meta({
          description:
            'Also where nothing has used the key through the broker yet, and the provider does not say when it was last used: whoever holds it outside will be refused',
        }),
      }),
      answers: { 202: { about: 'The rotation has begun', schema: rotationSchema } },
      effect: 'outside',
      async handler(context, { body: { credential: id, reason, byHand, unseen } }) {
        const credential = context.desk.rows.get('credential')?.get(id) as CredentialRow | undefined;
        if (credential === undefined) throw invalidField('/credential', 'there is no such credential');
        demandMinting(context, credential);
        const trigger = reason === 'compromised' ? 'compromise' : 'operator';
        const doubt = unseen || reason === 'compromised' ? null : await doubtOf(credential);
        if (doubt !== null)
          throw new Failure('conflict', doubt, {
            errors: [{ pointer: '/unseen', detail: 'true (claviger rotate --unseen): rotate it all the same' }],
          });
        const actor = context.caller.principalId;
        const row = await rotator.request({ credentialId: id, trigger, reason, actor, byHand });
        return rowAnswer(row, rowView(row), 202);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/rotations/{id}',
      permission: 'credential:read',
      summary: 'A rotation with its journal, and what a person must do for it now',
      tag,
      params,
      answers: {
        200: {
          about: 'The rotation, each step on record, and what a person must do now',
          schema: z.object({
            rotation: rotationSchema,
            steps: z.array(stepSchema),
            todo: todoSchema.nullable().meta({ description: 'Null: nobody has to do anything' }),
          }),
        },
      },
      async handler(context, { params: { id } }) {
        const row = await records.find<RotationRow>('rotation', id);
        if (row === null) throw new Failure('not-found', 'there is no such rotation');
        const steps = (await journal(row)).map((step) => ({ ...step, at: new Date(step.at).toISOString() }));
        return rowAnswer(row, { rotation: rowView(row), steps, todo: todoView(context, row) });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/rotations/{id}/key',
      permission: 'credential:write',
      summary: 'Brings the key that a rotation waits for',
      description:
        'Taken is a key of the right form that the provider accepts, of the same account, that is none of the keys before it and may do no more. Another one is refused, on record, and the rotation waits on. Needs credential:rotate too.',
      tag,
      params,
      body: z.strictObject({ parts: partsSchema, issuer: broughtIssuerSchema }),
      answers: { 202: { about: 'The key is stored, and the rotation goes on', schema: rotationSchema } },
      matches: 'rotation',
      effect: 'outside',
      async handler(context, { params: { id }, body: { parts, issuer } }) {
        const { credentialId } = await found(context, id);
        if (issuer !== undefined) {
          const credential = getRow<CredentialRow>(context.desk.rows, 'credential', credentialId);
          const kind = kindAt(kinds, credential.provider, credential.kind);
          demandIssuer(context, issuer, { ...credential, kind }, kinds);
        }
        const row = await rotator.bring(id, parts, context.caller.principalId, { issuerId: issuer });
        return rowAnswer(row, rowView(row), 202);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/rotations/{id}/cancel',
      permission: 'credential:rotate',
      summary: 'Undoes a rotation that has not begun to revoke the old key, or ends it where it stands',
      tag,
      params,
      body: z.strictObject({
        reason: z.string().min(1).max(NOTE_LENGTH_MAX),
        abandon: z.boolean().default(false).meta({
          description:
            'Ends it where it stands, also past its pivot; what is left of it is shown by the inventory and ended by retiring the version',
        }),
      }),
      answers: { 202: shown },
      matches: 'rotation',
      effect: 'outside',
      async handler(context, { params: { id }, body }) {
        await found(context, id);
        const end = body.abandon ? rotator.supersede : rotator.cancel;
        const row = await end(id, body.reason, context.caller.principalId);
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
