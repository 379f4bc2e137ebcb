// The corpus of SSRF targets and CRLF strings, through a running broker: a raw caller on one side, a raw upstream on the other. A
// string may stand wherever a caller or a provider can put one; what comes out on the other side must have the header lines of
// the harmless request and no other, or be refused. A target may be asked for and may be redirected to; nobody is led there.
// Not here: upstream settings and calls of our own (ssrf-crlf.ts).
import path from 'node:path';
import { countVerdicts, readLines, textOf } from './corpus.ts';
import { openBroker } from './open-broker.ts';
import { isWhole, OK, startUpstream, talk } from './raw.ts';
import type { ForeignResult } from './result.ts';
import { decodings } from './ssrf-crlf.ts';

const END = 'Connection: close\r\n\r\n';

/** Where a caller can put a string; what it writes itself ends with its own lines, so that a whole line break is no injection there. */
const ASKED: Readonly<Record<string, (value: string) => string>> = {
  'header value': (value) => `GET /a HTTP/1.1\r\nHost: a\r\nX-A: ${value}\r\n${END}`,
  'header name': (value) => `GET /a HTTP/1.1\r\nHost: a\r\n${value}: a\r\n${END}`,
  'agent, kept in the record': (value) => `GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: ${value}\r\n${END}`,
  'content type': (value) => `GET /a HTTP/1.1\r\nHost: a\r\nContent-Type: ${value}\r\n${END}`,
  'named by Connection': (value) => `GET /a HTTP/1.1\r\nHost: a\r\nConnection: ${value}\r\n${END}`,
  host: (value) => `GET /a HTTP/1.1\r\nHost: ${value}\r\n${END}`,
  query: (value) => `GET /a?q=${value} HTTP/1.1\r\nHost: a\r\n${END}`,
  'encoded query': (value) => `GET /a?q=${encodeURIComponent(value)} HTTP/1.1\r\nHost: a\r\n${END}`,
  'query name': (value) => `GET /a?${encodeURIComponent(value)}=1 HTTP/1.1\r\nHost: a\r\n${END}`,
  path: (value) => `GET ${value.startsWith('/') ? value : `/${value}`} HTTP/1.1\r\nHost: a\r\n${END}`,
  'path segment': (value) => `GET /a/${encodeURIComponent(value)} HTTP/1.1\r\nHost: a\r\n${END}`,
  authority: (value) => `GET http://${value}/a HTTP/1.1\r\nHost: a\r\n${END}`,
  user: (value) => `GET http://${encodeURIComponent(value)}@a/a HTTP/1.1\r\nHost: a\r\n${END}`,
  method: (value) => `GET${value} /a HTTP/1.1\r\nHost: a\r\n${END}`,
  version: (value) => `GET /a HTTP/1.1${value}\r\nHost: a\r\n${END}`,
  trailer: (value) =>
    `POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${END}1\r\na\r\n0\r\nX-A: ${value}\r\n\r\n`,
  'chunk extension': (value) =>
    `POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${END}1;a=${value}\r\na\r\n0\r\n\r\n`,
};

/** Where a provider can put one. */
const ANSWERED: Readonly<Record<string, (value: string) => string>> = {
  'answered header': (value) => `HTTP/1.1 200 OK\r\nX-A: ${value}\r\nContent-Length: 2\r\n\r\nok`,
  'answered name': (value) => `HTTP/1.1 200 OK\r\n${value}: a\r\nContent-Length: 2\r\n\r\nok`,
  reason: (value) => `HTTP/1.1 200 ${value}\r\nX-A: a\r\nContent-Length: 2\r\n\r\nok`,
  location: (value) => `HTTP/1.1 302 Found\r\nLocation: ${value}\r\nContent-Length: 2\r\n\r\nno`,
  'location path': (value) => `HTTP/1.1 302 Found\r\nLocation: /a${value}\r\nContent-Length: 2\r\n\r\nno`,
};

/** Names of the header lines of the first head in a stream, however its lines are broken. */
function namesOf(received: string): string[] {
  const [head] = received.split(/\r\n\r\n|\n\n|\r\r/, 1);
  return head!
    .split(/\r\n|\r|\n/)
    .slice(1)
    .map((line) => line.split(':', 1)[0]!.toLowerCase())
    .sort();
}

function extra(before: readonly string[], after: readonly string[]): string[] {
  const left = [...before];
  return after.filter((name) => {
    const at = left.indexOf(name);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

const HARMLESS = 'harmless';
/** What the broker itself writes into an answer that it makes. */
const OWN_ANSWER = [
  ...['allow', 'cache-control', 'claviger-refused', 'connection', 'content-length', 'content-type', 'date'],
  ...['www-authenticate'],
];

export interface Bench {
  /** What the caller hears when it writes this and the provider answers that; what arrived at the provider. */
  exchange(request: string, answer: string): Promise<{ up: readonly string[]; down: string }>;
}

async function leaksOf(bench: Bench, field: string, given: string, parts: readonly string[]): Promise<string[]> {
  const [request, answer, harmlessRequest, harmlessAnswer] = parts;
  const harmless = await bench.exchange(harmlessRequest!, harmlessAnswer!);
  const seen = await bench.exchange(request!, answer!);
  const leaks: string[] = [];
  if (seen.up.length > 1) leaks.push(`${seen.up.length} connections upstream`);
  // A name that the caller gave is no injection; one beside it is.
  const named = field.endsWith('name') ? given.toLowerCase() : null;
  const up = seen.up.flatMap((text) => extra(namesOf(harmless.up[0] ?? ''), namesOf(text)));
  const known = [...namesOf(harmless.down), ...OWN_ANSWER, 'location', 'transfer-encoding'];
  const down = extra(known, namesOf(seen.down));
  // A body that came whole travels on with its length, one that came in pieces with chunks.
  const framing = field === 'trailer' || field === 'chunk extension' ? ['content-length', 'transfer-encoding'] : [];
  leaks.push(...up.filter((name) => name !== named && !framing.includes(name)).map((name) => `${name} upstream`));
  leaks.push(...down.filter((name) => name !== named).map((name) => `${name} downstream`));
  if (seen.down === '') leaks.push('no answer');
  return leaks.map((leak) => `${field} ${JSON.stringify(given)}: ${leak}`);
}

export async function leaksAsText(bench: Bench, value: string): Promise<string[]> {
  const leaks: string[] = [];
  const fields = [...Object.entries(ASKED), ...Object.entries(ANSWERED)];
  for (const form of new Set(decodings(value))) {
    for (const [field, fill] of fields) {
      const isAsked = field in ASKED;
      const given = field === 'encoded query' || field === 'path segment' || field === 'query name' || field === 'user';
      // Whoever writes raw bytes may write two lines: that is not one line become two.
      if (!given && form.includes('\r\n') && field !== 'path' && field !== 'query') continue;
      const request = isAsked ? fill(form) : ASKED['path']!('/a');
      const answer = isAsked ? OK : fill(form);
      const harmless = isAsked ? [fill(HARMLESS), OK] : [request, fill(HARMLESS)];
      leaks.push(...(await leaksOf(bench, field, form, [request, answer, ...harmless])));
    }
  }
  return leaks;
}

/** The target in an absolute request, as Host, and as redirect. */
export async function leaksAsTarget(bench: Bench, target: string): Promise<string[]> {
  const leaks: string[] = [];
  const asked = [
    `GET ${target} HTTP/1.1\r\nHost: a\r\n${END}`,
    `GET /a HTTP/1.1\r\nHost: ${target.replace(/^[a-z]+:\/\//i, '').replace(/[/?#].*$/, '')}\r\n${END}`,
  ];
  for (const request of asked) {
    const { up, down } = await bench.exchange(request, OK);
    if (down === '') leaks.push(`no answer to ${JSON.stringify(request)}`);
    const hosts = up.filter((text) => !/^GET \/[^\r\n]* HTTP\/1\.1\r\nhost: 127\.0\.0\.1:[0-9]+\r\n/.test(text));
    if (up.length > 1 || hosts.length > 0) leaks.push(`forwarded ${JSON.stringify(up)} for ${JSON.stringify(request)}`);
  }
  for (const location of [target, target.replace(/^[a-z]+:/i, '')]) {
    const answer = `HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 2\r\n\r\nno`;
    const { up, down } = await bench.exchange(`GET /a HTTP/1.1\r\nHost: a\r\n${END}`, answer);
    const led = /\r\nlocation: *([^\r\n]*)/i.exec(down)?.[1];
    if (up.length !== 1) leaks.push(`the redirect to ${location} was followed`);
    if (led !== undefined && !/^\/(?![/\\])/.test(led)) leaks.push(`the caller was led to ${led}`);
  }
  return leaks;
}

/** Runs the whole corpus in `directory`. A case passes when every variant of it is refused or harmless. */
export async function run(directory: string): Promise<ForeignResult[]> {
  let answer = OK;
  const isWholeRequest = (text: string) =>
    /\r\ntransfer-encoding: chunked/i.test(text) ? text.endsWith('0\r\n\r\n') : isWhole(text);
  const upstream = await startUpstream((received) => (isWholeRequest(received) ? answer : null));
  const broker = await openBroker({ upstreamPort: upstream.port });
  const bench: Bench = {
    async exchange(request, reply) {
      answer = reply;
      upstream.received.length = 0;
      const down = await talk(broker.port, request);
      return { up: upstream.received.filter((text) => text !== ''), down };
    },
  };
  const { record, result } = countVerdicts();
  try {
    for (const line of readLines(path.join(directory, 'crlf.jsonl'))) {
      record(textOf(line, 'id'), await leaksAsText(bench, textOf(line, 'value')));
    }
    for (const line of readLines(path.join(directory, 'ssrf.jsonl'))) {
      record(textOf(line, 'id'), await leaksAsTarget(bench, textOf(line, 'url')));
    }
  } finally {
    await broker.close();
    await upstream.close();
  }
  return [result('ssrf-crlf (broker)', 'no extra header line, nobody led away')];
}
