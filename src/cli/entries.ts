// Ledger entries in one line each, for `audit tail`. What other people wrote in them is made visible here.
import type { Json, JsonObject } from '../model/json.ts';
import type { Paint } from './paint.ts';
import { visible } from './text.ts';

export interface Listed {
  readonly index: number;
  readonly entry: JsonObject;
}

function text(value: Json | undefined): string {
  if (value === null || value === undefined) return '–';
  return visible(typeof value === 'string' ? value : JSON.stringify(value));
}

function timeOf(entry: JsonObject): string {
  const { at } = entry;
  if (typeof at === 'string') return visible(at.slice(0, 19).replace('T', ' '));
  if (typeof at !== 'number' || Math.abs(at) > 8.64e15) return '–';
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

/** Ids of the rows that an entry changed: `version ver_…`. */
function subjects(entry: JsonObject): string {
  const rows = Array.isArray(entry['rows']) ? (entry['rows'] as readonly JsonObject[]) : [];
  return rows
    .slice(0, 4)
    .map(({ noun, row }) => `${text(noun)} ${text((row as JsonObject | undefined)?.['id'])}`)
    .join(', ');
}

/** One line: index, time in UTC, who, what. */
export function entryLine(listed: Listed, paint: Paint): string {
  const { index, entry } = listed;
  const start = `${paint('dim', String(index).padStart(8))}  ${timeOf(entry)}Z`;
  const { kind } = entry;
  if (typeof kind !== 'string') {
    return `${start}  ${paint('bold', text(entry['type']))}  ${text(entry['actor'])}  ${subjects(entry)}`.trimEnd();
  }
  if (kind === 'use' || kind === 'refused') {
    const what = `${text(entry['method'])} ${text(entry['path'])}`;
    const verdict = kind === 'use' ? paint('green', 'use') : paint('yellow', `refused: ${text(entry['reason'])}`);
    return `${start}  ${verdict}  ${text(entry['principal'])}  ${text(entry['action'])}  ${what}  ${text(entry['ip'])}`;
  }
  const count = Array.isArray(entry['of']) ? `  ${entry['of'].length}` : '';
  return `${start}  ${paint('dim', text(kind))}${count}`;
}
