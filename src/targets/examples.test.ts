// The example programs, run as a server would run them, with stand-ins for systemctl and php and a temporary directory for the machine: how each
// of their ends is read, what they leave behind, and that no string stands in an argument. What no stand-in shows is said in docs/providers.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { credentialRow } from '../../test/support/rows.ts';
import { newCachetToken } from '../../twins/cachet.ts';
import { prng } from '../../twins/prng.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { cachet } from '../providers/cachet.ts';
import { prefectServer } from '../providers/prefect-server.ts';
import { createPrograms } from './program.io.ts';
import type { ProgramSettings } from './program.ts';

const EXAMPLES = path.resolve(import.meta.dirname, '../../examples/programs');
const directory = mkdtempSync(path.join(tmpdir(), 'claviger-examples-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string) => path.join(directory, name);

/** Stand-ins write down what they were given, and end as the file of their name with `.ends` says, one line a call. */
function standIn(name: string, body = ''): void {
  const file = at(name);
  writeFileSync(
    file,
    `#!/bin/sh
{ printf '%s' "$0"; printf ' <%s>' "$@"; echo; } >> ${file}.log
${body}
end=$(head -n 1 ${file}.ends 2>/dev/null); sed -i 1d ${file}.ends 2>/dev/null
exit "\${end:-0}"
`,
  );
  chmodSync(file, 0o755);
}
standIn('systemctl');
standIn('php', `cat > ${at('php.stdin')}; cat ${at('php.answer')}`);

const reports: object[] = [];
function programs(settings: Partial<ProgramSettings>, provider = prefectServer) {
  const programsFor = createPrograms({
    programs: [{ credential: 'prod/p/main', replace: null, issue: null, revoke: null, timeoutMs: 30_000, ...settings }],
    kindOf: () => ({ kind: provider.kinds[0]! }),
    environment: { PATH: `${directory}:${process.env['PATH'] ?? ''}` },
    report: (message, fields) => reports.push({ message, ...fields }),
  });
  return programsFor(credentialRow({ environment: 'prod', provider: 'p', name: 'main' }));
}

function log(name: string): string[] {
  const file = `${at(name)}.log`;
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  rmSync(file, { force: true });
  return lines;
}

const hasPython = spawnSync('python3', ['--version']).status === 0;
const FRESH = { key: new Secret('admin:canaryFresh0123456789') };
const OLD = { key: new Secret('admin:canary "old" $tring') };
const FILE = at('prefect.env');
const lineOf = (parts: typeof OLD) => `PREFECT_SERVER_API_AUTH_STRING='${revealSecretText(parts.key)}'\n`;

function replaceWith(...args: string[]) {
  return programs({ replace: [path.join(EXAMPLES, 'prefect-server.sh'), ...args] }).replace!;
}

test('every example is a shell program that says what it is, and can be executed', () => {
  const names = globSync('*.sh', { cwd: EXAMPLES }).sort();
  assert.deepEqual(names, ['cachet-issue.sh', 'cachet-revoke.sh', 'prefect-server.sh']);
  for (const name of names) {
    const file = path.join(EXAMPLES, name);
    assert.equal(spawnSync('/bin/sh', ['-n', file]).status, 0, name);
    assert.notEqual(statSync(file).mode & 0o111, 0, name);
    assert.match(readFileSync(file, 'utf8'), /^#!\/bin\/sh\n# [\s\S]*\n# usage: /);
  }
});

test('prefect-server: the string is written for systemd alone, and the server restarted', {
  skip: !hasPython,
}, async () => {
  const server = createServer((_request, response) => response.end('true'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const replace = replaceWith(FILE, 'prefect-server.service', `http://127.0.0.1:${port}/api/health`);
    assert.equal(await replace(FRESH, OLD), 'done');
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  assert.equal(readFileSync(FILE, 'utf8'), lineOf(FRESH));
  assert.equal(statSync(FILE).mode & 0o777, 0o600);
  assert.deepEqual(log('systemctl'), [`${at('systemctl')} <restart> <prefect-server.service>`]);
  assert.ok(!existsSync(`${FILE}.new`));
});

test('prefect-server: what fails before anything was changed says so', { skip: !hasPython }, async () => {
  const quote = { key: new Secret("admin:canary'quote") };
  const table: [ReturnType<typeof replaceWith>, typeof OLD][] = [
    [replaceWith(FILE), FRESH],
    [replaceWith(at('no/such/directory/file'), 'u'), FRESH],
    [replaceWith(FILE, 'u'), quote],
    [replaceWith(FILE, 'u'), { key: new Secret('admin:canary\\backslash') }],
  ];
  for (const [replace, fresh] of table) assert.equal(await replace(fresh, OLD), 'not-done');
  assert.equal(await replaceWith(FILE, 'u')(FRESH, quote), 'not-done', 'nor could it be put back');
  const other = programs({ revoke: [path.join(EXAMPLES, 'prefect-server.sh'), FILE, 'u'] });
  assert.equal((await other.revoke!('', FRESH)).is, 'refused', 'it does nothing but what it is for');
  assert.deepEqual([readFileSync(FILE, 'utf8'), log('systemctl')], [lineOf(FRESH), []]);
});

test('prefect-server: a restart that fails puts the old string back; where that fails too, somebody has to look', {
  skip: !hasPython,
}, async () => {
  writeFileSync(`${at('systemctl')}.ends`, '1\n0\n');
  assert.equal(await replaceWith(FILE, 'u')(FRESH, OLD), 'not-done');
  assert.deepEqual([readFileSync(FILE, 'utf8'), log('systemctl').length], [lineOf(OLD), 2]);
  writeFileSync(`${at('systemctl')}.ends`, '1\n1\n');
  assert.equal(await replaceWith(FILE, 'u')(FRESH, OLD), 'ambiguous');
  assert.equal(log('systemctl').length, 2);
});

const TOKEN = newCachetToken(prng(5), '18');

test('cachet-issue: the order reaches PHP on standard input, the abilities as arguments, and its answer is the key', async () => {
  writeFileSync(at('php.answer'), JSON.stringify({ parts: { key: TOKEN }, providerKeyId: '18' }));
  const command = [path.join(EXAMPLES, 'cachet-issue.sh'), directory, '1', 'incidents.manage', 'components.manage'];
  const made = await programs({ issue: command }, cachet).issue!('clv/a/b/c/1');
  assert.ok(made.is === 'issued');
  assert.deepEqual([revealSecretText(made.parts['key']!), made.providerKeyId], [TOKEN, '18']);
  assert.equal(JSON.parse(readFileSync(at('php.stdin'), 'utf8')).label, 'clv/a/b/c/1');
  const [call, ...rest] = log('php');
  assert.match(call!, /<-d> <display_errors=stderr> <-r> </);
  assert.match(rest.at(-1)!, /<--> <1> <incidents\.manage> <components\.manage>$/);
  for (const args of [[], [directory], [directory, '1'], [at('absent'), '1', 'incidents.manage']]) {
    const issue = programs({ issue: [command[0]!, ...args] }, cachet).issue!;
    assert.equal((await issue('clv/a/b/c/1')).is, 'refused', args.join(' '));
  }
  assert.deepEqual(log('php'), [], 'without an ability nobody is asked');
});

test('cachet-revoke: the key reaches PHP on standard input alone', async () => {
  writeFileSync(at('php.answer'), '');
  const command = [path.join(EXAMPLES, 'cachet-revoke.sh'), directory];
  const revoke = programs({ revoke: command }, cachet).revoke!;
  assert.equal((await revoke('18', { key: new Secret(TOKEN) })).is, 'accepted');
  assert.equal(JSON.parse(readFileSync(at('php.stdin'), 'utf8')).parts.key, TOKEN);
  assert.ok(!log('php').join('\n').includes('canary'));
  writeFileSync(`${at('php')}.ends`, '255\n');
  assert.equal((await revoke('18', { key: new Secret(TOKEN) })).is, 'ambiguous');
});

test('nothing that was reported holds a string or a token', () => {
  assert.ok(reports.length > 5);
  assert.ok(!JSON.stringify(reports).includes('canary'), JSON.stringify(reports));
});
