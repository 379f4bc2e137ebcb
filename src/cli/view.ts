// How results look: tables, fields, times, states in their colours. One view is made for each call, from the terminal it writes to.
// Everything that comes out of here is visible text, whoever wrote what went in.
import type { UtcMs } from '../model/clock.ts';
import type { Ink, Paint } from './paint.ts';
import { type Column, renderFields, renderTable } from './table.ts';
import { visible } from './text.ts';
import { when } from './when.ts';

export interface View {
  readonly paint: Paint;
  /** Columns of the terminal; null where it is none. */
  readonly columns: number | null;
  table(columns: readonly Column[], rows: readonly (readonly string[])[], empty: string): string;
  fields(fields: readonly (readonly [string, string | null | undefined])[]): string;
  /** Absolute and relative, `–` for none. */
  when(time: string | null | undefined): string;
  heading(text: string): string;
}

/** Words that states are known by, wherever they stand alone in a cell. */
const STATE_INKS: Readonly<Record<string, Ink>> = {
  current: 'green',
  rotated: 'green',
  proven: 'green',
  live: 'green',
  ok: 'green',
  yes: 'green',
  pending: 'cyan',
  running: 'cyan',
  previous: 'cyan',
  add: 'green',
  change: 'yellow',
  suspended: 'yellow',
  warning: 'yellow',
  revoking: 'yellow',
  aborted: 'yellow',
  unproven: 'yellow',
  unprotected: 'yellow',
  expired: 'yellow',
  blocked: 'red',
  critical: 'red',
  error: 'red',
  refused: 'red',
  disabled: 'dim',
  revoked: 'dim',
  retired: 'dim',
  none: 'dim',
};

export function createView(options: { paint: Paint; columns: number | null; now: () => UtcMs }): View {
  const { paint, columns } = options;
  const ink = (text: string, cell: { row: number; column: number }) => {
    if (cell.row < 0) return paint('bold', text);
    const known = STATE_INKS[text.trim()];
    return known === undefined ? text : paint(known, text);
  };
  return {
    paint,
    columns,
    table(titles, rows, empty) {
      return rows.length === 0 ? empty : renderTable(titles, rows, { columns, ink }).join('\n');
    },
    fields: (fields) => renderFields(fields).join('\n'),
    when: (time) => when(time, options.now()),
    heading: (text) => paint('bold', visible(text)),
  };
}
