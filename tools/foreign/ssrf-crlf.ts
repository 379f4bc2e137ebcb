// Puts src/net before a public corpus of SSRF targets and CRLF strings. Each target must be refused as an upstream, under every
// settings that do not name its network and with resolvers that answer private addresses for everything, and as a redirect.
// Each string goes into every field of a call that a caller can fill; no extra header line may appear on either side. Nothing
// but a server of its own on loopback is ever dialled. Not here: the broker (ssrf-crlf-broker.ts), and the corpus itself.
//
// usage: node tools/foreign/ssrf-crlf.ts DIRECTORY    (the directory holds ssrf.jsonl and crlf.jsonl)
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { parseAddress } from '../../src/model/address.ts';
import { Failure } from '../../src/model/failure.ts';
import { Secret } from '../../src/model/secret.ts';
import { createCall } from '../../src/net/call.io.ts';
import { createDialer } from '../../src/net/dial.io.ts';
import { type OriginSettings, validateOrigin } from '../../src/net/origin.ts';
import { resolveRedirect } from '../../src/net/redirect.ts';
import { createGuard, createResolver } from '../../src/net/resolve.io.ts';
import type { Call, Place, ProviderRequest } from '../../src/providers/provider.ts';
import { countVerdicts, readLines, runAlone, textOf } from './corpus.ts';
import type { ForeignResult } from './result.ts';

const clock = { now: Date.now, monotonic: () => performance.now() };

/** The last one opens a network that no answer below lies in: opening one must not open the others. */
const SETTINGS: Readonly<Record<string, OriginSettings>> = {
  plain: { privateNetworks: [], plainHttp: false },
  'plain http': { privateNetworks: [], plainHttp: true },
  'plain http and a private network': { privateNetworks: ['10.200.0.0/16'], plainHttp: true },
};

/** What resolvers under an attacker's hand answer for every name. */
const ANSWERS: readonly (readonly string[])[] = [
  ['127.0.0.1'],
  ['10.0.0.5'],
  ['192.168.1.1'],
  ['169.254.169.254'],
  ['0.0.0.0'],
  ['::1'],
  ['::ffff:127.0.0.1'],
  ['fd00:ec2::254'],
  ['64:ff9b::7f00:1'],
  ['93.184.216.34', '10.0.0.5'],
];

/** The target as it is, and what is left of it as a bare origin, so that a path alone does not excuse a bad host. */
function upstreamsOf(target: string): readonly string[] {
  const match = /^([a-z]+:\/\/)([^/?#\\]*)/.exec(target);
  return match === null ? [target] : [target, `${match[1]}${match[2]}`, `https://${match[2]}`];
}

async function leaksAsUpstream(target: string): Promise<string[]> {
  const leaks: string[] = [];
  for (const text of upstreamsOf(target)) {
    for (const [name, settings] of Object.entries(SETTINGS)) {
      const verdict = validateOrigin(text, settings);
      if (verdict.is === 'refused') continue;
      for (const answer of ANSWERS) {
        const guard = createGuard(async () => answer.map((address) => parseAddress(address)!));
        const isRefused = await guard(verdict.origin).then(
          () => false,
          (error: unknown) => Failure.is(error, 'upstream-unavailable'),
        );
        if (!isRefused) leaks.push(`accepted as upstream ${text} (${name}, resolving to ${answer.join(' and ')})`);
      }
    }
  }
  return leaks;
}

function leaksAsRedirect(target: string): string[] {
  const locations = [target, target.replace(/^[a-z]+:/, ''), ...upstreamsOf(target)];
  return locations
    .filter((location) => resolveRedirect('https://api.example.com', '/v1/keys', location).is === 'same')
    .map((location) => `followed as redirect ${location}`);
}

/** The string as it stands and as careless decoders would leave it, once, twice and three times over. */
export function decodings(value: string): readonly string[] {
  const forms = [value];
  for (let round = 0; round < 3; round++) {
    const decoded = forms
      .at(-1)!
      .replace(/%u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (decoded === forms.at(-1)) break;
    forms.push(decoded);
  }
  return [
    ...forms,
    ...forms.map((form) => form.replaceAll(/[\r\n]+/g, '\r\n')),
    `x\r\n${forms.at(-1)!.replace(/^[^A-Z]*/, '')}`,
  ];
}

interface Attempt {
  readonly request: ProviderRequest;
  readonly key: Secret;
  readonly place: Place;
}

const POST: ProviderRequest = { method: 'POST', path: '/keys', json: { label: 'a' } };
const KEY = new Secret('canary-of-the-corpus');
const BEARER: Place = { in: 'header', name: 'authorization', scheme: 'Bearer' };

/** Every field that a caller, a label, a setting or a pasted key can fill. */
const FIELDS: Readonly<Record<string, (value: string) => Attempt>> = {
  'header value': (value) => ({ request: { ...POST, headers: { 'x-a': value } }, key: KEY, place: BEARER }),
  'header name': (value) => ({ request: { ...POST, headers: { [value]: 'a' } }, key: KEY, place: BEARER }),
  label: (value) => ({ request: { ...POST, json: { label: value } }, key: KEY, place: BEARER }),
  'label name': (value) => ({ request: { ...POST, json: { [value]: 'a' } }, key: KEY, place: BEARER }),
  query: (value) => ({ request: { ...POST, path: `/keys?q=${value}` }, key: KEY, place: BEARER }),
  'encoded query': (value) => ({
    request: { ...POST, path: `/keys?q=${encodeURIComponent(value)}` },
    key: KEY,
    place: BEARER,
  }),
  path: (value) => ({ request: { ...POST, path: value }, key: KEY, place: BEARER }),
  'path segment': (value) => ({
    request: { ...POST, path: `/keys/${encodeURIComponent(value)}` },
    key: KEY,
    place: BEARER,
  }),
  'key in a header': (value) => ({ request: POST, key: new Secret(`canary${value}`), place: BEARER }),
  'key in basic': (value) => ({ request: POST, key: new Secret(`canary${value}`), place: { in: 'basic', user: 'u' } }),
  'key in the query': (value) => ({
    request: POST,
    key: new Secret(`canary${value}`),
    place: { in: 'query', name: 'k' },
  }),
  'key in the body': (value) => ({
    request: POST,
    key: new Secret(`canary${value}`),
    place: { in: 'body', pointer: '/k' },
  }),
  'place name': (value) => ({ request: POST, key: KEY, place: { in: 'header', name: value, scheme: null } }),
  'query name': (value) => ({ request: POST, key: KEY, place: { in: 'query', name: value } }),
  scheme: (value) => ({ request: POST, key: KEY, place: { in: 'header', name: 'authorization', scheme: value } }),
  user: (value) => ({ request: POST, key: KEY, place: { in: 'basic', user: value } }),
};

interface Recorder {
  readonly server: Server;
  /** Everything that the last connection brought, as latin1. */
  received: string;
  /** What the next answer holds in a header value, as a service would that echoes what it got. */
  echo: string;
}

/** A server of raw bytes on loopback: keeps what arrives and answers once the request is whole. */
function createRecorder(): Recorder {
  const recorder: Recorder = { server: createServer(), received: '', echo: '' };
  recorder.server.on('connection', (socket: Socket) => {
    recorder.received = '';
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      recorder.received += chunk.toString('latin1');
      const end = recorder.received.indexOf('\r\n\r\n');
      const length = Number(/\r\ncontent-length: ([0-9]+)/.exec(recorder.received)?.[1] ?? 0);
      if (end < 0 || recorder.received.length < end + 4 + length) return;
      const echo = recorder.echo.replaceAll(/[^!-~]/g, '');
      socket.end(`HTTP/1.1 200 OK\r\nX-Echo: ${echo}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`, 'latin1');
    });
  });
  return recorder;
}

/** The header lines that arrived and those that came back, counted; null where the request was refused before it was sent. */
async function countLines(call: Call, recorder: Recorder, attempt: Attempt, echo: string): Promise<string | null> {
  recorder.received = '';
  recorder.echo = echo;
  try {
    const answer = await call(attempt.request, { parts: { key: attempt.key }, places: [attempt.place] });
    const [head, ...bodies] = recorder.received.split('\r\n\r\n');
    const lines = head!.split(/\r\n|\r|\n/);
    return `${lines.length} lines, ${bodies.length} body, ${Object.keys(answer.headers).sort().join(' ')}`;
  } catch (error) {
    if (Failure.is(error, 'invalid') && recorder.received === '') return null;
    throw error;
  }
}

async function leaksAsText(call: Call, recorder: Recorder, value: string): Promise<string[]> {
  const leaks: string[] = [];
  for (const [field, fill] of Object.entries(FIELDS)) {
    const harmless = await countLines(call, recorder, fill(field === 'path' ? '/harmless' : 'harmless'), 'harmless');
    if (harmless === null) throw new Error(`the harmless request was refused: ${field}`);
    for (const form of decodings(value)) {
      const seen = await countLines(call, recorder, fill(form), form);
      if (seen !== null && seen !== harmless)
        leaks.push(`${field} ${JSON.stringify(form)}: ${seen} instead of ${harmless}`);
    }
  }
  return leaks;
}

/** Runs the whole corpus in `directory`. A case passes when every variant of it is refused or harmless. */
export async function run(directory: string): Promise<ForeignResult> {
  const { record, result } = countVerdicts();
  for (const line of readLines(path.join(directory, 'ssrf.jsonl'))) {
    const target = textOf(line, 'url');
    record(textOf(line, 'id'), [...(await leaksAsUpstream(target)), ...leaksAsRedirect(target)]);
  }

  const recorder = createRecorder();
  await new Promise<void>((resolve) => recorder.server.listen(0, '127.0.0.1', resolve));
  const address = recorder.server.address();
  if (address === null || typeof address !== 'object') throw new Error('the recorder does not listen');
  const dialer = createDialer({ guard: createGuard(createResolver({ clock })) });
  const settings = { origin: `http://127.0.0.1:${address.port}`, privateNetworks: ['127.0.0.1/32'], plainHttp: true };
  const call = createCall({ dispatcherFor: dialer.dispatcherFor, settings, clock, version: 'corpus' });
  try {
    for (const line of readLines(path.join(directory, 'crlf.jsonl'))) {
      record(textOf(line, 'id'), await leaksAsText(call, recorder, textOf(line, 'value')));
    }
  } finally {
    await dialer.close();
    recorder.server.close();
  }
  return result('ssrf-crlf', '100 % blocked');
}

if (import.meta.main) await runAlone('ssrf-crlf.ts', run);
