// The completion scripts: every command and option is in each, and what bash would offer is what it should be.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { GLOBAL_OPTIONS, optionShape } from './command.ts';
import { createProgram } from './commands/index.io.ts';
import { completionScript, SHELLS } from './completion.ts';
import { call } from './test-support.io.ts';

const { commands, groups } = createProgram();

test('every command and every option is completed, in each shell', async () => {
  for (const shell of SHELLS) {
    const { exit, out } = await call(['completion', shell]);
    assert.equal(exit, 0);
    assert.equal(out.trimEnd(), completionScript(shell, commands, groups).trimEnd());
    for (const command of commands) {
      for (const word of command.name.split(' '))
        assert.match(out, new RegExp(`\\b${word}\\b`), `${shell}: ${command.name}`);
      for (const option of [...(command.options ?? []), ...GLOBAL_OPTIONS]) {
        const { long } = optionShape(option);
        assert(out.includes(shell === 'fish' ? `-l ${long.slice(2)} ` : long), `${shell}: ${command.name} ${long}`);
      }
    }
  }
});

/** What bash offers for these words, the last one being typed. */
function offered(words: readonly string[]): string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const script = `${completionScript('bash', commands, groups)}
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _claviger; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout.trimEnd().split('\n');
}

test('bash: commands, verbs of a group, options, and values where they are few', () => {
  assert.deepEqual(offered(['claviger', 'cred']), ['credential']);
  assert.deepEqual(offered(['claviger', 'principal', '']), ['add', 'list', 'show', 'edit', 'disable', 'enable']);
  assert.deepEqual(offered(['claviger', '--config', 'x.yaml', 'principal', 'dis']), ['disable']);
  assert.deepEqual(offered(['claviger', 'principal', 'add', 'x', '--ow']), ['--owner']);
  assert.deepEqual(offered(['claviger', 'principal', 'add', 'x', '--kind', 'p']), ['person']);
  assert.deepEqual(offered(['claviger', 'revoke', 'x', '--reason', 'comp']), ['compromised']);
  assert.deepEqual(offered(['claviger', 'audit', 'show', 'u']), ['use']);
  assert(offered(['claviger', 'credential', 'show', '--']).includes('--json'));
  assert.deepEqual(offered(['claviger', '--vers', '']).includes('doctor'), true);
});
