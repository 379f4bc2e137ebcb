// The machine as the commands see it (context.ts): streams, prompts, files, time. Each file is opened once and judged by what was
// opened; links are followed only where a caller allows it.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { WriteStream } from 'node:tty';
import { readSecretSource } from '../config/secret-source.io.ts';
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import { fillFromFile, flushDirectory, systemErrorCode } from '../vault/files.io.ts';
import type { Files, Machine, Stream } from './context.ts';
import { fileContent } from './disclose.ts';
import { NOTHING_TYPED, type } from './line-edit.ts';

/** 128 and the number of SIGINT: what shells give for a program that Ctrl-C ended. */
const INTERRUPTED = 130;

function streamOf(stream: WriteStream): Stream {
  // A reader that goes away (`| head`) is no error: what is left is not wanted.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    isTty: stream.isTTY === true,
    get columns() {
      return stream.isTTY === true ? stream.columns || 80 : null;
    },
    write: (text) => {
      stream.write(text);
    },
  };
}

async function readStdin(bytesMax: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) throw new Failure('invalid', `standard input gives more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  lines.on('SIGINT', () => process.exit(INTERRUPTED));
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}

/** What was pasted beyond the first line waits for the next prompt. */
let pasted: Uint8Array = new Uint8Array(0);

function askHidden(question: string): Promise<Secret> {
  const { stdin } = process;
  process.stderr.write(question);
  stdin.setRawMode(true);
  const restore = () => stdin.setRawMode(false);
  process.once('exit', restore);
  return new Promise((resolve) => {
    let state = NOTHING_TYPED;
    state = { ...state, bytes: [] };
    const finish = () => {
      stdin.off('data', onData);
      stdin.pause();
      restore();
      process.off('exit', restore);
      process.stderr.write('\n');
      if (state.is === 'cancelled') process.exit(INTERRUPTED);
      pasted = state.rest;
      const bytes = Uint8Array.from(state.bytes);
      const secret = new Secret(bytes);
      bytes.fill(0);
      state.bytes.fill(0);
      resolve(secret);
    };
    function onData(chunk: Uint8Array): void {
      state = type(state, chunk);
      if (state.is !== 'more') finish();
    }
    const before = pasted;
    pasted = new Uint8Array(0);
    stdin.on('data', onData);
    if (before.length > 0) onData(before);
    if (state.is === 'more') stdin.resume();
  });
}

function fileFailure(error: unknown, name: string): Failure {
  if (Failure.is(error)) return error;
  const code = systemErrorCode(error);
  const missing = code === 'ENOENT' || code === 'ENOTDIR';
  const details: Readonly<Record<string, string>> = {
    ENOENT: 'it is not there',
    ENOTDIR: 'it is not there',
    ELOOP: 'it is a link, and links are not followed here',
    EISDIR: 'it is a directory',
    EACCES: 'it may not be read',
    EEXIST: 'it is already there',
  };
  const known = typeof code === 'string' ? details[code] : undefined;
  return new Failure(missing ? 'not-found' : code === 'EEXIST' ? 'conflict' : 'invalid', 'a file cannot be used', {
    cause: error,
    errors: [{ pointer: name, detail: known ?? String(code ?? 'it cannot be read') }],
  });
}

async function readHandle(handle: FileHandle, name: string, bytesMax: number): Promise<Uint8Array> {
  const refuse = (detail: string) =>
    new Failure('invalid', 'a file cannot be used', { errors: [{ pointer: name, detail }] });
  const stats = await handle.stat();
  if (!stats.isFile()) throw refuse('it is not a plain file');
  const bytes = new Uint8Array(Math.min(stats.size, bytesMax) + 1);
  const length = await fillFromFile(handle, bytes);
  if (length > bytesMax || stats.size > bytesMax) throw refuse(`it is longer than ${bytesMax} bytes`);
  return bytes.subarray(0, length);
}

async function read(name: string, bytesMax: number, flags: number): Promise<Uint8Array> {
  try {
    const handle = await open(name, constants.O_RDONLY | constants.O_NONBLOCK | flags);
    try {
      return await readHandle(handle, name, bytesMax);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileFailure(error, name);
  }
}

/** Refuses a link among the directories between where the program runs and the file: a checkout may bring one along. */
async function refuseLinks(name: string): Promise<void> {
  const here = process.cwd();
  const relative = path.relative(here, path.resolve(name));
  if (relative.startsWith('..') || path.isAbsolute(relative)) return;
  let place = here;
  for (const segment of relative.split(path.sep).slice(0, -1)) {
    place = path.join(place, segment);
    const stats = await lstat(place).catch((error: unknown) => {
      throw fileFailure(error, name);
    });
    if (stats.isSymbolicLink()) {
      throw new Failure('invalid', 'a file cannot be used', {
        errors: [{ pointer: name, detail: 'a directory on the way is a link, and links are not followed here' }],
      });
    }
  }
}

const files: Files = {
  read: (name, bytesMax) => read(name, bytesMax, 0),
  async readUnlinked(name, bytesMax) {
    await refuseLinks(name);
    return read(name, bytesMax, constants.O_NOFOLLOW);
  },
  async readPrivate(name, bytesMax) {
    try {
      const secret = await readSecretSource({ file: path.resolve(name) });
      if (secret.length > bytesMax) throw new Failure('invalid', 'the file of a secret is too long');
      return secret;
    } catch (error) {
      if (!Failure.is(error)) throw error;
      const detail = error.message.replace('the file of a secret', 'it');
      throw new Failure('invalid', 'the file of a secret is refused', {
        cause: error,
        errors: [{ pointer: name, detail }],
      });
    }
  },
  async writePrivate(name, content) {
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const handle = await open(name, flags, 0o600);
      try {
        await handle.writeFile(fileContent(content));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await flushDirectory(path.dirname(path.resolve(name)));
    } catch (error) {
      throw fileFailure(error, name);
    }
  },
  async list(name) {
    try {
      if (!(await stat(name)).isDirectory()) return null;
      return (await readdir(name)).sort();
    } catch (error) {
      throw fileFailure(error, name);
    }
  },
  exists: (name) =>
    lstat(name).then(
      () => true,
      () => false,
    ),
};

/** The machine that the program runs on. */
export function createMachine(): Machine {
  return {
    env: process.env,
    stdin: { isTty: process.stdin.isTTY === true, read: readStdin },
    stdout: streamOf(process.stdout),
    stderr: streamOf(process.stderr),
    now: () => Date.now(),
    randomBytes: (length) => randomBytes(length),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    ask,
    askHidden,
    files,
  };
}
