// Looking into the ledger through the API: following it, and single entries with their proof. Not here: exporting and verifying
// whole logs, which is done beside the database (audit-local.io.ts).
import { LOGS, type Log } from '../../ledger/layout.ts';
import { Failure } from '../../model/failure.ts';
import type { Api } from '../api.ts';
import type { Command, Input } from '../command.ts';
import { entryLine, type Listed } from '../entries.ts';
import { type EntryProof, type Primitives, proofProblem } from '../proof.ts';
import { jsonText, visible } from '../text.ts';

const POLL_MS = 1_000;
/** Entries of one catching-up: more have been written in a second than anybody reads. */
const CATCH_UP_MAX = 2_000;
const PAGE = 200;
const PAGES_MAX = 100;

interface Page {
  readonly items: readonly Listed[];
  readonly next: string | null;
}

export function logOf(text: string): Log {
  const log = LOGS.find((one) => one === text);
  if (log === undefined) throw new Failure('invalid', 'the log is `control` or `use`');
  return log;
}

interface Filter {
  readonly credential: string | null;
  readonly principal: string | null;
  readonly type: string | null;
}

async function filterOf(api: Api, input: Input): Promise<Filter> {
  const credential = input.text('credential');
  const principal = input.text('principal');
  return {
    credential: credential === null ? null : (await api.credential(credential)).id,
    principal: principal === null ? null : (await api.principal(principal)).id,
    type: input.text('type'),
  };
}

/** Whether an entry is meant: what the server's own filter does, for entries that are followed. */
export function isMeant(item: Listed, filter: Filter): boolean {
  const text = JSON.stringify(item.entry);
  const ids = [filter.credential, filter.principal].filter((id) => id !== null);
  const type = item.entry['kind'] ?? item.entry['type'];
  return ids.every((id) => text.includes(`"${id}"`)) && (filter.type === null || filter.type === type);
}

/** The newest `limit` entries that are meant, oldest first. A search of the server looks at a stretch of the log at a time. */
async function newest(api: Api, log: Log, filter: Filter, limit: number): Promise<Listed[]> {
  const found: Listed[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX && found.length < limit; page++) {
    const query: Record<string, string | null> = {
      ...filter,
      order: 'desc',
      limit: String(Math.min(PAGE, limit - found.length)),
      cursor,
    };
    const { items, next }: Page = await api.get(`/v1/audit/${log}`, query);
    found.push(...items);
    if (next === null) break;
    cursor = next;
  }
  return found.reverse();
}

/** All entries after `last`, oldest first; only the newest where there are too many. */
async function since(api: Api, log: Log, last: number): Promise<{ items: Listed[]; isWhole: boolean }> {
  const found: Listed[] = [];
  let cursor: string | null = null;
  while (found.length < CATCH_UP_MAX) {
    const { items, next }: Page = await api.get(`/v1/audit/${log}`, { order: 'desc', limit: String(PAGE), cursor });
    const fresh = items.filter((item) => item.index > last);
    found.push(...fresh);
    if (fresh.length < items.length || next === null) return { items: found.reverse(), isWhole: true };
    cursor = next;
  }
  return { items: found.reverse(), isWhole: false };
}

const tail: Command = {
  name: 'audit tail',
  about: 'the newest entries of a log, and with --follow what comes',
  arguments: [
    {
      name: '[log]',
      about: 'control (every change) or use (every request); control where it is left out',
      choices: LOGS,
    },
  ],
  options: [
    { flags: '--follow', about: 'go on until Ctrl-C' },
    { flags: '--lines <count>', about: 'how many to begin with; 20 where it is left out' },
    { flags: '--credential <credential>', about: 'only about this credential' },
    { flags: '--principal <principal>', about: 'only of this principal' },
    { flags: '--type <type>', about: 'only of this type: version.promoted, refused, …' },
  ],
  examples: [
    { line: 'claviger audit tail use --follow --credential billing', about: 'who uses a key, as it happens' },
    { line: 'claviger audit tail --json --lines 100', about: 'one JSON value for each entry' },
  ],
  async run(context, input) {
    const api = await context.api();
    const log = logOf(input.optionalArgument(0) ?? 'control');
    const filter = await filterOf(api, input);
    const lines = input.count('lines', { min: 1, max: CATCH_UP_MAX }) ?? 20;
    // Where the log ends now: what comes after it is followed, whatever the filter finds before.
    const { items: end } = await api.get<Page>(`/v1/audit/${log}`, { order: 'desc', limit: '1' });
    let last = end[0]?.index ?? -1;
    const show = (items: readonly Listed[]) => {
      for (const item of items) context.emit(entryLine(item, context.view.paint), item);
    };
    show((await newest(api, log, filter, lines)).filter((item) => item.index <= last));
    while (input.isOn('follow')) {
      await context.machine.sleep(POLL_MS);
      const more = await since(api, log, last);
      if (!more.isWhole)
        context.note(`… more than ${CATCH_UP_MAX} entries were written; the oldest of them are left out`);
      show(more.items.filter((item) => isMeant(item, filter)));
      last = more.items.at(-1)?.index ?? last;
    }
    return { data: undefined, text: '' };
  },
};

/** The key that a log's checkpoints are checked with: given, kept by this machine, or told by the server itself. */
interface TrustedKey {
  readonly vkey: string;
  readonly origin: 'given' | 'this machine' | 'the server itself';
}

async function trustedKey(context: Parameters<Command['run']>[0], input: Input, log: Log): Promise<TrustedKey> {
  const given = input.text('key');
  if (given !== null) return { vkey: await keyText(context, given), origin: 'given' };
  if ((await context.configFile()) !== null) {
    const { config } = await context.config();
    const file = `${config.dataDirectory}/ledger/${log}/vkey`;
    if (await context.machine.files.exists(file)) return { vkey: await keyText(context, file), origin: 'this machine' };
  }
  const api = await context.api();
  const { vkeys } = await api.get<{ vkeys: Readonly<Record<Log, string | null>> }>('/v1/audit/checkpoints');
  return { vkey: vkeys[log] ?? '', origin: 'the server itself' };
}

const VKEY = /^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}$/;

/** A verifier key: its text, or a file that holds it. */
export async function keyText(context: Parameters<Command['run']>[0], given: string): Promise<string> {
  if (VKEY.test(given)) return given;
  const text = new TextDecoder().decode(await context.machine.files.read(given, 4_096)).trim();
  if (!VKEY.test(text)) throw new Failure('invalid', 'the file of --key holds no verifier key (name+hash+base64)');
  return text;
}

export function auditCommands(primitives: Primitives): readonly Command[] {
  const show: Command = {
    name: 'audit show',
    about: 'one entry, with the proof that it stands in the log, checked on this machine',
    arguments: [
      { name: '<log>', about: 'control or use', choices: LOGS },
      { name: '<index>', about: 'its number in the log' },
    ],
    options: [{ flags: '--key <vkey>', about: 'verifier key that you trust: its text, or a file that holds it' }],
    examples: [{ line: 'claviger audit show control 41', about: 'exit code 1 where the proof does not hold' }],
    async run(context, input) {
      const log = logOf(input.argument(0));
      const index = input.argument(1);
      if (!/^(?:0|[1-9][0-9]{0,14})$/.test(index)) throw new Failure('invalid', 'the index is a whole number');
      const api = await context.api();
      const claim = await api.get<EntryProof>(`/v1/audit/${log}/${index}`);
      const key = await trustedKey(context, input, log);
      const isAsked = claim.index === Number(index);
      const problem = isAsked ? proofProblem(claim, key.vkey, primitives) : 'the server gave another entry';
      if (key.origin === 'the server itself') {
        context.note('The key came from the server itself: give the one that you trust with --key.');
      }
      const verdict =
        problem === null
          ? `${context.view.paint('green', 'proven')}: entry ${index} of a log of ${claim.proof?.size ?? 0}, by the key of ${key.origin}`
          : `${context.view.paint('red', 'NOT PROVEN')}: ${visible(problem)}`;
      return {
        data: { ...claim, verified: problem === null, problem, key: key.origin },
        text: `${jsonText(claim.entry)}\n\n${verdict}`,
        brief: problem === null ? 'proven' : 'not proven',
        exit: problem === null ? 0 : 1,
      };
    },
  };
  return [tail, show];
}
