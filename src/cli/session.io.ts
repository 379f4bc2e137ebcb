// One call of the program: where its configuration is, which server and token it uses, how it speaks. Makes the Context that
// commands act with, and ends what was opened for it.
import path from 'node:path';
import { isWellFormedToken } from '../access/token.ts';
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import { type Api, createApi } from './api.ts';
import { type Client, createClient } from './client.io.ts';
import type { Context, LoadedConfig, Machine } from './context.ts';
import { holds, trimmed } from './disclose.ts';
import { createPaint, wantsColour } from './paint.ts';
import { listenerOrigin, type Profile, resolveProfile, TOKEN_VARIABLE, tokenFileBeside } from './profile.ts';
import { jsonText, visible } from './text.ts';
import { createView } from './view.ts';

const DEFAULT_FILE = 'claviger.yaml';
const TOKEN_BYTES_MAX = 4_096;

/** The global options of a call. */
export interface Globals {
  readonly config: string | null;
  readonly api: string | null;
  readonly tokenFile: string | null;
  readonly caFile: string | null;
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  readonly isPlain: boolean;
}

export interface Session {
  readonly context: Context;
  end(): Promise<void>;
}

export function openSession(machine: Machine, globals: Globals): Session {
  const { stdout, stderr, env } = machine;
  const isForbidden = globals.isPlain;
  const paint = createPaint(!globals.isJson && wantsColour({ isTty: stdout.isTty, isForbidden, env }));
  const dim = createPaint(wantsColour({ isTty: stderr.isTty, isForbidden, env }));
  const view = createView({ paint, columns: stdout.columns, now: machine.now });
  const isSilent = globals.isQuiet || globals.isJson;
  let client: Client | null = null;
  let api: Api | null = null;
  let isMoving = false;

  function settle(): void {
    if (isMoving) stderr.write('\n');
    isMoving = false;
  }

  async function configFile(): Promise<string | null> {
    const named = globals.config ?? (env['CLAVIGER_CONFIG'] || null);
    if (named !== null) return path.resolve(named);
    return (await machine.files.exists(DEFAULT_FILE)) ? path.resolve(DEFAULT_FILE) : null;
  }

  async function config(): Promise<LoadedConfig> {
    const { loadConfiguration } = await import('./configuration.io.ts');
    const { config: loaded, file } = await loadConfiguration(await configFile(), env);
    return { config: loaded, file };
  }

  async function originOf(profile: Profile): Promise<string> {
    if (profile.origin !== null) return profile.origin;
    if ((await configFile()) === null) {
      throw new Failure('invalid', 'which server? there is no claviger.yaml here', {
        errors: [{ pointer: '--api', detail: 'or CLAVIGER_API: address of the control API; or --config' }],
      });
    }
    const origin = listenerOrigin((await config()).config.api);
    if (origin === null) throw new Failure('invalid', 'the API of the configuration has no fixed port: give --api');
    return origin;
  }

  async function tokenOf(profile: Profile): Promise<Secret> {
    const source = profile.token;
    if (source.from === 'environment') return checked(new Secret(env[source.name] ?? ''), TOKEN_VARIABLE);
    if (source.from === 'file')
      return checked(await machine.files.readPrivate(source.path, TOKEN_BYTES_MAX), source.path);
    const file = await configFile();
    const beside = file === null ? null : tokenFileBeside(file);
    if (beside === null || !(await machine.files.exists(beside))) {
      throw new Failure('unauthenticated', 'no token was found', {
        errors: [
          {
            pointer: '--token-file',
            detail: 'or CLAVIGER_TOKEN_FILE or CLAVIGER_TOKEN, or the file of `claviger init`',
          },
        ],
      });
    }
    return checked(await machine.files.readPrivate(beside, TOKEN_BYTES_MAX), beside);
  }

  const context: Context = {
    machine,
    view,
    isJson: globals.isJson,
    isQuiet: globals.isQuiet,
    note(line) {
      if (isSilent) return;
      settle();
      stderr.write(`${dim('dim', visible(line))}\n`);
    },
    emit(text, data) {
      settle();
      stdout.write(globals.isJson ? `${jsonText(data, 0)}\n` : `${text}\n`);
    },
    progress(text) {
      if (isSilent) return;
      // Without wrapping, a line that is too long is cut by the terminal and can be replaced in place.
      if (stderr.isTty) stderr.write(`\r\u001b[2K\u001b[?7l${text}\u001b[?7h`);
      else stderr.write(`${text}\n`);
      isMoving = stderr.isTty;
    },
    progressDone: settle,
    async api() {
      if (api !== null) return api;
      const { api: address, tokenFile, caFile } = globals;
      const profile = resolveProfile({ flags: { api: address, tokenFile, caFile }, env });
      const origin = await originOf(profile);
      const token = await tokenOf(profile);
      client = await createClient({ origin, token, caFile: profile.caFile, randomBytes: machine.randomBytes });
      api = createApi(client.send);
      return api;
    },
    config,
    configFile,
    async confirm(question, isAgreed) {
      if (isAgreed) return true;
      if (!machine.stdin.isTty) throw new Failure('invalid', 'nobody can be asked here: --yes is needed');
      settle();
      return /^y(?:es)?$/i.test((await machine.ask(`${question} [y/N] `)).trim());
    },
  };
  return {
    context,
    async end() {
      settle();
      await client?.close();
    },
  };
}

/** A token that has the form of one; what else lies in the file is not sent anywhere. */
function checked(token: Secret, from: string): Secret {
  const bare = trimmed(token);
  if (!holds(bare, isWellFormedToken)) {
    throw new Failure('unauthenticated', 'what was given as a token is none', {
      errors: [{ pointer: from, detail: 'a token begins with clv_ and ends with its checksum' }],
    });
  }
  return bare;
}
