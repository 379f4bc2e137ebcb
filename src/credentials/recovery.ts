// What becomes of a credential after a backup was restored. The database has gone back in time, the provider has not: keys that it
// thinks current may be dead, and keys that live may be unknown to it. Their bytes survive as second copies, which is why
// no key is revoked before its successor has one (DESIGN section 5). Not here: reading copies, probing, writing rows.
//
// The order of a recovery; the simulator runs it under faults, and each step is there because a schedule was lost without it:
//   1. Every process is stopped. The first entry of the new epoch is written; nothing is brokered until step 6 is done.
//   2. Wait for `recoveryWaitMs`: calls that were sent before the restore arrive, and what they deleted stops being accepted.
//      A key that is accepted after that has no deletion under way.
//   3. Adopt: every second copy of a version that the database does not know becomes a version again, with its bytes.
//   4. Probe every version that is not proven dead, and take the newest one that is accepted as current. Where none is accepted,
//      probe again: a refusal during an outage must not end a credential.
//   5. End every rotation under way as superseded: the row may describe keys that died since. Its unheld keys become orphans.
//   6. Take an inventory. From here on rotations run and the broker brokers.
//   7. Retire every other version that is not proven dead, one after the other (`beginRetirement` of rotation/overlap.ts).
// A crash anywhere in between repeats the recovery from step 1: adopting twice is adopting once.
import type { Rows } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import { allRows } from '../model/desk.ts';
import type { SettingRow } from '../model/setting.ts';

/** The setting that a restore leaves behind until its recovery is done; null where none is pending. Nothing is brokered before. */
export function pendingRecovery(rows: Rows): SettingRow | null {
  const setting = allRows<SettingRow>(rows, 'setting').find((row) => row.name === 'recovery');
  return setting !== undefined && (setting.value as { state?: string }).state === 'pending' ? setting : null;
}

/** Milliseconds from the start of the new process until an acceptance can be trusted to last. */
export function recoveryWaitMs(times: { readonly settleMs: number; readonly propagationMs: number }): number {
  return times.settleMs + times.propagationMs;
}

/** The second copies whose versions the database does not know. `known`: ids of its versions, whatever their state. */
export function adoptable<Copy extends { readonly versionId: string }>(
  copies: readonly Copy[],
  known: ReadonlySet<string>,
): Copy[] {
  return copies.filter((copy) => !known.has(copy.versionId));
}

/** A version that is not proven dead, with what a bracketed probe says of it now. */
export interface Candidate {
  readonly versionId: string;
  /** When its key was made, as far as we know. Two of one instant: the later one in the list is the newer. */
  readonly issuedAt: UtcMs;
  readonly verdict: 'alive' | 'dead' | 'unknown';
}

export interface Recovery {
  /** The version that the broker uses from now on; null where none was accepted: probe again, and tell a person. */
  readonly current: string | null;
  /** Versions to retire once there is a current one, oldest first. Includes those that look dead: looking dead is no proof. */
  readonly retire: readonly string[];
}

export function recover(candidates: readonly Candidate[]): Recovery {
  const byAge = [...candidates].sort((a, b) => a.issuedAt - b.issuedAt);
  const current = byAge.findLast((candidate) => candidate.verdict === 'alive')?.versionId ?? null;
  return { current, retire: byAge.filter(({ versionId }) => versionId !== current).map(({ versionId }) => versionId) };
}
