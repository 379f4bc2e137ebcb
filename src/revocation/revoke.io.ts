// The revocation engine: answers the protocol's shell with a database and a provider. The suspension is in the same transaction as the
// order; the provider is called after a signed checkpoint holds the intent; the end is a certificate, or says why there is none.
import { createAsker, type Holder, issuerOf, revokesByValue } from '../credentials/asking.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { type Answer, type Ask, driveProtocol } from '../credentials/drive.ts';
import type { Bracketed, Prober } from '../credentials/prober.ts';
import type { Programs } from '../credentials/programs.ts';
import { type Actor, type ControlEvent, nextImage, type RowImage } from '../model/change.ts';
import type { Desk } from '../model/desk.ts';
import { allRows, findRow, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import type { Instant } from '../model/instant.ts';
import type { JsonObject } from '../model/json.ts';
import type { Secret } from '../model/secret.ts';
import type { Call, Kind } from '../providers/provider.ts';
import {
  beginRevocation,
  defaultRevocationPolicy,
  REVOCATION,
  type RevocationEffect,
  type RevocationEvent,
} from './order.ts';
import type { CertificateRow, RevocationRow, RevocationState } from './revocation.ts';
import type { RevocationRequest, RevocationStarted, Revoker } from './revoker.ts';

export interface RevokerOptions {
  readonly desk: Desk;
  readonly instant: () => Instant;
  readonly prober: Prober;
  readonly kindOf: (credential: CredentialRow) => { kind: Kind };
  readonly callFor: (credential: CredentialRow) => Call;
  readonly open: (credential: CredentialRow, version: VersionRow) => Promise<Readonly<Record<string, Secret>>>;
  /** Programs of the operator's for this credential. */
  readonly programsFor: (credential: CredentialRow) => Programs;
  readonly isSealed: () => boolean;
  readonly certify: (facts: {
    row: RevocationRow;
    credential: CredentialRow;
    version: VersionRow;
    actor: Actor;
  }) => CertificateRow;
  /** Asks for a rotation, for `replace-first`: the reason is the one that the old version's certificate will name. */
  readonly rotate: (
    asked: Pick<RevocationRequest, 'credentialId' | 'reason' | 'actor'>,
  ) => Promise<{ readonly id: string }>;
  /** Undoes a running one, for `revoke-first`. */
  readonly cancelRotations: (
    credentialId: string,
    actor: Actor,
    /** The versions that the order is about; null: all. */
    versionIds: readonly string[] | null,
  ) => Promise<void>;
  /** Open requests on a credential: counted before they are cut. */
  readonly openUses: (credentialId: string) => number;
  readonly report: (message: string, fields: JsonObject) => void;
}

export interface RunningRevoker extends Revoker {
  takeUp(): void;
  stop(): Promise<void>;
}

type Said = { readonly event: RevocationEvent; readonly detail: JsonObject; readonly bracketed: Bracketed | null };

const ACTOR = 'system:revoker';
const RELOAD_MS = 1_000;

export function createRevoker(options: RevokerOptions): RunningRevoker {
  const { desk, instant } = options;
  const asker = createAsker(options);
  const runs = new Map<string, Promise<void>>();
  const timers = new Map<NodeJS.Timeout, () => void>();
  let stopping = false;

  const current = (id: string) => findRow<RevocationRow>(desk.rows, 'revocation', id);

  function start(id: string): void {
    if (stopping || runs.has(id)) return;
    const run = loop(id)
      .catch((error: unknown) => {
        const code = Failure.is(error) ? error.code : 'error';
        options.report('revocation.stopped', {
          revocation: id,
          code,
          message: error instanceof Error ? error.message : '',
        });
      })
      .finally(() => runs.delete(id));
    runs.set(id, run);
  }

  async function loop(id: string): Promise<void> {
    while (!stopping) {
      const row = current(id);
      if (row === null || row.state.end !== null || options.isSealed()) return;
      if (row.state.step === 'revoke' && !canCall(row)) {
        if ((await askPerson(row)) === 'done') continue;
      } else if ((await once(row)) === 'finished') return;
      await pause(RELOAD_MS);
    }
  }

  /** Whether there is anything to end this version's key with. Lost on the way, where the issuer is ended as well. */
  function canCall({ id }: RevocationRow): boolean {
    const { row, credential, version } = subject(id);
    if (options.programsFor(credential).revoke !== null) return true;
    const { kind } = options.kindOf(credential);
    return (
      kind.revoke !== null && row.state.providerKeyId !== null && issuerOf(desk.rows, credential, version) !== null
    );
  }

  function askPerson(row: RevocationRow): Promise<'done' | 'conflict' | 'failed'> {
    const event = { on: 'no-means' } as const;
    const after = REVOCATION.evolve(row.state, event, instant(), row.policy);
    const said = { event, detail: { outcome: 'impossible' }, bracketed: null };
    return journal(row.id, row.rowVersion, { ask: 'journal', before: row.state, event, after }, said);
  }

  /** Drives from a fresh reading of the row. */
  async function once(row: RevocationRow): Promise<'finished' | 'reload'> {
    const steps = driveProtocol(REVOCATION, row.state, row.policy, instant());
    let said: Said | null = null;
    let known = row.rowVersion;
    let step = steps.next();
    while (!step.done) {
      if (stopping) return 'reload';
      const ask = step.value;
      // Found out before the intent is on record: a certificate says when the provider was asked, and it would not have been.
      if (ask.ask === 'journal' && ask.event.on === 'begun' && !canCall(row)) return 'reload';
      let answer: Answer<RevocationEvent> = { now: instant(), event: null, journal: null };
      if (ask.ask === 'wait') await pause(ask.ms);
      else if (ask.ask === 'act') {
        said = await act(ask.effect, row.id);
        answer = { ...answer, event: said.event };
      } else {
        const written = await journal(row.id, known, ask, said);
        if (written === 'done') known++;
        answer = { ...answer, journal: written };
      }
      step = steps.next({ ...answer, now: instant() });
    }
    return step.value;
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        timers.delete(timer);
        resolve();
      };
      const timer = setTimeout(done, ms);
      timers.set(timer, done);
    });
  }

  function subject(id: string): { row: RevocationRow; credential: CredentialRow; version: VersionRow } {
    const row = getRow<RevocationRow>(desk.rows, 'revocation', id);
    return {
      row,
      credential: getRow<CredentialRow>(desk.rows, 'credential', row.credentialId),
      version: getRow<VersionRow>(desk.rows, 'version', row.versionId),
    };
  }

  /** A key that is known to be live, other than the target: another version of the credential in use, else the issuer's. */
  function controlFor(credential: CredentialRow, target: VersionRow): Holder | null {
    const sibling = allRows<VersionRow>(desk.rows, 'version').find(
      (one) => one.credentialId === credential.id && one.id !== target.id && one.state === 'current',
    );
    return sibling === undefined ? issuerOf(desk.rows, credential, target) : { credential, version: sibling };
  }

  async function act(effect: RevocationEffect, id: string): Promise<Said> {
    const { row, credential, version } = subject(id);
    if (effect.do === 'revoke') {
      const detail = await callRevoke(row.state.providerKeyId, credential, version);
      return { event: { on: 'revoke-called' }, detail, bracketed: null };
    }
    const control = controlFor(credential, version);
    if (control === null) return { event: { on: 'no-control' }, detail: {}, bracketed: null };
    const bracketed = await options.prober.bracket({ credential, version }, control);
    const { signature, status } = bracketed.target;
    return {
      event: { on: 'probed', verdict: bracketed.verdict },
      detail: { ...bracketed.probe, signature, status },
      bracketed,
    };
  }

  async function callRevoke(
    providerKeyId: string | null,
    credential: CredentialRow,
    version: VersionRow,
  ): Promise<JsonObject> {
    const { kind } = options.kindOf(credential);
    const program = options.programsFor(credential).revoke;
    if (program !== null) {
      const { is, evidence } = await program(providerKeyId ?? '', await options.open(credential, version));
      return { outcome: is, ...evidence, providerKeyId };
    }
    const issuer = issuerOf(desk.rows, credential, version);
    if (kind.revoke === null || issuer === null || providerKeyId === null) return { outcome: 'impossible' };
    const said = await asker.revoke(kind, { settings: credential.settings, providerKeyId }, issuer, {
      credential,
      version,
    });
    if (said.is === 'no-answer') return { outcome: said.code, providerKeyId };
    const { status, signature, requestId } = said.evidence;
    return { outcome: said.is, status, signature, requestId, providerKeyId };
  }

  async function journal(
    id: string,
    known: number,
    ask: Extract<Ask<RevocationState, RevocationEffect, RevocationEvent>, { ask: 'journal' }>,
    said: Said | null,
  ): Promise<'done' | 'conflict' | 'failed'> {
    const row = current(id);
    if (row === null || row.rowVersion !== known) return 'conflict';
    const about = said !== null && said.event === ask.event ? said : null;
    try {
      const event = stepEvent(id, ask.after, ask.event, about, ACTOR);
      await desk.write({ events: [event], checkpoint: ask.event.on === 'begun' });
      return 'done';
    } catch (error) {
      if (Failure.is(error, 'conflict')) return 'conflict';
      if (Failure.is(error, 'unavailable') || Failure.is(error, 'sealed')) return 'failed';
      throw error;
    }
  }

  function stepEvent(
    id: string,
    after: RevocationState,
    event: RevocationEvent,
    said: Said | null,
    actor: Actor,
  ): ControlEvent {
    const { row, credential, version } = subject(id);
    const at = desk.clock.now();
    const counted = after.death.refusals > row.state.death.refusals && said?.bracketed?.record != null;
    const refusals =
      after.death.refusals === 0 ? [] : counted ? [...row.refusals, said!.bracketed!.record!] : row.refusals;
    const calledAt = event.on === 'begun' ? at : row.revokeCalledAt;
    const next = { state: after, refusals, revokeCalledAt: calledAt };
    const images: RowImage[] = [];
    if (after.end === 'proven' && version.state === 'revoked') {
      // A rotation was revoking it as well, and has proven it first: one death has one certificate.
      const ended = { ...next, endedAt: at, certificateId: version.certificateId };
      images.push({ noun: 'revocation', row: nextImage<RevocationRow>(row, ended) });
    } else if (after.end === 'proven') {
      const proven = { ...row, ...next };
      const certificate = options.certify({ row: proven, credential, version, actor: ACTOR });
      images.push({
        noun: 'revocation',
        row: nextImage<RevocationRow>(row, { ...next, endedAt: at, certificateId: certificate.id }),
      });
      images.push({
        noun: 'version',
        row: nextImage<VersionRow>(version, { state: 'revoked', revokedAt: at, certificateId: certificate.id }),
      });
      images.push({ noun: 'certificate', row: certificate });
    } else images.push({ noun: 'revocation', row: nextImage<RevocationRow>(row, next) });
    const type = event.on === 'begun' ? 'revocation.revoke-begun' : `revocation.${event.on}`;
    const detail = {
      ...said?.detail,
      reason: row.reason,
      to: after.step,
      ...(after.end === null ? {} : { end: after.end }),
    };
    return { v: 1, at, actor, type, rows: images, detail };
  }

  async function request(asked: RevocationRequest): Promise<RevocationStarted> {
    const credential = getRow<CredentialRow>(desk.rows, 'credential', asked.credentialId);
    const versions = versionsOf(asked);
    if (asked.versionIds !== null && versions.length !== new Set(asked.versionIds).size) {
      throw new Failure('not-found', 'a version is not of this credential, or is revoked already');
    }
    const order = asked.order ?? credential.policy.onCompromise;
    const current = versions.find((version) => version.state === 'current');
    if (order === 'replace-first' && current !== undefined) {
      const rotation = await options.rotate(asked);
      const others = versions.filter((version) => version !== current && version.state === 'previous');
      const revocations = others.length > 0 ? await writeOrders(credential, others, asked, false) : [];
      return { revocations, rotationId: rotation.id, cut: 0 };
    }
    await options.cancelRotations(credential.id, asked.actor, asked.versionIds);
    const cut = options.openUses(credential.id);
    // As they are now: a rotation may have made one more meanwhile, or have proven one dead.
    const latest = withoutOrders(versionsOf(asked), asked);
    const suspends = latest.some((version) => version.state === 'current');
    return { revocations: await writeOrders(credential, latest, asked, suspends), rotationId: null, cut };
  }

  /** The versions that an order is about, as they are now. Throws `invalid` where none is left. */
  function versionsOf({ credentialId, versionIds }: RevocationRequest): VersionRow[] {
    const versions = allRows<VersionRow>(desk.rows, 'version').filter(
      (version) =>
        version.credentialId === credentialId &&
        version.state !== 'revoked' &&
        (versionIds === null || versionIds.includes(version.id)),
    );
    if (versions.length === 0) throw new Failure('invalid', 'the credential has no version left to revoke');
    return versions;
  }

  /**
   * Whoever ends the whole credential is not kept from it by a version whose own order stands: that one runs, or waits for a person. An order that
   * names such a version, or finds nothing else, is a conflict when it is written.
   */
  function withoutOrders(versions: VersionRow[], { versionIds }: RevocationRequest): VersionRow[] {
    if (versionIds !== null) return versions;
    const standing = allRows<RevocationRow>(desk.rows, 'revocation').filter((row) => row.endedAt === null);
    const left = versions.filter((version) => !standing.some((row) => row.versionId === version.id));
    return left.length > 0 ? left : versions;
  }

  /** Writes the orders, and with them the suspension: the broker refuses from the next request on. */
  async function writeOrders(
    credential: CredentialRow,
    versions: readonly VersionRow[],
    asked: RevocationRequest,
    suspend: boolean,
  ): Promise<RevocationRow[]> {
    const at = desk.clock.now();
    const { kind } = options.kindOf(credential);
    const isProgram = options.programsFor(credential).revoke !== null;
    const rows: RevocationRow[] = [];
    const images: RowImage[] = [];
    for (const stale of versions) {
      const version = getRow<VersionRow>(desk.rows, 'version', stale.id);
      const canAsk = kind.revoke !== null && issuerOf(desk.rows, credential, version) !== null;
      // Whoever is shown the key itself needs no id of it. Where one slot holds the key, a delete ends more than the key: that is not done unasked.
      const isByValue = canAsk && kind.rotation !== 'swap' && revokesByValue(kind, credential.settings);
      const nameless = isProgram || isByValue ? '' : null;
      const row: RevocationRow = {
        id: newId('revocation', at, desk.random),
        rowVersion: 1,
        credentialId: credential.id,
        versionId: version.id,
        reason: asked.reason,
        note: asked.note,
        requestedAt: at,
        requestedBy: asked.actor,
        endedAt: null,
        state: beginRevocation(canAsk || isProgram ? (version.providerKeyId ?? nameless) : null),
        policy: defaultRevocationPolicy(kind.propagationMs),
        refusals: [],
        revokeCalledAt: null,
        certificateId: null,
      };
      rows.push(row);
      const revoking = nextImage<VersionRow>(version, { state: 'revoking', revokingAt: at, reason: asked.reason });
      images.push({ noun: 'revocation', row }, { noun: 'version', row: revoking });
    }
    const latest = getRow<CredentialRow>(desk.rows, 'credential', credential.id);
    if (suspend && latest.suspendedAt === null) {
      const suspended = nextImage<CredentialRow>(latest, { suspendedAt: at, suspendReason: asked.reason });
      images.push({ noun: 'credential', row: suspended });
    }
    const detail = { reason: asked.reason, note: asked.note, versions: rows.length };
    const event: ControlEvent = { v: 1, at, actor: asked.actor, type: 'revocation.requested', rows: images, detail };
    await desk.write({ events: [event] });
    for (const row of rows) start(row.id);
    return rows;
  }

  return {
    request,
    async resume(revocationId, actor) {
      const row = getRow<RevocationRow>(desk.rows, 'revocation', revocationId);
      const after = REVOCATION.evolve(row.state, { on: 'resumed' }, instant(), row.policy);
      if (after === row.state) throw new Failure('conflict', 'the revocation is under way or has ended');
      await desk.write({ events: [stepEvent(revocationId, after, { on: 'resumed' }, null, actor)] });
      start(revocationId);
      return getRow<RevocationRow>(desk.rows, 'revocation', revocationId);
    },
    takeUp() {
      for (const row of allRows<RevocationRow>(desk.rows, 'revocation')) if (row.state.end === null) start(row.id);
    },
    async stop() {
      stopping = true;
      for (const done of [...timers.values()]) done();
      await Promise.all(runs.values());
    },
  };
}
