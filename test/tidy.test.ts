// The rules of the house as tests: which room may import which, what is pure, what every file looks like, and where a secret's bytes may
// be had. Style that no test checks does not survive. A rule that today's code breaks has its exceptions listed here, each with its reason.
// Not here: formatting and lint (biome), types (tsc), links and commands in documents (documents.test.ts).
import assert from 'node:assert/strict';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const root = path.resolve(import.meta.dirname, '..');
const text = new Map<string, string>();
for (const name of globSync('{src,verifier,twins,tools,test,web}/**/*.{ts,mjs,tsx}', { cwd: root }).sort()) {
  if (!name.includes('node_modules') && !name.includes('/dist/'))
    text.set(name, readFileSync(path.join(root, name), 'utf8'));
}
const files = [...text.keys()];
const isTest = (name: string) =>
  /\.test\.tsx?$/.test(name) || /(?:^|\/)test-support(?:\.io)?\.ts$/.test(name) || name.includes('/testing/');
/** What is part of the server. */
const product = files.filter((name) => name.startsWith('src/') && !isTest(name));

interface Import {
  readonly from: string;
  /** As it is written: `node:fs`, `pg`, or a path from the root of the repository. */
  readonly of: string;
  /** Erased when it runs. */
  readonly isType: boolean;
}

function importsOf(name: string): Import[] {
  const found: Import[] = [];
  const statement = /^(?:import|export)\s+(type\s+)?([^'";]*?\bfrom\s+)?'([^']+)';/gm;
  const dynamic = /\bimport\(\s*'([^']+)'/g;
  const code = text.get(name)!;
  const resolved = (to: string) => (to.startsWith('.') ? path.posix.join(path.posix.dirname(name), to) : to);
  for (const [, type, what, to] of code.matchAll(statement)) {
    const named = /^\{([^}]*)\}\s*from/
      .exec(what ?? '')?.[1]
      ?.split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '');
    const isType =
      type !== undefined || (named !== undefined && named.length > 0 && named.every((one) => one.startsWith('type ')));
    found.push({ from: name, of: resolved(to!), isType });
  }
  for (const [, to] of code.matchAll(dynamic)) found.push({ from: name, of: resolved(to!), isType: false });
  return found;
}
const imports = product.flatMap(importsOf);

/** Complaints as text, less those that are excepted; every exception must still be needed. */
function assertClean(complaints: readonly string[], exceptions: Readonly<Record<string, string>> = {}): void {
  const unexpected = complaints.filter((one) => exceptions[one] === undefined);
  assert.deepEqual([...new Set(unexpected)], []);
  const stale = Object.keys(exceptions).filter((one) => !complaints.includes(one));
  assert.deepEqual(stale, [], 'these exceptions are not needed any more');
}

test('the files that are looked at are the files that there are', () => {
  assert(product.length > 100 && imports.length > 500, `${product.length} files, ${imports.length} imports`);
  const kinds = imports.filter((one) => one.isType).length;
  assert(kinds > 100 && kinds < imports.length - 100, 'imports of types are told apart');
  assert(importsOf('src/broker/plan.ts').some((one) => one.of === 'src/access/action.ts' && !one.isType));
});

// Rooms. DESIGN: a room imports only rooms above it.

/** From the top to the bottom of the house. */
const ROOMS = [
  'model',
  'ledger',
  'database',
  'vault',
  'credentials',
  'access',
  'broker',
  'rotation',
  'revocation',
  'providers',
  'net',
  'targets',
  'http',
  'config',
  'cli',
];
/** The file of a family that everybody may know: a contract, without any member. */
const CONTRACTS: ReadonlySet<string> = new Set(['src/providers/provider.ts']);
/** They meet in credentials/ (drain, gate, cut), and nowhere else. */
const STRANGERS: ReadonlySet<string> = new Set(['broker', 'rotation', 'revocation']);

/** The room of a file; null for the composition root, which stands beside the rooms. */
function roomOf(name: string): string | null {
  return /^src\/([a-z]+)\//.exec(name)?.[1] ?? null;
}

test('every folder of src is a room of the map', () => {
  const folders = readdirSync(path.join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders) assert(ROOMS.includes(name), `src/${name} is not on the map`);
});

test('a room imports only rooms above it', () => {
  const complaints: string[] = [];
  for (const { from, of } of imports) {
    const [mine, theirs] = [roomOf(from), roomOf(of)];
    if (mine === null || theirs === null || mine === theirs || CONTRACTS.has(of)) continue;
    if (ROOMS.indexOf(theirs) > ROOMS.indexOf(mine) || (STRANGERS.has(mine) && STRANGERS.has(theirs)))
      complaints.push(`${from} -> ${of}`);
  }
  assertClean(complaints);
});

/** Libraries that compute and do nothing else. */
const PURE_LIBRARIES: ReadonlySet<string> = new Set(['zod', 'yaml']);

test('a member of a family knows the model and its own contract, and no other room', () => {
  const complaints: string[] = [];
  for (const { from, of } of imports) {
    if (roomOf(from) !== 'providers' || roomOf(of) === 'providers' || roomOf(of) === 'model') continue;
    if (PURE_LIBRARIES.has(of)) continue;
    complaints.push(`${from} -> ${of}`);
  }
  assertClean(complaints);
});

test('the composition root composes: no room imports it, only the commands that start something', () => {
  const complaints = imports
    .filter(({ from }) => roomOf(from) !== null && !from.startsWith('src/cli/commands/'))
    .filter(({ of }) => of.startsWith('src/') && roomOf(of) === null);
  assertClean(complaints.map(({ from, of }) => `${from} -> ${of}`));
});

test('nothing in src imports twins, tools or tests', () => {
  const complaints = imports.filter(
    ({ of }) => /^(?:twins|tools|test|web)\//.test(of) || (of.startsWith('src/') && isTest(of)),
  );
  assertClean(complaints.map(({ from, of }) => `${from} -> ${of}`));
});

test('the verifier shares no code with what it verifies', () => {
  const own = files.filter((name) => name.startsWith('verifier/') && !isTest(name));
  assert(own.length > 10);
  const complaints = own.flatMap(importsOf).filter(({ of }) => !of.startsWith('verifier/') && !of.startsWith('node:'));
  assertClean(complaints.map(({ from, of }) => `${from} -> ${of}`));
});

// Purity. Only *.io.ts may import node:*, a library that does I/O, or another *.io.ts.

test('what is pure imports nothing that is not', () => {
  const complaints: string[] = [];
  for (const { from, of, isType } of imports) {
    if (from.endsWith('.io.ts') || from === 'src/main.ts') continue;
    if (PURE_LIBRARIES.has(of) || (of.startsWith('src/') && !of.endsWith('.io.ts'))) continue;
    // The type of a library is erased: it brings nothing along. One of our own belongs where everybody may know it.
    if (isType && !of.startsWith('src/')) continue;
    if (of === 'commander' && roomOf(from) === 'cli') continue;
    complaints.push(`${from} -> ${of}`);
  }
  assertClean(complaints);
});

/** What a pure function could reach without importing anything. */
const AMBIENT =
  /\b(?:Date\.now|new Date\(\)|Math\.random|performance\.|process\.|setTimeout|setInterval|setImmediate|fetch\(|crypto\.|globalThis)/g;

test('what is pure asks the machine for neither time nor randomness, and starts nothing', () => {
  const complaints: string[] = [];
  for (const name of product) {
    if (name.endsWith('.io.ts') || name === 'src/main.ts') continue;
    for (const found of codeOf(name).matchAll(AMBIENT)) complaints.push(`${name}: ${found[0]}`);
  }
  assertClean(complaints);
});

/** A file without its comments: a word in prose is no use of it. */
function codeOf(name: string): string {
  return text
    .get(name)!
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '$1');
}

// Families. The registry of a family is its index.ts: one export line for each member.

test('the registry of the providers names every provider once, and nothing else', () => {
  const members = files
    .map((name) => /^src\/providers\/((?:financial\/)?[a-z0-9-]+\.ts)$/.exec(name)?.[1])
    .filter((name) => name !== undefined)
    .filter((name) => !/^(?:index|provider|declaration|declared(?:-\w+)?|financial\/common)\.ts$/.test(name));
  const lines = text
    .get('src/providers/index.ts')!
    .split('\n')
    .filter((line) => line.startsWith('export'));
  const named = lines.map((line) => /^export \{ [\w, ]+ \} from '\.\/([a-z0-9/-]+\.ts)';$/.exec(line)?.[1] ?? line);
  assert.deepEqual(named.sort(), members.sort());
});

// Every file.

test('every file opens with what it is for', () => {
  const complaints = files.filter((name) => !/^(?:#!.*\n)?(?:\/\/ \S|\/\*\*)/.test(text.get(name)!));
  assertClean(complaints);
});

test('no file is longer than 400 lines', () => {
  const complaints = files.filter((name) => text.get(name)!.split('\n').length - 1 > 400);
  assertClean(complaints, LONG);
});

test('the server writes to its log and not to the console; commands write to their streams', () => {
  const complaints = product.filter(
    (name) => roomOf(name) !== 'cli' && /\bconsole\.(?:log|info|warn|error|debug|dir|trace|table)\b/.test(codeOf(name)),
  );
  assertClean(complaints);
});

test('types are not talked out of what they know', () => {
  // Put together, so that this file does not complain about itself.
  const phrases = [
    '\\bas a' + 'ny\\b',
    ': a' + 'ny\\b',
    '<a' + 'ny>',
    '@ts-' + 'ignore',
    '@ts-' + 'nocheck',
    '@ts-' + 'expect-error',
  ];
  const wrong = new RegExp(`(?:${phrases.join('|')})`, 'g');
  const complaints = files.flatMap((name) => [...codeOf(name).matchAll(wrong)].map((found) => `${name}: ${found[0]}`));
  assertClean([...complaints, ...files.filter((name) => text.get(name)!.includes('@ts-' + 'ignore'))]);
});

test('nothing is left for later in a comment', () => {
  const marks = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);
  assertClean(files.filter((name) => marks.test(text.get(name)!)));
});

test('no path of the machine that it was written on stands anywhere', () => {
  const machine = new RegExp(
    `(?:^|[^\\w.])/(?:${['wo' + 'rk', 'ho' + 'me', 'ro' + 'ot', 'Us' + 'ers'].join('|')})/`,
    'm',
  );
  assertClean(files.filter((name) => !isTest(name) && machine.test(text.get(name)!)));
});

// Secrets. The bytes of a Secret are to be had in few places, each of which needs them.

test('a secret is opened only where its bytes are needed', () => {
  const opening = product.filter(
    (name) => name !== 'src/model/secret.ts' && /\brevealSecret(?:Text)?\s*\(/.test(codeOf(name)),
  );
  assert.deepEqual(opening.sort(), Object.keys(DOORS).sort());
});

test('a secret is made of text only where text comes in', () => {
  const complaints = product.filter(
    (name) => /\bSecret\.bytesOf\b/.test(codeOf(name)) && name !== 'src/model/secret.ts',
  );
  assertClean(complaints);
});

// Who may open a secret, and what for.
const DOORS: Readonly<Record<string, string>> = {
  'src/broker/inject.ts': 'writes the key into a request, once, when a version becomes usable',
  'src/cli/disclose.ts': 'shows a token once, and sends secrets to the API',
  'src/credentials/inventing.ts': 'keeps the beginning of an old value in the next one',
  'src/credentials/manage-versions.ts': 'checks what is imported against the format of its kind',
  'src/http/keks.io.ts': 'key-encryption keys that an operator brings',
  'src/ledger/checkpoints.io.ts': 'the log’s signing key',
  'src/net/inject.ts': 'writes the key into a call of our own',
  'src/net/socket.io.ts': 'the credentials of an outbound proxy',
  'src/targets/program.ts': 'keys for a program of the operator’s, and what of its words may be shown',
  'src/serve.io.ts': 'the database’s URL, which holds its password',
  'src/vault/kek.io.ts': 'derives a key from a passphrase',
  'src/vault/sealing.ts': 'encrypts',
  'src/vault/wrap.ts': 'wraps and unwraps data keys',
};

// The exceptions. A rule with an exception is worth more than a rule that nobody checks; one that is not needed any more is a failure too.

const LONG: Readonly<Record<string, string>> = {};
