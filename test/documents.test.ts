// The documents against the project: links lead somewhere, commands and scripts that are named exist with the options that are named, files
// that are named are there, the map of src/ misses no folder. Not here: docs/cli.md and docs/configuration.md, whose tables have tests
// of their own beside the code that they are made from.
import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { type Command, GLOBAL_OPTIONS, optionShape } from '../src/cli/command.ts';
import { createProgram } from '../src/cli/commands/index.io.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Names that stand in documents for files of an installation. */
const OF_AN_INSTALLATION: ReadonlySet<string> = new Set(['claviger.yaml', 'claviger.service']);

interface Page {
  readonly name: string;
  readonly text: string;
  /** The text without fenced blocks. */
  readonly prose: string;
  readonly fences: readonly { readonly language: string; readonly lines: readonly string[] }[];
}

function readPage(name: string): Page {
  const text = readFileSync(path.join(root, name), 'utf8');
  const fences: { language: string; lines: string[] }[] = [];
  const prose: string[] = [];
  let open: { language: string; lines: string[] } | null = null;
  for (const line of text.split('\n')) {
    const mark = /^\s*```(.*)$/.exec(line);
    if (mark === null) (open?.lines ?? prose).push(line);
    else if (open !== null) open = null;
    else {
      open = { language: mark[1]!.trim(), lines: [] };
      fences.push(open);
    }
  }
  assert.equal(open, null, `${name}: a fenced block is not closed`);
  return { name, text, prose: prose.join('\n'), fences };
}

const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root }).sort().map(readPage);
const page = (name: string): Page => pages.find((one) => one.name === name) ?? assert.fail(`${name} is missing`);

function codeSpans(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
}

/** The anchor that a heading gets: lower case, punctuation dropped, spaces to dashes. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

function anchorsOf(text: string): Set<string> {
  return new Set([...text.matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf(match[1]!)));
}

function linksOf({ name, prose }: Page): { file: string; anchor: string | null; written: string }[] {
  const written = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!);
  return written
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = '', anchor] = target.split('#');
      const resolved = file === '' ? name : path.posix.normalize(path.posix.join(path.posix.dirname(name), file));
      return { file: resolved, anchor: anchor ?? null, written: target };
    });
}

/** What a shell would run: lines of `sh` blocks and code spans, without comments. */
function commandLines({ prose, fences }: Page): string[] {
  const blocks = fences.filter(({ language }) => language === 'sh').flatMap(({ lines }) => lines);
  return [...blocks, ...codeSpans(prose)].map((line) => line.replace(/\s#\s.*$/, '').trim());
}

const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};
const { commands } = createProgram();

function commandOf(words: readonly string[]): Command | null {
  const named = (count: number) => commands.find((one) => one.name === words.slice(0, count).join(' '));
  return named(2) ?? named(1) ?? null;
}

test('every link of the documents leads to a file that is there, and to a heading in it', () => {
  const broken: string[] = [];
  for (const one of pages) {
    for (const { file, anchor, written } of linksOf(one)) {
      const isThere = existsSync(path.join(root, file));
      if (!isThere) broken.push(`${one.name}: ${written}`);
      if (isThere && anchor !== null && !anchorsOf(readFileSync(path.join(root, file), 'utf8')).has(anchor)) {
        broken.push(`${one.name}: ${written} (no such heading)`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

test('every npm script that a document names is in package.json, and every script’s entry point is there', () => {
  const unknown = pages.flatMap((one) =>
    commandLines(one).flatMap((line) => {
      const name = /^npm (?:run (?:--silent )?([\w:-]+)|(test|start))\b/.exec(line);
      const script = name?.[1] ?? name?.[2];
      return script === undefined || scripts[script] !== undefined ? [] : [`${one.name}: ${line}`];
    }),
  );
  assert.deepEqual(unknown, []);
  const entries = Object.values(scripts).flatMap((script) => /^node \S+ (\S+\.ts)/.exec(script)?.[1] ?? []);
  assert.ok(entries.length > 0);
  assert.deepEqual(
    entries.filter((entry) => !existsSync(path.join(root, entry))),
    [],
  );
  assert.ok(commandLines(page('README.md')).includes('npm run demo'));
  assert.ok(commandLines(page('README.md')).includes('npm test'));
});

test('every command of the command line that a document names exists, with the options that it is shown with', () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const one of pages) {
    for (const line of commandLines(one)) {
      if (!line.startsWith('claviger ')) continue;
      seen++;
      const words = line.split(/\s+/).slice(1);
      const command = commandOf(words);
      if (command === null) {
        if (!words[0]!.startsWith('-')) wrong.push(`${one.name}: ${line}`);
        continue;
      }
      const known = new Set([...(command.options ?? []), ...GLOBAL_OPTIONS].map((option) => optionShape(option).long));
      const given = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.split('=')[0]!);
      for (const option of given) if (!known.has(option)) wrong.push(`${one.name}: ${line}: ${option}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(seen > 20, 'the documents name commands');
});

test('the map in the README names every folder of src/ and nothing that is not there', () => {
  const map = page('README.md').fences.find(({ lines }) => lines[0] === 'src/') ?? assert.fail('there is no map');
  const entries = map.lines
    .slice(1)
    .map((line) => /^ {2}(\S+)/.exec(line)?.[1] ?? assert.fail(`not an entry: ${line}`));
  const folders = readdirSync(path.join(root, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${entry.name}/`);
  assert.deepEqual(entries.filter((entry) => entry.endsWith('/')).sort(), folders.sort());
  const files = entries.filter((entry) => !entry.endsWith('/'));
  assert.deepEqual(
    files.filter((file) => !existsSync(path.join(root, 'src', file))),
    [],
  );
});

test('the list of rooms in ARCHITECTURE names every folder of src/', () => {
  const house =
    page('ARCHITECTURE.md').fences.find(({ lines }) => lines[0]?.startsWith('model ')) ?? assert.fail('no list');
  const rooms = house.lines.map((line) => line.split(/\s/)[0]!);
  const folders = readdirSync(path.join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.deepEqual(rooms.toSorted(), folders.map((entry) => entry.name).sort());
});

const FILE = /^[\w.-]+(?:\/[\w.-]+)*\.(?:ts|mjs|md|yaml|json|service)$/;

test('every file that a document names is there: from the root, from src/, or, without a folder, somewhere', () => {
  const everything = globSync(['src/**', 'verifier/**', 'twins/**', 'tools/**', 'test/**', 'docs/**', 'examples/**'], {
    cwd: root,
  });
  const names = new Set(everything.map((file) => path.basename(file)));
  const missing: string[] = [];
  for (const one of pages) {
    for (const span of codeSpans(one.prose)) {
      if (!FILE.test(span) || OF_AN_INSTALLATION.has(span)) continue;
      const isThere = ['', 'src'].some((folder) => existsSync(path.join(root, folder, span)));
      if (!isThere && (span.includes('/') || !names.has(span))) missing.push(`${one.name}: ${span}`);
    }
  }
  assert.deepEqual(missing, []);
});

test('where a document names a function behind its file, the file holds it', () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const one of pages) {
    for (const match of one.prose.matchAll(/`([\w./-]+\.ts)` \((?:step )?`(\w+)`/g)) {
      seen++;
      const file = ['', 'src'].map((folder) => path.join(root, folder, match[1]!)).find((name) => existsSync(name));
      const isThere = file !== undefined && new RegExp(`\\b${match[2]}\\b`).test(readFileSync(file, 'utf8'));
      if (!isThere) wrong.push(`${one.name}: ${match[0]}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(seen > 0);
});

test('a decision has its number, its four parts, and its line in the index', () => {
  const index = page('docs/adr/README.md').text;
  const decisions = pages.filter(({ name }) => /^docs\/adr\/\d{4}-/.test(name));
  const numbers = decisions.map(({ name }) => Number(path.basename(name).slice(0, 4)));
  assert.equal(new Set(numbers).size, numbers.length, 'two decisions have one number');
  for (const [i, { name, prose }] of decisions.entries()) {
    const title = new RegExp(`^# ${numbers[i]}\\. (.+)$`, 'm').exec(prose)?.[1] ?? assert.fail(`${name} has no title`);
    for (const part of ['Context', 'Decision', 'Price', 'How we would notice that it was wrong']) {
      assert.match(prose, new RegExp(`^## ${part}$`, 'm'), `${name} lacks: ${part}`);
    }
    assert.ok(index.includes(`| ${numbers[i]} | [${title}](${path.basename(name)}) |`), `${name} is not in the index`);
  }
});

test('the index of the documentation leads to every page of it', () => {
  const linked = new Set(linksOf(page('docs/README.md')).map(({ file }) => file));
  const all = pages.map(({ name }) => name).filter((name) => name.startsWith('docs/') && !/^docs\/adr\/\d/.test(name));
  assert.deepEqual(
    all.filter((name) => name !== 'docs/README.md' && !linked.has(name)),
    [],
  );
});

test('the README has a place for the demo’s output', () => {
  assert.match(page('README.md').text, /<!-- demo -->[\s\S]*<!-- \/demo -->/);
});

test('the examples name files of the project and commands of the command line', () => {
  const dockerfile = readFileSync(path.join(root, 'examples/Dockerfile'), 'utf8');
  const copied = [...dockerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap((match) => match[1]!.split(' '));
  assert.ok(copied.includes('src') && copied.includes('verifier'));
  assert.deepEqual(
    copied.filter((name) => !existsSync(path.join(root, name))),
    [],
  );
  const unit = readFileSync(path.join(root, 'examples/claviger.service'), 'utf8');
  const started =
    /^ExecStart=\S+\/node (?:--\S+ )*\/opt\/claviger\/(\S+) (\S+)/m.exec(unit) ?? assert.fail('no ExecStart');
  assert.ok(existsSync(path.join(root, started[1]!)));
  assert.ok(commandOf([started[2]!]) !== null);
});
