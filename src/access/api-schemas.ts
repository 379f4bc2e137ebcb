// What the API takes and gives of principals, tokens and grants, as schemas.
import { z } from 'zod';
import {
  idSchema,
  NOTE_LENGTH_MAX,
  networksSchema,
  OWNER_LENGTH_MAX,
  rowView,
  secondsSchema,
  slugSchema,
  textSchema,
  timeOrNull,
  timeSchema,
} from '../model/route.ts';
import type { TokenRow } from './principal.ts';
import { ROLE_NAMES, type RoleName } from './role.ts';

export const rolesSchema = z.array(z.enum(ROLE_NAMES as [RoleName, ...RoleName[]])).max(ROLE_NAMES.length);
const rowVersion = z.int().min(1);

export const principalSchema = z.object({
  id: idSchema('principal'),
  rowVersion,
  space: z.string(),
  name: z.string(),
  kind: z.enum(['service', 'person']),
  roles: rolesSchema,
  owner: z.string(),
  note: z.string(),
  disabledAt: timeOrNull,
  createdAt: timeSchema,
  managedBy: z.string().nullable(),
});

export const newPrincipalSchema = z.strictObject({
  name: slugSchema,
  kind: z.enum(['service', 'person']),
  roles: rolesSchema.default([]),
  owner: textSchema(OWNER_LENGTH_MAX).default(''),
  note: textSchema(NOTE_LENGTH_MAX).default(''),
});

export const principalChangeSchema = z.strictObject({
  name: slugSchema.optional(),
  roles: rolesSchema.optional(),
  owner: textSchema(OWNER_LENGTH_MAX).optional(),
  note: textSchema(NOTE_LENGTH_MAX).optional(),
});

export const tokenSchema = z.object({
  id: idSchema('token'),
  rowVersion,
  principalId: idSchema('principal'),
  hint: z.string().meta({ description: 'The last four characters of the token' }),
  note: z.string(),
  credentialId: idSchema('credential').nullable(),
  networks: z.array(z.string()),
  createdAt: timeSchema,
  expiresAt: timeOrNull,
  revokedAt: timeOrNull,
  replacedBy: idSchema('token').nullable(),
});

export function tokenView(row: TokenRow): Record<string, unknown> {
  return rowView(row, ['hash']);
}

export const newTokenSchema = z
  .strictObject({
    note: textSchema(NOTE_LENGTH_MAX).default(''),
    credential: idSchema('credential').nullable().default(null),
    networks: networksSchema.default([]),
    expiresInSeconds: secondsSchema.nullable().default(null),
  })
  .prefault({});

const textOnce = z.string().nullable().meta({
  description: 'The token itself, shown this once; null in the replay of an Idempotency-Key',
});
export const issuedTokenSchema = z.object({ token: tokenSchema, text: textOnce });
export const rotatedTokenSchema = z.object({ token: tokenSchema, text: textOnce, replaces: tokenSchema });
export const rotateTokenSchema = z
  .strictObject({ overlapSeconds: z.int().min(0).max(2_592_000).default(3_600) })
  .prefault({});

/** A parameter's name is a member of an object: the form keeps it from being one that objects are born with. */
export const parameterNameSchema = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/);
export const parametersSchema = z
  .record(parameterNameSchema, z.array(z.string().max(500)).min(1).max(200))
  .refine((record) => Object.keys(record).length <= 32, 'at most 32 parameters');

const count = z.int().min(1).max(1_000_000);
export const rateSchema = z.strictObject({ requests: count, perSeconds: z.int().min(1).max(86_400), burst: count });
export const actionsSchema = z.array(z.string().min(1).max(200)).min(1).max(200);

export const grantSchema = z.object({
  id: idSchema('grant'),
  rowVersion,
  principalId: idSchema('principal'),
  credentialId: idSchema('credential'),
  actions: z.array(z.string()),
  parameters: z.record(z.string(), z.array(z.string())),
  networks: z.array(z.string()),
  rate: z.object({ requests: z.number(), perSeconds: z.number(), burst: z.number() }).nullable(),
  expiresAt: timeOrNull,
  revokedAt: timeOrNull,
  createdAt: timeSchema,
  note: z.string(),
  managedBy: z.string().nullable(),
});

export const newGrantSchema = z.strictObject({
  principal: idSchema('principal'),
  credential: idSchema('credential'),
  actions: actionsSchema,
  parameters: parametersSchema.default({}),
  networks: networksSchema.default([]),
  rate: rateSchema.nullable().default(null),
  expiresInSeconds: secondsSchema.nullable().default(null),
  note: textSchema(NOTE_LENGTH_MAX).default(''),
});
