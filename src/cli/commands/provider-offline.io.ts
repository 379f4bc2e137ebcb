// The command about providers that works on this machine and not through the API, as data. What it does is loaded when it runs.
import type { Command } from '../command.ts';

const check: Command = {
  name: 'provider check',
  about: 'what a provider would be asked, without sending it; with --live, how it answers',
  more:
    'Without --live nothing is sent: it shows for each kind the requests, where the key stands in them, how answers are read (for a ' +
    'declaration), and what is missing for automatic rotation: exit code 1 where a kind that is to rotate by itself lacks something. With ' +
    '--live the given key is probed at the provider, and with --mint a key is made, listed, ended, and probed until it is refused. What was ' +
    'made is ended whatever happens, and a key that could not be ended is named. Origin and networks are those of the configuration. ' +
    'Nothing is stored; no server is needed.',
  arguments: [{ name: '<name>', about: 'name of the provider' }],
  options: [
    { flags: '--kind <kind>', about: 'only this kind of keys; with --live, the one that is checked' },
    { flags: '--file <file>', about: 'a declaration that lies somewhere else than in providersDirectory' },
    { flags: '--set <key=value...>', about: 'a setting of the kind: organisation, project, scopes, …' },
    { flags: '--live', about: 'ask the provider: the given key must be alive' },
    { flags: '--mint', about: 'with --live: make a key, and end it again; asks first' },
    { flags: '--issuer-from-stdin', about: 'with --live: read the given key from standard input' },
    {
      flags: '--issuer-from-file <path...>',
      about: 'with --live: read the given key from a file; `part=path` where its kind has several parts',
    },
    { flags: '--issuer-kind <kind>', about: 'kind of the given key, where several may mint the checked one' },
    { flags: '--yes', about: 'do not ask' },
  ],
  examples: [
    { line: 'claviger provider check acme --file providers/acme.yaml', about: 'a declaration that is being written' },
    {
      line: 'claviger provider check sendgrid --kind api-key --live --mint --set scopes=mail.send --issuer-from-file admin.key',
      about: 'the whole life of a key on a real account',
    },
  ],
  async run(context, input) {
    const { runProviderCheck } = await import('./provider-check.io.ts');
    return runProviderCheck(context, input);
  },
};

export const providerOfflineCommands: readonly Command[] = [check];
