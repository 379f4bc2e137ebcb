// Routes of the vault: sealing and unsealing it, its key-encryption keys and their rotation. The keys themselves are http/keks.io.ts.
import { z } from 'zod';
import {
  type Context,
  eventOf,
  idSchema,
  NO_BODY,
  type Route,
  route,
  rowView,
  timeOrNull,
  timeSchema,
} from '../model/route.ts';
import { Secret } from '../model/secret.ts';
import { type KekRow, PASSPHRASE_BYTES_MAX } from './kek.ts';

/** What an operator gives: a passphrase, the 32 bytes of a key file, or where such a file lies on the server. */
export interface KekMaterial {
  readonly passphrase: Secret | null;
  readonly key: Secret | null;
  readonly path: string | null;
}

export interface KekReport {
  /** The key that every envelope is now wrapped under. */
  readonly kek: KekRow;
  readonly isComplete: boolean;
  readonly rewrapped: number;
  readonly retired: readonly string[];
  readonly failed: number;
  readonly failures: readonly { readonly id: string; readonly code: string }[];
}

export interface VaultRoom {
  readonly isSealed: () => boolean;
  /** Opens the vault and takes up what was running. Throws `invalid` where the material fits no key. */
  unseal(material: KekMaterial): Promise<void>;
  /** Wipes every key. */
  seal(): void;
  keks(): readonly KekRow[];
  /** Makes a new primary key from the material and wraps everything under it. */
  rotate(context: Context, material: KekMaterial): Promise<KekReport>;
  /** The server's status, as GET /v1/status gives it. */
  readonly statusSchema: z.ZodType;
  status(): Promise<object>;
}

const passphraseSchema = z
  .string()
  .min(1)
  .max(PASSPHRASE_BYTES_MAX)
  .regex(/^[^\r\n]*$/, 'a passphrase is one line')
  .transform((text) => new Secret(text))
  .meta({ writeOnly: true });

/** 32 bytes in base64, with padding. */
const keySchema = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/, '32 bytes in base64')
  .transform((text, context) => {
    try {
      const bytes = Uint8Array.fromBase64(text, { lastChunkHandling: 'strict' });
      const key = new Secret(bytes);
      bytes.fill(0);
      return key;
    } catch {
      context.addIssue({ code: 'custom', message: '32 bytes in base64' });
      return z.NEVER;
    }
  })
  .meta({ writeOnly: true });

const material = { passphrase: passphraseSchema.optional(), keyFile: keySchema.optional() };

function isOne(given: object): boolean {
  return Object.values(given).filter((value) => value !== undefined).length === 1;
}

const kekSchema = z.object({
  id: idSchema('kek'),
  rowVersion: z.int().min(1),
  version: z.int(),
  role: z.enum(['primary', 'recovery']),
  kind: z.enum(['passphrase', 'key-file']),
  params: z
    .object({
      algorithm: z.literal('argon2id'),
      salt: z.string(),
      memoryKib: z.number(),
      passes: z.number(),
      lanes: z.number(),
    })
    .nullable(),
  createdAt: timeSchema,
  retiredAt: timeOrNull,
});

const reportSchema = z.object({
  kek: kekSchema,
  isComplete: z.boolean(),
  rewrapped: z.int(),
  retired: z.array(idSchema('kek')),
  failed: z.int(),
  failures: z.array(z.object({ id: z.string(), code: z.string() })),
});

export function vaultRoutes(room: VaultRoom): Route[] {
  const tag = 'vault';
  const status = { 200: { about: 'The status', schema: room.statusSchema } };
  return [
    route({
      method: 'POST',
      path: '/v1/seal',
      permission: 'server:seal',
      summary: 'Forgets every key: the broker answers 503 from the next request on',
      tag,
      body: NO_BODY,
      answers: status,
      effect: 'memory',
      async handler(context) {
        if (!room.isSealed()) {
          // On record first: a seal that cannot be recorded must still be possible, so the keys go in any case.
          const event = eventOf(context, 'server.sealed', []);
          try {
            await context.desk.write({ events: [event] });
          } finally {
            room.seal();
          }
        }
        return { status: 200, body: await room.status() };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/unseal',
      permission: 'server:seal',
      summary: 'Opens the vault with a passphrase or the content of a key file',
      tag,
      body: z.strictObject(material).refine(isOne, 'either passphrase or keyFile'),
      answers: status,
      effect: 'memory',
      async handler(context, { body }) {
        const { passphrase = null, keyFile = null } = body;
        try {
          if (room.isSealed()) {
            await room.unseal({ passphrase, key: keyFile, path: null });
            await context.desk.write({ events: [eventOf(context, 'server.unsealed', [])] });
          }
        } finally {
          passphrase?.wipe();
          keyFile?.wipe();
        }
        return { status: 200, body: await room.status() };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/keks',
      permission: 'kek:read',
      summary: 'The key-encryption keys, oldest first: none of them secret in what is shown',
      tag,
      answers: {
        200: { about: 'All of them', schema: z.object({ items: z.array(kekSchema), next: z.null() }) },
      },
      handler: () => ({ status: 200, body: { items: room.keks().map((row) => rowView(row)), next: null } }),
    }),
    route({
      method: 'POST',
      path: '/v1/keks/rotate',
      permission: 'kek:rotate',
      summary: 'Makes a new key-encryption key and wraps every envelope under it',
      description:
        'May be repeated after an interruption with the same material. Afterwards the configuration must name the new key, or the next start stays sealed.',
      tag,
      body: z
        .strictObject({ ...material, keyFilePath: z.string().min(1).max(1_024).optional() })
        .refine(isOne, 'one of passphrase, keyFile and keyFilePath'),
      answers: { 200: { about: 'What was done', schema: reportSchema } },
      effect: 'outside',
      async handler(context, { body }) {
        const { passphrase = null, keyFile = null, keyFilePath = null } = body;
        try {
          const report = await room.rotate(context, { passphrase, key: keyFile, path: keyFilePath });
          return { status: 200, body: { ...report, kek: rowView(report.kek) } };
        } finally {
          passphrase?.wipe();
          keyFile?.wipe();
        }
      },
    }),
  ];
}
