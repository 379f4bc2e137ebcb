// Publishing checkpoints: each log's newest one and every one before it, flushed to disk before the caller goes on. A
// step that cannot be undone waits for this: no revocation without a published checkpoint that holds its intent.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import { revealSecret, Secret } from '../model/secret.ts';
import { LOGS, type Log, originOf } from './layout.ts';
import { checkpointText, createSigner, type Signer, signNote } from './note.ts';

/** A new Ed25519 key as PKCS #8 DER: goes into the vault, never onto disk in the clear. */
export function newSigningKey(): Secret {
  const { privateKey } = generateKeyPairSync('ed25519');
  return new Secret(privateKey.export({ format: 'der', type: 'pkcs8' }));
}

function rawPublicKey(key: KeyObject): Uint8Array {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
}

/** The signers of both logs: one key, two names. */
export function createSigners(instance: string, key: Secret): Record<Log, Signer> {
  const privateKey = createPrivateKey({ key: Buffer.from(revealSecret(key)), format: 'der', type: 'pkcs8' });
  const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest();
  const signer = (log: Log) =>
    createSigner(originOf(instance, log), rawPublicKey(privateKey), (text) => sign(null, text, privateKey), sha256);
  return { control: signer('control'), use: signer('use') };
}

/** Writes a file so that after a crash it is whole or not there: temporary file, flush, rename, flush of the directory. */
export function writeDurably(file: string, text: string): void {
  const directory = path.dirname(file);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const temporary = `${file}.tmp`;
  const handle = openSync(temporary, 'w', 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, file);
  const parent = openSync(directory, 'r');
  try {
    fsyncSync(parent);
  } finally {
    closeSync(parent);
  }
}

export interface Publisher {
  /** Signs and flushes checkpoints for the logs that have grown. Returns the notes' texts. */
  publish(heads: Record<Log, { size: number; root: Uint8Array }>): Record<Log, string>;
  readonly vkeys: Record<Log, string>;
}

/** @param directory the ledger's directory; each log has a folder in it */
export function createPublisher(directory: string, signers: Record<Log, Signer>): Publisher {
  const published = { control: -1, use: -1 };
  const notes = { control: '', use: '' };
  for (const log of LOGS) writeDurably(path.join(directory, log, 'vkey'), `${signers[log].vkey}\n`);
  return {
    vkeys: { control: signers.control.vkey, use: signers.use.vkey },
    publish(heads) {
      for (const log of LOGS) {
        const { size, root } = heads[log];
        if (size === published[log]) continue;
        const note = signNote(checkpointText({ origin: signers[log].name, size, root }), signers[log]);
        writeDurably(path.join(directory, log, 'checkpoints', String(size)), note);
        writeDurably(path.join(directory, log, 'checkpoint'), note);
        published[log] = size;
        notes[log] = note;
      }
      return { ...notes };
    },
  };
}

/** The newest published checkpoint of a log, or null where none was published yet. */
export function readCheckpoint(directory: string, log: Log): string | null {
  try {
    return readFileSync(path.join(directory, log, 'checkpoint'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
