// Puts the control API before two public corpora. JSON bodies that parsers differ on go to every operation that takes a body: what is not JSON
// must be refused as such, what is JSON must never be, and nothing may end in a 5xx. Strings that break programs go into every free
// text field and must come back byte for byte, from the API and from the log; and into every name, where they are refused or kept.
// Not here: YAML, which is the configuration's (src/config), and the corpora themselves.
//
// usage: node tools/foreign/robustness.ts DIRECTORY    (the directory holds json_parsing.jsonl and naughty_strings.jsonl)
import path from 'node:path';
import { isStorableText } from '../../src/model/json.ts';
import { type House, startHouse } from '../../test/support/house.ts';
import { countVerdicts, readLines, runAlone } from './corpus.ts';
import type { ForeignResult } from './result.ts';

interface JsonCase {
  readonly name: string;
  readonly expect: 'accept' | 'reject' | 'either';
  readonly b64: string;
}

interface Target {
  readonly method: string;
  readonly path: string;
}

/** Sealing ends what the other operations need. */
const LEFT_OUT = new Set(['/v1/seal', '/v1/unseal', '/v1/keks/rotate']);

/** Every operation that takes a body, with an id of the right form where the path has one. */
function targetsOf(house: House): Target[] {
  const { paths } = house.api.document as {
    paths: Record<
      string,
      Record<string, { requestBody?: object; parameters?: { in: string; schema: { pattern?: string } }[] }>
    >;
  };
  const targets: Target[] = [];
  for (const [name, operations] of Object.entries(paths)) {
    for (const [method, { requestBody, parameters }] of Object.entries(operations)) {
      if (requestBody === undefined || LEFT_OUT.has(name)) continue;
      const prefix = /^\^([a-z]{3})_/.exec(parameters?.find((one) => one.in === 'path')?.schema.pattern ?? '')?.[1];
      targets.push({ method: method.toUpperCase(), path: name.replace('{id}', `${prefix}_${'0'.repeat(32)}`) });
    }
  }
  return targets;
}

/** What is wrong with the answer to one body at one operation, or null. */
async function wrongWithJson(house: House, target: Target, one: JsonCase): Promise<string | null> {
  const body = Buffer.from(one.b64, 'base64');
  const headers = { authorization: `Bearer ${house.adminToken}`, 'content-type': 'application/json' };
  const response = await fetch(house.origin + target.path, { method: target.method, headers, body });
  const text = await response.text();
  const isParseError = text.includes('urn:claviger:problem:malformed-json');
  if (response.status >= 500) return `${response.status}`;
  // An empty body is no JSON, and no body: where none is needed it is what an operation without input gets.
  if (one.expect === 'reject' && (response.status < 400 || !isParseError) && body.length > 0) {
    return `not refused as JSON: ${response.status} ${text.slice(0, 100)}`;
  }
  if (one.expect === 'accept' && isParseError) return 'taken for malformed JSON';
  return null;
}

interface Field {
  readonly about: string;
  /** Sends the text; gives what came back, or null where it was refused with a 4xx. */
  send(text: string, n: number): Promise<{ readonly status: number; readonly back: string | null }>;
}

type Row = Readonly<Record<string, unknown>> & { readonly id: string };

/** Free text: whatever may be stored comes back. */
function freeFields(house: House, serviceId: string, credentialId: string): Field[] {
  function field(
    about: string,
    name: string,
    write: (text: string) => Parameters<House['request']>,
    read: (row: Row) => string,
  ): Field {
    return {
      about,
      async send(text) {
        const sent = await house.request(...write(text));
        if (sent.status >= 300) return { status: sent.status, back: null };
        const got = await house.request('GET', read(sent.json as Row));
        const json = got.json as { credential?: Row; items?: Row[] } & Row;
        const row = json.credential ?? json.items?.at(0) ?? json;
        return { status: got.status, back: String(row[name]) };
      },
    };
  }
  const principal = `/v1/principals/${serviceId}`;
  const credential = `/v1/credentials/${credentialId}`;
  return [
    field(
      'owner of a principal',
      'owner',
      (owner) => ['PATCH', principal, { body: { owner } }],
      () => principal,
    ),
    field(
      'note of a principal',
      'note',
      (note) => ['PATCH', principal, { body: { note } }],
      () => principal,
    ),
    field(
      'owner of a credential',
      'owner',
      (owner) => ['PATCH', credential, { body: { owner } }],
      () => credential,
    ),
    field(
      'note of a credential',
      'note',
      (note) => ['PATCH', credential, { body: { note } }],
      () => credential,
    ),
    {
      about: 'reason of a suspension',
      async send(reason) {
        await house.request('POST', `${credential}/resume`);
        const sent = await house.request('POST', `${credential}/suspend`, { body: { reason } });
        if (sent.status >= 300) return { status: sent.status, back: null };
        return { status: sent.status, back: String((sent.json as Row)['suspendReason']) };
      },
    },
    {
      about: 'note of a token, from its list and from the log',
      async send(note) {
        const sent = await house.request('POST', `${principal}/tokens`, { body: { note } });
        if (sent.status >= 300) return { status: sent.status, back: null };
        const { token } = sent.json as { token: Row };
        const list = await house.request('GET', `${principal}/tokens?limit=1`);
        const log = await house.request('GET', '/v1/audit/control?limit=1&type=token.issued');
        await house.request('POST', `/v1/tokens/${token.id}/revoke`);
        const listed = (list.json as { items: Row[] }).items[0]?.['note'];
        const logged = (log.json as { items: { entry: { rows: { row: Row }[] } }[] }).items[0]?.entry.rows[0]?.row[
          'note'
        ];
        return { status: sent.status, back: listed === logged ? String(listed) : 'the list and the log differ' };
      },
    },
    {
      about: 'note of a grant',
      async send(note) {
        const body = { principal: serviceId, credential: credentialId, actions: ['region.list'], note };
        const sent = await house.request('POST', '/v1/grants', { body });
        if (sent.status >= 300) return { status: sent.status, back: null };
        const row = sent.json as Row;
        await house.request('POST', `/v1/grants/${row.id}/revoke`);
        return { status: sent.status, back: String(row['note']) };
      },
    },
  ];
}

/** Places where text is a name, an id or a key: refused with a 4xx, or kept as it is. */
function strictFields(house: House, serviceId: string): Field[] {
  const outcome = async (...args: Parameters<House['request']>) => {
    const { status } = await house.request(...args);
    return { status, back: null };
  };
  const principal = (name: string) => ({ body: { name, kind: 'service' } });
  return [
    { about: 'name of a principal', send: (text) => outcome('POST', '/v1/principals', principal(text)) },
    { about: 'member of a body', send: (text) => outcome('POST', '/v1/principals', { body: { [text]: text } }) },
    { about: 'id in a path', send: (text) => outcome('GET', `/v1/principals/${encodeURIComponent(text)}`) },
    { about: 'cursor', send: (text) => outcome('GET', `/v1/principals?cursor=${encodeURIComponent(text)}`) },
    { about: 'member of a query', send: (text) => outcome('GET', `/v1/principals?${encodeURIComponent(text)}=1`) },
    { about: 'type of an entry', send: (text) => outcome('GET', `/v1/audit/control?type=${encodeURIComponent(text)}`) },
    {
      about: 'part of a key',
      send: (text) =>
        outcome('POST', '/v1/credentials?resolve=false', {
          body: { provider: 'neon', name: 'x', kind: 'personal-key', parts: { key: text } },
        }),
    },
    {
      about: 'parameter of a grant',
      send: (text) =>
        outcome('POST', '/v1/grants', {
          body: { principal: serviceId, credential: 'x', actions: [text], parameters: { [text]: [text] } },
        }),
    },
    {
      about: 'Idempotency-Key',
      send: async (text) => {
        // What no header may hold cannot be sent.
        if (!/^[\x20-\x7e\x80-\xff]*$/.test(text)) return { status: 400, back: null };
        return outcome('POST', '/v1/principals', { ...principal('y'), headers: { 'idempotency-key': text } });
      },
    },
  ];
}

/** Runs both corpora in `directory` against a house of its own. */
export async function run(directory: string): Promise<ForeignResult> {
  const { record, result } = countVerdicts();
  // A closed port: no provider is asked.
  const house = await startHouse({ providers: { neon: 'http://127.0.0.1:9' } });
  try {
    const service = (await house.request('POST', '/v1/principals', { body: { name: 'service', kind: 'service' } }))
      .json as Row;
    const made = await house.request('POST', '/v1/credentials', {
      body: { provider: 'neon', name: 'prod', kind: 'personal-key' },
    });
    const { credential } = made.json as { credential: Row };

    const targets = targetsOf(house);
    for (const one of readLines<JsonCase>(path.join(directory, 'json_parsing.jsonl'))) {
      const wrong: string[] = [];
      for (const target of targets) {
        const found = await wrongWithJson(house, target, one);
        if (found !== null) wrong.push(`${target.method} ${target.path}: ${found}`);
      }
      record(one.name, wrong);
    }

    const free = freeFields(house, service.id, credential.id);
    const strict = strictFields(house, service.id);
    for (const [n, { id, s }] of readLines<{ id: string; s: string }>(
      path.join(directory, 'naughty_strings.jsonl'),
    ).entries()) {
      const wrong: string[] = [];
      for (const { about, send } of free) {
        const { status, back } = await send(s, n);
        // A reason may not be empty; nothing else is refused that may be stored and is short enough.
        const isRefusable = !isStorableText(s) || s.length > 200 || (s === '' && about.startsWith('reason'));
        if (status >= 500) wrong.push(`${about}: ${status}`);
        else if (back === null && !isRefusable) wrong.push(`${about}: refused with ${status}`);
        else if (back !== null && back !== s) wrong.push(`${about}: came back as ${JSON.stringify(back)}`);
      }
      for (const { about, send } of strict) {
        const { status } = await send(s, n);
        if (status >= 500) wrong.push(`${about}: ${status}`);
      }
      record(id, wrong);
    }
    for (const error of house.errors)
      record('internal errors', [error instanceof Error ? String(error.stack) : String(error)]);
  } finally {
    await house.stop();
  }
  return result('robustness', 'no 5xx; text byte-exact; JSON told from what is not');
}

if (import.meta.main) await runAlone('robustness.ts', run);
