// What the API takes and gives of credentials, versions and findings, as schemas.
import { z } from 'zod';
import {
  idSchema,
  NOTE_LENGTH_MAX,
  OWNER_LENGTH_MAX,
  slugSchema,
  textSchema,
  timeOrNull,
  timeSchema,
} from '../model/route.ts';
import { Secret } from '../model/secret.ts';

const rowVersion = z.int().min(1);
export const REASONS = ['superseded', 'compromised', 'unused', 'owner-left', 'decommissioned'] as const;
export const reasonSchema = z.enum(REASONS);

const part = z.string().optional().meta({ description: 'The part of the key that stands here; absent: the only one' });
const placeSchema = z.union([
  z.object({ part, in: z.literal('header'), name: z.string(), scheme: z.string().nullable() }),
  z.object({ part, in: z.literal('basic'), user: z.string().nullable() }),
  z.object({ part, in: z.literal('query'), name: z.string() }),
  z.object({ part, in: z.literal('body'), pointer: z.string() }),
]);

const days = z.int().min(1).max(3_650);
const seconds = z.int().min(0).max(31_536_000);

/** A rotation policy as it is written: what is left out stays as it is, or at its default. */
export const policyChangeSchema = z.strictObject({
  everyDays: days.nullable().optional(),
  quietSeconds: seconds.nullable().optional(),
  drainMaxSeconds: seconds.nullable().optional(),
  onCompromise: z.enum(['revoke-first', 'replace-first']).optional(),
  openStreams: z.enum(['cut', 'finish']).optional(),
});

export const credentialSchema = z.object({
  id: idSchema('credential'),
  rowVersion,
  space: z.string(),
  environment: z.string(),
  provider: z.string(),
  name: z.string(),
  kind: z.string(),
  purpose: z.enum(['lend', 'manage']),
  issuerId: idSchema('credential').nullable(),
  origin: z.string(),
  places: z.array(placeSchema),
  settings: z.record(z.string(), z.string()),
  owner: z.string(),
  note: z.string(),
  policy: z.object({
    everyDays: z.number().nullable(),
    quietSeconds: z.number().nullable(),
    drainMaxSeconds: z.number().nullable(),
    onCompromise: z.enum(['revoke-first', 'replace-first']),
    openStreams: z.enum(['cut', 'finish']),
  }),
  suspendedAt: timeOrNull,
  suspendReason: z.string().nullable(),
  retiredAt: timeOrNull,
  createdAt: timeSchema,
  managedBy: z.string().nullable(),
});

export const versionSchema = z.object({
  id: idSchema('version'),
  rowVersion,
  credentialId: idSchema('credential'),
  number: z.int(),
  state: z.enum(['pending', 'current', 'previous', 'revoking', 'revoked']),
  providerKeyId: z.string().nullable(),
  issuerId: idSchema('credential')
    .optional()
    .meta({ description: 'With which credential it is ended; absent: its credential’s issuer' }),
  holds: z
    .object({ scopes: z.array(z.string()), at: timeSchema })
    .optional()
    .meta({
      description: 'What the provider said that the key may do, and when; absent: it does not say, or was not asked',
    }),
  label: z.string().nullable(),
  envelopeDigest: z.string(),
  secondCopyAt: timeOrNull,
  expiresAt: timeOrNull,
  createdAt: timeSchema,
  promotedAt: timeOrNull,
  retiredAt: timeOrNull,
  revokingAt: timeOrNull,
  revokedAt: timeOrNull,
  reason: reasonSchema.nullable(),
  certificateId: idSchema('certificate').nullable(),
});

export const inspectionSchema = z.object({
  account: z.string().nullable().meta({ description: 'Whose key it is, as the provider names the account' }),
  providerKeyId: z.string().nullable(),
  scopes: z.array(z.string()).nullable().meta({ description: 'What it may do; null: not known' }),
  expiresAt: timeOrNull.optional().meta({ description: 'When the provider ends it; absent: it does not say' }),
  why: z.string().nullable().meta({ description: 'Why what it may do is not known' }),
  version: versionSchema,
});

export const identifiedSchema = z.object({
  providerKeyId: z.string().nullable().meta({ description: 'The provider’s id of the key; null: unidentified' }),
  why: z.string(),
});

export const credentialViewSchema = z.object({
  credential: credentialSchema,
  versions: z.array(versionSchema).meta({ description: 'Newest first' }),
  protected: z.boolean().meta({ description: 'Whether the current version has a second copy' }),
  grants: z.int().meta({ description: 'Grants in force on it' }),
});
export const broughtViewSchema = credentialViewSchema.extend({
  identified: identifiedSchema.nullable().meta({ description: 'Null where it was not looked for' }),
});

/** Names that objects are not born with. */
const memberName = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/);
const PART_LENGTH_MAX = 8_192;

/** The bytes become a Secret as soon as they are read: nothing behind the schema sees them as text. */
export const partsSchema = z
  .record(
    memberName,
    z
      .string()
      .min(1)
      .max(PART_LENGTH_MAX)
      .transform((text) => new Secret(text))
      .meta({ writeOnly: true }),
  )
  .refine((parts) => Object.keys(parts).length <= 16, 'at most 16 parts')
  .meta({
    description: 'Every part of the key, public ones too, by the names that its kind has; most have the one part `key`',
  });

const SETTINGS_MAX = 32;
const settingText = z.string().max(4_000);

export const settingsSchema = z
  .record(memberName, settingText)
  .refine((settings) => Object.keys(settings).length <= SETTINGS_MAX, `at most ${SETTINGS_MAX} settings`);

const providerKeyId = z.string().min(1).max(200);
const origin = z.string().max(300);

export const newCredentialSchema = z.strictObject({
  environment: slugSchema.default('default'),
  provider: slugSchema,
  name: slugSchema,
  kind: slugSchema,
  purpose: z.enum(['lend', 'manage']).default('lend'),
  issuer: idSchema('credential').nullable().default(null),
  origin: origin.nullable().default(null),
  settings: settingsSchema.default({}),
  owner: textSchema(OWNER_LENGTH_MAX).default(''),
  note: textSchema(NOTE_LENGTH_MAX).default(''),
  policy: policyChangeSchema.default({}),
  parts: partsSchema.optional(),
  providerKeyId: providerKeyId.nullable().default(null),
});

export const credentialChangeSchema = z.strictObject({
  name: slugSchema.optional(),
  owner: textSchema(OWNER_LENGTH_MAX).optional(),
  note: textSchema(NOTE_LENGTH_MAX).optional(),
  issuer: idSchema('credential').nullable().optional(),
  policy: policyChangeSchema.optional(),
  settings: z
    .record(memberName, settingText.nullable())
    .refine((settings) => Object.keys(settings).length <= SETTINGS_MAX, `at most ${SETTINGS_MAX} settings`)
    .optional()
    .meta({
      description:
        'Settings that change, by name; null takes one away. Those that belong to the key itself change only with new bytes',
    }),
});

/** With which credential a brought key is ended. */
export const broughtIssuerSchema = idSchema('credential').optional().meta({
  description:
    'With which credential this key is ended: the app that a token was consented to; absent: its credential’s issuer',
});

export const newVersionSchema = z.strictObject({
  parts: partsSchema,
  issuer: broughtIssuerSchema,
  providerKeyId: providerKeyId.nullable().default(null),
  origin: origin.optional(),
  settings: settingsSchema.optional(),
});

export const suspendSchema = z.strictObject({ reason: z.string().min(1).max(NOTE_LENGTH_MAX) });

export const findingSchema = z.object({
  id: idSchema('finding'),
  rowVersion,
  issuerId: idSchema('credential'),
  providerKeyId: z.string(),
  kind: z.enum(['unregistered', 'orphan', 'held-back', 'missing', 'resurrected', 'changed-outside']),
  severity: z.enum(['critical', 'warning']),
  credentialId: idSchema('credential')
    .nullable()
    .meta({ description: 'The credential that has, or had, this key; null: nobody’s' }),
  name: z.string(),
  state: z.enum(['open', 'deleted', 'adopted', 'ignored', 'gone']),
  firstSeenAt: timeSchema,
  closedAt: timeOrNull,
  lastUsedAt: timeOrNull,
  told: z
    .object({
      event: z.string().meta({ description: 'The provider’s name of it' }),
      at: timeSchema.meta({ description: 'When it happened, by the provider’s clock' }),
      by: z
        .string()
        .nullable()
        .meta({ description: 'Who did it, as the provider writes it; null where it does not say' }),
    })
    .optional()
    .meta({
      description: 'What the provider’s own log says of the key; absent where it says nothing, or there is none',
    }),
});

export const reportSchema = z.object({
  issuerId: idSchema('credential'),
  problem: z.string().nullable(),
  listed: z.int(),
  orphansDeleted: z.int(),
  heldBack: z.int(),
  unregistered: z.int(),
  missing: z.int(),
  resurrected: z.int(),
  log: z
    .object({
      read: z.int().meta({ description: 'Events about keys that were read' }),
      outside: z.int().meta({ description: 'Findings that they made, or that they said more about' }),
      problem: z.string().nullable().meta({ description: 'Null where it could be read' }),
    })
    .nullable()
    .meta({
      description:
        'The provider’s own log of keys. Null where there is none to read, or where another report of this look has it already',
    }),
});
