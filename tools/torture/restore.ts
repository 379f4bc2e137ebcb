// A restore under torture: what `claviger restore --replace` does, in a process that its parent kills whenever it likes. It says when it
// comes to a step.
// usage: restore.ts DIRECTORY BACKUP
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { cutsOf } from '../../src/access/cuts.ts';
import type { Config } from '../../src/config/config.ts';
import { restoreBackup } from '../../src/database/restore.io.ts';
import { TABLES } from '../../src/tables.ts';

const [directory = '', file = ''] = process.argv.slice(2);
const { config } = JSON.parse(readFileSync(path.join(directory, 'server.json'), 'utf8')) as { config: Config };
const { dataDirectory } = config;

process.on('disconnect', () => process.exit(0));
const say = (step: string) => process.send?.({ step });

say('started');
await restoreBackup({
  file,
  store: { kind: 'sqlite', file: path.join(dataDirectory, 'claviger.db') },
  dataDirectory,
  replace: true,
  now: Date.now(),
  tables: TABLES,
  cutsOf,
  onProgress: say,
});
process.exit(0);
