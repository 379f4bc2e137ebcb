// The provider's own log of keys against our versions: which events are Claviger's doing, which somebody else's, and what becomes of the findings
// about them. Whoever changes a key outside leaves an event there; so do we, and the two are told apart by what our own rows say: a key that a
// version holds, a version that we were ending, a rotation that was under way. What a running rotation may still explain is left for the
// next look, for a day at most, so that one that waits for a person does not silence the log. Pure; reading the log and writing the findings is
// provider-log.io.ts. Reading the same events again, in any order and in any parts, plans nothing new.
import type { UtcMs } from '../model/clock.ts';
import type { LoggedEvent } from '../providers/provider.ts';
import type { FindingRow, Told } from './finding.ts';
import { parseLabel } from './label.ts';

/** A version's key, as far as the provider's log is concerned. */
export interface LoggedKey {
  readonly providerKeyId: string;
  readonly versionId: string;
  readonly credentialId: string;
  /** Pending, current or previous: not one that we are ending, or have ended. */
  readonly isLive: boolean;
  readonly createdAt: UtcMs;
  /** When the provider ends it by itself; null: never. */
  readonly endsAt: UtcMs | null;
}

/** When a rotation of a credential was under way; `until` is null while it is. */
export interface RotationSpan {
  readonly credentialId: string;
  readonly from: UtcMs;
  readonly until: UtcMs | null;
}

export interface LogLook {
  readonly events: readonly LoggedEvent[];
  /** Ours: the instance's label part, and those of the credentials at this provider. */
  readonly instance: string;
  readonly credentials: ReadonlySet<string>;
  readonly keys: readonly LoggedKey[];
  readonly rotations: readonly RotationSpan[];
  /** Findings of this issuer: those that are open or set aside, and those that are closed. */
  readonly standing: readonly FindingRow[];
  readonly closed: readonly FindingRow[];
  readonly now: UtcMs;
  /** An event younger than this is left for the next look: what we did may be about to be written. */
  readonly settleMs: number;
  /** Brake: findings that one look makes. What is beyond it is left for the next one. */
  readonly foundMax: number;
}

/** One thing to write, in its order; each is about the finding of one key. */
export type LogChange =
  /** A new finding, or one that stands and becomes more than it was: then it is open again, whoever set it aside. */
  | {
      readonly is: 'found';
      readonly kind: 'unregistered' | 'changed-outside';
      readonly providerKeyId: string;
      readonly name: string;
      readonly told: Told;
      readonly holder: LoggedKey | null;
    }
  /** What the log says is added to a finding that stands; its state stays. */
  | { readonly is: 'told'; readonly providerKeyId: string; readonly told: Told }
  | { readonly is: 'closed'; readonly providerKeyId: string; readonly as: 'gone' | 'adopted' };

export interface LogPlan {
  readonly changes: readonly LogChange[];
  /** When the first event happened that is left for the next look; null where none is. */
  readonly leftAt: UtcMs | null;
}

/** How far the provider's clock may be off ours, and how long a version may be written after its key was made. */
export const NEAR_MS = 120_000;
/** How long an event waits for a rotation that may explain it. */
export const LEFT_MAX_MS = 24 * 3_600_000;

type Verdict =
  | { readonly is: 'ours' }
  | { readonly is: 'ended' }
  | { readonly is: 'unregistered' }
  | { readonly is: 'changed-outside'; readonly holder: LoggedKey };

export function planLog(look: LogLook): LogPlan {
  const changes: LogChange[] = [];
  const standing = new Map<string, Pick<FindingRow, 'kind' | 'told'>>();
  const keys = Map.groupBy(look.keys, (key) => key.providerKeyId);
  for (const finding of look.standing) {
    const { providerKeyId } = finding;
    const as = closing(finding, keys.get(providerKeyId) ?? []);
    if (as === null) standing.set(providerKeyId, finding);
    else changes.push({ is: 'closed', providerKeyId, as });
  }
  let leftAt: UtcMs | null = null;
  let found = 0;
  for (const event of inOrder(look.events)) {
    const { providerKeyId } = event;
    const verdict = judge(event, keys.get(providerKeyId) ?? [], look);
    if (look.now - event.at < look.settleMs || mayBecomeOurs(event, verdict, look)) {
      leftAt ??= event.at;
      continue;
    }
    if (verdict.is === 'ours') continue;
    const known = standing.get(providerKeyId);
    if (verdict.is === 'ended') {
      if (known?.kind !== 'unregistered' || known.told === undefined) continue;
      changes.push({ is: 'closed', providerKeyId, as: 'gone' });
      standing.delete(providerKeyId);
      continue;
    }
    const kind = verdict.is;
    const told: Told = { event: event.event, at: event.at, by: event.by };
    if (known === undefined ? isOnRecord(event, kind, look.closed) : !isMore(kind, known)) continue;
    if (known !== undefined && kind === 'unregistered') {
      changes.push({ is: 'told', providerKeyId, told });
    } else {
      if (++found > look.foundMax) return { changes, leftAt: leftAt ?? event.at };
      const holder = verdict.is === 'changed-outside' ? verdict.holder : null;
      changes.push({ is: 'found', kind, providerKeyId, name: event.keyName ?? '', told, holder });
    }
    standing.set(providerKeyId, { kind, told });
  }
  return { changes, leftAt };
}

/** Each event once, the oldest first. */
function inOrder(events: readonly LoggedEvent[]): LoggedEvent[] {
  const rank = { made: 0, replaced: 1, ended: 2 } as const;
  const unique = new Map(events.map((event) => [event.id, event]));
  return [...unique.values()].sort((a, b) => a.at - b.at || rank[a.is] - rank[b.is]);
}

/** How a finding is over without a word of the log's; null where it is not. */
function closing({ kind, told }: FindingRow, holders: readonly LoggedKey[]): 'gone' | 'adopted' | null {
  if (kind === 'changed-outside') return holders.some((key) => key.isLive) ? null : 'gone';
  return kind === 'unregistered' && told !== undefined && holders.length > 0 ? 'adopted' : null;
}

/** Whose doing an event is. `ended`: of a key that is none of ours, which is good to know. */
function judge(event: LoggedEvent, holders: readonly LoggedKey[], look: LogLook): Verdict {
  if (holders.length === 0) {
    if (event.is === 'ended') return { is: 'ended' };
    return { is: isOurLabel(event.keyName, look) ? 'ours' : 'unregistered' };
  }
  const live = holders.filter((key) => key.isLive);
  const [holder] = live;
  if (event.is === 'made' || holder === undefined) return { is: 'ours' };
  const isOurs = event.is === 'ended' ? live.every((key) => isOwnEnd(event, key)) : isOurRotation(event, live, look);
  return isOurs ? { is: 'ours' } : { is: 'changed-outside', holder };
}

function isOurLabel(name: string | null, { instance, credentials }: LogLook): boolean {
  const label = parseLabel(name ?? '');
  return label !== null && label.instance === instance && credentials.has(label.credential);
}

/** Whether the provider ended a key because its time was over. */
function isOwnEnd({ at }: LoggedEvent, { endsAt }: LoggedKey): boolean {
  return endsAt !== null && at >= endsAt - NEAR_MS;
}

/**
 * Whether a key was replaced by a rotation of ours: as the old key of one that was under way, or as the key that came of it, whose version was written
 * then. Not every log says which of the two it names.
 */
function isOurRotation({ at }: LoggedEvent, holders: readonly LoggedKey[], { rotations }: LogLook): boolean {
  return holders.some(
    ({ createdAt, credentialId }) =>
      at <= createdAt + NEAR_MS ||
      rotations.some(
        (span) =>
          span.credentialId === credentialId &&
          at >= span.from - NEAR_MS &&
          (span.until === null || at <= span.until + NEAR_MS),
      ),
  );
}

/** Whether a rotation still runs that may explain it: by a version that it is about to write, or an end that a person was asked for. */
function mayBecomeOurs({ at }: LoggedEvent, verdict: Verdict, { rotations, now }: LogLook): boolean {
  if (verdict.is === 'ours' || verdict.is === 'ended' || now - at >= LEFT_MAX_MS) return false;
  return rotations.some(
    ({ credentialId, from, until }) =>
      until === null &&
      at >= from - NEAR_MS &&
      (verdict.is === 'unregistered' || verdict.holder.credentialId === credentialId),
  );
}

/** Whether a closed finding was about this very event: it was there before the finding was closed. */
function isOnRecord(
  event: LoggedEvent,
  kind: 'unregistered' | 'changed-outside',
  closed: readonly FindingRow[],
): boolean {
  return closed.some(
    (finding) =>
      finding.providerKeyId === event.providerKeyId &&
      finding.closedAt !== null &&
      finding.closedAt >= event.at &&
      (kind === 'unregistered' || finding.kind === 'changed-outside' || finding.kind === 'resurrected'),
  );
}

/** Whether an event says more than the finding that stands. */
function isMore(kind: 'unregistered' | 'changed-outside', known: Pick<FindingRow, 'kind' | 'told'>): boolean {
  if (kind === 'unregistered') return known.kind === 'unregistered' && known.told === undefined;
  return known.kind !== 'changed-outside' && known.kind !== 'resurrected';
}
