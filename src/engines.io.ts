// The parts that act by themselves: rotator, revoker, inventory, scheduler. Composed here, because rotation and revocation do not
// know each other.
import { unlinkSync } from 'node:fs';
import path from 'node:path';
import type { App } from './app.io.ts';
import { issuerOf } from './credentials/asking.ts';
import type { CredentialRow, VersionRow } from './credentials/credential.ts';
import type { FindingRow } from './credentials/finding.ts';
import { createInventoryRunner } from './credentials/inventory.io.ts';
import type { InventoryRunner, LogReport } from './credentials/inventory-runner.ts';
import { labelPart } from './credentials/label.ts';
import { createProber, type Prober } from './credentials/prober.ts';
import { envelopeContext } from './credentials/ring.io.ts';
import { wasUsed } from './http/history.ts';
import { createRecords } from './http/records.io.ts';
import { writeDurably } from './ledger/checkpoints.io.ts';
import { createLedgerReader } from './ledger/read.io.ts';
import { nextImage, rowJson } from './model/change.ts';
import { allRows, findRow } from './model/desk.ts';
import { Failure } from './model/failure.ts';
import { newId } from './model/id.ts';
import { canonicalJson, type JsonObject } from './model/json.ts';
import type { Kind } from './providers/provider.ts';
import { type DeathFacts, issueCertificate } from './revocation/certificate.ts';
import type { CertificateRow } from './revocation/revocation.ts';
import { createRevoker, type RunningRevoker } from './revocation/revoke.io.ts';
import { mayBeHeldOutside, unseen } from './rotation/adoption.ts';
import { dueFor, mayTryAgain, type Needs } from './rotation/due.ts';
import type { RotationRow } from './rotation/rotation.ts';
import { createRotator, type RunningRotator } from './rotation/rotator.io.ts';
import { credentialNameOf, doubtsAbout } from './targets/program.ts';
import { openSecondCopy } from './vault/second-copy.io.ts';

export interface Engines {
  readonly rotator: RunningRotator;
  readonly revoker: RunningRevoker;
  readonly inventory: InventoryRunner;
  readonly prober: Prober;
  doubtOf(credential: CredentialRow): Promise<string | null>;
  /** Takes up what was running, and starts looking for what is due. After an unseal. */
  start(): void;
  stop(): Promise<void>;
}

export type Report = (message: string, fields: JsonObject) => void;

export async function createEngines(app: App, report: Report): Promise<Engines> {
  const { config, clock, random, ring } = app;
  const open = (credential: CredentialRow, version: VersionRow) => ring.open(credential, version);
  const mono = () => clock.monotonic();
  const prober = createProber({
    now: () => clock.now(),
    kindOf: app.kindOf,
    callFor: app.callFor,
    open,
    issuerOf: ({ credential, version }) => issuerOf(app.rows, credential, version),
  });
  const copy = await secondCopyOf(app);
  const isSealed = () => app.vault.isSealed;

  function certify(facts: Omit<DeathFacts, 'instance' | 'issuedAt'>): CertificateRow {
    if (app.signers === null) throw new Failure('sealed', 'a certificate cannot be signed while the vault is sealed');
    const issuedAt = clock.now();
    const id = newId('certificate', issuedAt, random);
    return issueCertificate(id, { ...facts, instance: app.instance, issuedAt }, app.signers.control);
  }

  const rotator = createRotator({
    desk: app,
    instant: app.instant,
    instance: app.instance,
    now: () => clock.now(),
    mono,
    live: app.live,
    gate: app.gate,
    random,
    // What was decided before a hold is counted in at the latest in the turn after the next.
    settle: async () => {
      for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    },
    programsFor: app.programsFor,
    prober,
    callFor: app.callFor,
    open,
    copy,
    newVersionId: () => newId('version', clock.now(), random),
    kindOf: app.kindOf,
    seal(credential, versionId, parts) {
      const sealed = app.vault.sealParts(envelopeContext(credential, versionId), parts);
      ring.put(versionId, parts);
      return sealed;
    },
    arm: app.arm,
    certify: ({ credential, version, row, refusals }) =>
      certify({
        credential,
        version,
        reason: version.reason ?? row.reason,
        actor: row.requestedBy,
        requestedAt: row.requestedAt,
        revokeCalledAt: row.revokeCalledAt,
        refusals,
      }),
    isSealed,
    atOnce: config.scheduler.rotationsAtOnce,
    report,
  });

  const revoker = createRevoker({
    desk: app,
    instant: app.instant,
    prober,
    kindOf: app.kindOf,
    callFor: app.callFor,
    open,
    programsFor: app.programsFor,
    isSealed,
    certify: ({ row, credential, version }) =>
      certify({
        credential,
        version,
        reason: row.reason,
        actor: row.requestedBy,
        requestedAt: row.requestedAt,
        revokeCalledAt: row.revokeCalledAt,
        refusals: row.refusals,
      }),
    rotate: ({ credentialId, reason, actor }) => {
      const trigger = reason === 'compromised' ? 'compromise' : 'operator';
      return rotator.request({ credentialId, trigger, reason, actor });
    },
    async cancelRotations(credentialId, actor, versionIds) {
      const reason = 'the credential is being revoked';
      for (const row of allRows<RotationRow>(app.rows, 'rotation')) {
        if (row.credentialId !== credentialId || row.endedAt !== null) continue;
        const held = [row.state.old, row.state.fresh].filter((one) => one !== null);
        const isWhole = versionIds === null || held.every(({ versionId }) => versionIds.includes(versionId));
        // Undoing it would need the very key that is being revoked: where both are, it ends where it stands.
        const ending = isWhole ? rotator.supersede(row.id, reason, actor) : rotator.cancel(row.id, reason, actor);
        await ending.catch((error: unknown) => {
          // Past its pivot the rotation revokes the old key by itself: both may run.
          if (!Failure.is(error, 'conflict') && !Failure.is(error, 'not-found')) throw error;
        });
      }
    },
    openUses: (credentialId) =>
      allRows<VersionRow>(app.rows, 'version')
        .filter((version) => version.credentialId === credentialId)
        .reduce((sum, version) => sum + app.live.activity(version.id, mono()).inFlight, 0),
    report,
  });

  const inventory = createInventoryRunner({
    desk: app,
    instance: app.instance,
    kindOf: app.kindOf,
    callFor: app.callFor,
    open,
    running: () =>
      new Set(
        allRows<RotationRow>(app.rows, 'rotation')
          .filter((row) => row.endedAt === null)
          .map((row) => labelPart(row.id)),
      ),
    settleMs: 60_000,
    orphansMax: config.scheduler.orphansMax,
    records: createRecords(app.database.read),
  });

  const timers: NodeJS.Timeout[] = [];
  let inventoryAt = clock.monotonic();
  /** Scheduled tries for a version that is current still: one that was called off, or failed, is not begun anew at every look. */
  const tries = new Map<string, { readonly versionId: string; readonly count: number; readonly lastAt: number }>();
  const logProblems = new Map<string, string | null>();

  /** Keys that came in by hand have no rotation to copy them: each look covers those that lack a second copy. */
  async function coverAll(): Promise<void> {
    if (copy === null) return;
    for (const version of allRows<VersionRow>(app.rows, 'version')) {
      if (version.state !== 'current' || version.secondCopyAt !== null) continue;
      const credential = findRow<CredentialRow>(app.rows, 'credential', version.credentialId);
      if (credential === null) continue;
      try {
        await copy(credential, version);
        const row = nextImage<VersionRow>(version, { secondCopyAt: clock.now() });
        const rows = [{ noun: 'version' as const, row }];
        const event = {
          v: 1 as const,
          at: clock.now(),
          actor: 'system:cover',
          type: 'version.covered',
          rows,
          detail: {},
        };
        await app.write({ events: [event] });
      } catch (error) {
        if (!Failure.is(error, 'conflict')) report('cover.failed', { version: version.id, why: String(error) });
      }
    }
  }

  function needsOf(credential: CredentialRow): Needs {
    const { rotation } = app.kindOf(credential).kind;
    const programs = app.programsFor(credential);
    const isOurs = rotation === 'assisted' || programs.issue !== null || programs.replace !== null;
    return { issuer: !isOurs, providerKeyId: rotation === 'overlap' || rotation === 'grace' };
  }

  /** The kind of the credential that people call so; null where there is none. */
  function kindNamed(name: string): Kind | null {
    const credential = allRows<CredentialRow>(app.rows, 'credential').find((row) => credentialNameOf(row) === name);
    const kinds = app.providers.get(credential?.provider ?? '')?.kinds ?? [];
    return kinds.find((kind) => kind.name === credential?.kind) ?? null;
  }

  const ledger = createLedgerReader(app.database.read);

  async function doubtOf(credential: CredentialRow): Promise<string | null> {
    const current = allRows<VersionRow>(app.rows, 'version').find(
      (row) => row.credentialId === credential.id && row.state === 'current',
    );
    const { kind, provider } = app.kindOf(credential);
    if (current === undefined || !mayBeHeldOutside(credential, current, kind)) return null;
    const isSeen = app.live.activity(current.id, mono()).lastUseAt !== null || (await wasUsed(ledger, current.id));
    return isSeen ? null : unseen(provider.title);
  }

  async function tick(): Promise<void> {
    if (isSealed()) return;
    await coverAll();
    for (const credential of app.policy.credentials.values()) {
      const { row, current } = credential;
      const due = dueFor(row, current, needsOf(row), clock.now());
      if (current === null || !due.due) continue;
      const before = tries.get(row.id);
      const same = before?.versionId === current.id ? before : null;
      if (!mayTryAgain(same, clock.now())) continue;
      const request = {
        credentialId: row.id,
        trigger: 'schedule',
        reason: 'superseded',
        actor: 'system:scheduler',
      } as const;
      // A key that ends by itself is replaced all the same: whoever holds it is refused then anyway.
      const doubt = due.why === 'age' ? await doubtOf(row) : null;
      try {
        if (doubt !== null) throw new Failure('invalid', `${doubt}: see claviger rotate --unseen`);
        await rotator.request(request);
      } catch (error) {
        // One is running; or the database or the vault is away for a moment.
        if (Failure.is(error, 'conflict')) continue;
        report('schedule.refused', { credential: row.id, why: String(error) });
        if (!Failure.is(error, 'invalid')) continue;
      }
      tries.set(row.id, { versionId: current.id, count: (same?.count ?? 0) + 1, lastAt: clock.now() });
    }
    if (clock.monotonic() - inventoryAt < config.scheduler.inventorySeconds * 1000) return;
    inventoryAt = clock.monotonic();
    for (const { log, ...taken } of await inventory.run(null, 'system:inventory')) {
      if (taken.problem !== null || taken.orphansDeleted + taken.heldBack > 0) report('inventory.taken', { ...taken });
      if (taken.resurrected > 0) report('inventory.resurrected', { ...taken, severity: 'critical' });
      if (log !== null) noteLog(taken.issuerId, log);
    }
    for (const finding of allRows<FindingRow>(app.rows, 'finding')) {
      if (finding.kind !== 'changed-outside' || finding.state !== 'open') continue;
      const { id, issuerId, providerKeyId, told } = finding;
      const { event = null, by = null } = told ?? {};
      report('inventory.changed-outside', { finding: id, issuerId, providerKeyId, event, by, severity: 'critical' });
    }
  }

  /** Said once, and again where it changes: an account may have no such log for good. */
  function noteLog(issuerId: string, { problem }: LogReport): void {
    if (problem !== null && logProblems.get(issuerId) !== problem) report('inventory.log', { issuerId, problem });
    logProblems.set(issuerId, problem);
  }

  return {
    rotator,
    revoker,
    inventory,
    prober,
    doubtOf,
    start() {
      rotator.takeUp();
      revoker.takeUp();
      if (timers.length > 0) return;
      for (const { pointer, message } of doubtsAbout(config.programs ?? [], kindNamed)) {
        report('config.warning', { pointer, message });
      }
      // A look that takes long is not overtaken by the next one: two inventories at once would get into each other's way.
      let isLooking = false;
      const timer = setInterval(() => {
        if (isLooking) return;
        isLooking = true;
        tick()
          .catch((error: unknown) => report('scheduler.failed', { why: String(error) }))
          .finally(() => {
            isLooking = false;
          });
      }, config.scheduler.everySeconds * 1000);
      timer.unref();
      timers.push(timer);
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all([rotator.stop(), revoker.stop()]);
    },
  };
}

/** Copies a version's envelope, and the row that says whose it is, to the second failure domain. Null where none is configured. */
async function secondCopyOf(
  app: App,
): Promise<((credential: CredentialRow, version: VersionRow) => Promise<void>) | null> {
  const { secondCopy, dataDirectory } = app.config;
  if (secondCopy === null) return null;
  const store = await openSecondCopy({ directory: secondCopy.directory, dataDirectory });
  return async (_credential, version) => {
    const row = await app.database.read
      .selectFrom('blobs')
      .select('value')
      .where('kind', '=', 'envelope')
      .where('id', '=', version.id)
      .executeTakeFirst();
    if (row === undefined) throw new Failure('corrupt', 'the version has no envelope');
    // The row first: an envelope without it could not be attributed after a restore.
    writeDurably(path.join(secondCopy.directory, `${version.id}.json`), `${canonicalJson(rowJson(version))}\n`);
    await store.write(version.id, row.value);
    const state = await store.compare(version.id, row.value);
    if (state !== 'same') {
      unlinkSync(path.join(secondCopy.directory, `${version.id}.json`));
      throw new Failure('unavailable', 'the second copy does not hold what was written');
    }
  };
}
