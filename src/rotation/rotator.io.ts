// The rotation engine: answers the shell of both protocols (credentials/drive.ts) with a database and a provider. One loop for each running
// rotation, bounded in number; everything it knows it can read again from the row, so a crash at any point is a resumption.
// Not here: what to do next (overlap.ts, swap.ts), what an effect does (effects.ts, swap-effects.ts), what is written (writing.ts).

import { issuerOf } from '../credentials/asking.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { type DriveEnd, driveProtocol, type Protocol, type Retries } from '../credentials/drive.ts';
import { labelPart, parseLabel } from '../credentials/label.ts';
import { demandParts } from '../credentials/manage-versions.ts';
import { holderOfKey } from '../credentials/same-key.ts';
import type { Actor } from '../model/change.ts';
import { allRows, findRow, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import type { Instant } from '../model/instant.ts';
import type { JsonObject } from '../model/json.ts';
import type { Kind, Parts } from '../providers/provider.ts';
import { examineKey } from './bring.ts';
import { afterCommand, type RotationCommand } from './commands.ts';
import { type Brought, brought, performOverlap, type Scene } from './effects.ts';
import { OVERLAP, type OverlapState } from './overlap.ts';
import { createRequests } from './requesting.ts';
import { isSwap, type RotationEvent, type RotationRow, type RotationState } from './rotation.ts';
import type { KnownKey, Rotator } from './rotator.ts';
import { SWAP } from './swap.ts';
import { performSwap, type SwapTools } from './swap-effects.ts';
import { type Change, stepWrite, versionsOf, type WritingOptions } from './writing.ts';

export interface RotatorOptions extends SwapTools, WritingOptions {
  readonly instant: () => Instant;
  readonly kindOf: (credential: CredentialRow) => { kind: Kind };
  readonly isSealed: () => boolean;
  /** Brake: rotations that run at once. Those that wait for a person are not counted. */
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
/** No timer waits longer: what is due then is looked at anew. */
const PAUSE_MAX_MS = 3_600_000;

interface Run {
  /** Wakes a loop that waits: its row was written by somebody else. */
  wake: (() => void) | null;
  isWaitingForPerson: boolean;
  ended: Promise<void>;
}

/** A row, with its protocol and what performs its effects: all of one kind. */
interface Member<State extends RotationState, Effect, Event extends RotationEvent, Policy extends Retries> {
  readonly protocol: Protocol<State, Effect, Event, Policy>;
  readonly state: State;
  readonly policy: Policy;
  perform(effect: Effect, row: RotationRow): Promise<Brought<Event>>;
}

export function createRotator(options: RotatorOptions): RunningRotator {
  const { desk, instant } = options;
  const runs = new Map<string, Run>();
  const waiting: string[] = [];
  let stopping = false;

  function scene<Row extends RotationRow>(row: Row): Scene<Row> {
    const credential = getRow<CredentialRow>(desk.rows, 'credential', row.credentialId);
    return {
      row,
      credential,
      kind: options.kindOf(credential).kind,
      issuer: issuerOf(desk.rows, credential),
      issuerOf: (version) => issuerOf(desk.rows, credential, version),
      versions: versionsOf(desk, credential.id),
    };
  }

  function current(rotationId: string): RotationRow | null {
    return findRow<RotationRow>(desk.rows, 'rotation', rotationId);
  }

  /** Runs that do something: whoever waits for a person takes nobody's place. */
  function busy(): number {
    let count = 0;
    for (const run of runs.values()) if (!run.isWaitingForPerson) count++;
    return count;
  }

  function start(rotationId: string): void {
    if (stopping || runs.has(rotationId)) return;
    if (busy() >= options.atOnce) {
      if (!waiting.includes(rotationId)) waiting.push(rotationId);
      return;
    }
    const run: Run = { wake: null, isWaitingForPerson: false, ended: Promise.resolve() };
    runs.set(rotationId, run);
    run.ended = loop(rotationId, run)
      .catch((error: unknown) => {
        const code = Failure.is(error) ? error.code : 'error';
        const message = error instanceof Error ? error.message : '';
        options.report('rotation.stopped', { rotation: rotationId, code, message });
      })
      .finally(() => {
        runs.delete(rotationId);
        const row = current(rotationId);
        if (row !== null && isSwap(row)) options.gate.release(row.credentialId);
        startNext();
      });
  }

  function startNext(): void {
    const next = waiting.shift();
    if (next !== undefined) start(next);
  }

  async function loop(rotationId: string, run: Run): Promise<void> {
    while (!stopping) {
      const row = current(rotationId);
      if (row === null || row.endedAt !== null || row.state.end === 'blocked') return;
      if (options.isSealed()) return;
      const isExpired = !isSwap(row) && isFirstWait(row.state) && isOverdue(row.requestedAt, row.policy.awaitMaxMs);
      if (isExpired) await command(rotationId, { on: 'expired' }, ACTOR).catch(ignoreConflict);
      else {
        const end = await proceed(row, run);
        if (end === 'finished') return;
        // Somebody else's write is there to be read at once; a failing database is not.
        if (end === 'moved') continue;
      }
      await pause(RELOAD_MS, run);
    }
  }

  /** By the wall clock, over restarts: the protocol itself counts from the last one. */
  function isOverdue(since: number, ms: number): boolean {
    return desk.clock.now() > since + ms;
  }

  function proceed(row: RotationRow, run: Run): Promise<DriveEnd | 'moved'> {
    if (isSwap(row)) {
      const perform = (effect: Parameters<typeof performSwap>[0], now: RotationRow) =>
        performSwap(effect, scene(isSwap(now) ? now : row), options);
      return once(row, { protocol: SWAP, state: row.state, policy: row.policy, perform }, run);
    }
    const perform = (effect: Parameters<typeof performOverlap>[0], now: RotationRow) =>
      performOverlap(effect, scene(isSwap(now) ? row : now), options);
    return once(row, { protocol: OVERLAP, state: row.state, policy: row.policy, perform }, run);
  }

  /** Drives from one reading of the row until it is finished or must be read again. */
  async function once<State extends RotationState, Effect, Event extends RotationEvent, Policy extends Retries>(
    row: RotationRow,
    member: Member<State, Effect, Event, Policy>,
    run: Run,
  ): Promise<DriveEnd | 'moved'> {
    const steps = driveProtocol(member.protocol, member.state, member.policy, instant());
    let last: Brought<Event> | null = null;
    // The row that the state in the drive follows: a command, or our own write whose answer was lost, may have moved it on.
    let known = row.rowVersion;
    let step = steps.next();
    while (!step.done) {
      if (stopping) return 'reload';
      const ask = step.value;
      const now = current(row.id);
      if (ask.ask === 'journal') {
        const written = await journal(row.id, known, ask, last);
        if (written === 'done') known++;
        step = steps.next({ now: instant(), event: null, journal: written });
        continue;
      }
      // A command may have moved the row on since: what was decided on the old one is neither done nor waited for any more.
      if (now === null || now.rowVersion !== known) return 'moved';
      if (ask.ask === 'wait') {
        run.isWaitingForPerson = now.state.step === 'await';
        if (run.isWaitingForPerson) startNext();
        await pause(ask.ms, run);
        run.isWaitingForPerson = false;
        // Read after the pause: read before it, every wait would be waited twice.
        step = steps.next({ now: instant(), event: null, journal: null });
      } else {
        last = await member.perform(ask.effect, now);
        step = steps.next({ now: instant(), event: last.event, journal: null });
      }
    }
    return step.value;
  }

  /** Sleeps, or returns sooner when the row was written by somebody else. */
  function pause(ms: number, run: Run): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        run.wake = null;
        resolve();
      };
      const timer = setTimeout(end, Math.min(ms, PAUSE_MAX_MS));
      run.wake = end;
    });
  }

  async function journal(
    rotationId: string,
    known: number,
    change: Change,
    last: Brought | null,
  ): Promise<'done' | 'conflict' | 'failed'> {
    const row = current(rotationId);
    if (row === null || row.rowVersion !== known) return 'conflict';
    try {
      await write(row, change, last, ACTOR);
      return 'done';
    } catch (error) {
      if (Failure.is(error, 'conflict')) return 'conflict';
      if (Failure.is(error, 'unavailable') || Failure.is(error, 'sealed')) return 'failed';
      throw error;
    }
  }

  async function write(row: RotationRow, change: Change, last: Brought | null, actor: Actor): Promise<void> {
    await desk.write(await stepWrite(row, change, last, actor, options));
    const { after } = change;
    if (after.protocol === 'swap/1' && after.heldSince === null) options.gate.release(row.credentialId);
    // Connections that were upgraded with a key that is going: their clients connect again, with the one that is current.
    if (change.event.on === 'promoted') options.live.retire(after.old.versionId);
    if (change.event.on === 'demoted' && after.fresh !== null) options.live.retire(after.fresh.versionId);
    alert(row, after);
  }

  function alert(row: RotationRow, { end, reason }: RotationState): void {
    if (end !== 'lost' && end !== 'blocked') return;
    const severity = end === 'lost' ? 'critical' : 'warning';
    options.report(`rotation.${end}`, { rotation: row.id, credential: row.credentialId, severity, reason });
  }

  /** Gives a command to the row. Throws `conflict` where it changes nothing. */
  async function command(
    rotationId: string,
    event: RotationCommand,
    actor: Actor,
    last: Brought | null = null,
  ): Promise<RotationRow> {
    const row = getRow<RotationRow>(desk.rows, 'rotation', rotationId);
    const after = afterCommand(row, event, instant());
    if (after === row.state) throw new Failure('conflict', 'the rotation is past the point where this is possible');
    await write(row, { after, event }, last, actor);
    runs.get(rotationId)?.wake?.();
    start(rotationId);
    return current(rotationId) ?? ({ ...row, state: after } as RotationRow);
  }

  /** Whether the key that stays was there before: it carries no label of this rotation, and is older than it. */
  function isRetirement(row: RotationRow): boolean {
    const fresh = findRow<VersionRow>(desk.rows, 'version', row.state.fresh?.versionId ?? '');
    if (fresh === null || isSwap(row)) return false;
    return parseLabel(fresh.label ?? '')?.rotation !== labelPart(row.id) && fresh.createdAt < row.requestedAt;
  }

  async function bring(rotationId: string, parts: Parts, actor: Actor, known: KnownKey = {}): Promise<RotationRow> {
    const row = getRow<RotationRow>(desk.rows, 'rotation', rotationId);
    if (options.isSealed()) throw new Failure('sealed', 'the vault is sealed');
    if (row.endedAt !== null || row.state.step !== 'await')
      throw new Failure('conflict', 'the rotation waits for no key');
    const about = scene(row);
    demandParts(about.kind, parts);
    const { issuerId, scopes } = known;
    const by = issuerId === undefined || issuerId === about.credential.issuerId ? {} : { issuerId };
    const issuer = issuerOf(desk.rows, about.credential, by);
    const { credential, kind } = about;
    const held = await holderOfKey(desk.rows, { credential, kind, parts }, options.open);
    const elsewhere = held.is === 'held' && held.credential.id !== credential.id ? held : null;
    const seen = await examineKey({ parts, issuer, scopes, elsewhere }, about, options);
    if (seen.is === 'refused') {
      const refusal = brought({ on: 'key-refused' as const }, { outcome: seen.outcome });
      // On record, and not taken. Where the row has moved on meanwhile, the refusal still stands.
      await write(row, { after: row.state, event: refusal.event }, refusal, actor).catch(ignoreConflict);
      runs.get(rotationId)?.wake?.();
      throw new Failure(seen.outcome === 'unknown' ? 'upstream-unavailable' : 'invalid', seen.why);
    }
    const versionId = options.newVersionId();
    const event = { on: 'issued' as const, versionId, providerKeyId: seen.providerKeyId };
    const holds = seen.scopes === null ? {} : { scopes: seen.scopes };
    const last = { ...brought(event, seen.detail), ...by, ...holds, parts, expiresAt: seen.expiresAt };
    return command(rotationId, event, actor, last);
  }

  const { request, retire } = createRequests({ ...options, instant, write, start });

  return {
    request,
    retire,
    bring,
    async cancel(rotationId, reason, actor) {
      const row = getRow<RotationRow>(desk.rows, 'rotation', rotationId);
      // Undoing a rotation revokes its new key. A retirement has none: its "new" key is the current one, and stays.
      const isOver = !isSwap(row) && isRetirement(row) && !row.state.pivoted && row.state.undoing === null;
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
        // Nobody may have been told before the process ended.
        if (row.state.end === 'lost') alert(row, row.state);
      }
    },
    async stop() {
      stopping = true;
      const ended = [...runs.values()].map((run) => run.ended);
      for (const run of runs.values()) run.wake?.();
      await Promise.all(ended);
    },
  };
}

/** A second wait, after a key that was dead on arrival, is counted from its own beginning alone. */
function isFirstWait(state: OverlapState): boolean {
  return state.step === 'await' && state.attempt === 1;
}

function ignoreConflict(error: unknown): void {
  if (!Failure.is(error, 'conflict')) throw error;
}
