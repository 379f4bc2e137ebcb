// After a restored backup: what credentials/recovery.ts decides, done. Runs before the broker listens. The restore leaves a setting
// `recovery` with state `pending`; a crash in between repeats the recovery from its beginning.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type App, armCurrent } from './app.io.ts';
import { issuerOf } from './credentials/asking.ts';
import type { CredentialRow, VersionRow } from './credentials/credential.ts';
import {
  adoptable,
  type Candidate,
  pendingRecovery,
  type Recovery,
  recover,
  recoveryWaitMs,
} from './credentials/recovery.ts';
import type { Engines, Report } from './engines.io.ts';
import { setAsideCheckpoints } from './ledger/superseded.io.ts';
import { type ControlEvent, nextImage, type RowImage } from './model/change.ts';
import { allRows, findRow, getRow } from './model/desk.ts';
import { Failure } from './model/failure.ts';
import type { JsonObject } from './model/json.ts';
import type { SettingRow } from './model/setting.ts';
import type { RevocationRow } from './revocation/revocation.ts';
import { afterCommand } from './rotation/commands.ts';
import type { RotationRow } from './rotation/rotation.ts';
import { openSecondCopy } from './vault/second-copy.io.ts';

const ACTOR = 'system:recovery';
const SETTLE_MS = 10_000;
const COPIES_MAX = 100_000;
/** Looks at the candidates before a person is told that none is accepted. */
const LOOKS_MAX = 5;
const BETWEEN_LOOKS_MS = 5_000;
/** Between two looks at what is left to retire; longer each time that nothing could be begun. */
const RETIRING_LOOK_MS = 500;
const RETIRING_LOOK_MAX_MS = 60_000;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** As `pause`, but does not keep a process alive that has nothing else to do. */
function pauseBehind(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

/** The value of the setting: `pending` until the recovery is done, then `retiring` until what it replaced is proven dead, then `done`. */
interface RecoveryState {
  readonly epoch?: number;
  readonly state: 'pending' | 'retiring' | 'done';
  /** UTC milliseconds at which the recovery was done: what was replaced by then is to be retired. */
  readonly at?: number;
}

function recoverySetting(app: App): { row: SettingRow; value: RecoveryState } | null {
  const row = allRows<SettingRow>(app.rows, 'setting').find((one) => one.name === 'recovery');
  return row === undefined ? null : { row, value: row.value as unknown as RecoveryState };
}

/**
 * At the first start on a restored database, before anything is signed: puts aside the checkpoints beyond the backup that a killed restore
 * left in place, since the new history grows past their sizes. What a restore does itself, done again, is nothing; a crash repeats it.
 */
export async function finishRestore(app: App): Promise<void> {
  if (pendingRecovery(app.rows) === null) return;
  const last = await app.database.read
    .selectFrom('control_entries')
    .select('entry')
    .where('idx', '=', app.database.startSizes.control - 1)
    .executeTakeFirst();
  const opened = JSON.parse(last?.entry ?? '{}') as Partial<EpochOpened>;
  // Anything later: a start before this one has finished it, and what is published since belongs here.
  if (opened.type !== 'ledger.epoch-opened' || opened.detail === undefined) return;
  const { control, use } = opened.detail.backup;
  const ledger = path.join(app.config.dataDirectory, 'ledger');
  const sizes = { control: control.size, use: use.size };
  const checkpointsSetAside = setAsideCheckpoints(ledger, { sizes, epoch: app.database.epoch });
  await write(app, 'recovery.begun', [], { checkpointsSetAside });
}

/** What is read of the first entry of an epoch (database/restore.io.ts). */
interface EpochOpened {
  readonly type: string;
  readonly detail: { readonly backup: Readonly<Record<'control' | 'use', { readonly size: number }>> };
}

/**
 * Recovers where a restore is pending, and goes on retiring what an earlier recovery replaced. Throws where the database cannot write: then
 * nothing may be brokered.
 */
export async function recoverAfterRestore(app: App, engines: Engines, report: Report): Promise<void> {
  if (pendingRecovery(app.rows) !== null) await recoverNow(app, engines, report);
  if (recoverySetting(app)?.value.state === 'retiring') {
    retireReplaced(app, engines, report).catch((error: unknown) =>
      report('recovery.retiring-stopped', { why: whyOf(error) }),
    );
  }
}

async function recoverNow(app: App, engines: Engines, report: Report): Promise<void> {
  const propagationMs = Math.max(
    0,
    ...[...app.providers.values()].flatMap((p) => p.kinds.map((kind) => kind.propagationMs)),
  );
  report('recovery.started', { waitMs: recoveryWaitMs({ settleMs: SETTLE_MS, propagationMs }) });
  await pause(recoveryWaitMs({ settleMs: SETTLE_MS, propagationMs }));
  const adopted = await adopt(app);
  const toRetire = await chooseAll(app, engines, report);
  await endRotations(app);
  const reports = await engines.inventory.run(null, ACTOR);
  const orphansDeleted = reports.reduce((sum, one) => sum + one.orphansDeleted, 0);
  const at = allReplaced(app).reduce((latest, version) => Math.max(latest, replacedAt(version)), app.clock.now());
  await writeState(app, 'recovery.done', { state: 'retiring', at }, { adopted, orphansDeleted, toRetire });
  await armCurrent(app, report);
  report('recovery.done', { adopted, orphansDeleted, toRetire });
}

async function writeState(
  app: App,
  type: string,
  value: Pick<RecoveryState, 'state' | 'at'>,
  detail: JsonObject,
): Promise<void> {
  const setting = recoverySetting(app)!;
  const row = nextImage<SettingRow>(setting.row, { value: { ...setting.value, ...value } });
  await write(app, type, [{ noun: 'setting', row }], detail);
}

function whyOf(error: unknown): string {
  return error instanceof Error ? error.message : '';
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

/**
 * Makes the newest accepted version of each credential current. All are looked at before any is looked at again, so that credentials
 * without an accepted key keep the others waiting once. Returns how many versions are to be retired.
 */
async function chooseAll(app: App, engines: Engines, report: Report): Promise<number> {
  let undecided = allRows<CredentialRow>(app.rows, 'credential').filter((one) => versionsOf(app, one).length > 0);
  let toRetire = 0;
  for (let look = 0; look < LOOKS_MAX && undecided.length > 0; look++) {
    if (look > 0) await pause(BETWEEN_LOOKS_MS);
    const left: CredentialRow[] = [];
    for (const credential of undecided) {
      const chosen = await choose(app, engines, credential);
      if (chosen === null) left.push(credential);
      else toRetire += chosen.retire.length;
    }
    undecided = left;
  }
  for (const credential of undecided) {
    report('recovery.none-accepted', { credential: credential.id, versions: versionsOf(app, credential).length });
  }
  return toRetire;
}

/** The versions that are not proven dead and that no revocation is about: a key that is being revoked must not come back. */
function versionsOf(app: App, credential: CredentialRow): VersionRow[] {
  const revoking = new Set(allRows<RevocationRow>(app.rows, 'revocation').map((row) => row.versionId));
  return allRows<VersionRow>(app.rows, 'version').filter(
    (version) => version.credentialId === credential.id && version.state !== 'revoked' && !revoking.has(version.id),
  );
}

/** Null where no version is accepted. */
async function choose(app: App, engines: Engines, credential: CredentialRow): Promise<Recovery | null> {
  const versions = versionsOf(app, credential);
  const candidates: Candidate[] = [];
  for (const version of versions) {
    const seen = await engines.prober.bracket({ credential, version }, issuerOf(app.rows, credential, version));
    candidates.push({ versionId: version.id, issuedAt: version.createdAt, verdict: seen.verdict });
  }
  const chosen = recover(candidates);
  if (chosen.current === null) return null;
  await makeCurrent(app, credential, versions, chosen.current);
  return chosen;
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
  if (chosen.state === 'current') return;
  const rows: RowImage[] = [];
  if (before !== undefined) {
    rows.push({ noun: 'version', row: nextImage<VersionRow>(before, { state: 'previous', retiredAt: at }) });
  }
  rows.push({
    noun: 'version',
    row: nextImage<VersionRow>(chosen, {
      state: 'current',
      promotedAt: at,
      retiredAt: null,
      revokingAt: null,
      reason: null,
    }),
  });
  await write(app, 'recovery.current-chosen', rows, { credential: credential.id });
}

/** A row of before the restore may describe keys that died since: what it left behind is the inventory's. */
async function endRotations(app: App): Promise<void> {
  const superseded = { on: 'superseded', reason: 'superseded by a restored backup' } as const;
  for (const row of allRows<RotationRow>(app.rows, 'rotation')) {
    const state = afterCommand(row, superseded, app.instant());
    const ended = { ...nextImage<RotationRow>(row, { endedAt: app.clock.now() }), state } as RotationRow;
    await write(app, 'recovery.rotation-ended', [{ noun: 'rotation', row: ended }], {});
  }
}

/** What is neither current nor proven dead, oldest first. An unidentified key is for a person to end. */
function allReplaced(app: App): VersionRow[] {
  return allRows<CredentialRow>(app.rows, 'credential')
    .filter((credential) => credential.retiredAt === null)
    .flatMap((credential) => versionsOf(app, credential))
    .filter((version) => version.state !== 'current' && version.providerKeyId !== null)
    .sort((a, b) => a.createdAt - b.createdAt);
}

function replacedAt(version: VersionRow): number {
  return version.retiredAt ?? version.createdAt;
}

/**
 * Retires what the recovery replaced, one version of a credential after the other, and only beside a current key that is accepted. Other
 * rotations of the credential come first. A restart goes on with it.
 */
async function retireReplaced(app: App, engines: Engines, report: Report): Promise<void> {
  const by = recoverySetting(app)?.value.at ?? 0;
  const impossible = new Set<string>();
  let waitMs = RETIRING_LOOK_MS;
  while (!app.vault.isSealed) {
    const left = allReplaced(app).filter((version) => replacedAt(version) <= by);
    if (left.length === 0) {
      await writeState(app, 'recovery.retired', { state: 'done' }, {});
      return;
    }
    const rotating = new Set(allRows<RotationRow>(app.rows, 'rotation').map((row) => row.credentialId));
    let begun = 0;
    for (const version of left) {
      if (impossible.has(version.id) || rotating.has(version.credentialId)) continue;
      rotating.add(version.credentialId);
      const outcome = await beginRetiring(app, engines, version, report);
      if (outcome === 'begun') begun++;
      if (outcome === 'impossible') impossible.add(version.id);
    }
    waitMs = begun > 0 ? RETIRING_LOOK_MS : Math.min(RETIRING_LOOK_MAX_MS, waitMs * 1.2);
    await pauseBehind(waitMs);
  }
}

async function beginRetiring(
  app: App,
  engines: Engines,
  version: VersionRow,
  report: Report,
): Promise<'begun' | 'later' | 'impossible'> {
  const credential = getRow<CredentialRow>(app.rows, 'credential', version.credentialId);
  const current = versionsOf(app, credential).find((one) => one.state === 'current');
  if (current === undefined) return 'later';
  if ((await engines.prober.read({ credential, version: current })).is !== 'alive') return 'later';
  try {
    await engines.rotator.retire(version.id, ACTOR);
    return 'begun';
  } catch (error) {
    // Another rotation came first, or the database cannot write now.
    if (!Failure.is(error, 'invalid')) return 'later';
    report('recovery.not-retired', { version: version.id, why: error.message });
    return 'impossible';
  }
}
