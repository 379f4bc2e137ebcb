// Reads the provider's own log of keys, where a kind has one, and puts on record what provider-log.ts makes of it. Where the log was read to is kept
// in memory: after a start it is read anew as far back as may be asked, and what is on record already is not written again. Not here:
// what an event means (provider-log.ts), which request it is (the provider's member).
import type { Actor, ControlEvent, Row } from '../model/change.ts';
import { nextImage } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import type { Desk } from '../model/desk.ts';
import { allRows } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import { LIMIT_MAX, type Page, type Records } from '../model/route.ts';
import type { Kind, KindSettings, LoggedEvent } from '../providers/provider.ts';
import { type AskTools, createAsker, type Holder } from './asking.ts';
import type { CredentialRow, VersionRow } from './credential.ts';
import type { FindingRow } from './finding.ts';
import type { LogReport } from './inventory-runner.ts';
import { labelPart } from './label.ts';
import { type LogChange, type LoggedKey, type LogLook, planLog, type RotationSpan } from './provider-log.ts';

export interface ProviderLogOptions extends AskTools {
  readonly desk: Desk;
  readonly instance: string;
  readonly settleMs: number;
  /** Closed findings and ended rotations, which are history. */
  readonly records: Pick<Records, 'page'>;
}

export interface ProviderLogs {
  /**
   * Reads each log of these credentials of one issuer that is not among `read`, and adds it there. Null where there was none to read. A log that
   * cannot be read, or a finding that cannot be written now, is a problem of the report and no error: the next look begins where this one did.
   */
  look(
    issuer: Holder,
    credentials: readonly CredentialRow[],
    read: Set<string>,
    actor: Actor,
  ): Promise<LogReport | null>;
}

/** Events may be shown some minutes after they happened: so far before the last look each one begins. */
const OVERLAP_MS = 10 * 60_000;
const PAGES_MAX = 25;
const FOUND_MAX = 200;
const HISTORY_PAGES_MAX = 25;

/** What this room needs of a rotation's row. */
interface RotationFacts extends Row {
  readonly credentialId: string;
  readonly requestedAt: UtcMs;
  readonly endedAt: UtcMs | null;
}

interface Reading {
  readonly events: readonly LoggedEvent[];
  /** All there is up to the end of the time that was asked about. */
  readonly isWhole: boolean;
  readonly problem: string | null;
}

interface OneLog {
  readonly key: string;
  readonly issuer: Holder;
  readonly kind: Kind;
  readonly settings: KindSettings;
}

export function createProviderLogs(options: ProviderLogOptions): ProviderLogs {
  const { desk } = options;
  const asker = createAsker(options);
  /** Up to when each log was read and dealt with. */
  const positions = new Map<string, UtcMs>();

  async function read({ issuer, kind, settings }: OneLog, since: UtcMs, until: UtcMs): Promise<Reading> {
    const events: LoggedEvent[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < PAGES_MAX; page++) {
      const input = { settings, since, until, ...(cursor === undefined ? {} : { cursor }) };
      const said = await asker.log(kind, input, issuer);
      if (said.is === 'no-answer') return { events, isWhole: false, problem: said.code };
      if (said.is !== 'read') {
        const what = said.is === 'refused' ? 'log not readable' : said.is;
        return { events, isWhole: false, problem: `${what}: ${said.evidence.signature}` };
      }
      events.push(...said.events);
      if (said.next === undefined) return { events, isWhole: true, problem: null };
      if (said.next === cursor) return { events, isWhole: false, problem: 'unknown: log.endless' };
      cursor = said.next;
    }
    return { events, isWhole: false, problem: null };
  }

  async function lookAt(log: OneLog, actor: Actor): Promise<LogReport> {
    const now = desk.clock.now();
    const earliest = now - (log.kind.logWindowMs ?? 0);
    const position = positions.get(log.key) ?? earliest;
    const reading = await read(log, Math.max(earliest, position - OVERLAP_MS), now);
    let outside = 0;
    try {
      const { changes, leftAt } = await plan(log, reading.events);
      for (const change of changes) {
        await write(log, change, actor);
        if (change.is !== 'closed') outside++;
      }
      positions.set(log.key, Math.min(leftAt ?? now, readTo(reading, position, now)));
    } catch (error) {
      if (!Failure.is(error)) throw error;
      return { read: reading.events.length, outside, problem: error.code };
    }
    return { read: reading.events.length, outside, problem: reading.problem };
  }

  /** Judged by the rows as they are after the events were read: what we did in the meantime is known. */
  async function plan(log: OneLog, events: readonly LoggedEvent[]): Promise<ReturnType<typeof planLog>> {
    const found = planLog({ ...lookOf(log, events), foundMax: Number.POSITIVE_INFINITY }).changes.filter(
      (change) => change.is === 'found',
    );
    if (found.length === 0) return planLog(lookOf(log, events));
    // Rare enough to ask what was: whether it is on record and closed, and whether a rotation that has ended explains it.
    const closed = await closedFindings(log.issuer.credential.id);
    const ended = await endedRotations(new Set(found.flatMap(({ holder }) => holder?.credentialId ?? [])));
    const look = lookOf(log, events);
    return planLog({ ...look, closed, rotations: [...look.rotations, ...ended] });
  }

  function lookOf({ issuer }: OneLog, events: readonly LoggedEvent[]): LogLook {
    const { id: issuerId, provider } = issuer.credential;
    const all = allRows<CredentialRow>(desk.rows, 'credential').filter((row) => row.provider === provider);
    const own = all.filter((row) => row.id === issuerId || row.issuerId === issuerId);
    const origins = new Set(own.map((row) => row.origin));
    const here = new Map(all.filter((row) => origins.has(row.origin)).map((row) => [row.id, row]));
    const rotations = allRows<RotationFacts>(desk.rows, 'rotation').filter((row) => here.has(row.credentialId));
    return {
      events,
      instance: options.instance,
      credentials: new Set([...here.keys()].map(labelPart)),
      keys: keysOf(here),
      rotations: rotations.map(spanOf),
      standing: standingOf(issuerId),
      closed: [],
      now: desk.clock.now(),
      settleMs: options.settleMs,
      foundMax: FOUND_MAX,
    };
  }

  function keysOf(credentials: ReadonlyMap<string, CredentialRow>): LoggedKey[] {
    const versions = allRows<VersionRow>(desk.rows, 'version').filter((row) => credentials.has(row.credentialId));
    const byCredential = Map.groupBy(versions, (row) => row.credentialId);
    return versions.flatMap((version) => {
      const { id, credentialId, providerKeyId, state, createdAt } = version;
      if (providerKeyId === null) return [];
      const isLive = state !== 'revoking' && state !== 'revoked';
      const endsAt = endOf(version, credentials.get(credentialId)!, byCredential.get(credentialId)!);
      return [{ providerKeyId, versionId: id, credentialId, isLive, createdAt, endsAt }];
    });
  }

  /** When the provider ends a key by itself: at its own end, or when the grace is over that its successor left it. */
  function endOf(version: VersionRow, credential: CredentialRow, all: readonly VersionRow[]): UtcMs | null {
    const ends = version.expiresAt === null ? [] : [version.expiresAt];
    const successor = all.find((one) => one.number === version.number + 1);
    const graceSeconds = version.state === 'previous' ? options.kindOf(credential).kind.graceMaxSeconds : undefined;
    if (successor !== undefined && graceSeconds !== undefined) ends.push(successor.createdAt + graceSeconds * 1000);
    return ends.length === 0 ? null : Math.min(...ends);
  }

  function standingOf(issuerId: string): FindingRow[] {
    return allRows<FindingRow>(desk.rows, 'finding').filter((finding) => finding.issuerId === issuerId);
  }

  async function closedFindings(issuerId: string): Promise<FindingRow[]> {
    const closed: FindingRow[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < HISTORY_PAGES_MAX; page++) {
      const query = { limit: LIMIT_MAX, cursor, order: 'desc' } as const;
      const older: Page<FindingRow> = await options.records.page('finding', { parent: issuerId, live: false }, query);
      closed.push(...older.items);
      if (older.next === null) break;
      cursor = older.next;
    }
    return closed;
  }

  /** The newest of each credential: more than a log's window holds, unless somebody rotates every hour. */
  async function endedRotations(credentialIds: ReadonlySet<string>): Promise<RotationSpan[]> {
    const spans: RotationSpan[] = [];
    for (const parent of credentialIds) {
      const newest = { limit: LIMIT_MAX, cursor: null, order: 'desc' } as const;
      const { items } = await options.records.page<RotationFacts>('rotation', { parent, live: false }, newest);
      spans.push(...items.map(spanOf));
    }
    return spans;
  }

  async function write({ issuer }: OneLog, change: LogChange, actor: Actor): Promise<void> {
    const issuerId = issuer.credential.id;
    const at = desk.clock.now();
    const known = standingOf(issuerId).find((finding) => finding.providerKeyId === change.providerKeyId);
    if (change.is === 'found') {
      const { kind, name, told, holder, providerKeyId } = change;
      const about = { kind, told, state: 'open', closedAt: null } as const;
      const id = newId('finding', at, desk.random);
      const fresh = { id, rowVersion: 1, issuerId, providerKeyId, name, firstSeenAt: at, lastUsedAt: null };
      const row: FindingRow = known === undefined ? { ...fresh, ...about } : nextImage<FindingRow>(known, about);
      const held = holder === null ? {} : { credential: holder.credentialId, version: holder.versionId };
      await put(`inventory.${kind}-found`, row, actor, { event: told.event, ...held });
      return;
    }
    // Closed meanwhile by somebody else: there is nothing left to say.
    if (known === undefined) return;
    if (change.is === 'told') {
      const row = nextImage<FindingRow>(known, { told: change.told });
      await put('inventory.finding-told', row, actor, { event: change.told.event });
    } else {
      const row = nextImage<FindingRow>(known, { state: change.as, closedAt: at });
      await put(`inventory.finding-${change.as}`, row, actor, {});
    }
  }

  async function put(type: string, row: FindingRow, actor: Actor, detail: ControlEvent['detail']): Promise<void> {
    const event: ControlEvent = { v: 1, at: desk.clock.now(), actor, type, rows: [{ noun: 'finding', row }], detail };
    await desk.write({ events: [event] });
  }

  return {
    async look(issuer, credentials, done, actor) {
      const reports: LogReport[] = [];
      for (const credential of credentials) {
        const { kind } = options.kindOf(credential);
        const path = pathOf(kind, credential.settings);
        const key = `${issuer.credential.id} ${credential.origin}${path}`;
        if (path === null || done.has(key)) continue;
        done.add(key);
        reports.push(await lookAt({ key, issuer, kind, settings: credential.settings }, actor));
      }
      return reports.length === 0 ? null : reports.reduce(together);
    },
  };
}

/** Where a log stands; null where the kind has none, or the settings name none. */
function pathOf({ log }: Kind, settings: KindSettings): string | null {
  try {
    return log?.request({ settings, since: 0, until: 0 }).path ?? null;
  } catch (error) {
    if (Failure.is(error, 'invalid')) return null;
    throw error;
  }
}

function spanOf({ credentialId, requestedAt, endedAt }: RotationFacts): RotationSpan {
  return { credentialId, from: requestedAt, until: endedAt };
}

/** Up to when a log has been read: where it broke off, to the last event that came, if they came in their order. */
function readTo({ events, isWhole }: Reading, position: UtcMs, now: UtcMs): UtcMs {
  if (isWhole) return now;
  const isOrdered = events.every((event, i) => i === 0 || event.at >= events[i - 1]!.at);
  return isOrdered ? Math.max(position, events.at(-1)?.at ?? position) : position;
}

function together(a: LogReport, b: LogReport): LogReport {
  return { read: a.read + b.read, outside: a.outside + b.outside, problem: a.problem ?? b.problem };
}
