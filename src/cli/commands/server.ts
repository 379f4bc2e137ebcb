// The server as a whole: how it is, who you are to it, sealing and unsealing. Not here: starting it (serve.io.ts).
import { Failure } from '../../model/failure.ts';
import { decodeKeyFile } from '../../vault/kek.ts';
import type { Command, Outcome } from '../command.ts';
import type { Context } from '../context.ts';
import { base64Of, fileContent } from '../disclose.ts';
import { KEK_OPTIONS, readPassphrase } from '../secret-input.ts';
import { visible } from '../text.ts';

export interface Status {
  readonly version: string;
  readonly instance: string;
  readonly sealed: boolean;
  readonly epoch: number;
  readonly fence: number;
  readonly dialect: string;
  readonly logs: { readonly control: { readonly size: number }; readonly use: { readonly size: number } };
  readonly unprotected: number;
  readonly openUses: number;
}

function statusOutcome(context: Context, status: Status): Outcome {
  const { view } = context;
  const text = view.fields([
    ['state', status.sealed ? 'sealed: nothing is lent until it is unsealed' : 'serving'],
    ['version', status.version],
    ['instance', status.instance],
    ['database', `${status.dialect}, epoch ${status.epoch}, fence ${status.fence}`],
    ['control log', `${status.logs.control.size} entries`],
    ['use log', `${status.logs.use.size} entries`],
    ['open uses', String(status.openUses)],
    ['unprotected', status.unprotected === 0 ? 'none' : `${status.unprotected} credentials without a second copy`],
  ]);
  return { data: status, text, brief: status.sealed ? 'sealed' : 'serving' };
}

const status: Command = {
  name: 'status',
  about: 'how the server is: sealed or serving, sizes of its logs, what is unprotected',
  examples: [{ line: 'claviger status', about: 'look at the server of the configuration here' }],
  async run(context) {
    const api = await context.api();
    return statusOutcome(context, await api.get<Status>('/v1/status'));
  },
};

const whoami: Command = {
  name: 'whoami',
  about: 'which principal the token belongs to, and what it may do',
  examples: [{ line: 'claviger whoami', about: 'check a token before using it in a pipeline' }],
  async run(context) {
    const api = await context.api();
    const me = await api.get<{
      principal: { id: string; name: string };
      roles: readonly string[];
      permissions: readonly string[];
    }>('/v1/whoami');
    const text = context.view.fields([
      ['principal', `${me.principal.name} (${me.principal.id})`],
      ['roles', me.roles.length === 0 ? 'none' : me.roles.join(', ')],
      ['permissions', me.permissions.length === 0 ? 'none' : me.permissions.join('\n')],
    ]);
    return { data: me, text, brief: visible(me.principal.name) };
  },
};

const seal: Command = {
  name: 'seal',
  about: 'forget every key: the broker refuses everything until the server is unsealed',
  options: [{ flags: '--yes', about: 'do not ask' }],
  examples: [{ line: 'claviger seal --yes', about: 'stop all use of all credentials at once' }],
  async run(context, input) {
    if (
      !(await context.confirm('The broker will refuse every request until it is unsealed. Seal it?', input.isOn('yes')))
    ) {
      return { data: { sealed: false }, text: 'Nothing was done.' };
    }
    const api = await context.api();
    const after = await api.post<Status>('/v1/seal');
    context.note('Unseal it with `claviger unseal`.');
    return { ...statusOutcome(context, after) };
  },
};

/** What the API takes for a key-encryption key: 32 bytes of a key file, or a passphrase. */
export async function kekBody(
  context: Context,
  input: Parameters<Command['run']>[1],
  isNew: boolean,
): Promise<Readonly<Record<string, unknown>>> {
  const keyFile = input.text('keyFile');
  if (keyFile === null) return { passphrase: await readPassphrase(context, input, isNew) };
  if (input.text('passphraseFile') !== null || input.isOn('fromStdin')) {
    throw new Failure('invalid', 'give a key file or a passphrase, not both');
  }
  const content = await context.machine.files.readPrivate(keyFile, 4_096);
  return { keyFile: base64Of(decodeKeyFile(Uint8Array.from(fileContent(content)))) };
}

const unseal: Command = {
  name: 'unseal',
  about: 'bring the key-encryption key to a sealed server, from a key file or a passphrase',
  options: KEK_OPTIONS,
  examples: [
    { line: 'claviger unseal', about: 'asks for the passphrase' },
    {
      line: 'claviger unseal --key-file /media/stick/claviger.kek',
      about: 'a key file that is not kept on the server',
    },
  ],
  async run(context, input) {
    const api = await context.api();
    return statusOutcome(context, await api.post<Status>('/v1/unseal', await kekBody(context, input, false)));
  },
};

export const serverCommands: readonly Command[] = [status, whoami, seal, unseal];
