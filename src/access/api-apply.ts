// The route of `apply`. What it does is apply.ts.
import { z } from 'zod';
import { policyChangeSchema, settingsSchema } from '../credentials/api-schemas.ts';
import {
  NOTE_LENGTH_MAX,
  networksSchema,
  OWNER_LENGTH_MAX,
  type Route,
  route,
  slugSchema,
  textSchema,
} from '../model/route.ts';
import { actionsSchema, newPrincipalSchema, parametersSchema, rateSchema } from './api-schemas.ts';
import { type ApplyTools, type Documents, planApply } from './apply.ts';

const DOCUMENTS_MAX = 1_000;
const note = textSchema(NOTE_LENGTH_MAX).default('');

/** `provider/name`, or `environment/provider/name`. */
const reference = z
  .string()
  .max(200)
  .regex(/^[a-z0-9-]+(?:\/[a-z0-9-]+){1,2}$/, 'provider/name or environment/provider/name');

const credentialDocument = z.strictObject({
  environment: slugSchema.default('default'),
  provider: slugSchema,
  name: slugSchema,
  kind: slugSchema,
  purpose: z.enum(['lend', 'manage']).default('lend'),
  issuer: reference.nullable().default(null),
  origin: z.string().max(300).nullable().default(null),
  settings: settingsSchema.default({}),
  owner: textSchema(OWNER_LENGTH_MAX).default(''),
  note,
  policy: policyChangeSchema.default({}),
});

const grantDocument = z.strictObject({
  name: slugSchema.default('default'),
  principal: slugSchema,
  credential: reference,
  actions: actionsSchema,
  parameters: parametersSchema.default({}),
  networks: networksSchema.default([]),
  rate: rateSchema.nullable().default(null),
  note,
});

/** What `apply` takes: the lists of version-controlled files. */
export const documentsSchema = z.strictObject({
  principals: z.array(newPrincipalSchema).max(DOCUMENTS_MAX).optional(),
  credentials: z.array(credentialDocument).max(DOCUMENTS_MAX).optional(),
  grants: z.array(grantDocument).max(DOCUMENTS_MAX).optional(),
});

const noun = z.enum(['principal', 'credential', 'grant']);

export interface ApplyRoom extends ApplyTools {
  readonly inTurn: <T>(run: () => Promise<T>) => Promise<T>;
}

export function applyRoutes(room: ApplyRoom): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/apply',
      permission: null,
      summary: 'Brings principals, credentials and grants to what documents say',
      description:
        'Each change needs the permission that it would need alone. All of it happens in one transaction, or nothing. It never deletes, never revokes, and touches only what it manages.',
      tag: 'apply',
      body: z.strictObject({ dryRun: z.boolean().default(false), documents: documentsSchema }),
      answers: {
        200: {
          about: 'What was, or would be, changed',
          schema: z.object({
            changes: z.array(
              z.object({
                op: z.enum(['add', 'change', 'none']),
                noun,
                name: z.string(),
                diff: z.record(z.string(), z.object({ from: z.unknown(), to: z.unknown() })),
              }),
            ),
            unmentioned: z.array(z.object({ noun, name: z.string() })),
            applied: z.boolean(),
          }),
        },
      },
      effect: 'rows',
      handler(context, { body }) {
        return room.inTurn(async () => {
          const { changes, unmentioned, events } = planApply(context, documentsOf(body.documents), room);
          if (!body.dryRun && events.length > 0) await context.desk.write({ events });
          return { status: 200, body: { changes, unmentioned, applied: !body.dryRun } };
        });
      },
    }),
  ];
}

/** The policy's members that were left out are not there, rather than undefined. */
export function documentsOf(given: z.output<typeof documentsSchema>): Documents {
  const credentials = given.credentials?.map((document) => ({
    ...document,
    policy: Object.fromEntries(Object.entries(document.policy).filter(([, value]) => value !== undefined)),
  }));
  return { principals: given.principals, credentials, grants: given.grants };
}
