// What a rotation's effects do at the provider, and which event each outcome is. Uses what it is given; decides nothing that the
// protocol decides. The event that claims least is the answer to everything that cannot be told.
import { type AskTools, createAsker, type Holder } from '../credentials/asking.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { orphansOf } from '../credentials/inventory.ts';
import { issuing } from '../credentials/issuing.ts';
import { formatLabel, labelPart } from '../credentials/label.ts';
import type { Live } from '../credentials/live.ts';
import type { Bracketed, Prober } from '../credentials/prober.ts';
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Evidence, Kind, Parts } from '../providers/provider.ts';
import type { OverlapEffect, OverlapEvent, OverlapState } from './overlap.ts';
import type { RotationRow } from './rotation.ts';

/** What one rotation works with, looked up afresh for each effect: rows may have changed meanwhile. */
export interface Scene {
  readonly row: RotationRow;
  readonly credential: CredentialRow;
  readonly kind: Kind;
  readonly issuer: Holder;
  /** All versions of the credential. */
  readonly versions: readonly VersionRow[];
}

export interface EffectTools extends AskTools {
  readonly instance: string;
  readonly now: () => UtcMs;
  readonly mono: () => number;
  readonly live: Live;
  readonly prober: Prober;
  /** Confirms the version's envelope in a second failure domain; null where none is configured. */
  readonly copy: ((credential: CredentialRow, version: VersionRow) => Promise<void>) | null;
  readonly newVersionId: () => string;
}

/** What an effect brought: its event, what goes on record with it, and what must be stored in the same transaction. */
export interface Brought {
  readonly event: OverlapEvent;
  readonly detail: JsonObject;
  readonly parts: Parts | null;
  /** When the provider ends what was issued; null: never, or it does not say. */
  readonly expiresAt: UtcMs | null;
  readonly bracketed: Bracketed | null;
}

function brought(event: OverlapEvent, detail: JsonObject = {}): Brought {
  return { event, detail, parts: null, expiresAt: null, bracketed: null };
}

function said(evidence: Evidence): JsonObject {
  return { status: evidence.status, signature: evidence.signature, requestId: evidence.requestId };
}

/** How far a provider's clock may be off ours before its `last_used_at` counts as somebody else's use. */
const CLOCK_TOLERANCE_MS = 3_000;

export async function perform(
  effect: OverlapEffect,
  state: OverlapState,
  scene: Scene,
  tools: EffectTools,
): Promise<Brought> {
  switch (effect.do) {
    case 'issue':
      return issue(effect.attempt, scene, tools);
    case 'list':
      return list(scene, tools);
    case 'discard':
      return discard(effect.providerKeyId, scene, tools);
    case 'probe':
      return probe(effect.which, state, scene, tools);
    case 'observe':
      return observe(effect.which, state, scene, tools);
    case 'cover':
      return cover(state, scene, tools);
    case 'revoke':
      return revoke(effect.which, state, scene, tools);
  }
}

export function labelFor(instance: string, row: Pick<RotationRow, 'id' | 'credentialId'>, attempt: number): string {
  return formatLabel({ instance, credential: labelPart(row.credentialId), rotation: labelPart(row.id), attempt });
}

async function issue(attempt: number, scene: Scene, tools: EffectTools): Promise<Brought> {
  const label = labelFor(tools.instance, scene.row, attempt);
  const input = { ...issuing(scene.kind, scene.row.settings, tools.now()), label };
  const outcome = await createAsker(tools).issue(scene.kind, input, scene.issuer);
  if (outcome.is === 'no-answer') {
    // Only what certainly was not sent made no key.
    const unsent = ['upstream-unavailable', 'sealed', 'invalid', 'impossible'].includes(outcome.code);
    return brought(unsent ? { on: 'issue-refused', quotaFull: false } : { on: 'issue-ambiguous' }, {
      outcome: outcome.code,
    });
  }
  const detail = { ...said(outcome.evidence), outcome: outcome.is };
  if (outcome.is === 'ambiguous') return brought({ on: 'issue-ambiguous' }, detail);
  if (outcome.is === 'refused') return brought({ on: 'issue-refused', quotaFull: outcome.quotaFull }, detail);
  const event = { on: 'issued' as const, versionId: tools.newVersionId(), providerKeyId: outcome.providerKeyId };
  return {
    event,
    detail: { ...detail, providerKeyId: outcome.providerKeyId },
    parts: outcome.parts,
    expiresAt: outcome.expiresAt ?? null,
    bracketed: null,
  };
}

async function list(scene: Scene, tools: EffectTools): Promise<Brought> {
  if (scene.kind.list === null) return brought({ on: 'list-impossible' });
  const outcome = await createAsker(tools).list(scene.kind, scene.row.settings, scene.issuer);
  if (outcome.is !== 'listed') {
    return brought(
      { on: 'list-failed' },
      outcome.is === 'no-answer' ? { outcome: outcome.code } : said(outcome.evidence),
    );
  }
  const own = {
    instance: tools.instance,
    credential: labelPart(scene.credential.id),
    rotation: labelPart(scene.row.id),
  };
  const orphans = orphansOf(outcome.keys, own, heldIds(scene.versions));
  return brought({ on: 'listed', orphans }, { keys: outcome.keys.length, orphans: orphans.length });
}

function heldIds(versions: readonly VersionRow[]): Set<string> {
  return new Set(versions.map((version) => version.providerKeyId).filter((id) => id !== null));
}

async function discard(providerKeyId: string, scene: Scene, tools: EffectTools): Promise<Brought> {
  const answered = await revokeAt(providerKeyId, null, scene, tools);
  const gone = answered.outcome === 'accepted' || answered.outcome === 'absent';
  return brought({ on: gone ? 'discarded' : 'discard-failed' }, { ...answered, providerKeyId });
}

async function revokeAt(
  providerKeyId: string,
  version: VersionRow | null,
  scene: Scene,
  tools: EffectTools,
): Promise<{ readonly [key: string]: string | number | null; readonly outcome: string }> {
  const input = { settings: scene.row.settings, providerKeyId };
  const target = version === null ? null : { credential: scene.credential, version };
  const outcome = await createAsker(tools).revoke(scene.kind, input, scene.issuer, target);
  if (outcome.is === 'no-answer') return { outcome: outcome.code };
  const { status, signature, requestId } = outcome.evidence;
  return { outcome: outcome.is, status, signature, requestId };
}

function versionOf(which: 'old' | 'fresh', state: OverlapState, scene: Scene): VersionRow {
  const held = which === 'old' ? state.old : state.fresh;
  const version = scene.versions.find((one) => one.id === held?.versionId);
  if (version === undefined) throw new Failure('corrupt', 'the rotation names a version that is not there');
  return version;
}

async function probe(which: 'old' | 'fresh', state: OverlapState, scene: Scene, tools: EffectTools): Promise<Brought> {
  const target = { credential: scene.credential, version: versionOf(which, state, scene) };
  // Where an acceptance is hoped for, it needs no control; only a refusal does.
  if (state.step !== 'prove') {
    const reading = await tools.prober.read(target);
    if (reading.is === 'alive') {
      return brought({ on: 'probed', verdict: 'alive' }, { signature: reading.signature, status: reading.status });
    }
  }
  const other = which === 'old' ? state.fresh : state.old;
  const sibling = scene.versions.find((one) => one.id === other?.versionId);
  const control =
    sibling !== undefined && (sibling.state === 'current' || sibling.state === 'previous')
      ? { credential: scene.credential, version: sibling }
      : scene.issuer;
  const seen = await tools.prober.bracket(target, control);
  const { signature, status } = seen.target;
  return {
    event: { on: 'probed', verdict: seen.verdict },
    detail: { ...seen.probe, signature, status },
    parts: null,
    expiresAt: null,
    bracketed: seen,
  };
}

async function observe(
  which: 'old' | 'fresh',
  state: OverlapState,
  scene: Scene,
  tools: EffectTools,
): Promise<Brought> {
  const version = versionOf(which, state, scene);
  const { inFlight, idleMs, lastUseAt } = tools.live.activity(version.id, tools.mono());
  const detail = { inFlight, users: tools.live.users(version.id) };
  // The provider is asked only when our own traffic is over: its word is the last one to wait for.
  if (inFlight > 0 || idleMs < scene.row.policy.quietMs || scene.kind.list === null) {
    return brought({ on: 'observed', known: true, inFlight, idleMs }, detail);
  }
  const outcome = await createAsker(tools).list(scene.kind, scene.row.settings, scene.issuer);
  if (outcome.is !== 'listed') {
    const why = outcome.is === 'no-answer' ? { outcome: outcome.code } : said(outcome.evidence);
    return brought({ on: 'observed', known: false, inFlight, idleMs: 0 }, why);
  }
  const seen = outcome.keys.find((key) => key.providerKeyId === version.providerKeyId);
  const elsewhere = elsewhereIdle(seen?.lastUsedAt ?? null, lastUseAt, tools.now());
  const quiet = Math.min(idleMs, elsewhere);
  return brought(
    { on: 'observed', known: true, inFlight, idleMs: quiet },
    { ...detail, elsewhere: elsewhere < idleMs },
  );
}

/** Milliseconds since somebody used the key without us, by the provider's word; Infinity where it knows of no such use. */
export function elsewhereIdle(providerLastUse: UtcMs | null, ourLastUse: UtcMs | null, now: UtcMs): number {
  if (providerLastUse === null) return Number.POSITIVE_INFINITY;
  if (ourLastUse !== null && providerLastUse <= ourLastUse + CLOCK_TOLERANCE_MS) return Number.POSITIVE_INFINITY;
  return Math.max(0, now - providerLastUse);
}

async function cover(state: OverlapState, scene: Scene, tools: EffectTools): Promise<Brought> {
  if (tools.copy === null) return brought({ on: 'covered', by: 'none' });
  try {
    await tools.copy(scene.credential, versionOf('fresh', state, scene));
    return brought({ on: 'covered', by: 'copy' });
  } catch (error) {
    return brought({ on: 'cover-failed' }, { outcome: Failure.is(error) ? error.code : 'error' });
  }
}

async function revoke(which: 'old' | 'fresh', state: OverlapState, scene: Scene, tools: EffectTools): Promise<Brought> {
  const held = which === 'old' ? state.old : state.fresh;
  const detail = await revokeAt(held?.providerKeyId ?? '', versionOf(which, state, scene), scene, tools);
  return brought({ on: 'revoke-called' }, { ...detail, providerKeyId: held?.providerKeyId ?? null });
}
