// The commands that work beside the server and not through its API, as data. What they do is loaded when one of them runs: the parts
// of a server take a second to load, and most calls of the program want none of them.
import type { Command } from '../command.ts';

const init: Command = {
  name: 'init',
  about: 'set up an installation: configuration, key-encryption key, database, first admin',
  more:
    'Writes a configuration where there is none, else uses it as it is. The admin’s token goes into a file of mode 0600 beside the ' +
    'configuration, where the other commands find it.',
  options: [
    { flags: '--data-directory <path>', about: 'holds the database and the ledger; mode 0700' },
    { flags: '--kek <kind>', about: 'what the key-encryption key is', choices: ['key-file', 'passphrase'] },
    { flags: '--kek-file <path>', about: 'key file; made where it is not there; outside the data directory' },
    { flags: '--passphrase-file <path>', about: 'file of mode 0600 that holds the passphrase, at every start' },
    { flags: '--from-stdin', about: 'read the passphrase from standard input' },
    { flags: '--admin <name>', about: 'name of the first admin; `admin` where it is left out' },
    {
      flags: '--second-copy <path>',
      about: 'directory on other hardware for second copies of ciphertext; it must be there, with mode 0700',
    },
    { flags: '--postgresql-url-env <name>', about: 'use PostgreSQL; environment variable that holds its URL' },
    { flags: '--broker-listen <address>', about: 'IP address and port of the broker' },
    { flags: '--api-listen <address>', about: 'IP address and port of the control API' },
    { flags: '--yes', about: 'ask nothing, take what is usual' },
  ],
  examples: [
    { line: 'claviger init', about: 'asks what it needs to know' },
    {
      line: 'claviger init --yes --config /etc/claviger/claviger.yaml --data-directory /var/lib/claviger',
      about: 'for a package or an image',
    },
  ],
  async run(context, input) {
    const { runInit } = await import('./init.io.ts');
    return runInit(context, input);
  },
};

const generate: Command = {
  name: 'kek generate',
  about: 'make a new key file of mode 0600, for `kek rotate` or for a recovery',
  arguments: [{ name: '<file>', about: 'the file to make; outside the data directory' }],
  examples: [
    { line: 'claviger kek generate /etc/claviger/claviger-2.kek', about: 'then: claviger kek rotate --key-file …' },
  ],
  async run(context, input) {
    const { runGenerate } = await import('./init.io.ts');
    return runGenerate(context, input);
  },
};

const serve: Command = {
  name: 'serve',
  about: 'start the server: broker and control API',
  more:
    'Runs until SIGTERM or SIGINT, then lets open requests finish (the time is `drain` in the configuration); a second signal ends it ' +
    'at once. Logs are JSON lines on standard error. It starts sealed where the configuration names no key-encryption key.',
  examples: [
    {
      line: 'claviger serve --config /etc/claviger/claviger.yaml',
      about: 'in the foreground; a service manager does the rest',
    },
  ],
  async run(context) {
    const { runServe } = await import('./serve.io.ts');
    return runServe(context);
  },
};

const backup: Command = {
  name: 'backup',
  about: 'copy the database, as it is at one moment, into one file; the server may run meanwhile',
  more:
    'The file has mode 0600, holds secrets as ciphertext only, and is checked after it was written: SQLite’s own check, the number of ' +
    'rows, and both logs hashed anew. The key-encryption key is not in it: keep that elsewhere. A backup of a PostgreSQL database ' +
    'has the same form, and either can be restored into the other.',
  arguments: [{ name: '<file>', about: 'the file to make; it must not exist' }],
  examples: [{ line: 'claviger backup /backup/claviger-$(date +%F).backup', about: 'every night' }],
  async run(context, input) {
    const { runBackup } = await import('./database.io.ts');
    return runBackup(context, input);
  },
};

const restore: Command = {
  name: 'restore',
  about: 'bring a backup back, in a new epoch of the ledger; the server must be stopped',
  more:
    'The first entry of the new epoch names the last checkpoint that was known, so that what is gone can be told. Tokens and grants are ' +
    'again as they were when the backup was made, those that were revoked since too. At its next start the server looks at every ' +
    'provider before it brokers: keys that were rotated since the backup are taken over from their second copies.',
  arguments: [{ name: '<file>', about: 'a file of `claviger backup`' }],
  options: [
    { flags: '--replace', about: 'put a database that is there aside; it is kept under another name' },
    { flags: '--yes', about: 'do not ask' },
  ],
  examples: [
    {
      line: 'claviger restore /backup/claviger-2026-09-21.backup --replace',
      about: 'after a lost disk or a failed upgrade',
    },
  ],
  async run(context, input) {
    const { runRestore } = await import('./database.io.ts');
    return runRestore(context, input);
  },
};

const migrate: Command = {
  name: 'migrate',
  about: 'bring the database to the schema of this program, after a backup; the server must be stopped',
  options: [{ flags: '--backup <file>', about: 'where the backup goes; into the data directory where it is left out' }],
  examples: [{ line: 'claviger migrate', about: 'after installing a newer program, before starting it' }],
  async run(context, input) {
    const { runMigrate } = await import('./database.io.ts');
    return runMigrate(context, input);
  },
};

const doctor: Command = {
  name: 'doctor',
  about: 'look over the installation on this machine: exit code 1 where there are errors',
  more:
    'Configuration with where each value came from, data directory, database and its schema, key-encryption key, ledger, second copies, ' +
    'clock, and whether the server answers. Changes nothing; the server may run meanwhile.',
  options: [{ flags: '--all', about: 'show the options that have their default, too' }],
  examples: [{ line: 'claviger doctor', about: 'before the first start, after an upgrade, when something is odd' }],
  async run(context, input) {
    const { runDoctor } = await import('./doctor.io.ts');
    return runDoctor(context, input);
  },
};

const exportCommand: Command = {
  name: 'audit export',
  about: 'write both logs into a directory that anybody can verify: entries, hash tiles, checkpoints, keys',
  more:
    'Goes on where an earlier export into the same directory stopped. It goes as far as the newest checkpoint that the server has ' +
    'published. Layout: docs/formats/ledger.md.',
  arguments: [{ name: '<directory>', about: 'empty, or an earlier export of the same logs' }],
  examples: [{ line: 'claviger audit export /mnt/archive/ledger', about: 'every day, to somewhere else' }],
  async run(context, input) {
    const { runExport } = await import('./audit-local.io.ts');
    return runExport(context, input);
  },
};

const verify: Command = {
  name: 'audit verify',
  about: 'verify the ledger, or an export of it, with the independent verifier',
  more:
    'Without a directory, this installation’s logs are exported to a temporary place first. The key that is trusted is the one that ' +
    '--key names, else the one that this installation keeps. Without --kept nobody can tell that a log was cut off or exchanged as ' +
    'a whole: keep a checkpoint somewhere else.',
  arguments: [{ name: '[directory]', about: 'an export, or one log of it' }],
  options: [
    { flags: '--key <file...>', about: 'file with the verifier key that you trust, once for each log' },
    { flags: '--kept <file...>', about: 'the last checkpoint that you kept, once for each log' },
  ],
  examples: [
    { line: 'claviger audit verify', about: 'this installation' },
    {
      line: 'claviger audit verify /mnt/archive/ledger --key control.vkey --key use.vkey --kept control.checkpoint',
      about: 'an export, with what you kept yourself',
    },
  ],
  async run(context, input) {
    const { runVerify } = await import('./audit-local.io.ts');
    return runVerify(context, input);
  },
};

const replay: Command = {
  name: 'audit replay',
  about: 'decide every recorded use again, by the policy that the control log says was in force',
  more:
    'Nothing of what the server decided is believed: grants, tokens, credentials and catalogues are folded from the control log, and ' +
    'each use is decided anew. `audit verify` says whether the entries are the ones that were written; this says whether they were right.',
  examples: [
    {
      line: 'claviger audit replay',
      about: 'exit code 1 where a use stands outside the policy, or after a revocation',
    },
  ],
  async run(context) {
    const { runReplay } = await import('./audit-local.io.ts');
    return runReplay(context);
  },
};

/** Setting up, serving and looking over. */
export const installationCommands: readonly Command[] = [init, serve, doctor];
export const databaseCommands: readonly Command[] = [migrate, backup, restore];
export const kekFileCommands: readonly Command[] = [generate];
export const auditLocalCommands: readonly Command[] = [verify, exportCommand, replay];
