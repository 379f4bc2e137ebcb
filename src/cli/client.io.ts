// Sends requests to the control API. One pool of connections for each call of the program, deadlines, a cap on answers, no redirects
// (a token is never handed on), and an Idempotency-Key on every POST. Nothing is sent twice: what may have acted is reported as such.
// Node's own client, and not the one of net/: that one guards calls to providers, and refuses loopback, where our server is.
import { readFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { Failure } from '../model/failure.ts';
import type { Secret } from '../model/secret.ts';
import type { ApiAnswer, ApiRequest, Send } from './api.ts';
import { bearer, bodyWithSecrets } from './disclose.ts';
import { unreachable } from './exit.ts';
import { failureOf } from './problem.ts';
import { VERSION } from './version.ts';

const ANSWER_BYTES_MAX = 32 * 1_048_576;
const CONNECT_MS = 10_000;
/** Taking an inventory or re-wrapping every key takes its time before the first byte of the answer. */
const ANSWER_MS = 600_000;
const CA_BYTES_MAX = 1_048_576;

export interface Client {
  readonly send: Send;
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly origin: string;
  /** Null for what needs none: whether the server is ready. */
  readonly token: Secret | null;
  /** PEM file of the certificates that the API is trusted by; null: those of the system. */
  readonly caFile: string | null;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Longest silence of the server, milliseconds. */
  readonly answerMs?: number;
}

/** A client for one server. Throws `invalid` where the file of certificates cannot be used. */
export async function createClient(options: ClientOptions): Promise<Client> {
  const isTls = options.origin.startsWith('https:');
  const ca = options.caFile === null ? null : await readCertificates(options.caFile);
  const agent = isTls
    ? // Whatever the environment says (NODE_TLS_REJECT_UNAUTHORIZED): a token goes to a server that is known.
      new https.Agent({ keepAlive: true, maxSockets: 4, rejectUnauthorized: true, ...(ca === null ? {} : { ca }) })
    : new http.Agent({ keepAlive: true, maxSockets: 4 });

  async function send(call: ApiRequest): Promise<ApiAnswer> {
    const url = new URL(call.path, options.origin);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== null) url.searchParams.set(name, value);
    }
    const body = call.body === undefined ? null : Buffer.from(bodyWithSecrets(call.body));
    let answer: { message: IncomingMessage; text: string };
    try {
      answer = await exchange({ url, isTls, agent, call, body, options });
    } catch (error) {
      if (Failure.is(error)) throw error;
      throw unreachable(reasonOf(error, options.origin), { cause: error, mayHaveActed: mayHaveActed(call, error) });
    } finally {
      body?.fill(0);
    }
    const { message, text } = answer;
    const { headers, statusCode: status = 0 } = message;
    const json = parsed(text, headers['content-type']);
    if (status < 200 || status > 299) throw failureOf({ status, json, retryAfter: headers['retry-after'] ?? null });
    return { status, etag: headers.etag ?? null, json, text };
  }

  return {
    send,
    close() {
      agent.destroy();
      return Promise.resolve();
    },
  };
}

interface Exchange {
  readonly url: URL;
  readonly isTls: boolean;
  readonly agent: http.Agent;
  readonly call: ApiRequest;
  readonly body: Buffer | null;
  readonly options: ClientOptions;
}

function exchange({
  url,
  isTls,
  agent,
  call,
  body,
  options,
}: Exchange): Promise<{ message: IncomingMessage; text: string }> {
  const key = Buffer.from(options.randomBytes(16)).toString('hex');
  const headers = {
    accept: call.accept ?? 'application/json',
    'user-agent': `claviger-cli/${VERSION}`,
    ...(options.token === null ? {} : { authorization: bearer(options.token) }),
    ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
    ...(call.method === 'POST' ? { 'idempotency-key': key } : {}),
    ...call.headers,
  };
  return new Promise((resolve, reject) => {
    const request = (isTls ? https : http).request(url, { agent, method: call.method, headers });
    const connecting = setTimeout(() => request.destroy(failed('ETIMEDOUT')), CONNECT_MS);
    request.setTimeout(options.answerMs ?? ANSWER_MS, () => request.destroy(failed('ESILENT')));
    request.on('socket', (socket) => {
      const connected = () => clearTimeout(connecting);
      if (socket.connecting) socket.once(isTls ? 'secureConnect' : 'connect', connected);
      else connected();
    });
    request.on('error', (error) => {
      clearTimeout(connecting);
      reject(error);
    });
    request.on('response', (message) => {
      readBounded(message).then((text) => resolve({ message, text }), reject);
    });
    request.end(body ?? undefined);
  });
}

function failed(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

async function readCertificates(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new Failure('invalid', 'the file of --ca-file cannot be read', { cause: error });
  }
  if (text.length > CA_BYTES_MAX || !text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new Failure('invalid', 'the file of --ca-file holds no certificates in PEM');
  }
  return text;
}

async function readBounded(message: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of message) {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) throw new Failure('upstream-rejected', 'the answer of the server is too long');
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function parsed(text: string, type: unknown): unknown {
  if (typeof type !== 'string' || !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure('upstream-rejected', 'the server answered JSON that cannot be read');
  }
}

/** Troubles before anything was sent. */
const BEFORE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EPROTO',
]);

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' ? code : '';
}

function isCertificateTrouble(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/.test(code);
}

function mayHaveActed(call: ApiRequest, error: unknown): boolean {
  const code = codeOf(error);
  return call.method !== 'GET' && !BEFORE.has(code) && !isCertificateTrouble(code);
}

function reasonOf(error: unknown, origin: string): string {
  const code = codeOf(error);
  if (isCertificateTrouble(code)) {
    return `the certificate of ${origin} is not trusted (${code}): --ca-file names the certificates to trust`;
  }
  if (/EPROTO|ERR_SSL|HPE_/.test(code)) return `${origin} does not speak ${origin.slice(0, origin.indexOf(':'))}`;
  return `no answer from ${origin}${code === '' ? '' : ` (${code})`}`;
}
