// Where passphrases come from: standard input, a file, or a prompt that shows nothing; and what every secret that is read has in common.
// Never from an argument, which would stand in the history of the shell and in the list of processes. The parts of keys: parts-input.ts.
import { Failure } from '../model/failure.ts';
import type { Secret } from '../model/secret.ts';
import { decodePassphrase } from '../vault/kek.ts';
import type { Input, OptionSpec } from './command.ts';
import type { Context } from './context.ts';

export const SECRET_BYTES_MAX = 16_384;

/** Throws `invalid` for a secret without bytes. */
export function nonEmpty(secret: Secret): Secret {
  if (secret.length === 0) throw new Failure('invalid', 'the secret is empty');
  return secret;
}

/** The key-encryption key or passphrase that an operator brings, in the form that the API takes. */
export const KEK_OPTIONS: readonly OptionSpec[] = [
  { flags: '--key-file <path>', about: 'key file of mode 0600 on this machine' },
  { flags: '--passphrase-file <path>', about: 'file of mode 0600 that holds the passphrase' },
  { flags: '--from-stdin', about: 'read the passphrase from standard input' },
];

/** A passphrase: from its file, from standard input, or asked for; twice where it is new. */
export async function readPassphrase(context: Context, input: Input, isNew: boolean): Promise<Secret> {
  const file = input.text('passphraseFile');
  if (file !== null && input.isOn('fromStdin')) {
    throw new Failure('invalid', 'give one of --passphrase-file and --from-stdin');
  }
  if (file !== null) return context.machine.files.readPrivate(file, SECRET_BYTES_MAX);
  if (input.isOn('fromStdin')) return decodePassphrase(await context.machine.stdin.read(SECRET_BYTES_MAX));
  if (!context.machine.stdin.isTty) {
    throw new Failure('invalid', 'where does the passphrase come from? give --passphrase-file or --from-stdin');
  }
  const passphrase = nonEmpty(await context.machine.askHidden('Passphrase (not shown): '));
  if (isNew && !passphrase.equals(await context.machine.askHidden('Again: '))) {
    throw new Failure('invalid', 'the two passphrases differ');
  }
  return passphrase;
}
