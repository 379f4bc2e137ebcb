// The server under torture: a whole server on a given directory, which also rotates its credentials by itself whenever none is rotating,
// and now and then cancels a rotation. It is ended by SIGKILL, whenever its parent likes; with SIGTERM it ends as a server does.
// usage: server.ts DIRECTORY SEED [--settle]     --settle: it rotates only what has lost its key
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
/** How many of the looks at a credential that has other keys to retire ask whether its own is still accepted. */
const MENDING = 0.05;
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
async function drive(serving: Serving): Promise<void> {
  const { app, engines } = serving;
  const versions = allRows<VersionRow>(app.rows, 'version');
  for (const credential of lent(serving)) {
    const running = runningOf(serving, credential);
    if (running?.state.end === 'blocked') await engines.rotator.resume(running.id, 'system:torture');
    else if (running !== undefined) {
      if (random.next() < 0.01) await engines.rotator.cancel(running.id, 'torture', 'system:torture');
    } else if (versions.every((row) => row.credentialId !== credential.id || isSettled(row))) {
      if (random.next() < 0.5) await rotate(serving, credential);
    } else if (random.next() < MENDING) await mend(serving, credential);
  }
}

function runningOf({ app }: Serving, credential: CredentialRow): RotationRow | undefined {
  const rotations = allRows<RotationRow>(app.rows, 'rotation');
  return rotations.find((row) => row.credentialId === credential.id && row.endedAt === null);
}

function lent({ app }: Serving): CredentialRow[] {
  return allRows<CredentialRow>(app.rows, 'credential').filter(
    (credential) => credential.purpose === 'lend' && !credential.name.startsWith('doomed'),
  );
}

async function rotate({ engines }: Serving, credential: CredentialRow): Promise<void> {
  const about = { trigger: 'operator', reason: 'superseded', actor: 'system:torture' } as const;
  await engines.rotator.request({ credentialId: credential.id, ...about });
}

/** Where a restored backup has lost the key, an operator rotates, which makes a new one, and lets the rotation go on where it asks. */
async function mend(serving: Serving, credential: CredentialRow): Promise<void> {
  const { rows } = serving.app;
  const running = runningOf(serving, credential);
  if (running?.state.end === 'blocked') await serving.engines.rotator.resume(running.id, 'system:torture');
  if (running !== undefined) return;
  const versions = allRows<VersionRow>(rows, 'version').filter((row) => row.credentialId === credential.id);
  const version = versions.find((row) => row.state === 'current');
  if (version === undefined) return;
  const { is } = await serving.engines.prober.read({ credential, version });
  if (is === 'dead') await rotate(serving, credential);
}

async function mendAll(serving: Serving): Promise<void> {
  for (const credential of lent(serving)) await mend(serving, credential);
}

function isSettled(version: VersionRow): boolean {
  return version.state === 'current' || version.state === 'revoked';
}

const act = mode === '--settle' ? mendAll : drive;
const driving = setInterval(() => {
  act(serving).catch((error: unknown) => {
    if (!Failure.is(error, 'conflict')) report('drive.failed', { why: String(error) });
  });
}, EVERY_MS);

process.once('SIGTERM', () => {
  clearInterval(driving);
  serving.stop().then(
    () => process.exit(0),
    (error: unknown) => {
      report('stop.failed', { why: String(error) });
      process.exit(1);
    },
  );
});

process.send?.({ ready: { broker: serving.brokerOrigin, api: serving.apiOrigin } });
