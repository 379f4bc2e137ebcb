// The rotation engine: answers the protocol's shell (drive.ts) with a database and a provider. One loop for each running
// rotation, bounded in number; everything it knows it can read again from the row, so a crash at any point is a resumption.

import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { driveProtocol } from '../credentials/drive.ts';
import { labelPart, parseLabel } from '../credentials/label.ts';
import type { RefusalRecord } from '../credentials/probing.ts';
import type { Actor, Blob, ControlWrite, Row, RowImage } from '../model/change.ts';
import type { Desk } from '../model/desk.ts';
import { allRows, findRow, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import type { Instant } from '../model/instant.ts';
import type { JsonObject } from '../model/json.ts';
import type { Secret } from '../model/secret.ts';
import type { Kind } from '../providers/provider.ts';
import { type Brought, type EffectTools, perform, type Scene } from './effects.ts';
import {
  beginOverlap,
  beginRetirement,
  evolve,
  type Held,
  OVERLAP,
  type OverlapAnswer,
  type OverlapEvent,
  type OverlapState,
} from './overlap.ts';
import { overlapPolicyFor } from './policy.ts';
import { recordStep, withCertificate } from './record.ts';
import type { RotationRow } from './rotation.ts';
import type { RotationRequest, Rotator } from './rotator.ts';

export interface RotatorOptions extends EffectTools {
  readonly desk: Desk;
  readonly fence: number;
  readonly kindOf: (credential: CredentialRow) => { kind: Kind };
  /** Seals the parts of a new version and keeps them at hand. */
  readonly seal: (
    credential: CredentialRow,
    versionId: string,
    parts: Readonly<Record<string, Secret>>,
  ) => { bytes: Uint8Array; digest: string };
  /** Makes a version usable by the broker; before it is promoted. */
  readonly arm: (credential: CredentialRow, version: VersionRow) => Promise<void>;
  /** The certificate row for a proven death. */
  readonly certify: (facts: {
    credential: CredentialRow;
    version: VersionRow;
    row: RotationRow;
    refusals: readonly RefusalRecord[];
    actor: Actor;
  }) => Row;
  readonly isSealed: () => boolean;
  /** Brake: rotations that run at once. */
  readonly atOnce: number;
  readonly report: (message: string, fields: JsonObject) => void;
}

export interface RunningRotator extends Rotator {
  /** Takes up every rotation that has not ended. Call after start and after an unseal. */
  takeUp(): void;
  /** Leaves every rotation where its row says it is. */
  stop(): Promise<void>;
}

const ACTOR = 'system:rotator';
/** Before a row is read again after a conflict or a failing database. */
const RELOAD_MS = 1_000;

interface Run {
  /** Wakes the loop with a command, and settles when the command is journaled. */
  command: ((event: OverlapEvent) => void) | null;
  readonly ended: Promise<void>;
}

export function createRotator(options: RotatorOptions): RunningRotator {
  const { desk } = options;
  const runs = new Map<string, Run>();
  const waiting: string[] = [];
  let stopping = false;

  const instant = (): Instant => ({ boot: options.fence, mono: options.mono() });

  function scene(row: RotationRow): Scene {
    const credential = getRow<CredentialRow>(desk.rows, 'credential', row.credentialId);
    const issuerCredential = findRow<CredentialRow>(desk.rows, 'credential', credential.issuerId ?? '');
    const issuerVersion = allRows<VersionRow>(desk.rows, 'version').find(
      (version) => version.credentialId === issuerCredential?.id && version.state === 'current',
    );
    if (issuerCredential === null || issuerVersion === undefined) {
      throw new Failure('invalid', 'the credential has no issuer with a usable key');
    }
    return {
      row,
      credential,
      kind: options.kindOf(credential).kind,
      issuer: { credential: issuerCredential, version: issuerVersion },
      versions: versionsOf(credential.id),
    };
  }

  function versionsOf(credentialId: string): VersionRow[] {
    return allRows<VersionRow>(desk.rows, 'version').filter((version) => version.credentialId === credentialId);
  }

  function current(rotationId: string): RotationRow | null {
    return findRow<RotationRow>(desk.rows, 'rotation', rotationId);
  }

  function start(rotationId: string): void {
    if (stopping || runs.has(rotationId)) return;
    if (runs.size >= options.atOnce) {
      if (!waiting.includes(rotationId)) waiting.push(rotationId);
      return;
    }
    const run: { command: Run['command']; ended: Promise<void> } = { command: null, ended: Promise.resolve() };
    runs.set(rotationId, run);
    run.ended = loop(rotationId, run)
      .catch((error: unknown) => {
        const code = Failure.is(error) ? error.code : 'error';
        options.report('rotation.stopped', {
          rotation: rotationId,
          code,
          message: error instanceof Error ? error.message : '',
        });
      })
      .finally(() => {
        runs.delete(rotationId);
        const next = waiting.shift();
        if (next !== undefined) start(next);
      });
  }

  async function loop(rotationId: string, run: { command: Run['command'] }): Promise<void> {
    while (!stopping) {
      const row = current(rotationId);
      if (row === null || row.endedAt !== null || row.state.end === 'blocked') return;
      if (options.isSealed()) return;
      const end = await once(row, run);
      if (end === 'finished') return;
      await pause(RELOAD_MS, run);
    }
  }

  /** Drives from one reading of the row until it is finished or must be read again. */
  async function once(row: RotationRow, run: { command: Run['command'] }): Promise<'finished' | 'reload'> {
    const steps = driveProtocol(OVERLAP, row.state, row.policy, instant());
    let last: Brought | null = null;
    // The row that the state in the drive follows: a command, or our own write whose answer was lost, may have moved it on.
    let known = row.rowVersion;
    let step = steps.next();
    while (!step.done) {
      if (stopping) return 'reload';
      const ask = step.value;
      let answer: OverlapAnswer;
      if (ask.ask === 'wait') {
        const event = await pause(ask.ms, run);
        // Read after the pause: read before it, every wait would be waited twice.
        answer = { now: instant(), event, journal: null };
      } else if (ask.ask === 'act') {
        const now = current(row.id);
        // A command may have moved the row on since: what was decided on the old one is not done any more.
        if (now === null || now.rowVersion !== known) return 'reload';
        last = await perform(ask.effect, now.state, scene(now), options);
        answer = { now: instant(), event: last.event, journal: null };
      } else {
        const written = await journal(row.id, known, ask, last);
        if (written === 'done') known++;
        answer = { now: instant(), event: null, journal: written };
      }
      step = steps.next(answer);
    }
    return step.value;
  }

  /** Sleeps, or returns sooner with a command. */
  function pause(ms: number, run: { command: Run['command'] }): Promise<OverlapEvent | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        run.command = null;
        resolve(null);
      }, ms);
      run.command = (event) => {
        clearTimeout(timer);
        run.command = null;
        resolve(event);
      };
    });
  }

  async function journal(
    rotationId: string,
    known: number,
    ask: { after: OverlapState; event: OverlapEvent },
    last: Brought | null,
  ): Promise<'done' | 'conflict' | 'failed'> {
    const row = current(rotationId);
    if (row === null || row.rowVersion !== known) return 'conflict';
    try {
      await desk.write(await stepWrite(row, ask, last, ACTOR));
      return 'done';
    } catch (error) {
      if (Failure.is(error, 'conflict')) return 'conflict';
      if (Failure.is(error, 'unavailable') || Failure.is(error, 'sealed')) return 'failed';
      throw error;
    }
  }

  async function stepWrite(
    row: RotationRow,
    ask: { after: OverlapState; event: OverlapEvent },
    last: Brought | null,
    actor: Actor,
  ): Promise<ControlWrite> {
    const credential = getRow<CredentialRow>(desk.rows, 'credential', row.credentialId);
    const versions = versionsOf(credential.id);
    const about = last !== null && last.event === ask.event ? last : null;
    const blobs: Blob[] = [];
    let envelopeDigest: string | null = null;
    if (ask.event.on === 'issued' && about?.parts !== undefined && about.parts !== null) {
      const sealed = options.seal(credential, ask.event.versionId, about.parts);
      blobs.push({ kind: 'envelope', id: ask.event.versionId, value: sealed.bytes });
      envelopeDigest = sealed.digest;
    }
    const step = recordStep({
      instance: options.instance,
      at: desk.clock.now(),
      actor,
      row,
      after: ask.after,
      event: ask.event,
      detail: about?.detail ?? {},
      bracketed: about?.bracketed ?? null,
      credential,
      versions,
      envelopeDigest,
      expiresAt: about?.expiresAt ?? null,
    });
    if (ask.event.on === 'promoted' || ask.event.on === 'demoted')
      await armNext(credential, versions, row, ask.event.on);
    let rows: readonly RowImage[] = step.event.rows;
    if (step.proven !== null && step.proven.state !== 'revoked')
      rows = withCertificate(
        rows,
        step.proven.id,
        options.certify({ credential, version: step.proven, row, refusals: step.row.refusals, actor: ACTOR }),
      );
    return { events: [{ ...step.event, rows }], blobs, checkpoint: step.checkpoint };
  }

  async function armNext(
    credential: CredentialRow,
    versions: readonly VersionRow[],
    row: RotationRow,
    on: 'promoted' | 'demoted',
  ): Promise<void> {
    const id = on === 'promoted' ? row.state.fresh?.versionId : row.state.old.versionId;
    const version = versions.find((one) => one.id === id);
    if (version !== undefined && credential.purpose === 'lend') await options.arm(credential, version);
  }

  /** Gives a command to the loop, or, where none runs, writes its step directly. */
  async function command(rotationId: string, event: OverlapEvent, actor: Actor): Promise<RotationRow> {
    const row = getRow<RotationRow>(desk.rows, 'rotation', rotationId);
    const after = evolve(row.state, event, instant(), row.policy);
    if (after === row.state) throw new Failure('conflict', 'the rotation is past the point where this is possible');
    await desk.write(await stepWrite(row, { after, event }, null, actor));
    // A loop that was waiting reads the row again: what it knew is no longer so.
    runs.get(rotationId)?.command?.({ on: 'resumed' });
    start(rotationId);
    return current(rotationId) ?? { ...row, state: after };
  }

  /** The versions of a credential that a rotation may touch. Throws `invalid` where it cannot be rotated. */
  function rotatable(credential: CredentialRow): { kind: Kind; current: Held } {
    const { kind } = options.kindOf(credential);
    if (options.isSealed()) throw new Failure('sealed', 'the vault is sealed');
    if (credential.retiredAt !== null) throw new Failure('invalid', 'the credential is decommissioned');
    if (kind.rotation !== 'overlap' || kind.issue === null || kind.revoke === null) {
      throw new Failure('invalid', `a ${kind.title} cannot be rotated by the provider's API`);
    }
    const current = versionsOf(credential.id).find((version) => version.state === 'current');
    if (current === undefined) throw new Failure('invalid', 'the credential has no current version');
    return { kind, current: held(current) };
  }

  function held(version: VersionRow): Held {
    if (version.providerKeyId === null) {
      throw new Failure('invalid', "the provider's id of the key is not known: identify the credential first");
    }
    return { versionId: version.id, providerKeyId: version.providerKeyId };
  }

  /** Whether the key that stays was there before: it carries no label of this rotation. */
  function isRetirement(row: RotationRow): boolean {
    const fresh = findRow<VersionRow>(desk.rows, 'version', row.state.fresh?.versionId ?? '');
    return fresh !== null && parseLabel(fresh.label ?? '')?.rotation !== labelPart(row.id);
  }

  async function begin(
    credential: CredentialRow,
    kind: Kind,
    state: OverlapState,
    about: Pick<RotationRow, 'trigger' | 'reason'> & { actor: Actor; type: string },
  ): Promise<RotationRow> {
    const at = desk.clock.now();
    const row: RotationRow = {
      id: newId('rotation', at, desk.random),
      rowVersion: 1,
      credentialId: credential.id,
      trigger: about.trigger,
      reason: about.reason,
      requestedAt: at,
      requestedBy: about.actor,
      endedAt: null,
      settings: credential.settings,
      policy: overlapPolicyFor(kind, credential.policy),
      state,
      refusals: [],
      revokeCalledAt: null,
      lastProblem: null,
    };
    scene(row);
    const detail = { trigger: about.trigger, reason: about.reason };
    const rows: RowImage[] = [{ noun: 'rotation', row }];
    try {
      await desk.write({ events: [{ v: 1, at, actor: about.actor, type: about.type, rows, detail }] });
    } catch (error) {
      if (Failure.is(error, 'conflict'))
        throw new Failure('conflict', 'a rotation of this credential is running already');
      throw error;
    }
    start(row.id);
    return row;
  }

  async function request(asked: RotationRequest): Promise<RotationRow> {
    const credential = getRow<CredentialRow>(desk.rows, 'credential', asked.credentialId);
    const { kind, current } = rotatable(credential);
    return begin(credential, kind, beginOverlap(current, instant()), { ...asked, type: 'rotation.requested' });
  }

  async function retire(versionId: string, actor: Actor): Promise<RotationRow> {
    const version = getRow<VersionRow>(desk.rows, 'version', versionId);
    const credential = getRow<CredentialRow>(desk.rows, 'credential', version.credentialId);
    const { kind, current } = rotatable(credential);
    if (version.state === 'current' || version.state === 'revoked') {
      throw new Failure('invalid', `a ${version.state} version cannot be retired`);
    }
    const state = beginRetirement(held(version), current, instant());
    return begin(credential, kind, state, {
      trigger: 'operator',
      reason: 'superseded',
      actor,
      type: 'rotation.retirement-requested',
    });
  }

  return {
    request,
    retire,
    async cancel(rotationId, reason, actor) {
      const row = getRow<RotationRow>(desk.rows, 'rotation', rotationId);
      // Undoing a rotation revokes its new key. A retirement has none: its "new" key is the current one, and stays.
      const isOver = isRetirement(row) && !row.state.pivoted && row.state.undoing === null;
      return command(rotationId, { on: isOver ? 'superseded' : 'cancelled', reason }, actor);
    },
    resume: (rotationId, actor) => command(rotationId, { on: 'resumed' }, actor),
    async supersede(rotationId, reason, actor) {
      for (let tries = 0; ; tries++) {
        try {
          return await command(rotationId, { on: 'superseded', reason }, actor);
        } catch (error) {
          // The loop has written a step just now: once more, on the row as it is.
          if (!Failure.is(error, 'conflict') || tries >= 20) throw error;
        }
      }
    },
    takeUp() {
      for (const row of allRows<RotationRow>(desk.rows, 'rotation')) {
        if (row.endedAt === null && row.state.end === null) start(row.id);
      }
    },
    async stop() {
      stopping = true;
      const ended = [...runs.values()].map((run) => run.ended);
      for (const run of runs.values()) run.command?.({ on: 'resumed' });
      await Promise.all(ended);
    },
  };
}
