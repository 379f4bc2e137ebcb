// Times as people read them: the absolute time in UTC, and beside it how long ago or how soon.
import type { UtcMs } from '../model/clock.ts';

const UNITS: readonly (readonly [string, number])[] = [
  ['y', 365 * 86_400_000],
  ['mo', 30 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
];

/** `3 d ago`, `in 2 h`, `just now`. One unit: the absolute time stands beside it. */
export function relative(at: UtcMs, now: UtcMs): string {
  const distance = Math.abs(at - now);
  const unit = UNITS.find(([, ms]) => distance >= ms);
  if (unit === undefined) return 'just now';
  const text = `${Math.floor(distance / unit[1])} ${unit[0]}`;
  return at < now ? `${text} ago` : `in ${text}`;
}

/** `2026-09-21 14:13:20Z (3 d ago)` for an RFC 3339 time, `–` for none. Text that is no time is given back. */
export function when(time: string | null | undefined, now: UtcMs): string {
  if (time === null || time === undefined || time === '') return '–';
  const at = Date.parse(time);
  if (Number.isNaN(at)) return time;
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')}Z (${relative(at, now)})`;
}
