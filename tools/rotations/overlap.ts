// Many rotations of Neon keys under constant load through the official client, in a process of its own. Shows that no request failed, that the
// client was not touched, that each old key was dead at the provider soon after its last use, and that each has its certificate.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { revealSecretText } from '../../src/model/secret.ts';
import { createFollower, requestRotation } from '../world/follow.ts';
import { startWorld, type World } from '../world/world.ts';
import type { Summary } from './summary.ts';

export interface OverlapOptions {
  readonly count: number;
  /** Credentials side by side. */
  readonly credentials: number;
  /** Requests a second, over all credentials. */
  readonly rate: number;
  readonly quietSeconds: number;
  readonly say: (text: string) => void;
}

/** What the policy's quiet time may be exceeded by before the old key is dead. */
const GRACE_MS = 5_000;

interface Line {
  readonly id: string;
  readonly token: string;
}

interface ClientLine {
  readonly pid: number;
  readonly answered: number;
  readonly failed: number;
  readonly lastFailure: string;
  readonly p99Ms: number;
  readonly slowestMs: number;
  readonly done: boolean;
}

/** More credentials of the same organisation, each with a token of its own. */
async function addCredential(world: World, n: number, quietSeconds: number): Promise<Line> {
  const { control } = world.twin!;
  const { orgId } = control.seeds;
  const { key, id } = control.mint({ kind: 'organization', orgId });
  const issuers = await world.api<{ items: { id: string; name: string }[] }>('GET', '/v1/credentials');
  const { credential } = await world.api<{ credential: { id: string } }>('POST', '/v1/credentials', {
    provider: 'neon',
    name: `prod-${n}`,
    kind: 'organization-key',
    issuer: issuers.items.find((one) => one.name === 'admin')!.id,
    settings: { orgId },
    parts: { key: revealSecretText(key) },
    providerKeyId: id,
    policy: { quietSeconds },
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

interface Version {
  readonly providerKeyId: string;
  readonly state: string;
  readonly certificateId: string | null;
}

/** Counts the certificates, and complains of a version without one, and of a key that did not die in time. */
async function certified(
  world: World,
  input: { lines: readonly Line[]; quietSeconds: number; problems: string[] },
): Promise<number> {
  const { lines, quietSeconds, problems } = input;
  const keys = world.twin!.control.keys();
  let certificates = 0;
  for (const line of lines) {
    const { versions } = await world.api<{ versions: Version[] }>('GET', `/v1/credentials/${line.id}`);
    for (const version of versions.filter((one) => one.state === 'revoked')) {
      if (version.certificateId !== null) certificates++;
      else problems.push(`version of key ${version.providerKeyId} has no certificate`);
      const key = keys.find((one) => one.id === version.providerKeyId);
      if (key === undefined || key.diedAt === null || key.lastAcceptedAt === null) {
        problems.push(`key ${version.providerKeyId} is not dead at the twin`);
        continue;
      }
      const lateMs = key.diedAt - key.lastAcceptedAt - quietSeconds * 1000;
      if (lateMs > GRACE_MS) problems.push(`key ${version.providerKeyId} died ${lateMs} ms after its quiet time`);
    }
  }
  return certificates;
}

/** Runs and judges. Everything that was started has ended when it resolves or rejects. */
export async function runOverlap(options: OverlapOptions): Promise<Summary> {
  const { count, rate, quietSeconds, say } = options;
  const started = performance.now();
  const world = await startWorld({ seed: 11, quietSeconds, rotationsAtOnce: Math.max(1, options.credentials) });
  const follower = createFollower(world.api);
  let stopClient = () => Promise.resolve();
  try {
    const lines: Line[] = [];
    const credentials = Math.min(options.credentials, count);
    for (let n = 0; n < credentials; n++) lines.push(await addCredential(world, n, quietSeconds));

    const script = path.join(import.meta.dirname, '../world/client.ts');
    const client = spawn(process.execPath, [script, '--rate', String(rate)], {
      env: {
        ...process.env,
        NEON_BASE_URL: world.serving.brokerOrigin,
        NEON_API_KEY: lines.map((line) => line.token).join(' '),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise<void>((resolve) => client.once('close', () => resolve()));
    stopClient = () => {
      client.kill('SIGTERM');
      return ended;
    };
    let last: ClientLine = { pid: 0, answered: 0, failed: 0, lastFailure: '', p99Ms: 0, slowestMs: 0, done: false };
    createInterface({ input: client.stdout }).on('line', (text) => {
      last = JSON.parse(text) as ClientLine;
    });

    let finished = 0;
    let left = count;
    const problems: string[] = [];
    async function work(line: Line): Promise<void> {
      while (left-- > 0) {
        const id = await requestRotation(world.api, line.id);
        const { state } = await follower.until(id, () => false);
        if (state.end === 'rotated') finished++;
        else problems.push(`rotation ${id} ended ${state.end}: ${state.reason ?? ''}`);
        say(`  overlap: ${finished}/${count} rotations, ${last.answered} requests, ${last.failed} failed`);
      }
    }
    await Promise.all(lines.map(work));
    await stopClient();

    const certificates = await certified(world, { lines, quietSeconds, problems });
    if (last.failed > 0) problems.push(`${last.failed} requests failed, the last one: ${last.lastFailure}`);
    if (!last.done || last.pid !== client.pid) problems.push('the client did not live through');
    if (finished !== count) problems.push(`${finished} of ${count} rotations went well`);
    if (certificates !== finished) problems.push(`${certificates} certificates for ${finished} rotations`);
    return {
      nature: 'overlap',
      about: `neon, organisation keys, by the official client: ${lines.length}`,
      rotated: finished,
      calledOff: 0,
      slips: 0,
      requests: last.answered + last.failed,
      failed: last.failed,
      cut: 0,
      heldP99Ms: 0,
      heldLongestMs: 0,
      isHeld: false,
      around: last.answered,
      p99Ms: last.p99Ms,
      longestMs: last.slowestMs,
      writes: 0,
      lost: 0,
      doubled: 0,
      certificates,
      seconds: Math.round((performance.now() - started) / 1000),
      problems,
    };
  } finally {
    follower.stop();
    await stopClient();
    await world.stop();
  }
}
