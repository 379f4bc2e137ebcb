// From an empty directory to a proven death and a restored backup, with nothing in between that is not real: the program, a server in
// a process of its own, and a Neon twin for the provider. Every secret of it carries a marker or is known, and is looked for at the
// end in everything that was said.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { startNeonTwin } from '../../twins/neon.io.ts';
import { revealSecretText } from '../model/secret.ts';
import { type CallOptions, call, type Said, temporaryFolder } from './test-support.io.ts';

const MAIN = path.resolve(import.meta.dirname, '../main.ts');

/** A server in a process of its own. Resolves with the origin of its API when it listens. */
async function serve(
  t: TestContext,
  config: string,
): Promise<{ child: ChildProcess; api: string; broker: string; log: string[] }> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {},
  });
  t.after(() => child.kill('SIGKILL'));
  const log: string[] = [];
  const started = await new Promise<{ api: string; broker: string }>((resolve, reject) => {
    createInterface({ input: child.stderr! }).on('line', (line) => {
      log.push(line);
      if (line.includes('"server.started"')) resolve(JSON.parse(line));
    });
    child.once('exit', () => reject(new Error(log.join('\n'))));
  });
  return { child, ...started, log };
}

async function stop(child: ChildProcess): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.kill('SIGTERM');
  return ended;
}

test('from nothing to a proven death, and back from a backup', { timeout: 180_000 }, async (t) => {
  const folder = temporaryFolder(t);
  const at = (...names: string[]) => path.join(folder, ...names);
  const twin = await startNeonTwin({ seed: 7 });
  t.after(() => twin.close());
  const { seeds } = twin.control;
  const leaked = twin.control.mint({ kind: 'organization', orgId: seeds.orgId, name: 'shop' });
  mkdirSync(at('copies'), { mode: 0o700 });
  writeFileSync(at('.env'), `PORT=3000\nNEON_API_KEY='${revealSecretText(leaked.key)}'\n`, { mode: 0o600 });
  writeFileSync(at('admin.key'), revealSecretText(seeds.adminKey), { mode: 0o600 });

  const everything: string[] = [];
  let api = '';
  const run = async (args: string[], options: CallOptions = {}): Promise<Said> => {
    const env = {
      CLAVIGER_CONFIG: at('claviger.yaml'),
      ...(api === '' ? {} : { CLAVIGER_API: api, CLAVIGER_TOKEN_FILE: at('claviger.token') }),
    };
    const said = await call(args, { env, isPatient: true, now: Date.now(), ...options });
    everything.push(said.out, said.err);
    return said;
  };
  const good = async (...args: string[]): Promise<string> => {
    const { exit, out, err } = await run(args);
    assert.equal(exit, 0, `${args.join(' ')}: ${out}${err}`);
    return out;
  };
  const json = async <T>(...args: string[]): Promise<T> => JSON.parse(await good(...args, '--json')) as T;

  // Setting up.
  const listen = ['--broker-listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0'];
  const copies = ['--second-copy', at('copies'), '--data-directory', at('data'), '--kek-file', at('claviger.kek')];
  const begun = await good('init', '--yes', '--admin', 'ines', ...listen, ...copies);
  assert.match(begun, /The token of ines is in /);
  for (const [name, mode] of [
    ['claviger.token', 0o600],
    ['claviger.kek', 0o600],
    ['data', 0o700],
  ] as const) {
    assert.equal(statSync(at(name)).mode & 0o777, mode, name);
  }
  assert.equal((await run(['init', '--yes'])).exit, 4, 'never twice');
  appendFileSync(
    at('claviger.yaml'),
    `providers:\n  neon: { origin: "${twin.origin}", privateNetworks: [127.0.0.0/8], plainHttp: true }\n`,
  );
  const looked = await json<{ checks: { id: string; status: string }[] }>('doctor');
  assert.deepEqual(
    looked.checks.filter((one) => one.status === 'error'),
    [],
  );

  // Serving; taking over the key.
  const server = await serve(t, at('claviger.yaml'));
  api = server.api;
  assert.equal((await json<{ sealed: boolean }>('status')).sealed, false);
  await good(
    'credential',
    'add',
    'neon-admin',
    '--provider',
    'neon',
    '--kind',
    'personal-key',
    '--purpose',
    'manage',
    '--from-file',
    at('admin.key'),
  );
  await good('principal', 'add', 'shop');
  const imported = await json<{ env: string[]; credential: { id: string }; identified: { providerKeyId: string } }>(
    ...['credential', 'import', 'shop', '--from-env-file', at('.env'), '--name', 'NEON_API_KEY', '--provider', 'neon'],
    ...['--kind', 'organization-key', '--issuer', 'neon-admin', '--set', `orgId=${seeds.orgId}`, '--quiet-for', '1s'],
    ...['--replace-with-token', 'shop', '--action', '*:read', '--broker-url', server.broker],
  );
  assert.equal(imported.identified.providerKeyId, leaked.id);
  const [urlLine, keyLine] = imported.env as [string, string];
  assert.equal(urlLine, `NEON_BASE_URL=${server.broker}`);
  const token = keyLine.slice('NEON_API_KEY='.length);
  const use = () =>
    fetch(`${server.broker}/api/v2/projects?limit=1`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await use()).status, 200);
  assert.match(await good('grant', 'suggest', 'shop', '--since', '1h'), /--action project\.list/);
  assert.match(await good('audit', 'tail', 'use', '--principal', 'shop'), /project\.list/);

  // Policy as code, twice.
  writeFileSync(
    at('policy.yaml'),
    'principals:\n  - name: reports\n    kind: service\ngrants:\n  - principal: reports\n    credential: neon/shop\n    actions: [project.list]\n',
  );
  assert.equal((await run(['apply', at('policy.yaml'), '--dry-run', '--exit-code'])).exit, 1);
  assert.match(await good('apply', at('policy.yaml'), '--yes'), /Applied/);
  assert.equal((await run(['apply', at('policy.yaml'), '--dry-run', '--exit-code'])).exit, 0);
  writeFileSync(
    at('wrong.yaml'),
    'grants:\n  - principal: reports\n    credential: neon/shop\n    actions: [no.such]\n',
  );
  assert.match((await run(['apply', at('wrong.yaml'), '--yes'])).err, /wrong\.yaml\/grants\/0\/actions.*line 4/);

  // A backup, then a rotation that the application does not notice.
  await good('backup', at('early.backup'));
  const rotated = await run(['rotate', 'shop']);
  assert.equal(rotated.exit, 0, rotated.err);
  assert.match(rotated.err, /^issue ✓ {2}store ✓ {2}verify ✓ .* sweep ✓$/m);
  assert.equal((await use()).status, 200);
  assert.equal(twin.control.keys().find((key) => key.id === leaked.id)?.isAlive, false);
  assert.match(await good('credential', 'show', 'shop'), /second copy {2}yes/);
  const rotations = await json<{ items: { id: string }[] }>('rotation', 'list', '--credential', 'shop');
  assert.match(await good('rotation', 'show', rotations.items[0]!.id), /rotated/);

  // Compromise: refused at once, then proven dead, and the proof holds without any server.
  assert.match(
    await good('revoke', 'shop', '--reason', 'compromised', '--note', 'seen in a public log', '--yes'),
    /proven dead/,
  );
  assert.equal((await use()).status, 403);
  const [certificate] = (
    await json<{ items: { id: string; note: string }[] }>('certificate', 'list', '--credential', 'shop')
  ).items;
  writeFileSync(at('shop.certificate'), await good('certificate', 'show', certificate!.id, '--signed'));
  assert.equal(readFileSync(at('shop.certificate'), 'utf8'), certificate!.note, 'the exact bytes');

  // Sealing, and moving to another key-encryption key.
  await good('kek', 'generate', at('second.kek'));
  assert.match(await good('kek', 'rotate', '--key-file', at('second.kek')), /in force +version 2/);
  await good('seal', '--yes');
  assert.equal((await run(['rotate', 'neon-admin'])).exit, 6);
  assert.equal(
    (await run(['unseal', '--key-file', at('claviger.kek')])).exit === 0,
    false,
    'the old one is not enough',
  );
  await good('unseal', '--key-file', at('second.kek'));

  // Offline: everything verifies; every use is decided again.
  assert.equal(await stop(server.child), 0);
  api = '';
  await good('audit', 'export', at('export'));
  const key = at('data', 'ledger', 'control', 'vkey');
  await good('certificate', 'verify', at('shop.certificate'), '--key', key);
  await good('audit', 'verify', at('export'));
  await good('audit', 'verify');
  assert.match(await good('audit', 'replay'), /[1-9]\d* decided again, none with findings/);
  await good('backup', at('late.backup'));

  // Back to the early backup: another epoch, and the verifier accepts it.
  assert.equal((await run(['restore', at('early.backup'), '--yes'])).exit, 4);
  const restored = await json<{ epoch: number; lastKnown: { control: { size: number } } }>(
    'restore',
    at('early.backup'),
    '--replace',
    '--yes',
  );
  assert.equal(restored.epoch, 1);
  const pending = await json<{ checks: { id: string }[] }>('doctor');
  assert(pending.checks.some((one) => one.id === 'recovery'));
  assert(readdirSync(at('data')).some((name) => name.startsWith('claviger.db.before-epoch-1')));
  assert.equal((await run(['backup', at('early.backup')])).exit, 4, 'never over another file');
  assert.equal((await run(['restore', at('claviger.yaml'), '--replace', '--yes'])).exit, 1, 'not a backup');
  assert.match(await good('migrate'), /up to date/);

  // Nothing that was said, logged or exported holds a key.
  const keys = [seeds.adminKey, leaked.key].map((secret) => revealSecretText(secret));
  const said = [...everything, ...server.log].join('\n');
  for (const secret of keys) {
    assert(!said.includes(secret), 'said');
    for (const file of filesBelow(at('export'), at('early.backup'), at('late.backup'), at('data'), at('copies'))) {
      assert(!readFileSync(file).includes(secret), file);
    }
  }
  assert(!server.log.join('\n').includes(token) && !said.includes(readFileSync(at('claviger.token'), 'utf8').trim()));
});

function filesBelow(...names: string[]): string[] {
  return names.flatMap((name) => {
    if (!existsSync(name)) return [];
    return statSync(name).isDirectory()
      ? readdirSync(name).flatMap((child) => filesBelow(path.join(name, child)))
      : [name];
  });
}
