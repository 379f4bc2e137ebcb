// Tables and lists of fields for the terminal. Cells are visible text (text.ts): a cell that somebody else wrote is made so here,
// so that no command can forget it. Where the terminal is too narrow, the columns that may shrink are cut.
import { cut, pad, visible, widthOf } from './text.ts';

export interface Column {
  readonly title: string;
  /** May be cut down to `least` columns where the terminal is narrow; absent: never cut. */
  readonly least?: number;
}

export interface TableOptions {
  /** Columns of the terminal; null: not a terminal, nothing is cut. */
  readonly columns: number | null;
  /** Applied to the finished text of a cell, after cutting and padding. `row` is -1 for the titles. */
  readonly ink?: (text: string, cell: { readonly row: number; readonly column: number }) => string;
}

const GAP = '  ';

/** Lines of a table: titles in capitals, two spaces between the columns, no spaces at the ends. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions,
): string[] {
  const titles = columns.map((column) => column.title.toUpperCase());
  const cells = [titles, ...rows.map((row) => columns.map((_, i) => visible(row[i] ?? '')))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => widthOf(row[i]!))));
  if (options.columns !== null) shrink(widths, columns, options.columns);
  const ink = options.ink ?? ((text) => text);
  return cells.map((row, line) => {
    const texts = row.map((cell, i) => {
      const text = cut(cell, widths[i]!);
      const padded = i === row.length - 1 ? text : pad(text, widths[i]!);
      return ink(padded, { row: line - 1, column: i });
    });
    return texts.join(GAP).trimEnd();
  });
}

/** Takes the missing columns from the widest column that may still shrink, one by one. */
function shrink(widths: number[], columns: readonly Column[], available: number): void {
  const total = () => widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
  for (let excess = total() - available; excess > 0; excess--) {
    let widest = -1;
    for (const [i, column] of columns.entries()) {
      const canShrink = column.least !== undefined && widths[i]! > Math.max(column.least, widthOf(column.title));
      if (canShrink && (widest < 0 || widths[i]! > widths[widest]!)) widest = i;
    }
    if (widest < 0) return;
    widths[widest]!--;
  }
}

/** Lines of `name  value`, aligned. A value of several lines goes on under itself; an absent one is not shown. */
export function renderFields(fields: readonly (readonly [string, string | null | undefined])[]): string[] {
  const shown = fields.filter((field): field is readonly [string, string] => typeof field[1] === 'string');
  const width = Math.max(0, ...shown.map(([name]) => widthOf(name)));
  return shown.flatMap(([name, value]) =>
    value.split('\n').map((line, i) => `${pad(i === 0 ? name : '', width)}${GAP}${visible(line)}`.trimEnd()),
  );
}
