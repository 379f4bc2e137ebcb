// `npm run rotations`: many rotations of Neon keys under constant load through the official client, in a process of its own. Shows
// that no request failed, that the client was not touched, that each old key was dead at the provider soon after its last use,
// and that each has its certificate.
// usage: npm run rotations -- [--count 100] [--credentials 10] [--rate 60] [--json]
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { revealSecretText } from '../../src/model/secret.ts';
import { startWorld } from '../world/world.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100' },
    credentials: { type: 'string', default: '10' },
    rate: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
});
const count = Number(values.count);
const QUIET_SECONDS = 1;
/** What the policy's quiet time may be exceeded by before the old key is dead. */
const GRACE_MS = 5_000;

const world = await startWorld({ seed: 11, quietSeconds: QUIET_SECONDS });
const twin = world.twin!;
const { seeds } = twin.control;

interface Line {
  readonly id: string;
  readonly token: string;
}

/** More credentials of the same organisation, each with a token of its own. */
async function addCredential(n: number): Promise<Line> {
  const { key, id } = twin.control.mint({ kind: 'organization', orgId: seeds.orgId });
  const issuers = await world.api<{ items: { id: string; name: string }[] }>('GET', '/v1/credentials');
  const { credential } = await world.api<{ credential: { id: string } }>('POST', '/v1/credentials', {
    provider: 'neon',
    name: `prod-${n}`,
    kind: 'organization-key',
    issuer: issuers.items.find((one) => one.name === 'admin')!.id,
    settings: { orgId: seeds.orgId },
    parts: { key: revealSecretText(key) },
    providerKeyId: id,
    policy: { quietSeconds: QUIET_SECONDS },
  });
  await world.api('POST', '/v1/grants', {
    principal: world.principalId,
    credential: credential.id,
    actions: ['*:read'],
  });
  const { text } = await world.api<{ text: string }>('POST', `/v1/principals/${world.principalId}/tokens`, {
    credential: credential.id,
  });
  return { id: credential.id, token: text };
}

const lines: Line[] = [];
for (let n = 0; n < Math.min(Number(values.credentials), count); n++) lines.push(await addCredential(n));

const client = spawn(process.execPath, [path.join(import.meta.dirname, '../world/client.ts'), '--rate', values.rate], {
  env: {
    ...process.env,
    NEON_BASE_URL: world.serving.brokerOrigin,
    NEON_API_KEY: lines.map((line) => line.token).join(' '),
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
let last = { pid: 0, answered: 0, failed: 0, lastFailure: '', slowestMs: 0, done: false };
createInterface({ input: client.stdout }).on('line', (text) => {
  last = JSON.parse(text) as typeof last;
});

let finished = 0;
const problems: string[] = [];
async function rotateOnce(line: Line): Promise<void> {
  const { id } = await world.api<{ id: string }>('POST', '/v1/rotations', { credential: line.id });
  for (;;) {
    const { rotation } = await world.api<{
      rotation: { endedAt: string | null; state: { end: string | null; reason: string | null } };
    }>('GET', `/v1/rotations/${id}`);
    if (rotation.state.end === 'rotated') break;
    if (rotation.state.end !== null) {
      problems.push(`rotation ${id} ended ${rotation.state.end}: ${rotation.state.reason ?? ''}`);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  finished++;
  process.stderr.write(`  ${finished}/${count} rotations, ${last.answered} requests, ${last.failed} failed\n`);
}

const perLine = Math.ceil(count / lines.length);
let left = count;
await Promise.all(
  lines.map(async (line) => {
    for (let n = 0; n < perLine && left > 0; n++) {
      left--;
      await rotateOnce(line);
    }
  }),
);
const pidBefore = client.pid;
const ended = new Promise((resolve) => client.once('exit', resolve));
client.kill('SIGTERM');
await ended;

interface Version {
  readonly providerKeyId: string;
  readonly state: string;
  readonly certificateId: string | null;
}
let certificates = 0;
let latestMs = 0;
for (const line of lines) {
  const { versions } = await world.api<{ versions: Version[] }>('GET', `/v1/credentials/${line.id}`);
  for (const version of versions.filter((one) => one.state === 'revoked')) {
    if (version.certificateId !== null) certificates++;
    else problems.push(`version of key ${version.providerKeyId} has no certificate`);
    const key = twin.control.keys().find((one) => one.id === version.providerKeyId);
    if (key === undefined || key.diedAt === null || key.lastAcceptedAt === null) {
      problems.push(`key ${version.providerKeyId} is not dead at the twin`);
      continue;
    }
    const lateMs = key.diedAt - key.lastAcceptedAt - QUIET_SECONDS * 1000;
    latestMs = Math.max(latestMs, lateMs);
    if (lateMs > GRACE_MS) problems.push(`key ${version.providerKeyId} died ${lateMs} ms after its quiet time`);
  }
}
if (last.failed > 0) problems.push(`${last.failed} requests failed, the last one: ${last.lastFailure}`);
if (!last.done || last.pid !== pidBefore) problems.push('the client did not live through');
if (certificates !== finished) problems.push(`${certificates} certificates for ${finished} rotations`);
await world.stop();

const summary = {
  rotations: finished,
  requests: last.answered,
  failed: last.failed,
  slowestMs: last.slowestMs,
  certificates,
  latestMs,
  problems,
};
if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
else {
  process.stdout.write(
    `${finished} rotations under load: ${last.answered} requests, ${last.failed} failed, slowest ${last.slowestMs} ms; ` +
      `${certificates} certificates; an old key was dead at most ${latestMs} ms after its quiet time\n`,
  );
  for (const problem of problems) process.stdout.write(`✖ ${problem}\n`);
}
process.exitCode = problems.length === 0 && finished === count ? 0 : 1;
