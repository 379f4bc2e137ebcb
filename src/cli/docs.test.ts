// docs/cli.md against the program: every command and option is in it, word for word, and so are the exit codes. And the version.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { VERSION as HOUSE_VERSION } from '../app.io.ts';
import { GLOBAL_OPTIONS, optionShape } from './command.ts';
import { createProgram } from './commands/index.io.ts';
import { EXIT_MEANING } from './exit.ts';
import { renderReference } from './reference.ts';
import { call } from './test-support.io.ts';
import { VERSION } from './version.ts';

const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs', 'cli.md'), 'utf8');
const { commands, groups } = createProgram();

test('the reference of docs/cli.md is what the program says: `claviger reference` prints it', async () => {
  const reference = renderReference(commands, groups);
  const start = page.indexOf('## Options of every command');
  assert.equal(page.slice(start), reference);
  assert.equal((await call(['reference'])).out, reference);
});

test('every command has an example, every option a meaning, and every group what it is about', () => {
  const names = new Set<string>();
  for (const command of commands) {
    assert(!names.has(command.name), `${command.name} stands there twice`);
    names.add(command.name);
    assert(command.examples.length > 0, command.name);
    for (const { line } of command.examples)
      assert(line.includes(`claviger ${command.name}`), `${command.name}: ${line}`);
    const flags = [...(command.options ?? []), ...GLOBAL_OPTIONS].map((option) => optionShape(option));
    assert.equal(new Set(flags.map((one) => one.long)).size, flags.length, `${command.name}: an option twice`);
    for (const option of command.options ?? [])
      assert(option.about !== '' && !option.about.endsWith('.'), option.flags);
    const [first = '', second] = command.name.split(' ');
    if (second !== undefined) assert(first in groups, first);
  }
});

test('every example can be parsed: its options are those of its command', async () => {
  for (const command of commands) {
    const known = new Set([...(command.options ?? []), ...GLOBAL_OPTIONS].map((option) => optionShape(option).long));
    for (const { line } of command.examples) {
      const after = line.slice(line.indexOf(`claviger ${command.name}`));
      for (const [flag] of after.matchAll(/(?<=\s)--[a-z-]+/g)) assert(known.has(flag), `${line}: ${flag}`);
    }
  }
});

test('the table of exit codes', () => {
  for (const [code, meaning] of Object.entries(EXIT_MEANING)) assert(page.includes(`| ${code} | ${meaning} |`), code);
});

test('one version everywhere', () => {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  assert.deepEqual([VERSION, HOUSE_VERSION], [manifest.version, manifest.version]);
});
