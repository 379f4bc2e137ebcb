// What many rotations of one nature came to, and how that is told.
import type { Nature } from '../world/stand.ts';

export interface Summary {
  readonly nature: Nature;
  /** What was rotated. */
  readonly about: string;
  readonly rotated: number;
  /** Rotations that a person called off, for which nobody made a key. */
  readonly calledOff: number;
  /** Wrong keys that were brought and refused. */
  readonly slips: number;
  readonly requests: number;
  readonly failed: number;
  /** Requests that met a key which its successor had ended before that was brought. */
  readonly cut: number;
  /** For how long the traffic of a credential was held: the longest of 99 in 100, and of all. */
  readonly heldP99Ms: number;
  readonly heldLongestMs: number;
  /** The traffic was held, and these are the milliseconds of the requests around a hold; else those of all requests. */
  readonly isHeld: boolean;
  readonly around: number;
  readonly p99Ms: number;
  readonly longestMs: number;
  /** Numbered writes that were answered, and those whose count at the provider is wrong. */
  readonly writes: number;
  readonly lost: number;
  readonly doubled: number;
  readonly certificates: number;
  readonly seconds: number;
  readonly problems: readonly string[];
}

export function lineOf(summary: Summary): string {
  const { rotated, calledOff, slips, requests, failed, cut, isHeld, around, p99Ms, longestMs, certificates } = summary;
  const parts = [
    `${rotated} rotations${calledOff === 0 ? '' : `, ${calledOff} called off`}${slips === 0 ? '' : `, ${slips} wrong keys refused`}`,
    `${requests} requests, ${failed} failed${cut === 0 ? '' : ` (and ${cut} between a hard cut and its new key)`}`,
    isHeld
      ? `held p99 ${summary.heldP99Ms} ms, longest ${summary.heldLongestMs} ms; ${around} requests around it: p99 ${p99Ms} ms, longest ${longestMs} ms`
      : `nothing held: p99 ${p99Ms} ms, longest ${longestMs} ms`,
    ...(summary.writes === 0
      ? []
      : [`${summary.writes} writes, ${summary.lost} lost, ${summary.doubled} carried out twice`]),
    `${certificates} certificates`,
  ];
  const mark = summary.problems.length === 0 ? '✔' : '✖';
  return `${mark} ${summary.nature.padEnd(9)}${parts.join('; ')} (${summary.about}; ${summary.seconds} s)`;
}
