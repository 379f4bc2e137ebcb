// The server under torture: a whole server on a given directory, which also rotates its credentials by itself whenever none is rotating,
// and now and then cancels a rotation. It is ended by SIGKILL, whenever its parent likes; with SIGTERM it ends as a server does.
// usage: server.ts DIRECTORY SEED [--settle]     --settle: it starts no rotation of its own
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../../src/config/config.ts';
import type { CredentialRow, VersionRow } from '../../src/credentials/credential.ts';
import { allRows } from '../../src/model/desk.ts';
import { Failure } from '../../src/model/failure.ts';
import type { RotationRow } from '../../src/rotation/rotation.ts';
import { type Serving, serve } from '../../src/serve.io.ts';
import { prng } from '../../twins/prng.ts';

const EVERY_MS = 100;
const [directory = '', seed = '1', mode] = process.argv.slice(2);
const { config, kekPath } = JSON.parse(readFileSync(path.join(directory, 'server.json'), 'utf8')) as {
  config: Config;
  kekPath: string;
};
const random = prng(Number(seed));

process.on('disconnect', () => process.exit(0));

function report(message: string, fields: object): void {
  process.stderr.write(`${JSON.stringify({ at: Date.now(), message, ...fields })}\n`);
}

const serving = await serve({
  config,
  kek: { kind: 'key-file', path: kekPath },
  readSecret: () => Promise.reject(new Failure('invalid', 'no secret is configured')),
  report,
  onLost(why) {
    report('lost', { why });
    process.exit(70);
  },
});

/** Starts what is not running, cancels a little of what runs, lets go on what stands still. */
async function drive({ app, engines }: Serving): Promise<void> {
  const rotations = allRows<RotationRow>(app.rows, 'rotation');
  const versions = allRows<VersionRow>(app.rows, 'version');
  for (const credential of allRows<CredentialRow>(app.rows, 'credential')) {
    if (credential.purpose !== 'lend' || credential.name.startsWith('doomed')) continue;
    const running = rotations.find((row) => row.credentialId === credential.id && row.endedAt === null);
    if (running?.state.end === 'blocked') await engines.rotator.resume(running.id, 'system:torture');
    else if (running !== undefined) {
      if (random.next() < 0.01) await engines.rotator.cancel(running.id, 'torture', 'system:torture');
    } else if (versions.every((row) => row.credentialId !== credential.id || isSettled(row))) {
      const about = { trigger: 'operator', reason: 'superseded', actor: 'system:torture' } as const;
      if (random.next() < 0.5) await engines.rotator.request({ credentialId: credential.id, ...about });
    }
  }
}

function isSettled(version: VersionRow): boolean {
  return version.state === 'current' || version.state === 'revoked';
}

let driving: NodeJS.Timeout | null = null;
if (mode !== '--settle') {
  driving = setInterval(() => {
    drive(serving).catch((error: unknown) => {
      if (!Failure.is(error, 'conflict')) report('drive.failed', { why: String(error) });
    });
  }, EVERY_MS);
}

process.once('SIGTERM', () => {
  if (driving !== null) clearInterval(driving);
  serving.stop().then(
    () => process.exit(0),
    (error: unknown) => {
      report('stop.failed', { why: String(error) });
      process.exit(1);
    },
  );
});

process.send?.({ ready: { broker: serving.brokerOrigin, api: serving.apiOrigin } });
