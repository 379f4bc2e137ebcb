// The beginning of an installation: the schema, the instance's id, the first key-encryption key, the ledger's signing key, and the
// first admin with its token. One control write: after a crash there is either nothing or all of it.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { PrincipalRow, TokenRow } from './access/principal.ts';
import { newTokenText } from './access/token.ts';
import { machineClock, SIGNING_KEY_BLOB, signingKeyContext } from './app.io.ts';
import type { Config } from './config/config.ts';
import { migratePostgresql, openPostgresqlDatabase } from './database/postgresql.io.ts';
import { migrateSqlite, openSqliteDatabase } from './database/sqlite.io.ts';
import { openSqlite } from './database/sqlite-commit.io.ts';
import { newSigningKey } from './ledger/checkpoints.io.ts';
import type { ControlEvent, RowImage } from './model/change.ts';
import { Failure } from './model/failure.ts';
import { newId } from './model/id.ts';
import type { Secret } from './model/secret.ts';
import type { SettingRow } from './model/setting.ts';
import { TABLES } from './tables.ts';
import { cipher, machineRandom } from './vault/cipher.io.ts';
import { deriveKek } from './vault/kek.io.ts';
import { ARGON2ID_DEFAULTS, newArgon2idParams, newKek } from './vault/kek.ts';
import { createVault } from './vault/vault.io.ts';

export interface InitInput {
  readonly config: Config;
  /** The key-encryption key's material: 32 bytes of a key file, or a passphrase that it is derived from. */
  readonly kek:
    | { readonly kind: 'key-file'; readonly key: Secret }
    | { readonly kind: 'passphrase'; readonly passphrase: Secret };
  readonly admin: string;
  /** The database's URL, where the configuration names one. */
  readonly databaseUrl: string | null;
}

export interface InitResult {
  readonly instance: string;
  /** The first admin's token: shown once. */
  readonly token: string;
  readonly principalId: string;
}

/** Initialises the data directory and the database. Throws `conflict` where there is an installation already. */
export async function initialise(input: InitInput): Promise<InitResult> {
  const { config } = input;
  mkdirSync(config.dataDirectory, { recursive: true, mode: 0o700 });
  if ((statSync(config.dataDirectory).mode & 0o077) !== 0) {
    throw new Failure('invalid', 'the data directory must not be readable by others (mode 0700)');
  }
  const hooks = { tables: TABLES, cutsOf: () => [], committed: () => {}, onLost: () => {} };
  const file = path.join(config.dataDirectory, 'claviger.db');
  if (config.database.kind === 'sqlite') {
    if (existsSync(file)) throw new Failure('conflict', 'the data directory holds an installation already');
    const database = openSqlite(file);
    migrateSqlite(database);
    database.close();
  } else {
    await migratePostgresql(input.databaseUrl ?? '');
  }
  const database =
    config.database.kind === 'sqlite'
      ? await openSqliteDatabase({ file, ...hooks })
      : await openPostgresqlDatabase({ url: input.databaseUrl ?? '', ...hooks });
  try {
    if (database.startSizes.control > 0) throw new Failure('conflict', 'the database holds an installation already');
    const first = await firstWrite(input);
    await database.write({ events: first.events, blobs: first.blobs });
    return first.result;
  } finally {
    await database.end();
  }
}

async function firstWrite(input: InitInput) {
  const now = machineClock.now();
  const random = machineRandom;
  const event = (type: string, ...rows: RowImage[]): ControlEvent => ({
    v: 1,
    at: now,
    actor: 'system:init',
    type,
    rows,
    detail: {},
  });
  const instance = Buffer.from(random.bytes(4)).toString('hex');
  const setting: SettingRow = {
    id: newId('setting', now, random),
    rowVersion: 1,
    name: 'instance',
    value: { id: instance },
  };

  const params = input.kek.kind === 'passphrase' ? newArgon2idParams(random, ARGON2ID_DEFAULTS) : null;
  const key = input.kek.kind === 'passphrase' ? await deriveKek(input.kek.passphrase, params!) : input.kek.key;
  const kek = newKek({ cipher, random, now, id: newId('kek', now, random), rows: [], role: 'primary', params, key });
  const vault = createVault({ cipher, random });
  vault.unseal([{ row: kek.row, check: kek.check, key }]);
  const signing = vault.sealParts(signingKeyContext(instance), { key: newSigningKey() });
  vault.seal();

  const principal: PrincipalRow = {
    id: newId('principal', now, random),
    rowVersion: 1,
    space: 'default',
    name: input.admin,
    kind: 'person',
    roles: ['admin'],
    owner: '',
    note: 'the first admin',
    disabledAt: null,
    createdAt: now,
    managedBy: null,
  };
  const text = newTokenText(random);
  const token: TokenRow = {
    id: newId('token', now, random),
    rowVersion: 1,
    principalId: principal.id,
    hash: createHash('sha256').update(text).digest('hex'),
    hint: text.slice(-4),
    note: 'made by init',
    credentialId: null,
    networks: [],
    createdAt: now,
    expiresAt: null,
    revokedAt: null,
    replacedBy: null,
  };
  return {
    events: [
      event('instance.created', { noun: 'setting', row: setting }),
      event('kek.created', { noun: 'kek', row: kek.row }),
      event('principal.added', { noun: 'principal', row: principal }),
      event('token.issued', { noun: 'token', row: token }),
    ],
    blobs: [
      { kind: 'wrap' as const, id: kek.row.id, value: kek.check },
      { kind: 'envelope' as const, id: SIGNING_KEY_BLOB, value: signing.bytes },
    ],
    result: { instance, token: text, principalId: principal.id },
  };
}
