// The writer's thread: one message in, one transaction, one message out. The flush to disk blocks here and nowhere else.
import { parentPort, workerData } from 'node:worker_threads';
import { assert, Failure } from '../model/failure.ts';
import { type Packed, unpack } from './gather.ts';
import { createSqliteCommit, openSqlite } from './sqlite-commit.io.ts';

const port = parentPort;
assert(port !== null, 'the writer runs in a worker thread');
const { file, fence } = workerData as { file: string; fence: number };
const database = openSqlite(file);
const commit = createSqliteCommit(database, fence);

port.on('message', (items: readonly Packed[] | 'end') => {
  if (items === 'end') {
    database.close();
    port.close();
    return;
  }
  try {
    port.postMessage({ results: commit(unpack(items)) });
  } catch (error) {
    const lost = Failure.is(error, 'conflict');
    port.postMessage({ error: error instanceof Error ? error.message : String(error), lost });
  }
});
