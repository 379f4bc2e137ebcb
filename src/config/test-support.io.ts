// What the tests of reading a configuration share. Not part of the product: nothing but tests imports it.
import assert from 'node:assert/strict';
import path from 'node:path';
import type { Problem } from './document.ts';
import { type ConfigReading, readConfig } from './read.ts';

export function read(text: string | null, environment: Record<string, string> = {}): ConfigReading {
  const directories = { file: '/etc/claviger', environment: '/work' };
  return readConfig({ text, environment, absolute: (name, from) => path.resolve(directories[from], name) });
}

export function accepted(text: string | null, environment: Record<string, string> = {}) {
  const reading = read(text, environment);
  assert.ok(reading.is === 'read', JSON.stringify(reading));
  return reading;
}

export function problems(text: string, environment: Record<string, string> = {}): readonly Problem[] {
  const reading = read(text, environment);
  assert.ok(reading.is === 'refused', `accepted: ${text}`);
  assert.ok(reading.problems.length > 0);
  return reading.problems;
}

/** `pointer line:column message`, for comparison with what is expected at the start of each. */
export function assertProblems(text: string, expected: readonly string[]): void {
  const found = problems(text).map(({ pointer, position, message }) => {
    const at = position === null ? '-' : `${position.line}:${position.column}`;
    return `${pointer} ${at} ${message}`;
  });
  assert.equal(found.length, expected.length, `${text}\n${found.join('\n')}`);
  for (const [index, start] of expected.entries())
    assert.ok(found[index]!.startsWith(start), `${found[index]}\n${start}`);
}

/** The sections of `wholeValue`, as pointers. */
export const SECTIONS = [
  '',
  '/broker',
  '/broker/tls',
  '/api',
  '/database',
  '/kek',
  '/secondCopy',
  '/providers/neon',
  '/programs/0',
  '/limits',
  '/scheduler',
  '/log',
];

/** A configuration in which every section is there. */
export function wholeValue(): Record<string, unknown> {
  return {
    broker: { tls: { certificate: 'a', key: 'b' } },
    api: { tls: { certificate: 'a', key: 'b' } },
    database: { kind: 'postgresql', url: { env: 'A' } },
    kek: { kind: 'passphrase', from: { env: 'A' } },
    secondCopy: { directory: 'x' },
    providers: { neon: { origin: 'https://a.example.com' } },
    programs: [{ credential: 'prod/prefect-server/main', replace: ['/a'] }],
    limits: {},
    scheduler: {},
    log: {},
  };
}

/** The section of a value that a pointer names; undefined where something else stands on the way. */
export function sectionOf(value: Record<string, unknown>, pointer: string): Record<string, unknown> {
  return pointer
    .split('/')
    .slice(1)
    .reduce((at, segment) => at?.[segment] as Record<string, unknown>, value);
}
