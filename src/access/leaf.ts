// The entries of the use log (docs/formats/ledger.md), built by concatenation: this runs for every request, and the keys are
// few and known. The result is canonical JSON (RFC 8785): keys in order, strings escaped as JSON.stringify does.
import { isStorableText } from '../model/json.ts';

/** What is known of a use. Null where it is not known: only a refusal may have nulls. */
export interface UseFacts {
  readonly id: string;
  readonly at: number;
  /** Monotonic milliseconds since the broker started: what rate limits are counted by. */
  readonly monoMs: number;
  readonly asOf: number;
  readonly ip: string;
  readonly userAgent: string;
  readonly method: string;
  readonly token: string;
  readonly principal: string;
  readonly credential: string | null;
  readonly provider: string | null;
  readonly version: string | null;
  readonly grant: string | null;
  readonly action: string | null;
  readonly effect: 'read' | 'write' | 'delete' | null;
  /** Path below the origin, without the query; only where it matched an action. */
  readonly path: string | null;
  /** Constrained query parameters. */
  readonly query: Readonly<Record<string, string>> | null;
}

const SAFE = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const USER_AGENT_LENGTH_MAX = 200;

function quoted(text: string | null): string {
  if (text === null) return 'null';
  return SAFE.test(text) ? `"${text}"` : JSON.stringify(text);
}

function queryText(query: Readonly<Record<string, string>> | null): string {
  if (query === null) return 'null';
  const names = Object.keys(query);
  if (names.length === 0) return '{}';
  return `{${names
    .sort()
    .map((name) => `${quoted(name)}:${quoted(query[name]!)}`)
    .join(',')}}`;
}

/** No product is called like this; keys are. */
const OPAQUE = /[0-9A-Za-z_-]{32,}/g;

/** Cut to a bounded length, without what could be a key and, where it holds what may not be stored, replaced by what is left of it. */
export function storableUserAgent(text: string): string {
  const named = text.includes('clv_') ? text.replaceAll(/clv_[0-9A-Za-z]*/g, 'clv_…') : text;
  const clean = named.length < 32 ? named : named.replaceAll(OPAQUE, '…');
  const cut = clean.slice(0, USER_AGENT_LENGTH_MAX);
  return isStorableText(cut) ? cut : cut.replaceAll('\u0000', '').toWellFormed();
}

/** For text of our own making: ids, names of actions. It holds nothing that JSON would escape. */
function plain(text: string | null): string {
  return text === null ? 'null' : `"${text}"`;
}

function useText(facts: UseFacts, kind: 'use' | 'refused', reason: string | null): string {
  return (
    `{"action":${plain(facts.action)},"asOf":${facts.asOf},"at":${facts.at},"credential":${plain(facts.credential)}` +
    `,"effect":${plain(facts.effect)},"grant":${plain(facts.grant)},"id":"${facts.id}","ip":${quoted(facts.ip)}` +
    `,"kind":"${kind}","method":${quoted(facts.method)},"mono":${facts.monoMs},"path":${quoted(facts.path)}` +
    `,"principal":"${facts.principal}","provider":${plain(facts.provider)},"query":${queryText(facts.query)}` +
    `${reason === null ? '' : `,"reason":${quoted(reason)}`},"token":"${facts.token}"` +
    `,"ua":${quoted(facts.userAgent)},"v":1,"version":${plain(facts.version)}}`
  );
}

export function useEntry(facts: UseFacts): string {
  return useText(facts, 'use', null);
}

export function refusedEntry(facts: UseFacts, reason: string): string {
  return useText(facts, 'refused', reason);
}

/** What became of a use. Status 0: no answer came. */
export interface Outcome {
  readonly index: number;
  readonly status: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly ms: number;
}

export function outcomesEntry(at: number, outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((o) => `[${o.index},${o.status},${o.bytesUp},${o.bytesDown},${Math.round(o.ms)}]`);
  return `{"at":${at},"kind":"outcomes","of":[${rows.join(',')}],"v":1}`;
}

/** One row for a reason and a source, once a minute: strangers cannot flood the ledger. */
export function refusalsEntry(
  at: number,
  minute: number,
  counts: readonly (readonly [string, string, number])[],
): string {
  const rows = counts.map(([reason, source, count]) => `[${quoted(reason)},${quoted(source)},${count}]`);
  return `{"at":${at},"kind":"refusals","minute":${minute},"of":[${rows.join(',')}],"v":1}`;
}

/** The broker started: rate limits start afresh from here on. */
export function bootEntry(at: number, epoch: number): string {
  return `{"at":${at},"epoch":${epoch},"kind":"boot","v":1}`;
}
