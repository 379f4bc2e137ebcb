// The session of docs/rotation.md, run as it stands there against a real server and a twin of Cachet: the commands are those of the page, what a
// person does at the provider is done at the twin, and what the page shows is what is said. And the tables of the page name what there is.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { tokenRow } from '../../test/support/rows.ts';
import { CACHET } from '../../test/support/subjects.ts';
import { startShop } from '../../test/support/workshop.ts';
import { holdOpen, until } from '../../test/support/workshop-checks.ts';
import type { PrincipalRow } from '../access/principal.ts';
import { newTokenText } from '../access/token.ts';
import { readDocument } from '../config/document.ts';
import { readConfig } from '../config/read.ts';
import { createApi } from '../http/api.io.ts';
import { nextImage } from '../model/change.ts';
import { newId } from '../model/id.ts';
import { machineRandom } from '../vault/cipher.io.ts';
import { createProgram } from './commands/index.io.ts';
import { runProgram } from './program.io.ts';
import { testMachine } from './test-support.io.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(ROOT, 'docs/rotation.md'), 'utf8');

/** The fenced blocks of a language, as lines. */
function blocksOf(language: string): string[][] {
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter((match) => match[1] === language)
    .map((match) => match[2]!.trimEnd().split('\n'));
}

/** As it would stand on the page, whatever the time, the address and the ids. */
function plain(text: string, origin: string): string {
  return text
    .replaceAll(origin, 'https://status.example.org')
    .replaceAll(/rot_[0-9a-f]{32}/g, 'rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4')
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ \(in \d+ d\)/g, '2026-11-28 12:00:00Z (in 6 d)');
}

test('the session of the page: begun, brought, ended by a person, proven', async (t) => {
  const shop = await startShop(CACHET, { rotation: { awaitMaxMs: 7 * 86_400_000 } });
  t.after(() => shop.stop());
  shop.engines.start();
  // Whoever used the key has come to the broker.
  holdOpen(shop)();
  const { app } = shop;
  const named = { ...nextImage(shop.credential, {}), name: 'statuspage' };
  await shop.write('credential.changed', { noun: 'credential', row: named });
  const [admin] = await shop.rows<PrincipalRow>('principal');
  const text = newTokenText(machineRandom);
  const hash = createHash('sha256').update(text).digest('hex');
  const row = tokenRow({ id: newId('token', Date.now(), machineRandom), principalId: admin!.id, hash });
  await shop.write('token.issued', { noun: 'token', row });
  const errors: unknown[] = [];
  const api = await createApi({
    app,
    engines: shop.engines,
    version: '0',
    kekSource: null,
    secondCopyDirectory: null,
    tls: null,
    report: (error) => errors.push(error),
  });
  t.after(() => api.drain(1_000));
  const env = { CLAVIGER_API: await api.listen('127.0.0.1', 0), CLAVIGER_TOKEN: text };
  const everything: string[] = [];
  let reading: { readonly out: string; readonly err: string } | null = null;
  const run = async (line: string, variables: Map<string, string>, answers?: readonly string[]) => {
    const assigned = /^(\w+)=\$\((.*)\)$/.exec(line);
    const words = (assigned?.[2] ?? line)
      .replaceAll(/"\$(\w+)"/g, (_, name: string) => variables.get(name) ?? '')
      .split(' ');
    assert.equal(words[0], 'claviger', line);
    const { machine, said } = testMachine({ env, now: Date.now(), isPatient: true, ...(answers && { answers }) });
    reading = said;
    const exit = await runProgram(createProgram(), words.slice(1), machine);
    everything.push(said.out, said.err);
    assert.equal(exit, 0, `${line}: ${said.out}${said.err}`);
    if (assigned !== null) variables.set(assigned[1]!, said.out.trim());
    return { out: plain(said.out, shop.twin.origin), err: plain(said.err, shop.twin.origin) };
  };

  const [begin, bring] = blocksOf('sh');
  const [issue, end, done] = blocksOf('text').map((lines) => lines.join('\n'));
  assert.equal(bring!.length, 1);
  const variables = new Map<string, string>();
  let shown = '';
  for (const line of begin!) shown = (await run(line, variables)).out;
  assert.ok(shown.includes(issue!), shown);

  const fresh = Object.values(CACHET.byHand(shop.twin).parts)[0]!;
  const watched = run(bring![0]!, variables, [fresh]);
  // The person reads that the old token is to be deleted, and does it.
  const old = shop.twin.control.keys.all().find((key) => key.parts['key'] !== fresh)!;
  await until(() => plain(reading!.err, shop.twin.origin).includes(end!), 'the words about the old token');
  shop.twin.control.endByHand(old.id);
  assert.equal((await watched).out.trim(), done!);
  assert.deepEqual([errors, everything.join('').includes('canary')], [[], false]);
});

test('the configuration on the page is accepted, and the programs that it names are there', () => {
  const [yaml] = blocksOf('yaml');
  const written = readConfig({ text: yaml!.join('\n'), environment: {}, absolute: (name) => name });
  assert.ok(written.is === 'read' && written.config.programs?.length === 1);
  assert.equal(readDocument(yaml!.join('\n')).is, 'read');
  const orders = [...page.matchAll(/`(\{"credential":[^`]*\})`/g)].map(
    (match) => JSON.parse(match[1]!) as { do: string },
  );
  assert.deepEqual(
    orders.map((order) => order.do),
    ['replace', 'issue', 'revoke'],
  );
});
