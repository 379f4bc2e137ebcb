// Whole rotations in which real programs take the provider's part: a string that is put into force, a token that is made and one that is ended.
// The programs are those of an operator's machine; what they change is a twin.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { credentialRow } from '../../test/support/rows.ts';
import { CACHET, type KitSubject, PREFECT_SERVER } from '../../test/support/subjects.ts';
import { startShop, type Workshop } from '../../test/support/workshop.ts';
import { requestRotation, rotationEnd, statesOf } from '../../test/support/workshop-checks.ts';
import { cachetToken } from '../../twins/cachet.ts';
import type { RunningTwin } from '../../twins/kit.io.ts';
import { restartWith } from '../../twins/prefect-server.ts';
import { prng } from '../../twins/prng.ts';
import type { Programs } from '../credentials/programs.ts';
import { revealSecretText } from '../model/secret.ts';
import { cachet } from '../providers/cachet.ts';
import { prefectServer } from '../providers/prefect-server.ts';
import type { Kind } from '../providers/provider.ts';
import type { RotationRow } from '../rotation/rotation.ts';
import { createPrograms } from './program.io.ts';
import type { Work } from './program.ts';

type Shop<State> = Workshop<RunningTwin<State>>;
interface Order {
  readonly do: Work;
  readonly label?: string;
  readonly providerKeyId?: string | null;
  readonly parts: Readonly<Record<string, string>>;
}
/** What the machine behind a program does: the status that the program ends with, and its answer. */
type Machine = (order: Order) => { readonly status: number; readonly answer?: object };

/** A program that hands its order to a machine and ends as that says. */
async function programsOf(
  t: TestContext,
  works: readonly Work[],
  kind: Kind,
  machine: () => Machine,
): Promise<Programs> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { status, answer } = machine()(JSON.parse(Buffer.concat(chunks).toString()) as Order);
    response.end(JSON.stringify({ status, answer }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const directory = mkdtempSync(path.join(tmpdir(), 'claviger-programs-'));
  t.after(async () => {
    rmSync(directory, { recursive: true, force: true });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const file = path.join(directory, 'program.mjs');
  writeFileSync(
    file,
    `import { readFileSync } from 'node:fs';
    const said = await fetch('http://127.0.0.1:${port}', { method: 'POST', body: readFileSync(0) });
    const { status, answer } = await said.json();
    if (answer !== undefined) process.stdout.write(JSON.stringify(answer));
    process.exitCode = status;\n`,
  );
  const command = [process.execPath, file];
  const of = (work: Work) => (works.includes(work) ? command : null);
  const programsFor = createPrograms({
    programs: [
      { credential: 'a/b/c', replace: of('replace'), issue: of('issue'), revoke: of('revoke'), timeoutMs: 20_000 },
    ],
    kindOf: () => ({ kind }),
    environment: { PATH: process.env['PATH'] },
    report: () => {},
  });
  return programsFor(credentialRow({ environment: 'a', provider: 'b', name: 'c' }));
}

async function rotate<State>(
  t: TestContext,
  given: { readonly subject: KitSubject<State>; readonly works: readonly Work[]; readonly kind: Kind },
  machineOf: (shop: Shop<State>) => Machine,
): Promise<{ shop: Shop<State>; row: RotationRow }> {
  let machine: Machine | null = null;
  const programs = await programsOf(t, given.works, given.kind, () => machine ?? assert.fail('nobody is there yet'));
  // A program takes longer to start than the twin to answer.
  const shop = await startShop(given.subject, { programs, swap: { callMs: 20_000, holdMaxMs: 30_000 } });
  t.after(() => shop.stop());
  machine = machineOf(shop);
  const row = await rotationEnd(shop, (await requestRotation(shop)).id);
  assert.ok(row !== 'died');
  return { shop, row };
}

const STRING = { subject: PREFECT_SERVER, works: ['replace'], kind: prefectServer.kinds[0]! } as const;
const TOKENS = { subject: CACHET, works: ['issue', 'revoke'], kind: cachet.kinds[0]! } as const;

/** The strings that are sent to the machine, as often as it is asked, whatever it does with them. */
function stringMachine(ends: readonly { readonly isSet: boolean; readonly status: number }[], sent: string[]) {
  return (shop: Workshop<RunningTwin<unknown>>): Machine =>
    ({ parts }) => {
      const { isSet, status } = ends[Math.min(sent.length, ends.length - 1)]!;
      sent.push(parts['key']!);
      if (isSet) restartWith(shop.twin.control as never, parts['key']!);
      return { status };
    };
}

test('a string of ours is put into force, whatever the program says about it', async (t) => {
  const table: [string, { isSet: boolean; status: number }[], number][] = [
    ['at once', [{ isSet: true, status: 0 }], 1],
    [
      'not yet, then',
      [
        { isSet: false, status: 75 },
        { isSet: true, status: 0 },
      ],
      2,
    ],
    ['it says that it failed, and did not', [{ isSet: true, status: 1 }], 1],
    [
      'it failed without a word, then did it',
      [
        { isSet: false, status: 1 },
        { isSet: true, status: 0 },
      ],
      2,
    ],
    [
      'it says that it did, and did not, then did',
      [
        { isSet: false, status: 0 },
        { isSet: true, status: 0 },
      ],
      2,
    ],
  ];
  for (const [name, ends, runs] of table) {
    const sent: string[] = [];
    const { shop, row } = await rotate(t, STRING, stringMachine(ends, sent));
    assert.deepEqual([row.state.protocol, row.state.end], ['swap/1', 'rotated'], `${name}: ${row.lastProblem}`);
    assert.deepEqual(await statesOf(shop), ['revoked', 'current'], name);
    assert.equal(sent.length, runs, name);
    assert.equal(new Set(sent).size, 1, 'what was prepared is sent again, and nothing else is made');
    const alive = shop.twin.control.keys.all().filter((key) => shop.twin.control.isAlive(key.id));
    assert.deepEqual(
      alive.map((key) => key.parts['key']),
      [sent[0]],
      name,
    );
    assert.equal(shop.app.gate.isAnyHeld, false);
  }
});

test('tokens are made and ended by programs: no person, and a death that is proven', async (t) => {
  const random = prng(41);
  const orders: Order[] = [];
  const { shop, row } = await rotate(t, TOKENS, ({ twin }) => (order) => {
    orders.push(order);
    if (order.do === 'issue') {
      const made = twin.control.mint({ ...cachetToken(random, '900', ['components.manage']), name: order.label! });
      return { status: 0, answer: { parts: made.parts, providerKeyId: 900 } };
    }
    const held = twin.control.keys.byText(order.parts['key']!);
    if (held === null) return { status: 75 };
    twin.control.endByHand(held.id);
    return { status: 0 };
  });
  assert.deepEqual([row.state.protocol, row.state.end], ['overlap/1', 'rotated'], row.lastProblem ?? '');
  assert.deepEqual(await statesOf(shop), ['revoked', 'current']);
  assert.deepEqual(
    orders.map((order) => order.do),
    ['issue', 'revoke'],
  );
  assert.match(orders[0]!.label!, /^clv\/[0-9a-f]{8}\/[0-9a-f]{16}\/[0-9a-f]{16}\/1$/);
  assert.equal(orders[1]!.parts['key'], revealSecretText(shop.firstKey));
  assert.equal(shop.twin.control.isAlive('900'), true);
  const text = JSON.stringify(await shop.events());
  assert.ok(!text.includes('canary') && text.includes('"providerKeyId":"900"'));
});
