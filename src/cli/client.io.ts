// Sends requests to the control API. One connection pool for each call of the program, deadlines, a cap on answers, no redirects
// (a token is never handed on), and an Idempotency-Key on every POST. Nothing is sent twice: what may have acted is reported as such.
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { Failure } from '../model/failure.ts';
import type { Secret } from '../model/secret.ts';
import { systemErrorCode } from '../vault/files.io.ts';
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
  readonly token: Secret;
  /** PEM file of the certificates that the API is trusted by; null: those of the system. */
  readonly caFile: string | null;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** A client for one server. Throws `invalid` where the file of certificates cannot be used. */
export async function createClient(options: ClientOptions): Promise<Client> {
  const ca = options.caFile === null ? null : await readCertificates(options.caFile);
  const agent = new Agent({
    connect: { timeout: CONNECT_MS, ...(ca === null ? {} : { ca }) },
    headersTimeout: ANSWER_MS,
    bodyTimeout: ANSWER_MS,
    connections: 4,
  });

  async function send(call: ApiRequest): Promise<ApiAnswer> {
    const url = new URL(call.path, options.origin);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== null) url.searchParams.set(name, value);
    }
    const headers: Record<string, string> = {
      accept: call.accept ?? 'application/json',
      authorization: bearer(options.token),
      'user-agent': `claviger-cli/${VERSION}`,
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(call.method === 'POST' ? { 'idempotency-key': Buffer.from(options.randomBytes(16)).toString('hex') } : {}),
      ...call.headers,
    };
    let answer: { status: number; headers: Readonly<Record<string, unknown>>; text: string };
    try {
      const {
        statusCode,
        headers: given,
        body,
      } = await request(url, {
        dispatcher: agent,
        method: call.method,
        headers,
        body: call.body === undefined ? null : bodyWithSecrets(call.body),
      });
      answer = { status: statusCode, headers: given, text: await readBounded(body) };
    } catch (error) {
      if (Failure.is(error)) throw error;
      throw unreachable(reasonOf(error, options), { cause: error, mayHaveActed: mayHaveActed(call, error) });
    }
    const json = parsed(answer.text, answer.headers['content-type']);
    if (answer.status < 200 || answer.status > 299) {
      const retryAfter = answer.headers['retry-after'];
      throw failureOf({ status: answer.status, json, retryAfter: typeof retryAfter === 'string' ? retryAfter : null });
    }
    const { etag } = answer.headers;
    return { status: answer.status, etag: typeof etag === 'string' ? etag : null, json, text: answer.text };
  }

  return { send, close: () => agent.close() };
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

async function readBounded(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
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
  'UND_ERR_CONNECT_TIMEOUT',
]);

function codeOf(error: unknown): string {
  const code = systemErrorCode(error);
  return typeof code === 'string' ? code : '';
}

function isCertificateTrouble(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/.test(code);
}

function mayHaveActed(call: ApiRequest, error: unknown): boolean {
  const code = codeOf(error);
  return call.method !== 'GET' && !BEFORE.has(code) && !isCertificateTrouble(code);
}

function reasonOf(error: unknown, { origin }: ClientOptions): string {
  const code = codeOf(error);
  if (isCertificateTrouble(code)) {
    return `the certificate of ${origin} is not trusted (${code}): --ca-file names the certificates to trust`;
  }
  if (/EPROTO|ERR_SSL|HPE_/.test(code)) return `${origin} does not speak ${new URL(origin).protocol.slice(0, -1)}`;
  return `no answer from ${origin}${code === '' ? '' : ` (${code})`}`;
}
