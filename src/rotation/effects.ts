// What a rotation's effects do at the provider, and which event each outcome is. Uses what it is given; decides nothing that the
// protocol decides. The event that claims least is the answer to everything that cannot be told.
import { type AskTools, createAsker, type Holder, revokesByValue } from '../credentials/asking.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { orphansOf } from '../credentials/inventory.ts';
import { issuing } from '../credentials/issuing.ts';
import { formatLabel, labelPart } from '../credentials/label.ts';
import type { Live } from '../credentials/live.ts';
import type { Bracketed, Prober } from '../credentials/prober.ts';
import type { Programs } from '../credentials/programs.ts';
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import { type Evidence, graceSeconds, type IssueOutcome, type Kind, type Parts } from '../providers/provider.ts';
import type { OverlapEffect, OverlapEvent, OverlapState } from './overlap.ts';
import type { OverlapRotation, RotationEvent, RotationRow } from './rotation.ts';
import type { SwapEvent } from './swap-state.ts';

/** What one rotation works with, looked up afresh for each effect: rows may have changed meanwhile. */
export interface Scene<Row extends RotationRow = RotationRow> {
  readonly row: Row;
  readonly credential: CredentialRow;
  readonly kind: Kind;
  /** Whoever makes the next key; null where there is none with a usable key. */
  readonly issuer: Holder | null;
  /** Whoever can end this very key: not always the issuer of the next one. */
  readonly issuerOf: (version: VersionRow) => Holder | null;
  /** All versions of the credential. */
  readonly versions: readonly VersionRow[];
}

export interface EffectTools extends AskTools {
  readonly instance: string;
  readonly now: () => UtcMs;
  readonly mono: () => number;
  readonly live: Live;
  readonly prober: Prober;
  /** Programs of the operator's for this credential. */
  readonly programsFor: (credential: CredentialRow) => Programs;
  /** Confirms the version's envelope in a second failure domain; null where none is configured. */
  readonly copy: ((credential: CredentialRow, version: VersionRow) => Promise<void>) | null;
  readonly newVersionId: () => string;
}

/** What an effect brought: its event, what goes on record with it, and what must be stored in the same transaction. */
export interface Brought<Event extends RotationEvent = RotationEvent> {
  readonly event: Event;
  readonly detail: JsonObject;
  readonly parts: Parts | null;
  /** When the provider ends what was issued; null: never, or it does not say. */
  readonly expiresAt: UtcMs | null;
  /** The name that a key carries in the provider's list. */
  readonly label: string | null;
  /** With which credential the new key is ended, where that is not its credential's issuer. */
  readonly issuerId?: string;
  /** What the provider says that the new key may do, where it says so. */
  readonly scopes?: readonly string[];
  readonly bracketed: Bracketed | null;
}

export function brought<Event extends RotationEvent>(event: Event, detail: JsonObject = {}): Brought<Event> {
  return { event, detail, parts: null, expiresAt: null, label: null, bracketed: null };
}

export function said(evidence: Evidence): { status: number | null; signature: string; requestId: string | null } {
  return { status: evidence.status, signature: evidence.signature, requestId: evidence.requestId };
}

/** How far a provider's clock may be off ours before its `last_used_at` counts as somebody else's use. */
const CLOCK_TOLERANCE_MS = 3_000;

export async function performOverlap(
  effect: OverlapEffect,
  scene: Scene<OverlapRotation>,
  tools: EffectTools,
): Promise<Brought<OverlapEvent>> {
  const { state } = scene.row;
  switch (effect.do) {
    case 'issue':
      return issue(effect.attempt, scene, tools);
    case 'list':
      return list(scene, tools);
    case 'discard':
      return discard(effect.providerKeyId, scene, tools);
    case 'probe':
      return probe({ ...effect, isProof: state.step === 'prove' }, scene, tools);
    case 'observe':
      return observe(effect.which, scene, tools);
    case 'cover':
      return cover(scene, tools);
    case 'revoke':
      return revoke(effect.which, state, scene, tools);
  }
}

/** The name of a key in the provider's list: whose it is, and which try made it. */
export function labelFor(instance: string, row: Pick<RotationRow, 'id' | 'credentialId'>, attempt: number): string {
  return formatLabel({ instance, credential: labelPart(row.credentialId), rotation: labelPart(row.id), attempt });
}

/** Codes of a failure after which it is certain that nothing was sent. */
const UNSENT: ReadonlySet<string> = new Set(['upstream-unavailable', 'sealed', 'invalid', 'impossible', 'no-issuer']);

/** Whether certainly nothing was sent. */
export function isUnsent(code: string): boolean {
  return UNSENT.has(code);
}

async function issue(
  attempt: number,
  scene: Scene<OverlapRotation>,
  tools: EffectTools,
): Promise<Brought<OverlapEvent>> {
  const isReplacement = scene.row.state.means.issue === 'grace';
  const label = labelFor(tools.instance, scene.row, attempt);
  const outcome = isReplacement ? await replaceWithGrace(label, scene, tools) : await make(label, scene, tools);
  if (outcome.is === 'no-answer') {
    const detail = { outcome: outcome.code };
    if (outcome.code === 'no-issuer') return brought({ on: 'no-means' }, detail);
    // Only what certainly was not sent made no key.
    return isUnsent(outcome.code)
      ? brought({ on: 'issue-refused', quotaFull: false }, detail)
      : brought({ on: 'issue-ambiguous' }, detail);
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
    ...(outcome.scopes === undefined ? {} : { scopes: outcome.scopes }),
    label: isReplacement ? null : label,
    bracketed: null,
  };
}

type Issued = IssueOutcome | { readonly is: 'no-answer'; readonly code: string };

async function make(label: string, scene: Scene, tools: EffectTools): Promise<Issued> {
  const program = tools.programsFor(scene.credential).issue;
  if (program !== null) return program(label);
  if (scene.issuer === null) return { is: 'no-answer', code: 'no-issuer' };
  const input = { ...issuing(scene.kind, scene.row.settings, tools.now()), label };
  return createAsker(tools).issue(scene.kind, input, scene.issuer);
}

/** The longest grace there is: the old key is revoked as soon as nobody uses it, and must not end before. */
async function replaceWithGrace(label: string, scene: Scene<OverlapRotation>, tools: EffectTools): Promise<Issued> {
  const { kind, issuer, credential, row } = scene;
  if (issuer === null) return { is: 'no-answer', code: 'no-issuer' };
  const old = { credential, version: versionOf(row.state.old.versionId, scene) };
  const longest = kind.graceMaxSeconds ?? 0;
  const input = {
    ...issuing(kind, row.settings, tools.now()),
    label,
    providerKeyId: row.state.old.providerKeyId,
    grace: graceSeconds(longest, longest),
  };
  return createAsker(tools).replace(kind, input, issuer, old);
}

async function list(scene: Scene, tools: EffectTools): Promise<Brought<OverlapEvent>> {
  if (scene.kind.list === null || scene.issuer === null) return brought({ on: 'list-impossible' });
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

async function discard(providerKeyId: string, scene: Scene, tools: EffectTools): Promise<Brought<OverlapEvent>> {
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
  const program = tools.programsFor(scene.credential).revoke;
  if (program !== null && version !== null) {
    const outcome = await program(providerKeyId, await tools.open(scene.credential, version));
    return { outcome: outcome.is, ...said(outcome.evidence) };
  }
  const issuer = version === null ? scene.issuer : scene.issuerOf(version);
  if (issuer === null) return { outcome: 'no-issuer' };
  const input = { settings: scene.row.settings, providerKeyId };
  const target = version === null ? null : { credential: scene.credential, version };
  const outcome = await createAsker(tools).revoke(scene.kind, input, issuer, target);
  if (outcome.is === 'no-answer') return { outcome: outcome.code };
  const { status, signature, requestId } = outcome.evidence;
  return { outcome: outcome.is, status, signature, requestId };
}

export function versionOf(versionId: string | undefined, scene: Scene): VersionRow {
  const version = scene.versions.find((one) => one.id === versionId);
  if (version === undefined) throw new Failure('corrupt', 'the rotation names a version that is not there');
  return version;
}

function versionFor(which: 'old' | 'fresh', scene: Scene): VersionRow {
  const { state } = scene.row;
  return versionOf((which === 'old' ? state.old : state.fresh)?.versionId, scene);
}

/** What both protocols understand. */
type SharedEvent = OverlapEvent & SwapEvent;

/** Asks about one of the two keys; the other one, where it may be expected to live, or the issuer is the control. */
export async function probe(
  { which, isProof }: { readonly which: 'old' | 'fresh'; readonly isProof: boolean },
  scene: Scene,
  tools: EffectTools,
): Promise<Brought<SharedEvent>> {
  const { state } = scene.row;
  const target = { credential: scene.credential, version: versionFor(which, scene) };
  // Where an acceptance is hoped for, it needs no control; only a refusal does.
  if (!isProof) {
    const reading = await tools.prober.read(target);
    if (reading.is === 'alive') {
      return brought({ on: 'probed', verdict: 'alive' }, { signature: reading.signature, status: reading.status });
    }
  }
  const other = which === 'old' ? state.fresh : state.old;
  const sibling = scene.versions.find((one) => one.id === other?.versionId);
  const isLive = sibling !== undefined && (sibling.state === 'current' || sibling.state === 'previous');
  const own = isLive ? { credential: scene.credential, version: sibling } : null;
  const issuer = scene.issuerOf(target.version);
  let seen = await tools.prober.bracket(target, own ?? issuer);
  // Where the other key is not accepted, the issuer says whether anything is. Not of the old key that is to be proven dead: that its successor
  // works is part of what is proven.
  const isOther = own !== null && issuer !== null && !(isProof && which === 'old');
  if (seen.verdict === 'unknown' && isOther) seen = await tools.prober.bracket(target, issuer);
  const { signature, status } = seen.target;
  const detail = { ...seen.probe, signature, status };
  return { ...brought({ on: 'probed', verdict: seen.verdict }, detail), bracketed: seen };
}

async function observe(
  which: 'old' | 'fresh',
  scene: Scene<OverlapRotation>,
  tools: EffectTools,
): Promise<Brought<OverlapEvent>> {
  const version = versionFor(which, scene);
  const { inFlight, idleMs, lastUseAt } = tools.live.activity(version.id, tools.mono());
  const detail = { inFlight, users: tools.live.users(version.id) };
  const { issuer, kind } = scene;
  // The provider is asked only when our own traffic is over: its word is the last one to wait for.
  if (inFlight > 0 || idleMs < scene.row.policy.quietMs || kind.list === null || issuer === null) {
    return brought({ on: 'observed', known: true, inFlight, idleMs }, detail);
  }
  const outcome = await createAsker(tools).list(kind, scene.row.settings, issuer);
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

export async function cover(scene: Scene, tools: EffectTools): Promise<Brought<SharedEvent>> {
  if (tools.copy === null) return brought({ on: 'covered', by: 'none' });
  try {
    await tools.copy(scene.credential, versionFor('fresh', scene));
    return brought({ on: 'covered', by: 'copy' });
  } catch (error) {
    return brought({ on: 'cover-failed' }, { outcome: Failure.is(error) ? error.code : 'error' });
  }
}

async function revoke(
  which: 'old' | 'fresh',
  state: OverlapState,
  scene: Scene<OverlapRotation>,
  tools: EffectTools,
): Promise<Brought<OverlapEvent>> {
  const held = which === 'old' ? state.old : state.fresh;
  const providerKeyId = held?.providerKeyId ?? '';
  // An empty id names no key, and at some providers all of them: such a key is ended by hand.
  const isNameless = providerKeyId === '' && !revokesByValue(scene.kind, scene.row.settings);
  const isOurs = tools.programsFor(scene.credential).revoke !== null;
  if (state.means.revoke === 'person') return brought({ on: 'revoke-called' }, { outcome: 'by-hand' });
  if (isNameless && !isOurs) return brought({ on: 'no-means' }, { outcome: 'nameless' });
  const detail = await revokeAt(providerKeyId, versionFor(which, scene), scene, tools);
  if (detail.outcome === 'no-issuer') return brought({ on: 'no-means' }, detail);
  return brought({ on: 'revoke-called' }, { ...detail, providerKeyId });
}
