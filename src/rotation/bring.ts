// Whether a key that a person brings is the one that a rotation waits for: alive, of the same account, not the old one, and with no more rights than
// before. Asks the provider through what it is given; stores nothing. What cannot be told is no reason to take a key.
import { createAsker, type Holder } from '../credentials/asking.ts';
import type { VersionRow } from '../credentials/credential.ts';
import { notedScopes } from '../credentials/inspecting.ts';
import { heldElsewhere, isSameKey, type KeyHolder } from '../credentials/same-key.ts';
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { IdentityOutcome, Kind, KindSettings, Parts } from '../providers/provider.ts';
import type { EffectTools, Scene } from './effects.ts';

export type Examined =
  | {
      readonly is: 'taken';
      /** Empty where nobody knows it. */
      readonly providerKeyId: string;
      readonly expiresAt: UtcMs | null;
      /** What it may do, where that is known. */
      readonly scopes: readonly string[] | null;
      readonly detail: JsonObject;
    }
  | { readonly is: 'refused'; readonly outcome: string; readonly why: string };

/** Versions that a brought key is held against, the newest first. */
const COMPARED_MAX = 16;

function refused(outcome: string, why: string): Examined {
  return { is: 'refused', outcome, why };
}

export interface BroughtKey {
  readonly parts: Parts;
  /** What it may do, where whoever brings it knows that from the provider. */
  readonly scopes?: readonly string[] | undefined;
  /** Whoever can end it, and asks about it where it cannot itself; null where there is none. */
  readonly issuer: Holder | null;
  /** The version of another credential that holds these bytes; null where none does. */
  readonly elsewhere: KeyHolder | null;
}

/** Examines a key whose form is right. Throws `sealed` or `corrupt` where the old key cannot be opened. */
export async function examineKey(
  { parts, issuer, scopes: told, elsewhere }: BroughtKey,
  scene: Scene,
  tools: EffectTools,
): Promise<Examined> {
  const { credential, kind } = scene;
  const newest = [...scene.versions].sort((a, b) => b.number - a.number).slice(0, COMPARED_MAX);
  for (const version of newest) {
    if (await isSame(parts, version, scene, tools)) {
      return refused('same-key', `this is the key of version ${version.number}: make a new one`);
    }
  }
  if (elsewhere !== null) return refused('same-key', heldElsewhere(elsewhere));
  const asker = createAsker(tools);
  const seen = await asker.probeParts(credential, parts, issuer);
  if (seen.is === 'dead') return refused('dead', 'the provider refuses this key');
  if (seen.is === 'unknown') {
    return refused(
      'unknown',
      `whether the provider takes this key cannot be told now (${seen.evidence.signature}): try again`,
    );
  }
  const now = await asker.identify(credential, parts, issuer);
  const before = await identityOfOld(scene, tools);
  // What is known of the old key must be known of the new one too.
  if (before?.is === 'known' && now?.is === 'unknown' && now.evidence.signature.startsWith('transport.')) {
    return refused('unknown', 'whose key this is cannot be told now: try again');
  }
  const stranger = otherAccount(now, before);
  if (stranger)
    return refused('other-account', 'this key belongs to another account than the one that it is to follow');
  const scopes = told ?? (await scopesOf(parts, issuer, now, scene, tools));
  const had = namedScopes(scene.row.settings) ?? scopesIn(before) ?? oldOf(scene)?.holds?.scopes ?? null;
  const wider = widerScopes(kind, had, scopes);
  if (wider.length > 0) {
    return refused('wider', `this key may do more than the one that it is to follow: ${wider.join(', ')}`);
  }
  const providerKeyId = now?.is === 'known' ? (now.providerKeyId ?? '') : '';
  if (providerKeyId !== '' && scene.versions.some((version) => version.providerKeyId === providerKeyId)) {
    return refused('same-key', 'another version has this id at the provider');
  }
  const account = accountOf(now) !== null && accountOf(before) !== null ? 'same' : 'unverified';
  return {
    is: 'taken',
    providerKeyId,
    expiresAt: now?.is === 'known' ? (now.expiresAt ?? null) : null,
    scopes,
    detail: { outcome: 'brought', account, signature: seen.evidence.signature },
  };
}

async function isSame(parts: Parts, version: VersionRow, scene: Scene, tools: EffectTools): Promise<boolean> {
  let known: Parts;
  try {
    known = await tools.open(scene.credential, version);
  } catch (error) {
    if (Failure.is(error, 'sealed')) throw error;
    return false;
  }
  return isSameKey(scene.kind, parts, known);
}

async function identityOfOld(scene: Scene, tools: EffectTools): Promise<IdentityOutcome | null> {
  if (scene.kind.identity === undefined) return null;
  const old = oldOf(scene);
  if (old === null) return null;
  try {
    const parts = await tools.open(scene.credential, old);
    return await createAsker(tools).identify(scene.credential, parts, scene.issuerOf(old));
  } catch (error) {
    if (Failure.is(error, 'sealed')) throw error;
    return null;
  }
}

function accountOf(identity: IdentityOutcome | null): string | null {
  return identity?.is === 'known' ? identity.account : null;
}

function otherAccount(now: IdentityOutcome | null, before: IdentityOutcome | null): boolean {
  if (now?.is !== 'known' || before?.is !== 'known') return false;
  return now.account !== null && before.account !== null && now.account !== before.account;
}

function oldOf({ row, versions }: Scene): VersionRow | null {
  return versions.find((version) => version.id === row.state.old.versionId) ?? null;
}

function scopesIn(identity: IdentityOutcome | null): readonly string[] | null {
  return identity?.is === 'known' ? (identity.scopes ?? null) : null;
}

function namedScopes(settings: KindSettings): readonly string[] | null {
  return settings['scopes']?.split(/[\s,]+/).filter((one) => one !== '') ?? null;
}

/** What the new key may do: from its identity, or from what is asked besides. */
async function scopesOf(
  parts: Parts,
  issuer: Holder | null,
  identity: IdentityOutcome | null,
  scene: Scene,
  tools: EffectTools,
): Promise<readonly string[] | null> {
  const said = scopesIn(identity) ?? scopesIn(await createAsker(tools).rights(scene.credential, parts, issuer));
  return said === null ? null : notedScopes(said);
}

/** Scopes of the new key that the old one does not have, as far as both are known. */
export function widerScopes(
  kind: Kind,
  had: readonly string[] | null,
  now: readonly string[] | null,
): readonly string[] {
  if (had === null || now === null) return [];
  const everything = kind.scopes?.everything ?? [];
  if (had.some((scope) => everything.includes(scope))) return [];
  const covered = new Set(had.flatMap((scope) => [scope, ...includedIn(kind, scope)]));
  return now.filter((scope) => !covered.has(scope));
}

function includedIn(kind: Kind, scope: string): readonly string[] {
  const direct = kind.scopes?.includes?.[scope] ?? [];
  return direct.flatMap((one) => (one === scope ? [] : [one, ...(kind.scopes?.includes?.[one] ?? [])]));
}
