// The command: what it prints, its exit codes, both logs of an export together, and that it stands alone.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { describeFinding, type Finding, printable } from './findings.ts';
import { runVerify } from './main.io.ts';
import { forgedEntry } from './testing/forging.io.ts';
import {
  jsonEntry,
  type MadeLog,
  makeFolder,
  makeKey,
  plainControlEntries,
  plainUseEntries,
  signCheckpoint,
  useEntry,
  writeBundles,
  writeIn,
  writeLog,
} from './testing/made-log.io.ts';

function run(...args: string[]): { code: number; out: string; err: string } {
  const said = { out: '', err: '' };
  const code = runVerify(args, {
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
  });
  return { code, ...said };
}

interface Export {
  readonly folder: string;
  readonly control: MadeLog;
  readonly use: MadeLog;
  readonly args: string[];
}

/** An export of both logs, with the files that its reader has. */
function makeExport(
  t: TestContext,
  controlEntries = plainControlEntries(300),
  useEntries = plainUseEntries(40),
): Export {
  const folder = makeFolder(t);
  const reader = makeFolder(t);
  const args = [folder];
  const logs = (['control', 'use'] as const).map((log) => {
    const entries = log === 'control' ? controlEntries : useEntries;
    const made = { folder: path.join(folder, log), key: makeKey(`claviger/test/${log}`), entries };
    writeLog(made, [1]);
    writeIn(reader, `${log}.vkey`, `${made.key.vkey}\n`);
    writeIn(reader, `${log}.checkpoint`, signCheckpoint(made.key, entries.slice(0, 1)));
    args.push('--key', path.join(reader, `${log}.vkey`), '--kept', path.join(reader, `${log}.checkpoint`));
    return made;
  });
  return { folder, control: logs[0]!, use: logs[1]!, args };
}

test('a genuine export: exit code 0, sizes, times, and what to keep', (t) => {
  const { args, control } = makeExport(t);
  const { code, out, err } = run(...args);
  assert.deepEqual([code, err], [0, '']);
  const root = readFileSync(path.join(control.folder, 'checkpoint'), 'utf8').split('\n')[2]!;
  assert.equal(
    out.split('\n').slice(0, 6).join('\n'),
    [
      'verified  claviger/test/control',
      `  newest   size 300, root ${root}`,
      '  read     300 entries, 2 published checkpoints',
      '  time     2026-09-21T14:13:20.000Z to 2026-09-21T14:13:20.299Z',
      '  kept     size 1: this log continues it',
      '  Keep the file checkpoint (size 300) and give it with --kept the next time.',
    ].join('\n'),
  );
  assert.match(out, /^verified {2}claviger\/test\/use$/m);
});

test('one log of an export can be verified by itself, and without a kept checkpoint', (t) => {
  const { args, use } = makeExport(t);
  const { code, out } = run(use.folder, '--key', args[6]!);
  assert.equal(code, 0);
  assert.match(out, /kept {5}no checkpoint was given/);

  const partly = run(args[0]!, '--key', args[6]!);
  assert.equal(partly.code, 0);
  assert.match(partly.err, /control is there, but no --key was given for it: it was not verified/);
});

test('a forged export: exit code 1 and one line for each finding, in text and as JSON', (t) => {
  const { args, control } = makeExport(t);
  writeBundles(control.folder, control.entries.toSpliced(7, 1, forgedEntry(7)));
  const { code, out } = run(...args);
  assert.equal(code, 1);
  assert.match(out, /^NOT VERIFIED {2}claviger\/test\/control$/m);
  assert.match(out, /^ {2}! entry 7 was changed: /m);
  assert.match(out, /^verified {2}claviger\/test\/use$/m);

  const asJson = run(...args, '--json');
  assert.equal(asJson.code, 1);
  const report = JSON.parse(asJson.out);
  assert.equal(report.isVerified, false);
  assert.deepEqual(report.logs[0].findings, [
    { log: 'claviger/test/control', kind: 'entry-changed', index: 7, count: 1 },
  ]);
  assert.deepEqual(report.logs[1].findings, []);
});

test('a use after a revocation is found across both logs, in whatever order the keys are given', (t) => {
  const row = { id: 'gnt_1', revokedAt: 5, rowVersion: 1 };
  const cut = {
    actor: 'prn_1',
    at: 1,
    detail: {},
    epoch: 0,
    rows: [{ noun: 'grant', row }],
    type: 'grant.revoked',
    uses: 3,
    v: 1,
  };
  const { args } = makeExport(
    t,
    [...plainControlEntries(2), jsonEntry(cut)],
    [...plainUseEntries(3), useEntry(3, { asOf: 2 })],
  );
  const [folder, ...rest] = args;
  for (const order of [rest, [...rest.slice(4), ...rest.slice(0, 4)]]) {
    const { code, out } = run(folder!, ...order);
    assert.equal(code, 1);
    assert.match(out, /! entry 3: a use after a revocation: control entry 2 had cut grant gnt_1/);
  }
});

test('wrong calls: exit code 2, what is wrong and the usage', (t) => {
  const { folder, control, args } = makeExport(t);
  const [, , controlKey, , controlKept, , useKey] = args as [string, string, string, string, string, string, string];
  writeIn(folder, 'broken.vkey', 'broken');
  writeIn(folder, 'other.vkey', makeKey('example.com/log').vkey);
  const wrong: [string[], RegExp][] = [
    [[], /give one directory/],
    [[folder, folder], /give one directory/],
    [[path.join(folder, 'absent'), '--key', controlKey], /is not a directory/],
    [[folder], /give the key/],
    [[folder, '--key', path.join(folder, 'absent')], /cannot be read/],
    [[folder, '--key', path.join(folder, 'broken.vkey')], /is not a verifier key/],
    [[folder, '--key', controlKey, '--kept', path.join(folder, 'absent')], /cannot be read/],
    [[folder, '--key', controlKey, '--kept', controlKey], /is not a checkpoint/],
    [[folder, '--key', useKey, '--kept', controlKept], /no --key is that log's/],
    [[folder, '--key', controlKey, '--key', controlKey], /two keys are of the same log/],
    [[control.folder, '--key', controlKey, '--key', useKey], /is one log/],
    [[folder, '--key', path.join(folder, 'other.vkey')], /of neither the control log nor the use log/],
    [[folder, '--key', controlKey, '--loud'], /--loud/],
  ];
  for (const [call, why] of wrong) {
    const { code, out, err } = run(...call);
    assert.deepEqual([code, out], [2, ''], call.join(' '));
    assert.match(err, why);
    assert.match(err, /^usage: claviger audit verify/m);
  }
});

test('it runs as a command of its own', (t) => {
  const { args } = makeExport(t);
  const main = path.join(import.meta.dirname, 'main.io.ts');
  const good = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
  assert.deepEqual([good.status, good.stderr], [0, '']);
  assert.match(good.stdout, /^verified/);
  assert.equal(spawnSync(process.execPath, [main], { encoding: 'utf8' }).status, 2);
});

test('what a log holds cannot write to the terminal', () => {
  const why = printable('\u001b[2J\u202eabc\u0000\n\u{e0041}é漢');
  assert.equal(why, '\\u{1b}[2J\\u{202e}abc\\u{0}\\u{a}\\u{e0041}é漢');
  assert.equal(printable('x'.repeat(1000)).length, 301);
});

test('every kind of finding is one line that says what to do', () => {
  const findings: Finding[] = [
    { kind: 'entry-changed', index: 3, count: 1 },
    { kind: 'entry-changed', index: 3, count: 2 },
    { kind: 'entries-missing', from: 3, to: 4 },
    { kind: 'entries-missing', from: 3, to: 9 },
    { kind: 'entries-inserted', index: 3, count: 1 },
    { kind: 'entries-reordered', first: 3, last: 4 },
    { kind: 'tile-changed', level: 1, tile: 2 },
    { kind: 'history-rewritten', afterSize: 3, upToSize: 9 },
    { kind: 'forked', size: 3, isKept: true },
    { kind: 'forked', size: 3, isKept: false },
    { kind: 'truncated', size: 3, knownSize: 9, isKept: true },
    { kind: 'signature', file: 'checkpoint', why: 'why\nnot' },
    { kind: 'malformed', file: 'tile/0/000', index: null, why: 'missing' },
    { kind: 'malformed', file: 'tile/entries/000', index: 3, why: 'it ends inside an entry' },
    { kind: 'sequence', index: 3, why: 'epoch 4 follows epoch 0' },
    { kind: 'pruned', from: 0, to: 256 },
  ];
  for (const finding of findings) {
    const line = describeFinding(finding);
    assert.match(line, /^[^\n]+\. ?[^\n]*[.)]$/, line);
    assert.ok(line.includes('3') || line.includes('256') || line.includes('2') || line.includes('file'), line);
  }
});

test('the verifier shares no code with anything: it imports its own files and Node alone', () => {
  for (const file of readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const source = readFileSync(path.join(import.meta.dirname, file), 'utf8');
    for (const [, specifier] of source.matchAll(/^(?:import|export)\b[^;]*?from '([^']+)';/gm)) {
      const isOwn =
        specifier!.startsWith('.') && !path.relative('.', path.join(path.dirname(file), specifier!)).startsWith('..');
      const isTest = file.endsWith('.test.ts') || file.startsWith('testing/');
      const isNode = specifier!.startsWith('node:') && (isTest || file.endsWith('.io.ts'));
      const isPure = isTest || file.endsWith('.io.ts') || !specifier!.endsWith('.io.ts');
      assert.ok((isOwn && isPure) || isNode || (isTest && specifier === 'fast-check'), `${file} imports ${specifier}`);
    }
  }
});

test('a reader that goes away early is no error: nothing is printed about it, and the exit code is the verdict', async (t) => {
  const genuine = makeExport(t);
  const forged = makeExport(t, plainControlEntries(300).with(7, jsonEntry({ forged: true })));
  for (const [made, verdict] of [
    [genuine, 0],
    [forged, 1],
  ] as const) {
    const main = path.resolve(import.meta.dirname, 'main.io.ts');
    const child = spawn(process.execPath, [main, ...made.args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.deepEqual([code, said], [verdict, '']);
  }
});
