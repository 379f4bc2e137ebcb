// Which files of the directory of providers are read, what they must be like, and how their errors arrive: all of them at once.
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Failure } from '../model/failure.ts';
import { DECLARATION_BYTES_MAX } from './declarations.ts';
import { DECLARATIONS_MAX, readDeclarationFile, readOwnProviders, requireOwnProviders } from './providers.io.ts';

const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'claviger-providers-')));
after(() => rmSync(root, { recursive: true }));

function declaration(name: string): string {
  return JSON.stringify({
    name,
    title: name,
    origin: 'https://api.acme.example',
    console: 'https://acme.example',
    kinds: [
      {
        name: 'token',
        title: 'Token',
        places: [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }],
        rotation: 'assisted',
        byHand: { url: 'https://acme.example', issue: ['make it'], revoke: null },
        probe: { request: { method: 'GET', path: '/me' }, answers: [{ status: 200, name: 'me', as: 'alive' }] },
      },
    ],
  });
}

let count = 0;
function place(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const at = path.join(root, `${count++}`);
  mkdirSync(at, { mode: 0o755 });
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(path.join(at, name), content);
    chmodSync(path.join(at, name), 0o644);
  }
  return at;
}

async function messages(directory: string | null, taken: readonly string[] = []): Promise<readonly string[]> {
  const { findings } = await readOwnProviders(directory, taken);
  return findings.map(({ severity, message }) => `${severity} ${message}`);
}

test('every declaration is read, in the order of the names; hidden and other files are left alone', async () => {
  const at = place({
    'b.yml': declaration('beta'),
    'a.yaml': declaration('alpha'),
    'c.json': declaration('gamma'),
    '.hidden.yaml': 'nonsense: [',
    'readme.md': 'nonsense: [',
    'd.yaml~': 'nonsense: [',
  });
  const { providers, names, findings } = await readOwnProviders(at, ['neon']);
  assert.deepEqual(names, ['alpha', 'beta', 'gamma']);
  assert.deepEqual(
    providers.map(({ file, provider }) => [file, provider.name]),
    [
      ['a.yaml', 'alpha'],
      ['b.yml', 'beta'],
      ['c.json', 'gamma'],
    ],
  );
  assert.deepEqual(findings, []);
  for (const none of [null, undefined])
    assert.deepEqual(await readOwnProviders(none, []), { providers: [], names: [], findings: [] });
});

test('all errors of all files arrive at once, each with its file and path', async () => {
  const at = place({
    'a.yaml': declaration('alpha').replace('"title":"Token"', '"titel":"Token"'),
    'b.yaml': 'name: beta\n  x: [',
    'c.yaml': declaration('neon'),
    'd.yaml': declaration('delta'),
    'e.yaml': declaration('delta'),
    'f.yaml': Uint8Array.of(0x23, 0x20, 0xe9),
  });
  const failure = await requireOwnProviders(at, ['neon']).then(
    () => assert.fail('accepted'),
    (error: unknown) => error,
  );
  assert.ok(Failure.is(failure, 'invalid'));
  const details = failure.errors.map(({ pointer, detail }) => `${pointer} ${detail}`);
  const expected = [
    /^\/providersDirectory a\.yaml: line 1, column \d+: \/kinds\/0\/title: missing; /,
    /^\/providersDirectory a\.yaml: line 1, column \d+: \/kinds\/0\/titel: unknown key; did you mean title\?$/,
    /^\/providersDirectory b\.yaml: line \d, column \d+: /,
    /^\/providersDirectory c\.yaml: \/name: this program has a provider neon of its own$/,
    /^\/providersDirectory e\.yaml: \/name: d\.yaml declares a provider delta, too$/,
    /^\/providersDirectory f\.yaml: the file is not UTF-8$/,
  ];
  for (const pattern of expected)
    assert.ok(
      details.some((one) => pattern.test(one)),
      `${pattern}\n${details.join('\n')}`,
    );
  // The name of a broken file is known all the same, so that its settings are no further error.
  assert.ok((await readOwnProviders(at, ['neon'])).names.includes('alpha'));
});

test('a link is followed within the directory, and never out of it', async () => {
  const at = place({ 'outside.yaml': declaration('outside') });
  const inside = path.join(at, 'providers');
  mkdirSync(path.join(inside, '..data'), { recursive: true, mode: 0o755 });
  writeFileSync(path.join(inside, '..data', 'a.yaml'), declaration('alpha'), { mode: 0o644 });
  symlinkSync('..data/a.yaml', path.join(inside, 'a.yaml'));
  assert.deepEqual((await readOwnProviders(inside, [])).names, ['alpha']);
  symlinkSync('../outside.yaml', path.join(inside, 'b.yaml'));
  symlinkSync('nowhere', path.join(inside, 'c.yaml'));
  mkdirSync(path.join(inside, 'd.yaml'));
  assert.deepEqual(await messages(inside), [
    'error b.yaml: the file is a link that leads out of its directory',
    'error c.yaml: the file is not there',
    'error d.yaml: the file is not a regular file',
  ]);
  // A directory that is a link itself is where it leads.
  symlinkSync(at, path.join(root, 'link'));
  assert.deepEqual((await readOwnProviders(path.join(root, 'link'), [])).names, ['outside']);
});

test('files and a directory that everybody may change are refused; what a group may change is a warning', async () => {
  const at = place({ 'a.yaml': declaration('alpha') });
  chmodSync(path.join(at, 'a.yaml'), 0o666);
  assert.deepEqual(await messages(at), ['error a.yaml: the file may be written by everybody']);
  chmodSync(path.join(at, 'a.yaml'), 0o664);
  assert.deepEqual(await messages(at), ['warning a.yaml: the file can be changed by its group']);
  assert.equal((await requireOwnProviders(at, [])).length, 1);
  chmodSync(at, 0o777);
  assert.match((await messages(at))[0]!, /^error the directory of providers can be changed by everybody/);
});

const asRoot = { skip: process.geteuid?.() === 0 ? false : 'SKIPPED: only root can give a file to another user' };
test('a file of another user is refused: nobody named it', asRoot, async () => {
  const at = place({ 'a.yaml': declaration('alpha') });
  chownSync(path.join(at, 'a.yaml'), 12_345, 12_345);
  assert.deepEqual(await messages(at), ['error a.yaml: the file belongs to another user']);
});

test('bounds: files, bytes of a file; a directory that is none', async () => {
  const at = place({ 'a.yaml': `#${'x'.repeat(DECLARATION_BYTES_MAX)}`, 'b.yaml': '' });
  renameSync(path.join(at, 'b.yaml'), path.join(at, 'b.txt'));
  assert.deepEqual(await messages(at), [`error a.yaml: the file is longer than ${DECLARATION_BYTES_MAX} bytes`]);
  const many = place(Object.fromEntries(Array.from({ length: DECLARATIONS_MAX + 1 }, (_, i) => [`${i}.yaml`, ''])));
  assert.match((await messages(many))[0]!, /has more than 256 files/);
  assert.deepEqual(await messages(path.join(root, 'absent')), ['error the directory of providers does not exist']);
  assert.deepEqual(await messages(path.join(at, 'b.txt')), ['error the directory of providers is no directory']);
});

test('a file that is named is read alone, with its errors by their path', async () => {
  const at = place({ 'a.yaml': declaration('alpha'), 'b.yaml': declaration('beta').replace('GET', 'FETCH') });
  assert.equal((await readDeclarationFile(path.join(at, 'a.yaml'))).provider.name, 'alpha');
  const elsewhere = place();
  symlinkSync(path.join(at, 'a.yaml'), path.join(elsewhere, 'link.yaml'));
  assert.equal((await readDeclarationFile(path.join(elsewhere, 'link.yaml'))).provider.name, 'alpha');
  for (const [name, pointer] of [
    ['b.yaml', 'b.yaml/kinds/0/probe/request/method'],
    ['absent.yaml', ''],
  ] as const) {
    const failure = await readDeclarationFile(path.join(at, name)).then(
      () => assert.fail('accepted'),
      (error: unknown) => error,
    );
    assert.ok(Failure.is(failure, 'invalid'));
    assert.deepEqual(
      failure.errors.map((one) => one.pointer),
      [pointer],
    );
  }
});
