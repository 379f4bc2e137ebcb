// The official Prefect client, unmodified, runs flows against a real Prefect Server through the broker: it knows the broker's address and a Claviger
// token, and never the server's string. Task runs exist only as events, which go over a WebSocket: that they arrive shows that it is open. Then the
// version retires while the client goes on: it connects anew and loses nothing. Skipped, and said so, where Prefect cannot be installed.
import assert from 'node:assert/strict';
import test from 'node:test';
import { assertReplays, entriesOf } from '../support/applications.ts';
import { startHouse } from '../support/house.ts';
import {
  FLOW_ACTIONS,
  isPrefectReady,
  prefectDirectory,
  startLentClient,
  startPrefectServer,
} from '../support/prefect.ts';

/** All that a test file may take, but for what it takes to install. */
const STARTS_MS = 75_000;
const STRING = 'admin:canary-of-the-real-server';

/** What docs/providers/prefect-server.md says a flow's client needs, and who listens to events. */
const ACTIONS = [...FLOW_ACTIONS, 'log.subscribe', 'event.subscribe', 'event.list'];

const PROGRAM = `
import asyncio, sys, time
from prefect import flow, task
from prefect.events.clients import get_events_subscriber
from prefect.logging.clients import get_logs_subscriber

@task
def double(n):
    time.sleep(0.2)
    return n * 2

@flow(log_prints=True)
def doubling(name):
    print(name)
    return sum(double(n) for n in range(3))

async def listen(queue):
    async with get_events_subscriber(reconnect_on_clean_close=True) as subscriber:
        print("SUBSCRIBED", flush=True)
        async for event in subscriber:
            if event.event == "prefect.task-run.Completed":
                await queue.put(event.resource.id)

async def read():
    async with get_logs_subscriber() as subscriber:
        async for log in subscriber:
            print("LOGGED", log.message, flush=True)

async def run(name, queue):
    assert await asyncio.to_thread(doubling, name) == 6
    seen = set()
    while len(seen) < 3:
        seen.add(await asyncio.wait_for(queue.get(), 30))
    print("DONE", name, flush=True)

async def main():
    queue = asyncio.Queue()
    listening = asyncio.create_task(listen(queue))
    reading = asyncio.create_task(read())
    await run("before", queue)
    await asyncio.to_thread(sys.stdin.readline)
    await run("after", queue)
    listening.cancel()
    reading.cancel()

asyncio.run(main())
`;

interface TaskRun {
  readonly name: string;
  readonly state_type: string;
}

/** What the server has written down, asked with its own string and past the broker. */
async function taskRunsOf(origin: string): Promise<TaskRun[]> {
  const answer = await fetch(`${origin}/api/task_runs/filter`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(STRING).toString('base64')}`, 'content-type': 'application/json' },
    body: '{}',
  });
  assert.equal(answer.status, 200);
  return (await answer.json()) as TaskRun[];
}

test('the official client runs flows through the broker and loses no event, though its version retires meanwhile', async (t) => {
  if (!isPrefectReady(t, 'the official client of Prefect')) return;
  const endsAt = performance.now() + STARTS_MS;
  const home = prefectDirectory(t, 'client');
  const server = await startPrefectServer(prefectDirectory(t, 'server'), STRING, { endsAt, hasServices: true });
  t.after(() => server.stop());
  const house = await startHouse({ providers: { 'prefect-server': server.origin }, broker: true });
  t.after(() => house.stop());
  const { credential, client } = await startLentClient(t, house, {
    name: 'prod',
    authString: STRING,
    actions: ACTIONS,
    home,
    program: PROGRAM,
  });
  const version = house.app.policy.credentials.get(credential)!.current!;
  let isOver = false;
  void client.exit.then(() => {
    isOver = true;
  });
  async function said(text: string): Promise<void> {
    while (!client.output().includes(text)) {
      assert(!isOver && performance.now() < endsAt, `${text} was not said:\n${client.output()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  await said('DONE before');
  await said('LOGGED before');
  assert.equal(house.app.live.retire(version.id), 3, 'one publishes, one listens, one reads logs');
  client.say('go on');
  await said(' - after');
  house.app.live.retire(version.id);
  await said('DONE after');
  assert.equal(await client.exit, 0, client.output());
  const output = client.output();
  assert.doesNotMatch(output, /Unable to|Error|Traceback|WARNING|canary/);

  let runs: TaskRun[] = [];
  while (runs.filter((run) => run.state_type === 'COMPLETED').length < 6) {
    assert(performance.now() < endsAt, JSON.stringify(runs.map((run) => `${run.name} ${run.state_type}`)));
    await new Promise((resolve) => setTimeout(resolve, 100));
    runs = await taskRunsOf(server.origin);
  }
  assert.equal(runs.length, 6);

  const entries = await entriesOf(house, 'use');
  const uses = entries.filter((entry) => entry['kind'] === 'use').map((entry) => entry['action'] as string);
  const counts = ['event.publish', 'event.subscribe', 'log.subscribe'].map(
    (name) => uses.filter((one) => one === name).length,
  );
  assert(
    counts.every((count) => count >= 2),
    `opened ${counts.join(' and ')} times`,
  );
  assert.deepEqual(
    entries.filter((entry) => entry['kind'] === 'refused' || entry['kind'] === 'refusals'),
    [],
  );
  await assertReplays(house);
  assert.deepEqual(house.errors, []);
});
