// Starts the server and waits for its end. Refuses a configuration with errors; logs as JSON on standard error. Not here: what
// serving is (serve.io.ts of the house).
import { type DestinationStream, destination, pino } from 'pino';
import { checkConfig } from '../../config/checks.io.ts';
import type { Config } from '../../config/config.ts';
import { readOwnProviders } from '../../config/providers.io.ts';
import { readSecretSource } from '../../config/secret-source.io.ts';
import { Failure } from '../../model/failure.ts';
import type { JsonObject } from '../../model/json.ts';
import type { KekSource } from '../../vault/kek.io.ts';
import type { Outcome } from '../command.ts';
import { loadConfiguration } from '../configuration.io.ts';
import type { Context } from '../context.ts';
import { listenFailure } from '../listening.ts';

/** Where the key-encryption key comes from at this start; null: an operator unseals. */
async function kekSourceOf({ kek }: Config): Promise<KekSource | null> {
  if (kek === null) return null;
  if (kek.kind === 'key-file') return { kind: 'key-file', path: kek.path };
  if ('file' in kek.from) return { kind: 'passphrase-file', path: kek.from.file };
  return { kind: 'passphrase', passphrase: await readSecretSource(kek.from) };
}

/** The configuration, if it may be served. Throws `invalid` with every error at once; warnings are logged. */
async function acceptedConfig(context: Context, warn: (message: string, fields: JsonObject) => void): Promise<Config> {
  const { config, fileOwnership } = await loadConfiguration(await context.configFile(), context.machine.env);
  const known = Object.values(await import('../../providers/index.ts')).map((provider) => provider.name);
  const own = await readOwnProviders(config.providersDirectory, known);
  const options = { providers: [...known, ...own.names], now: context.machine.now() };
  const findings = [...(await checkConfig({ config, fileOwnership }, options)), ...own.findings];
  const errors = findings.filter((finding) => finding.severity === 'error');
  if (errors.length > 0) {
    throw new Failure('invalid', 'the server does not start with this configuration', {
      errors: errors.map(({ pointer, message, hint }) => ({
        pointer,
        detail: hint === null ? message : `${message} (${hint})`,
      })),
    });
  }
  for (const { pointer, message, hint } of findings) warn('config.warning', { pointer, message, hint });
  return config;
}

/** The signals that end a server: the first one lets open requests finish, the second one does not wait. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export async function runServe(context: Context): Promise<Outcome> {
  const lines: DestinationStream = destination({ dest: 2, sync: true });
  const log = pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'event',
      formatters: { level: (level) => ({ level }) },
    },
    lines,
  );
  const report = (event: string, fields: JsonObject) => {
    const isBad = /error|failed|lost|not-|resurrected|changed-outside/.test(event);
    if (isBad) log.error(fields, event);
    else if (event.includes('warning')) log.warn(fields, event);
    else log.info(fields, event);
  };
  const config = await acceptedConfig(context, report);
  log.level = config.log.level;
  const { serve: start } = await import('../../serve.io.ts');
  const ending = waitForEnd();
  const serving = await start({
    config,
    kek: await kekSourceOf(config),
    readSecret: (source) => readSecretSource(source),
    report,
    onLost: (why) => ending.lost(why),
  }).catch((error: unknown) => {
    throw listenFailure(error, config) ?? error;
  });
  report('server.started', {
    broker: serving.brokerOrigin,
    api: serving.apiOrigin,
    instance: serving.app.instance,
    sealed: serving.app.vault.isSealed,
  });
  const end = await ending.ended;
  report(end.isLost ? 'server.lost' : 'server.stopping', { why: end.why });
  await serving.stop();
  report('server.stopped', {});
  return { data: { stopped: end.why }, text: '', exit: end.isLost ? 1 : 0 };
}

function waitForEnd() {
  let settle: (end: { why: string; isLost: boolean }) => void = () => {};
  const ended = new Promise<{ why: string; isLost: boolean }>((resolve) => {
    settle = resolve;
  });
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      settle({ why: signal, isLost: false });
      for (const again of SIGNALS) process.once(again, () => process.exit(1));
    });
  }
  return { ended, lost: (why: string) => settle({ why, isLost: true }) };
}
