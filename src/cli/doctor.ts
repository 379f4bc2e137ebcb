// What `claviger doctor` finds, as data, and how it is shown. Each check says whether it is in order and, where it is not, what to do.
// Pure; looking at the machine is commands/doctor.io.ts.
import type { Finding } from '../config/checks.ts';
import type { EffectiveOption } from '../config/read.ts';
import type { UtcMs } from '../model/clock.ts';
import type { Ink } from './paint.ts';
import { visible } from './text.ts';
import type { View } from './view.ts';

export interface Check {
  readonly id: string;
  readonly status: 'ok' | 'warning' | 'error' | 'skipped';
  readonly message: string;
  /** What to do about it; null where nothing is to be done. */
  readonly hint: string | null;
}

export function check(id: string, status: Check['status'], message: string, hint: string | null = null): Check {
  return { id, status, message, hint };
}

/** The findings about the configuration as checks; one that is in order where there are none. */
export function configChecks(findings: readonly Finding[]): Check[] {
  if (findings.length === 0) return [check('configuration', 'ok', 'accepted, nothing to remark')];
  return findings.map(({ severity, pointer, message, hint }) =>
    check(`configuration ${pointer}`.trimEnd(), severity, message, hint),
  );
}

/** How far two clocks that are read together may be apart before somebody should look. */
const CLOCK_TOLERANCE_MS = 5_000;
/** No clock of a machine that runs this program is before this: 1 January 2026. */
const EARLIEST = 1_767_225_600_000;

/** The clock, judged by the newest entry of the ledger and, where there is one, by the clock of the database. */
export function clockCheck(clock: {
  readonly now: UtcMs;
  readonly newestEntryAt: UtcMs | null;
  readonly databaseNow: UtcMs | null;
}): Check {
  const { now, newestEntryAt, databaseNow } = clock;
  const hint = 'synchronise the clock (NTP): expiries, schedules and certificates rest on it';
  if (now < EARLIEST) return check('clock', 'error', 'the clock stands in the past', hint);
  if (newestEntryAt !== null && now < newestEntryAt - CLOCK_TOLERANCE_MS) {
    return check('clock', 'error', 'the clock stands before the newest entry of the ledger', hint);
  }
  if (databaseNow !== null && Math.abs(databaseNow - now) > CLOCK_TOLERANCE_MS) {
    const seconds = Math.round((databaseNow - now) / 1000);
    return check('clock', 'warning', `the clock of the database differs by ${seconds} s`, hint);
  }
  return check('clock', 'ok', 'not before anything that is on record');
}

/** The credentials whose current version has no second copy. */
export function protectionCheck(names: readonly string[], hasSecondCopy: boolean): Check {
  if (names.length === 0) return check('second copy', 'ok', 'every current version has one');
  const some = names.slice(0, 10).join(', ');
  const more = names.length > 10 ? ` and ${names.length - 10} more` : '';
  return check(
    'second copy',
    'warning',
    `unprotected: ${some}${more}`,
    hasSecondCopy
      ? 'they get their copy when they are rotated next; see that the directory can be written'
      : 'configure secondCopy on other hardware: a restored backup would lose every key rotated since',
  );
}

const MARKS: Readonly<Record<Check['status'], readonly [string, Ink]>> = {
  ok: ['✓', 'green'],
  warning: ['!', 'yellow'],
  error: ['✗', 'red'],
  skipped: ['–', 'dim'],
};

/** One line for each check, with what to do below it. */
export function renderChecks(checks: readonly Check[], view: View): string {
  const lines = checks.flatMap(({ id, status, message, hint }) => {
    const [mark, ink] = MARKS[status];
    const line = `${view.paint(ink, mark)} ${view.paint('bold', visible(id))}: ${visible(message)}`;
    return hint === null ? [line] : [line, `    ${visible(hint)}`];
  });
  const count = (status: Check['status']) => checks.filter((one) => one.status === status).length;
  lines.push('', `${count('error')} errors, ${count('warning')} warnings`);
  return lines.join('\n');
}

/** The options in force and where each value came from; only those that somebody chose, unless all are wanted. */
export function renderOptions(options: readonly EffectiveOption[], view: View, isAll: boolean): string {
  const shown = options.filter((option) => isAll || option.source.from !== 'default');
  return view.table(
    [{ title: 'option', least: 12 }, { title: 'value', least: 12 }, { title: 'from' }],
    shown.map(({ pointer, value, source }) => [
      pointer,
      value,
      source.from === 'file' ? `line ${source.line}` : source.from === 'environment' ? source.name : 'default',
    ]),
    'Every option has its default.',
  );
}
