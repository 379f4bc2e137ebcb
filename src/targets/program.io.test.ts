// Real programs, small ones: every way in which one may end, what it is given and what it is not, that it ends with all that it started, and
// that no key stands anywhere but on its standard input.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { credentialRow } from '../../test/support/rows.ts';
import { until } from '../../test/support/workshop-checks.ts';
import { newCachetToken } from '../../twins/cachet.ts';
import { prng } from '../../twins/prng.ts';
import type { Programs } from '../credentials/programs.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { cachet } from '../providers/cachet.ts';
import { prefectServer } from '../providers/prefect-server.ts';
import { createPrograms } from './program.io.ts';
import type { ProgramSettings } from './program.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'claviger-program-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const NAME = 'prod/prefect-server/main';
const FRESH = { key: new Secret('admin:canary-fresh-0123456789') };
const OLD = { key: new Secret('admin:canary-old-0123456789') };
const TOKEN = newCachetToken(prng(3), '17');
const MINUTE_MS = 60_000;

let count = 0;
/** A program with this body, as a command. `input` is what it reads, whole, where it asks for it. */
function script(body: string, ...args: string[]): readonly string[] {
  const file = path.join(directory, `program-${count++}.mjs`);
  const head = "import fs from 'node:fs'; const input = () => fs.readFileSync(0, 'utf8');";
  writeFileSync(file, `${head}\n${body}\n`);
  return [process.execPath, file, ...args];
}

interface Bench {
  readonly programs: Programs;
  readonly reports: readonly { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[];
}

function bench(settings: Partial<ProgramSettings>, environment: Record<string, string> = {}): Bench {
  const reports: { message: string; fields: Record<string, unknown> }[] = [];
  const kind = (settings.issue ?? null) === null ? prefectServer.kinds[0]! : cachet.kinds[0]!;
  const programsFor = createPrograms({
    programs: [{ credential: NAME, replace: null, issue: null, revoke: null, timeoutMs: MINUTE_MS, ...settings }],
    kindOf: () => ({ kind }),
    environment: { PATH: process.env['PATH'] ?? '', ...environment },
    report: (message, fields) => reports.push({ message, fields }),
  });
  return {
    programs: programsFor(credentialRow({ environment: 'prod', provider: 'prefect-server', name: 'main' })),
    reports,
  };
}

/** The verdict on a value being put into force, and what was reported; no key is in it. */
async function replaced(command: readonly string[], more: Partial<ProgramSettings> = {}) {
  const { programs, reports } = bench({ replace: command, ...more });
  const verdict = await programs.replace!(FRESH, OLD);
  assert.ok(!JSON.stringify(reports).includes('canary'), JSON.stringify(reports));
  return { verdict, reports: reports.map(({ fields }) => fields) };
}

test('a credential without programs has none, and what is not configured is null', () => {
  const programsFor = createPrograms({
    programs: [{ credential: NAME, replace: ['/x'], issue: null, revoke: null, timeoutMs: 5_000 }],
    kindOf: () => assert.fail('nobody asks'),
    environment: {},
    report: () => {},
  });
  const of = (name: string) => programsFor(credentialRow({ environment: 'prod', provider: 'prefect-server', name }));
  const { replace, issue, revoke, replaceMaxMs } = of('main');
  assert.deepEqual([typeof replace, issue, revoke], ['function', null, null]);
  assert.ok(replaceMaxMs > 5_000, 'the time to end it is part of the time that it may take');
  assert.deepEqual(of('other'), { replace: null, replaceMaxMs: 0, issue: null, revoke: null });
});

test('how it ends says what it did', async () => {
  const absent = path.join(directory, 'absent');
  const text = path.join(directory, 'text');
  writeFileSync(text, 'x');
  chmodSync(text, 0o600);
  const table: [readonly string[], string, string][] = [
    [script('process.exit(0)'), 'done', ''],
    [script('process.exit(75)'), 'not-done', 'program.exit.75'],
    [script('process.exit(1)'), 'ambiguous', 'program.exit.1'],
    [script("process.kill(process.pid, 'SIGKILL')"), 'ambiguous', 'program.signal.SIGKILL'],
    [[absent], 'not-done', 'program.not-started'],
    [[text], 'not-done', 'program.not-started'],
    [[directory], 'not-done', 'program.not-started'],
    [[process.execPath, 'nul\0byte'], 'not-done', 'program.not-started'],
  ];
  for (const [command, expected, ended] of table) {
    const { verdict, reports } = await replaced(command);
    assert.equal(verdict, expected, ended);
    const [report] = reports;
    if (ended === '') assert.equal(report, undefined);
    else assert.deepEqual([report?.['credential'], report?.['do'], report?.['ended']], [NAME, 'replace', ended]);
  }
});

test('keys come on standard input; arguments, environment and working directory hold nothing but what they should', async () => {
  const seen = path.join(directory, 'seen.json');
  const body = `fs.writeFileSync(process.argv[2], JSON.stringify({
    input: input(), argv: process.argv.slice(2), env: process.env, cwd: process.cwd() }))`;
  const environment = {
    HOME: '/nowhere',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    CLAVIGER_TOKEN: 'canary',
    NODE_OPTIONS: '--canary',
  };
  const { programs } = bench({ replace: script(body, seen, '--flag') }, environment);
  assert.equal(await programs.replace!(FRESH, OLD), 'done');
  const { input, argv, env, cwd } = JSON.parse(readFileSync(seen, 'utf8')) as {
    input: string;
    argv: string[];
    env: Record<string, string>;
    cwd: string;
  };
  assert.deepEqual(JSON.parse(input), {
    credential: NAME,
    do: 'replace',
    parts: { key: revealSecretText(FRESH.key) },
    old: { key: revealSecretText(OLD.key) },
  });
  assert.deepEqual([argv, cwd], [[seen, '--flag'], '/']);
  assert.deepEqual(Object.keys(env).sort(), ['HOME', 'LANG', 'PATH', 'TZ']);
  assert.ok(!JSON.stringify([argv, env]).includes('canary'));
});

test('a key that a program makes is read whole and kept closed', async () => {
  const answer = { parts: { key: TOKEN }, providerKeyId: 17, expiresAt: '2026-12-24T12:00:00Z' };
  const { programs, reports } = bench({
    issue: script(
      `const order = JSON.parse(input());
      if (order.do !== 'issue' || order.label !== 'clv/a/b/c/1' || 'parts' in order) process.exit(1);
      process.stderr.write('made ${TOKEN}');
      process.stdout.write(${JSON.stringify(JSON.stringify(answer))})`,
    ),
  });
  const made = await programs.issue!('clv/a/b/c/1');
  assert.ok(made.is === 'issued');
  assert.equal(revealSecretText(made.parts['key']!), TOKEN);
  assert.deepEqual([made.providerKeyId, made.expiresAt], ['17', Date.parse('2026-12-24T12:00:00Z')]);
  assert.ok(!JSON.stringify([made, reports]).includes('canary'));
});

test('an answer that is none, or too long, leaves open whether a key was made; its words are not shown', async () => {
  const token = JSON.stringify({ parts: { key: TOKEN } });
  const table: [string, string, string][] = [
    ['process.exit(75)', 'refused', 'program.exit.75'],
    [`process.stderr.write('${TOKEN}'); process.exit(2)`, 'ambiguous', 'program.exit.2'],
    [`process.stdout.write('${TOKEN}'); process.stderr.write('${TOKEN}')`, 'ambiguous', 'program.unreadable-answer'],
    [
      `process.stdout.write(${JSON.stringify(token.replace('canary', 'ca-ary'))})`,
      'ambiguous',
      'program.unreadable-answer',
    ],
    ['', 'ambiguous', 'program.unreadable-answer'],
    [
      `process.stdout.write(${JSON.stringify(token)}.padEnd(70_000)); setInterval(() => {}, 1_000)`,
      'ambiguous',
      'program.too-much',
    ],
  ];
  for (const [body, expected, signature] of table) {
    const { programs, reports } = bench({ issue: script(body) });
    const outcome = await programs.issue!('clv/a/b/c/1');
    assert.deepEqual([outcome.is, outcome.evidence.signature], [expected, signature], body);
    assert.equal(reports.length, 1);
    assert.ok(!JSON.stringify([outcome, reports]).includes('canary'), body);
  }
  const { programs } = bench({ issue: script(`process.stdout.write(${JSON.stringify(token)}.padEnd(65_536))`) });
  assert.equal((await programs.issue!('clv/a/b/c/1')).is, 'issued', 'the longest answer');
});

test('ending a key: what the program says, and a key without an id', async () => {
  const seen = path.join(directory, 'revoked');
  const table: [number, string][] = [
    [0, 'accepted'],
    [75, 'refused'],
    [3, 'ambiguous'],
  ];
  for (const [status, expected] of table) {
    const body = `fs.writeFileSync(process.argv[2], input()); process.exit(${status})`;
    const { programs } = bench({ revoke: script(body, seen) });
    assert.equal((await programs.revoke!(status === 0 ? '' : '17', OLD)).is, expected);
    const order = JSON.parse(readFileSync(seen, 'utf8')) as unknown;
    const id = status === 0 ? null : '17';
    assert.deepEqual(order, {
      credential: NAME,
      do: 'revoke',
      providerKeyId: id,
      parts: { key: revealSecretText(OLD.key) },
    });
  }
});

/** Gone, or only waiting for its parent to look. */
function isDead(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/\(.*\)/s, ''));
  } catch {
    return true;
  }
}

const isLinux = existsSync('/proc/self/stat');

/** Starts a process that does not hear SIGTERM and writes its id down, then waits. */
function stubborn(file: string, isObedient: boolean): readonly string[] {
  const child = `trap '' TERM; echo $$ > ${file}; while :; do sleep 1; done`;
  return ['/bin/sh', '-c', `${isObedient ? '' : "trap '' TERM;"} sh -c "$1" & while :; do sleep 1; done`, 'sh', child];
}

test('a program that takes too long is ended with all that it started, whether it obeys or not', {
  skip: !isLinux,
}, async () => {
  for (const isObedient of [true, false]) {
    const file = path.join(directory, `pid-${count++}`);
    const { verdict, reports } = await replaced(stubborn(file, isObedient), { timeoutMs: 1_000 });
    assert.deepEqual([verdict, reports[0]?.['ended']], ['ambiguous', 'program.overdue']);
    const pid = Number(readFileSync(file, 'utf8'));
    assert.ok(pid > 0);
    await until(() => isDead(pid), 'the end of what it started').finally(() => {
      if (!isDead(pid)) process.kill(pid, 'SIGKILL');
    });
  }
});

test('what is done when told to end counts for nothing: it may have been changed before', async () => {
  const body = "process.on('SIGTERM', () => process.exit(75)); setInterval(() => {}, 1_000)";
  assert.equal((await replaced(script(body), { timeoutMs: 1_000 })).verdict, 'ambiguous');
});

test('a program that reads nothing, or closes its input early, is judged by how it ends', async () => {
  const long = { key: new Secret(`admin:canary${'x'.repeat(240)}`), more: new Secret('canary'.repeat(60_000)) };
  const { programs } = bench({ replace: script('fs.closeSync(0); setTimeout(() => process.exit(0), 50)') });
  assert.equal(await programs.replace!(long, long), 'done');
  assert.equal((await replaced(script('process.exit(75)'))).verdict, 'not-done');
});

test('what it leaves running holds nobody up, and is left alone after a success', { skip: !isLinux }, async () => {
  const file = path.join(directory, 'daemon');
  const daemon = `require('fs').writeFileSync(${JSON.stringify(file)}, String(process.pid)); setInterval(() => {}, 1000)`;
  const command = script(
    `import { spawn } from 'node:child_process';
    spawn(process.execPath, ['-e', ${JSON.stringify(daemon)}], { stdio: 'inherit' });
    while (!fs.existsSync(${JSON.stringify(file)})) await new Promise((resolve) => setTimeout(resolve, 5));
    process.exit(0)`,
  );
  assert.equal((await replaced(command)).verdict, 'done');
  const pid = Number(await until(() => readFileSync(file, 'utf8') || null, 'the id of what it left'));
  assert.equal(isDead(pid), false);
  process.kill(pid, 'SIGKILL');
});

test('its words are read to the end, shown in part, and never with a key', async () => {
  const flood = await replaced(script("process.stderr.write('x'.repeat(2_000_000), () => process.exit(1))"));
  assert.equal(String(flood.reports[0]?.['said']).length, 301);
  const echo = script("process.stderr.write('cannot use ' + input()); process.exit(1)");
  const { reports } = await replaced(echo);
  assert.match(String(reports[0]?.['said']), /^cannot use .*\[scrubbed\]/);
  const cut = script(
    "const { old } = JSON.parse(input()); process.stderr.write('y'.repeat(8_180) + old.key); process.exit(1)",
  );
  await replaced(cut);
});
