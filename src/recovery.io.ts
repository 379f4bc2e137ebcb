// After a restored backup: what credentials/recovery.ts decides, done. Runs before the broker listens. The restore leaves a setting
// `recovery` with state `pending`; a crash in between repeats the recovery from its beginning.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { App } from './app.io.ts';
import type { CredentialRow, VersionRow } from './credentials/credential.ts';
import type { Probeable } from './credentials/prober.ts';
import { adoptable, type Candidate, recover, recoveryWaitMs } from './credentials/recovery.ts';
import type { Engines, Report } from './engines.io.ts';
import { type ControlEvent, nextImage, type RowImage } from './model/change.ts';
import { allRows, findRow } from './model/desk.ts';
import type { JsonObject } from './model/json.ts';
import type { SettingRow } from './model/setting.ts';
import type { RotationRow } from './rotation/rotation.ts';
import { openSecondCopy } from './vault/second-copy.io.ts';

const ACTOR = 'system:recovery';
const SETTLE_MS = 10_000;
const COPIES_MAX = 100_000;
/** Looks at the candidates before a person is told that none is accepted. */
const LOOKS_MAX = 5;
const BETWEEN_LOOKS_MS = 5_000;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Whether a restore waits for its recovery. */
export function isRecoveryPending(app: App): SettingRow | null {
  const setting = allRows<SettingRow>(app.rows, 'setting').find((row) => row.name === 'recovery');
  if (setting === undefined) return null;
  return (setting.value as { state?: string }).state === 'pending' ? setting : null;
}

/** Does nothing where no restore is pending. Throws where the database cannot write: then nothing may be brokered. */
export async function recoverAfterRestore(app: App, engines: Engines, report: Report): Promise<void> {
  const pending = isRecoveryPending(app);
  if (pending === null) return;
  const propagationMs = Math.max(
    0,
    ...[...app.providers.values()].flatMap((p) => p.kinds.map((kind) => kind.propagationMs)),
  );
  report('recovery.started', { waitMs: recoveryWaitMs({ settleMs: SETTLE_MS, propagationMs }) });
  await pause(recoveryWaitMs({ settleMs: SETTLE_MS, propagationMs }));
  const adopted = await adopt(app);
  const retire: string[] = [];
  for (const credential of allRows<CredentialRow>(app.rows, 'credential')) {
    retire.push(...(await choose(app, engines, credential, report)));
  }
  await endRotations(app);
  const reports = await engines.inventory.run(null, ACTOR);
  await write(
    app,
    'recovery.done',
    [{ noun: 'setting', row: nextImage<SettingRow>(pending, { value: { state: 'done' } }) }],
    {
      adopted,
      orphansDeleted: reports.reduce((sum, one) => sum + one.orphansDeleted, 0),
      toRetire: retire.length,
    },
  );
  report('recovery.done', { adopted, toRetire: retire.length });
  void retireAll(app, engines, retire, report);
}

async function write(
  app: App,
  type: string,
  rows: readonly RowImage[],
  detail: JsonObject,
  blobs?: { id: string; value: Uint8Array },
): Promise<void> {
  const event: ControlEvent = { v: 1, at: app.clock.now(), actor: ACTOR, type, rows, detail };
  await app.write({
    events: [event],
    blobs: blobs === undefined ? [] : [{ kind: 'envelope', id: blobs.id, value: blobs.value }],
  });
}

/** Second copies whose versions the database does not know become versions again. */
async function adopt(app: App): Promise<number> {
  const { secondCopy, dataDirectory } = app.config;
  if (secondCopy === null) return 0;
  const store = await openSecondCopy({ directory: secondCopy.directory, dataDirectory });
  const copies = readdirSync(secondCopy.directory)
    .filter((name) => name.endsWith('.json'))
    .slice(0, COPIES_MAX)
    .map((name) => JSON.parse(readFileSync(path.join(secondCopy.directory, name), 'utf8')) as VersionRow)
    .map((row) => ({ versionId: row.id, row }));
  let count = 0;
  for (const { row } of adoptable(copies, new Set(app.rows.get('version')!.keys()))) {
    const bytes = await store.read(row.id);
    if (bytes === null || findRow(app.rows, 'credential', row.credentialId) === null) continue;
    const taken = allRows<VersionRow>(app.rows, 'version').filter((one) => one.credentialId === row.credentialId);
    const number = taken.some((one) => one.number === row.number)
      ? 1 + Math.max(...taken.map((one) => one.number))
      : row.number;
    const at = app.clock.now();
    const version: VersionRow = { ...row, rowVersion: 1, number, state: 'previous', secondCopyAt: at, retiredAt: at };
    await write(app, 'recovery.version-adopted', [{ noun: 'version', row: version }], {}, { id: row.id, value: bytes });
    count++;
  }
  return count;
}

/** Makes the newest accepted version current. Returns the others that are not proven dead. */
async function choose(
  app: App,
  engines: Engines,
  credential: CredentialRow,
  report: Report,
): Promise<readonly string[]> {
  const versions = allRows<VersionRow>(app.rows, 'version').filter(
    (version) => version.credentialId === credential.id && version.state !== 'revoked' && version.state !== 'revoking',
  );
  if (versions.length === 0) return [];
  for (let look = 0; look < LOOKS_MAX; look++) {
    if (look > 0) await pause(BETWEEN_LOOKS_MS);
    const candidates: Candidate[] = [];
    for (const version of versions) {
      const seen = await engines.prober.bracket({ credential, version }, controlFor(app, credential));
      candidates.push({ versionId: version.id, issuedAt: version.createdAt, verdict: seen.verdict });
    }
    const { current, retire } = recover(candidates);
    if (current === null) continue;
    await makeCurrent(app, credential, versions, current);
    return retire;
  }
  report('recovery.none-accepted', { credential: credential.id, versions: versions.length });
  return [];
}

function controlFor(app: App, credential: CredentialRow): Probeable | null {
  const issuer = findRow<CredentialRow>(app.rows, 'credential', credential.issuerId ?? '');
  const version = allRows<VersionRow>(app.rows, 'version').find(
    (one) => one.credentialId === issuer?.id && one.state === 'current',
  );
  return issuer === null || version === undefined ? null : { credential: issuer, version };
}

async function makeCurrent(
  app: App,
  credential: CredentialRow,
  versions: readonly VersionRow[],
  id: string,
): Promise<void> {
  const at = app.clock.now();
  const chosen = versions.find((version) => version.id === id)!;
  const before = versions.find((version) => version.state === 'current');
  if (credential.purpose === 'lend') await app.arm(credential, chosen);
  if (chosen.state === 'current') return;
  const rows: RowImage[] = [];
  if (before !== undefined) {
    rows.push({ noun: 'version', row: nextImage<VersionRow>(before, { state: 'previous', retiredAt: at }) });
  }
  rows.push({
    noun: 'version',
    row: nextImage<VersionRow>(chosen, { state: 'current', promotedAt: at, retiredAt: null }),
  });
  await write(app, 'recovery.current-chosen', rows, { credential: credential.id });
}

/** A row of before the restore may describe keys that died since: what it left behind is the inventory's. */
async function endRotations(app: App): Promise<void> {
  for (const row of allRows<RotationRow>(app.rows, 'rotation')) {
    const state = { ...row.state, end: 'aborted' as const, reason: 'superseded by a restored backup' };
    const ended = nextImage<RotationRow>(row, { state, endedAt: app.clock.now() });
    await write(app, 'recovery.rotation-ended', [{ noun: 'rotation', row: ended }], {});
  }
}

/** One after the other: a credential has one rotation at a time. */
async function retireAll(app: App, engines: Engines, versionIds: readonly string[], report: Report): Promise<void> {
  for (const versionId of versionIds) {
    try {
      const row = await engines.rotator.retire(versionId, ACTOR);
      while (findRow<RotationRow>(app.rows, 'rotation', row.id)?.endedAt === null) await pause(500);
    } catch (error) {
      report('recovery.not-retired', { version: versionId, why: error instanceof Error ? error.message : '' });
    }
  }
}
