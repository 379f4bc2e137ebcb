// The string of a real Prefect Server is changed while its official client runs flows through the broker: a program of the operator's sets the new
// string and restarts the server, the requests of that time wait at the broker, the WebSockets connect anew, and the client sees no failure.
// Skipped, and said so, where Prefect cannot be installed.
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { ask, assertReplays } from '../support/applications.ts';
import { startHouse } from '../support/house.ts';
import {
  FLOW_ACTIONS,
  isPrefectReady,
  prefectDirectory,
  type RunningPrefect,
  startLentClient,
  startPrefectServer,
} from '../support/prefect.ts';

const STARTS_MS = 140_000;
const STRING = 'admin:canary-of-the-first-string';

/** Flows one after the other, until it is told to end; each must give its result. */
const PROGRAM = `
import sys, threading
from prefect import flow, task

over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), over.set()), daemon=True).start()

@task
def double(n):
    return n * 2

@flow
def doubling(n):
    return sum(double(i) for i in range(n))

runs = 0
while not over.is_set() or runs < 3:
    assert doubling(2) == 2
    runs += 1
    print("RUN", runs, flush=True)
print("ENDED", runs, flush=True)
`;

/** What an operator would write in a few lines of shell: here it hands the order to the test, which restarts the server. */
function programText(port: number): string {
  return `#!${process.execPath}
let text = '';
process.stdin.on('data', (chunk) => { text += chunk; });
process.stdin.on('end', () => {
  fetch('http://127.0.0.1:${port}/', { method: 'POST', body: text }).then(
    (answer) => process.exit(answer.status === 200 ? 0 : 1),
    () => process.exit(1),
  );
});
`;
}

test('the string of a real server is changed while the official client runs flows, and it sees no failure', async (t) => {
  if (!isPrefectReady(t, 'a real Prefect Server')) return;
  const endsAt = performance.now() + STARTS_MS;
  const home = prefectDirectory(t, 'server');
  let server: RunningPrefect = await startPrefectServer(home, STRING, { endsAt, hasServices: false });
  t.after(() => server.stop());
  const { origin } = server;

  let restarts = 0;
  const restarter = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on('end', () => {
      void (async () => {
        const order = JSON.parse(text) as { parts: { key: string } };
        await server.stop();
        const port = Number(new URL(origin).port);
        server = await startPrefectServer(home, order.parts.key, { endsAt, hasServices: false, port });
        restarts++;
        response.end();
      })().catch(() => response.writeHead(500).end());
    });
  });
  await new Promise<void>((resolve) => restarter.listen(0, '127.0.0.1', resolve));
  t.after(() => restarter.close());
  const program = path.join(prefectDirectory(t, 'tools'), 'set-string');
  writeFileSync(program, programText((restarter.address() as AddressInfo).port));
  chmodSync(program, 0o700);

  const house = await startHouse({
    providers: { 'prefect-server': origin },
    broker: true,
    programs: [
      { credential: 'default/prefect-server/main', issue: null, replace: [program], revoke: null, timeoutMs: 60_000 },
    ],
  });
  t.after(() => house.stop());
  const { credential, client } = await startLentClient(t, house, {
    name: 'main',
    authString: STRING,
    actions: FLOW_ACTIONS,
    home: prefectDirectory(t, 'client'),
    program: PROGRAM,
  });
  let last = '';
  async function until(is: () => boolean | Promise<boolean>, about: string): Promise<void> {
    while (!(await is())) {
      assert(performance.now() < endsAt, `${about}:\n${client.output()}\n${last}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const runs = () => client.output().split('RUN ').length - 1;
  await until(() => runs() >= 2, 'the first flows');

  const { id } = await ask<{ id: string }>(house, 'POST', '/v1/rotations', { credential });
  interface Seen {
    readonly rotation: {
      readonly state: { readonly step: string; readonly end: string | null; readonly reason: string | null };
    };
  }
  const seen = async () => {
    const { rotation } = await ask<Seen>(house, 'GET', `/v1/rotations/${id}`);
    last = JSON.stringify(rotation);
    return rotation.state;
  };
  await until(async () => {
    const state = await seen();
    assert(state.end === null || state.end === 'rotated', `${state.end}: ${state.reason}`);
    return state.end === 'rotated';
  }, 'the end of the rotation');
  assert.equal(restarts, 1);
  const before = runs();
  await until(() => runs() >= before + 2, 'flows with the new string');
  client.say('end');
  assert.equal(await client.exit, 0, client.output());
  assert.doesNotMatch(client.output(), /Traceback|Error|canary/);

  const old = await fetch(`${origin}/api/admin/version`, {
    headers: { authorization: `Basic ${Buffer.from(STRING).toString('base64')}` },
  });
  assert.equal(old.status, 401, 'the old string is refused');
  await assertReplays(house);
  assert.deepEqual(house.errors, []);
});
