// What a rotation's effects do at the provider, and which event each outcome is. Uses what it is given; decides nothing that the
// protocol decides. The event that claims least is the answer to everything that cannot be told.
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { orphansOf } from '../credentials/inventory.ts';
import { formatLabel, labelPart } from '../credentials/label.ts';
import type { Live } from '../credentials/live.ts';
import type { Bracketed, Prober } from '../credentials/prober.ts';
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Secret } from '../model/secret.ts';
import type { Call, Evidence, Kind } from '../providers/provider.ts';
import type { OverlapEffect, OverlapEvent, OverlapState } from './overlap.ts';
import type { RotationRow } from './rotation.ts';

/** What one rotation works with, looked up afresh for each effect: rows may have changed meanwhile. */
export interface Scene {
  readonly row: RotationRow;
  readonly credential: CredentialRow;
  readonly kind: Kind;
  readonly issuer: { readonly credential: CredentialRow; readonly version: VersionRow };
  /** All versions of the credential. */
  readonly versions: readonly VersionRow[];
}

export interface EffectTools {
  readonly instance: string;
  readonly now: () => UtcMs;
  readonly mono: () => number;
  readonly live: Live;
  readonly prober: Prober;
  readonly callFor: (credential: CredentialRow) => Call;
  readonly open: (credential: CredentialRow, version: VersionRow) => Promise<Readonly<Record<string, Secret>>>;
  /** Confirms the version's envelope in a second failure domain; null where none is configured. */
  readonly copy: ((credential: CredentialRow, version: VersionRow) => Promise<void>) | null;
  readonly newVersionId: () => string;
}

/** What an effect brought: its event, what goes on record with it, and what must be stored in the same transaction. */
export interface Brought {
  readonly event: OverlapEvent;
  readonly detail: JsonObject;
  readonly parts: Readonly<Record<string, Secret>> | null;
  readonly bracketed: Bracketed | null;
}

function brought(event: OverlapEvent, detail: JsonObject = {}): Brought {
  return { event, detail, parts: null, bracketed: null };
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

async function withIssuer<T>(
  scene: Scene,
  tools: EffectTools,
  use: (call: Call, key: Secret) => Promise<T>,
): Promise<T> {
  const { credential, version } = scene.issuer;
  const parts = await tools.open(credential, version);
  const key = parts['key'] ?? Object.values(parts)[0];
  if (key === undefined) throw new Failure('corrupt', 'the issuer has no key');
  return use(tools.callFor(credential), key);
}

export function labelFor(instance: string, row: Pick<RotationRow, 'id' | 'credentialId'>, attempt: number): string {
  return formatLabel({ instance, credential: labelPart(row.credentialId), rotation: labelPart(row.id), attempt });
}

async function issue(attempt: number, scene: Scene, tools: EffectTools): Promise<Brought> {
  const operation = scene.kind.issue;
  if (operation === null)
    return brought({ on: 'issue-refused', quotaFull: false }, { why: 'this kind cannot be issued' });
  const input = { settings: scene.row.settings, label: labelFor(tools.instance, scene.row, attempt) };
  try {
    const answer = await withIssuer(scene, tools, (call, key) =>
      call(operation.request(input), key, scene.issuer.credential.places),
    );
    const outcome = operation.read(answer, input);
    const detail = { ...said(outcome.evidence), outcome: outcome.is };
    if (outcome.is === 'ambiguous') return brought({ on: 'issue-ambiguous' }, detail);
    if (outcome.is === 'refused') return brought({ on: 'issue-refused', quotaFull: outcome.quotaFull }, detail);
    const event = { on: 'issued' as const, versionId: tools.newVersionId(), providerKeyId: outcome.providerKeyId };
    return {
      event,
      detail: { ...detail, providerKeyId: outcome.providerKeyId },
      parts: outcome.parts,
      bracketed: null,
    };
  } catch (error) {
    const code = Failure.is(error) ? error.code : 'error';
    // Only what certainly was not sent made no key.
    const unsent = code === 'upstream-unavailable' || code === 'sealed' || code === 'invalid';
    return brought(unsent ? { on: 'issue-refused', quotaFull: false } : { on: 'issue-ambiguous' }, { outcome: code });
  }
}

async function list(scene: Scene, tools: EffectTools): Promise<Brought> {
  const operation = scene.kind.list;
  if (operation === null) return brought({ on: 'list-impossible' });
  const input = { settings: scene.row.settings };
  try {
    const answer = await withIssuer(scene, tools, (call, key) =>
      call(operation.request(input), key, scene.issuer.credential.places),
    );
    const outcome = operation.read(answer, input);
    if (outcome.is !== 'listed') return brought({ on: 'list-failed' }, said(outcome.evidence));
    const own = {
      instance: tools.instance,
      credential: labelPart(scene.credential.id),
      rotation: labelPart(scene.row.id),
    };
    const orphans = orphansOf(outcome.keys, own, heldIds(scene.versions));
    return brought({ on: 'listed', orphans }, { keys: outcome.keys.length, orphans: orphans.length });
  } catch (error) {
    return brought({ on: 'list-failed' }, { outcome: Failure.is(error) ? error.code : 'error' });
  }
}

function heldIds(versions: readonly VersionRow[]): Set<string> {
  return new Set(versions.map((version) => version.providerKeyId).filter((id) => id !== null));
}

async function discard(providerKeyId: string, scene: Scene, tools: EffectTools): Promise<Brought> {
  const said = await revokeAt(providerKeyId, scene, tools);
  const gone = said.outcome === 'accepted' || said.outcome === 'absent';
  return brought({ on: gone ? 'discarded' : 'discard-failed' }, { ...said, providerKeyId });
}

async function revokeAt(
  providerKeyId: string,
  scene: Scene,
  tools: EffectTools,
): Promise<{ readonly [key: string]: string | number | null; readonly outcome: string }> {
  const operation = scene.kind.revoke;
  if (operation === null) return { outcome: 'impossible' };
  const input = { settings: scene.row.settings, providerKeyId };
  try {
    const answer = await withIssuer(scene, tools, (call, key) =>
      call(operation.request(input), key, scene.issuer.credential.places),
    );
    const outcome = operation.read(answer, input);
    const { status, signature, requestId } = outcome.evidence;
    return { outcome: outcome.is, status, signature, requestId };
  } catch (error) {
    return { outcome: Failure.is(error) ? error.code : 'error' };
  }
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
  const input = { settings: scene.row.settings };
  const operation = scene.kind.list;
  try {
    const answer = await withIssuer(scene, tools, (call, key) =>
      call(operation.request(input), key, scene.issuer.credential.places),
    );
    const outcome = operation.read(answer, input);
    if (outcome.is !== 'listed')
      return brought({ on: 'observed', known: false, inFlight, idleMs: 0 }, said(outcome.evidence));
    const seen = outcome.keys.find((key) => key.providerKeyId === version.providerKeyId);
    const elsewhere = elsewhereIdle(seen?.lastUsedAt ?? null, lastUseAt, tools.now());
    const quiet = Math.min(idleMs, elsewhere);
    return brought(
      { on: 'observed', known: true, inFlight, idleMs: quiet },
      { ...detail, elsewhere: elsewhere < idleMs },
    );
  } catch (error) {
    const code = Failure.is(error) ? error.code : 'error';
    return brought({ on: 'observed', known: false, inFlight, idleMs: 0 }, { outcome: code });
  }
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
  const detail = await revokeAt(held?.providerKeyId ?? '', scene, tools);
  return brought({ on: 'revoke-called' }, { ...detail, providerKeyId: held?.providerKeyId ?? null });
}
