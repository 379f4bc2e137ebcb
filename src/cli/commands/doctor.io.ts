// Looks over an installation: configuration, database, key-encryption key, ledger, second copies, clock, the server. Changes nothing.
// Everything that is found is told at once; what a failed check makes impossible is skipped and says so.
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { sql } from 'kysely';
import { checkConfig } from '../../config/checks.io.ts';
import type { Config } from '../../config/config.ts';
import { exposureOf } from '../../config/exposure.ts';
import type { LoadedConfig } from '../../config/load.io.ts';
import { type OwnProviders, readOwnProviders } from '../../config/providers.io.ts';
import { readSecretSource } from '../../config/secret-source.io.ts';
import type { CredentialRow, VersionRow } from '../../credentials/credential.ts';
import { SCHEMA_VERSION } from '../../database/migrations.ts';
import { instanceOf, logSource, openForReading, type Reading } from '../../database/reading.io.ts';
import { readCheckpoint } from '../../ledger/checkpoints.io.ts';
import { LOGS, type Log, originOf } from '../../ledger/layout.ts';
import { createHasher } from '../../ledger/merkle.ts';
import { openNote, parseCheckpoint, parseVkey } from '../../ledger/note.ts';
import { rootAt } from '../../ledger/source.ts';
import { Failure } from '../../model/failure.ts';
import type { Secret } from '../../model/secret.ts';
import type { SettingRow } from '../../model/setting.ts';
import type { Kind, Provider } from '../../providers/provider.ts';
import { credentialNameOf, doubtsAbout } from '../../targets/program.ts';
import { type KekSource, loadKek } from '../../vault/kek.io.ts';
import { type KekRow, kekInForce } from '../../vault/kek.ts';
import { createClient } from '../client.io.ts';
import type { Input, Outcome } from '../command.ts';
import { loadConfiguration } from '../configuration.io.ts';
import type { Context } from '../context.ts';
import {
  type Check,
  check,
  clockCheck,
  configChecks,
  protectionCheck,
  renderChecks,
  renderOptions,
} from '../doctor.ts';
import { isUnreachable } from '../exit.ts';
import { storeOf } from '../installation.io.ts';
import { ed25519, sha256 } from '../primitives.io.ts';
import { listenerOrigin, tokenFileBeside } from '../profile.ts';
import { credentialName } from '../rows.ts';
import { VERSION } from '../version.ts';

const ANSWER_MS = 3_000;

export async function runDoctor(context: Context, input: Input): Promise<Outcome> {
  const checks: Check[] = [];
  const loaded = await load(context, checks);
  if (loaded !== null) {
    const own = await ownProviders(loaded.config);
    checks.push(...configChecks(await findingsOf(context, loaded, own)));
    checks.push(tokenCheck(loaded));
    const found = await databaseChecks(context, loaded.config, kindsAt(own));
    checks.push(...found.checks);
    checks.push(await serverCheck(context, loaded, found.instance));
  }
  const options = loaded === null ? '' : `${renderOptions(loaded.sources, context.view, input.isOn('all'))}\n\n`;
  const heading = `claviger ${VERSION}, ${loaded?.file ?? 'no configuration file: defaults'}`;
  const isBad = checks.some((one) => one.status === 'error');
  return {
    data: { version: VERSION, file: loaded?.file ?? null, options: loaded?.sources ?? [], checks, ok: !isBad },
    text: `${context.view.heading(heading)}\n\n${options}${renderChecks(checks, context.view)}`,
    brief: checks
      .filter((one) => one.status === 'error' || one.status === 'warning')
      .map((one) => one.id)
      .join('\n'),
    exit: isBad ? 1 : 0,
  };
}

async function load(context: Context, checks: Check[]): Promise<LoadedConfig | null> {
  try {
    return await loadConfiguration(await context.configFile(), context.machine.env);
  } catch (error) {
    if (!Failure.is(error)) throw error;
    if (error.errors.length === 0) checks.push(check('configuration', 'error', error.message));
    for (const { pointer, detail } of error.errors)
      checks.push(check(`configuration ${pointer}`.trimEnd(), 'error', detail));
    return null;
  }
}

interface KnownProviders extends OwnProviders {
  readonly builtIn: readonly Provider[];
}

async function ownProviders(config: Config): Promise<KnownProviders> {
  const builtIn = Object.values(await import('../../providers/index.ts'));
  const taken = builtIn.map((provider) => provider.name);
  return { builtIn, ...(await readOwnProviders(config.providersDirectory, taken)) };
}

async function findingsOf(context: Context, loaded: LoadedConfig, { builtIn, names, findings }: KnownProviders) {
  const { env: environment } = context.machine;
  const known = [...builtIn.map((provider) => provider.name), ...names];
  const options = { providers: known, now: context.machine.now(), environment };
  return [...(await checkConfig(loaded, options)), ...findings];
}

type KindAt = (credential: CredentialRow) => Kind | null;

function kindsAt({ builtIn, providers }: KnownProviders): KindAt {
  const all = [...builtIn, ...providers.map((one) => one.provider)];
  return (credential) => {
    const provider = all.find((one) => one.name === credential.provider);
    return provider?.kinds.find((one) => one.name === credential.kind) ?? null;
  };
}

/** Programs of the configuration that nothing will ever run. */
function programChecks(config: Config, credentials: Iterable<CredentialRow>, kindAt: KindAt): Check[] {
  const byName = new Map([...credentials].map((row) => [credentialNameOf(row), row]));
  const doubts = doubtsAbout(config.programs ?? [], (name) => {
    const row = byName.get(name);
    return row === undefined ? null : kindAt(row);
  });
  return doubts.map(({ pointer, message }) => check(`configuration ${pointer}`, 'warning', message));
}

/** The file in which `init` left the admin's token: no fault where it is not there, one where others can read it. */
function tokenCheck({ file }: LoadedConfig): Check {
  const name = tokenFileBeside(file ?? path.resolve('claviger.yaml'));
  const stats = statSync(name, { throwIfNoEntry: false });
  if (stats === undefined) return check('token file', 'skipped', 'none lies beside the configuration');
  const exposure = exposureOf({ userId: stats.uid, mode: stats.mode & 0o777 }, process.geteuid?.() ?? null);
  return exposure === null
    ? check('token file', 'ok', 'for its owner alone')
    : check('token file', 'error', `${name} ${exposure}`, 'chmod 600, and issue a new token: this one may be known');
}

interface DatabaseFound {
  readonly checks: readonly Check[];
  readonly instance: string | null;
}

async function databaseChecks(context: Context, config: Config, kindAt: KindAt): Promise<DatabaseFound> {
  let reading: Reading;
  try {
    reading = await openForReading(await storeOf(config, context.machine.env));
  } catch (error) {
    const why = Failure.is(error) ? error.message : 'it cannot be opened';
    return { checks: [check('database', 'error', why)], instance: null };
  }
  try {
    const schema = schemaCheck(reading.schema);
    if (schema.status === 'error') return { checks: [schema], instance: null };
    const instance = await instanceOf(reading.read);
    if (instance === null) {
      const uninitialised = check(
        'instance',
        'error',
        'the database was not initialised',
        '`claviger init` sets it up',
      );
      return { checks: [schema, uninitialised], instance };
    }
    return { checks: [schema, ...(await contentChecks(context, config, { reading, instance, kindAt }))], instance };
  } finally {
    await reading.close();
  }
}

function schemaCheck(schema: number): Check {
  if (schema === SCHEMA_VERSION) return check('database', 'ok', `schema ${schema}`);
  if (schema === 0) return check('database', 'error', 'it is empty', '`claviger init` sets it up');
  return schema < SCHEMA_VERSION
    ? check('database', 'error', `schema ${schema}, this program wants ${SCHEMA_VERSION}`, '`claviger migrate`')
    : check('database', 'error', `schema ${schema} is newer than this program`, 'install the newer program');
}

async function contentChecks(
  context: Context,
  config: Config,
  { reading, instance, kindAt }: { readonly reading: Reading; readonly instance: string; readonly kindAt: KindAt },
): Promise<Check[]> {
  const { read } = reading;
  const rows = async <R>(table: 'keks' | 'settings' | 'versions' | 'credentials'): Promise<R[]> => {
    const found = await read.selectFrom(table).select('row').where('live', '=', 1).execute();
    return found.map(({ row }) => JSON.parse(row) as R);
  };
  const newest = await read
    .selectFrom('control_entries')
    .select('entry')
    .orderBy('idx', 'desc')
    .limit(1)
    .executeTakeFirst();
  const newestEntryAt = newest === undefined ? null : (JSON.parse(newest.entry) as { at: number }).at;
  const databaseNow = config.database.kind === 'postgresql' ? await databaseClock(reading) : null;
  const credentials = new Map((await rows<CredentialRow>('credentials')).map((row) => [row.id, row]));
  const unprotected = (await rows<VersionRow>('versions'))
    .filter((version) => version.state === 'current' && version.secondCopyAt === null)
    .map((version) => credentials.get(version.credentialId))
    .filter((row) => row !== undefined && row.retiredAt === null)
    .map((row) => credentialName(row!));
  const recovery = (await rows<SettingRow>('settings')).find((row) => row.name === 'recovery');
  const isPending = (recovery?.value as { state?: string } | undefined)?.state === 'pending';
  return [
    check('instance', 'ok', instance),
    ...(isPending
      ? [
          check(
            'recovery',
            'warning',
            'a backup was restored',
            'the server looks at every provider when it starts unsealed',
          ),
        ]
      : []),
    await kekCheck(context, config, reading, await rows<KekRow>('keks')),
    ...(await Promise.all(LOGS.map((log) => ledgerCheck(config, reading, { log, instance })))),
    ...programChecks(config, credentials.values(), kindAt),
    protectionCheck(unprotected, config.secondCopy !== null),
    clockCheck({ now: context.machine.now(), newestEntryAt, databaseNow }),
  ];
}

async function databaseClock({ read }: Reading): Promise<number> {
  const { rows } = await sql<{ now: Date }>`SELECT now() AS now`.execute(read);
  return rows[0]!.now.getTime();
}

/** Whether the key that the configuration names opens what the database holds. */
async function kekCheck(context: Context, config: Config, { read }: Reading, rows: readonly KekRow[]): Promise<Check> {
  const id = 'key-encryption key';
  const { kek, dataDirectory } = config;
  const inForce = kekInForce(rows, 'primary');
  if (inForce === null) return check(id, 'error', 'the database has none in force');
  if (kek === null)
    return check(id, 'warning', 'none is configured: the server starts sealed', '`claviger unseal` brings it');
  if (kek.kind === 'passphrase' && 'command' in kek.from) {
    return check(id, 'skipped', 'it comes from a command, which is not run here');
  }
  const blob = await read
    .selectFrom('blobs')
    .select('value')
    .where('kind', '=', 'wrap')
    .where('id', '=', inForce.id)
    .executeTakeFirst();
  if (blob === undefined) return check(id, 'error', 'the database has no check value of it');
  try {
    const source: KekSource =
      kek.kind === 'key-file'
        ? { kind: 'key-file', path: kek.path }
        : { kind: 'passphrase', passphrase: await readSecretSource(kek.from, { environment: context.machine.env }) };
    const key = await loadKek({ row: inForce, source, dataDirectory });
    const { createVault } = await import('../../vault/vault.io.ts');
    const { cipher, machineRandom } = await import('../../vault/cipher.io.ts');
    const vault = createVault({ cipher, random: machineRandom });
    vault.unseal([{ row: inForce, check: blob.value, key }]);
    vault.seal();
    return check(id, 'ok', `version ${inForce.version}, ${inForce.kind}: it is the right one`);
  } catch (error) {
    const why = Failure.is(error) ? error.message : 'it cannot be read';
    return check(id, 'error', why, 'without it nothing that is stored can be opened');
  }
}

/** The newest published checkpoint: signed by the log's key, and still the root of what the database holds. */
async function ledgerCheck(config: Config, { read }: Reading, of: { log: Log; instance: string }): Promise<Check> {
  const id = `${of.log} log`;
  const directory = path.join(config.dataDirectory, 'ledger');
  const note = readCheckpoint(directory, of.log);
  if (note === null) return check(id, 'skipped', 'no checkpoint was published yet');
  try {
    const key = parseVkey(readFileSync(path.join(directory, of.log, 'vkey'), 'utf8').trim(), sha256);
    if (key.name !== originOf(of.instance, of.log))
      return check(id, 'error', 'its checkpoints are of another instance');
    const checkpoint = parseCheckpoint(openNote(Buffer.from(note), [key], ed25519).text);
    const source = await logSource(read, of.log);
    if (checkpoint.size > source.size) {
      return check(
        id,
        'error',
        `${source.size} entries, but ${checkpoint.size} were published`,
        'entries are gone: keep the checkpoint, and look why',
      );
    }
    const root = await rootAt(source, checkpoint.size, createHasher(sha256));
    return Buffer.from(root).equals(Buffer.from(checkpoint.root))
      ? check(id, 'ok', `${source.size} entries; the checkpoint of ${checkpoint.size} fits`)
      : check(
          id,
          'error',
          'it does not have the root that was published',
          '`claviger audit verify` names the first entry that differs',
        );
  } catch (error) {
    return check(id, 'error', Failure.is(error) ? error.message : 'it cannot be read');
  }
}

/** Whether a server answers, and, where the token of `init` is at hand, whether it is the one of this installation. */
async function serverCheck(context: Context, loaded: LoadedConfig, instance: string | null): Promise<Check> {
  const id = 'server';
  const origin = listenerOrigin(loaded.config.api);
  if (origin === null) return check(id, 'skipped', 'its port is not fixed');
  const caFile = context.machine.env['CLAVIGER_CA_FILE'] || null;
  const { randomBytes } = context.machine;
  try {
    const token = await ownToken(context, loaded);
    const client = await createClient({ origin, token, caFile, answerMs: ANSWER_MS, randomBytes });
    try {
      if (token !== null) {
        const status = (await client.send({ method: 'GET', path: '/v1/status' })).json as { instance?: unknown };
        if (status.instance !== instance) return foreignServer(origin);
      }
      await client.send({ method: 'GET', path: '/readyz' });
    } finally {
      await client.close();
    }
    return check(id, 'ok', `ready at ${origin}`);
  } catch (error) {
    if (!Failure.is(error)) throw error;
    if (error.code === 'sealed')
      return check(id, 'warning', `sealed, at ${origin}`, '`claviger unseal` brings the key');
    if (error.code === 'unauthenticated') return foreignServer(origin);
    return check(id, 'warning', error.message, isUnreachable(error) ? '`claviger serve` starts it' : null);
  }
}

function foreignServer(origin: string): Check {
  return check(
    'server',
    'warning',
    `the server at ${origin} is not the one of this installation, or its token was revoked`,
  );
}

async function ownToken(context: Context, { file }: LoadedConfig): Promise<Secret | null> {
  const name = file === null ? null : tokenFileBeside(file);
  if (name === null || !(await context.machine.files.exists(name))) return null;
  try {
    return await context.machine.files.readPrivate(name, 4_096);
  } catch {
    return null;
  }
}
