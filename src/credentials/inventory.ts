// The standing inventory: the provider's list of keys against our versions, for ever. Completion of a rotation is never the last
// word: a create that was lost may arrive later, another rotator may have been late. A key whose whole label is ours, that no
// version holds and that no running rotation may still be making is an orphan and is deleted, within a brake. A key without
// our label that no version holds is reported as unregistered and never touched.
import type { UtcMs } from '../model/clock.ts';
import { parseLabel } from './label.ts';

export interface SeenKey {
  readonly providerKeyId: string;
  readonly name: string;
  readonly createdAt: UtcMs | null;
}

export interface InventoryInput {
  readonly seen: readonly SeenKey[];
  /** Ours: the instance's label part. */
  readonly instance: string;
  /** Label parts of the credentials that this issuer mints. A label of another credential is not ours to judge. */
  readonly credentials: ReadonlySet<string>;
  /** Provider ids that versions hold, whatever their state: what is called dead and listed all the same is `resurrectedOf`'s. */
  readonly held: ReadonlySet<string>;
  /** Label parts of rotations that have not ended: their keys are theirs. */
  readonly running: ReadonlySet<string>;
  readonly now: UtcMs;
  /** A key younger than this is left for the next look: its version may be about to be written. */
  readonly settleMs: number;
  /** Brake: more orphans than this in one look, and none is deleted: a person is asked. */
  readonly orphansMax: number;
}

export interface Inventory {
  /** Ours, held by nobody: to delete. Empty when the brake holds. */
  readonly orphans: readonly string[];
  /** Orphans that the brake keeps from deletion, for the alert. */
  readonly heldBack: readonly string[];
  readonly unregistered: readonly SeenKey[];
  /** Held versions that the provider no longer lists. Not a proof of death: lists lag. */
  readonly missing: readonly string[];
}

export function takeInventory(input: InventoryInput): Inventory {
  const orphans: string[] = [];
  const unregistered: SeenKey[] = [];
  const listed = new Set<string>();
  for (const key of input.seen) {
    listed.add(key.providerKeyId);
    if (input.held.has(key.providerKeyId)) continue;
    const label = parseLabel(key.name);
    if (label === null || label.instance !== input.instance || !input.credentials.has(label.credential)) {
      unregistered.push(key);
      continue;
    }
    if (input.running.has(label.rotation)) continue;
    if (key.createdAt !== null && input.now - key.createdAt < input.settleMs) continue;
    orphans.push(key.providerKeyId);
  }
  const braked = orphans.length > input.orphansMax;
  return {
    orphans: braked ? [] : orphans,
    heldBack: braked ? orphans : [],
    unregistered,
    missing: [...input.held].filter((id) => !listed.has(id)),
  };
}

/** Keys of one rotation that no version holds, whole label compared. What reconcile and sweep delete. */
export function orphansOf(
  seen: readonly SeenKey[],
  own: { readonly instance: string; readonly credential: string; readonly rotation: string },
  held: ReadonlySet<string>,
): string[] {
  const orphans: string[] = [];
  for (const key of seen) {
    if (held.has(key.providerKeyId)) continue;
    const label = parseLabel(key.name);
    if (label === null) continue;
    if (label.instance === own.instance && label.credential === own.credential && label.rotation === own.rotation) {
      orphans.push(key.providerKeyId);
    }
  }
  return orphans;
}

/**
 * Keys that the provider still lists although their versions are called revoked. `revoked`: provider ids of those versions. Not yet a
 * resurrection, since lists lag: each one is to be probed again, and an acceptance is the alarm.
 */
export function resurrectedOf(seen: readonly SeenKey[], revoked: ReadonlySet<string>): string[] {
  return seen.map((key) => key.providerKeyId).filter((id) => revoked.has(id));
}
