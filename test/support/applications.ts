// What journeys with a provider's own client have in common: the control API in short, callers that ask without a pause, and what must be true of
// the log afterwards.
import assert from 'node:assert/strict';
import { createReplay } from '../../src/access/replay.ts';
import type { House } from './house.ts';

/** The control API as the admin. Fails the test where the answer is an error. */
export async function ask<T>(house: House, method: string, target: string, body?: object): Promise<T> {
  const answer = await house.request(method, target, body === undefined ? {} : { body });
  assert(answer.status < 300, `${method} ${target}: ${answer.status} ${answer.text}`);
  return answer.json as T;
}

interface Made {
  readonly id: string;
}

/** A credential with its bytes; the provider's id of its first key is `<name>-1`. */
export async function addCredential(
  house: House,
  body: { readonly name: string; readonly [member: string]: unknown },
): Promise<string> {
  const whole = { providerKeyId: `${body.name}-1`, policy: { quietSeconds: 0 }, ...body };
  return (await ask<{ credential: Made }>(house, 'POST', '/v1/credentials', whole)).credential.id;
}

export async function addService(house: House, name: string): Promise<string> {
  return (await ask<Made>(house, 'POST', '/v1/principals', { name, kind: 'service', roles: [] })).id;
}

export async function grant(
  house: House,
  principal: string,
  credential: string,
  actions: readonly string[],
): Promise<string> {
  return (await ask<Made>(house, 'POST', '/v1/grants', { principal, credential, actions })).id;
}

/** A token of a principal; bound to a credential where one is named. */
export async function issueToken(
  house: House,
  principal: string,
  credential?: string,
): Promise<{ readonly id: string; readonly text: string }> {
  const body = credential === undefined ? {} : { credential };
  const made = await ask<{ token: Made; text: string }>(house, 'POST', `/v1/principals/${principal}/tokens`, body);
  return { id: made.token.id, text: made.text };
}

export interface Load {
  readonly answers: number;
  /** Resolves when so many more were answered. Rejects with what failed, where something did. */
  more(count: number): Promise<void>;
  stop(): Promise<{ readonly answers: number; readonly failures: readonly string[] }>;
}

/** Callers that ask again as soon as they are answered. `once` rejects where its caller would have seen a failure. */
export function startLoad(workers: number, once: (worker: number, n: number) => Promise<unknown>): Load {
  const failures: string[] = [];
  let answers = 0;
  let isOver = false;
  async function work(worker: number): Promise<void> {
    for (let n = 0; !isOver; n++) {
      try {
        await once(worker, n);
        answers++;
      } catch (error) {
        failures.push(String(error));
        // A failure is what the test is about; a thousand of them say no more.
        if (failures.length > 20) return;
      }
    }
  }
  const running = Array.from({ length: workers }, (_, worker) => work(worker));
  return {
    get answers() {
      return answers;
    },
    async more(count) {
      const wanted = answers + count;
      while (answers < wanted) {
        assert.deepEqual(failures, []);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async stop() {
      isOver = true;
      await Promise.all(running);
      return { answers, failures };
    },
  };
}

export type LogEntry = Readonly<Record<string, unknown>>;

/** All entries of a log, when everything that was offered has been written. */
export async function entriesOf(house: House, log: 'control' | 'use'): Promise<LogEntry[]> {
  house.app.guardian.flush();
  await house.app.database.idle();
  const rows = await house.app.database.read.selectFrom(`${log}_entries`).select('entry').orderBy('idx').execute();
  return rows.map(({ entry }) => JSON.parse(entry) as LogEntry);
}

/** Decides every use of the log again, as an outsider would: nothing must differ. */
export async function assertReplays(house: House): Promise<void> {
  const textsOf = async (log: 'control' | 'use') => (await entriesOf(house, log)).map((entry) => JSON.stringify(entry));
  const replay = createReplay(await textsOf('control'));
  for (const use of await textsOf('use')) replay.use(use);
  assert.deepEqual(replay.report().findings, []);
}
