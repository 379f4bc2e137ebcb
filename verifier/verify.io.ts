// The verifier on a machine: files of an export and Node's cryptography. What is verified and how is in verify.ts.
import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import path from 'node:path';
import type { ControlFacts } from './order.ts';
import type { FileRead, LogFiles } from './reading.ts';
import { type Primitives, type Report, type Verified, verifyFiles } from './verify.ts';

/** Node's SHA-256 and Ed25519. */
export function nodePrimitives(): Primitives {
  // The key of a log is one for all its checkpoints: parsing it costs as much as a verification.
  let known: { hex: string; key: KeyObject } | null = null;
  return {
    // By way of text: a third of the time that `hash` takes to make a buffer (Node 26.10).
    sha256: (bytes) => Buffer.from(hash('sha256', bytes, 'latin1'), 'latin1'),
    verifyEd25519({ publicKey, message, signature }) {
      try {
        const hex = publicKey.toHex();
        if (known?.hex !== hex) {
          const jwk = {
            kty: 'OKP',
            crv: 'Ed25519',
            x: publicKey.toBase64({ alphabet: 'base64url', omitPadding: true }),
          };
          known = { hex, key: createPublicKey({ key: jwk, format: 'jwk' }) };
        }
        return verify(null, message, known.key, signature);
      } catch {
        return false;
      }
    },
  };
}

/** The files below a directory. Never throws: what cannot be read says so. */
export function openDirectory(directory: string): LogFiles {
  return {
    read: (file, bytesMax) => readFile(path.join(directory, file), bytesMax),
    list(folder) {
      try {
        return readdirSync(path.join(directory, folder));
      } catch {
        return [];
      }
    },
  };
}

function readFile(file: string, bytesMax: number): FileRead {
  let descriptor: number;
  try {
    // Not blocking: an export may hold a pipe, and nobody would ever write into it.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = codeOf(error);
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? { is: 'missing' }
      : { is: 'unreadable', why: `cannot be read (${code})` };
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) return { is: 'unreadable', why: 'it is not a file' };
    if (stat.size > bytesMax) return { is: 'unreadable', why: `longer than ${bytesMax} bytes` };
    const bytes = Buffer.allocUnsafe(stat.size);
    let done = 0;
    while (done < bytes.length) {
      const count = readSync(descriptor, bytes, done, bytes.length - done, null);
      if (count === 0) break;
      done += count;
    }
    return { is: 'bytes', bytes: bytes.subarray(0, done) };
  } catch (error) {
    return { is: 'unreadable', why: `cannot be read (${codeOf(error)})` };
  } finally {
    closeSync(descriptor);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}

export interface VerifyLogOptions {
  /** The folder of one log: the one that holds `checkpoint` and `tile`. */
  readonly directory: string;
  readonly vkey: string;
  /** The text of the last checkpoint that the reader kept. */
  readonly kept: string | null;
  readonly control?: ControlFacts | null;
  readonly onProgress?: (done: number, size: number) => void;
}

/** Verifies one exported log. Never throws for what the files hold. Synchronous; memory does not grow with the number of uses. */
export function verifyLog(options: VerifyLogOptions): Report {
  return verifyDirectory(options).report;
}

/** As `verifyLog`, and the facts of a control log that its use log is held against. */
export function verifyDirectory(options: VerifyLogOptions): Verified {
  return verifyFiles({
    files: openDirectory(options.directory),
    primitives: nodePrimitives(),
    vkey: options.vkey,
    kept: options.kept,
    control: options.control ?? null,
    onProgress: options.onProgress ?? (() => undefined),
  });
}
