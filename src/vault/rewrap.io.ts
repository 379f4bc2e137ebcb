// KEK rotation, the loop: wraps every envelope under the KEK in force, refreshes its second copy, and retires the KEKs that
// nothing depends on any more. May be killed anywhere and run again: each step is idempotent, and until the old KEK is
// retired both open everything. The database is a few functions of the caller. The decisions are in rewrap.ts.
import { assert, Failure, type FailureCode } from '../model/failure.ts';
import { toHex } from './bytes.ts';
import type { Cipher } from './cipher.ts';
import { envelopeKekIds } from './envelope.ts';
import type { KekRole, KekRow } from './kek.ts';
import { planPage, type RewrapPass, retirableKeks, startPass } from './rewrap.ts';
import type { Vault } from './vault.io.ts';

export interface StoredEnvelope {
  readonly id: string;
  readonly bytes: Uint8Array;
}

export interface RotateKekInput {
  readonly vault: Vault;
  readonly cipher: Cipher;
  /** Every KEK row there is, as committed. The newest of the role that is not retired is where the rotation goes. */
  readonly rows: readonly KekRow[];
  readonly role: KekRole;
  /** Envelopes with an id after `afterId` (null: from the first), strictly ascending, at most `limit`; fewer only at the end. */
  listEnvelopes(afterId: string | null, limit: number): Promise<readonly StoredEnvelope[]>;
  /** Stores the new record durably if the stored one still has the old SHA-256 (hex); false where it has not, or is gone. */
  replaceEnvelope(id: string, oldDigest: string, newBytes: Uint8Array): Promise<boolean>;
  /** Brings the second copy up to date and does nothing where it is; null where there is no second place. */
  readonly copyEnvelope: ((id: string, bytes: Uint8Array) => Promise<void>) | null;
  /** Commits `retiredAt` of a KEK row. */
  retireKek(kekId: string): Promise<void>;
  /** Envelopes a page; 50 where absent, which is at most 53 MB. */
  readonly limit?: number;
}

export interface RotateKekResult {
  /** Whether every envelope is now wrapped under the target and no other KEK of its role. */
  readonly isComplete: boolean;
  readonly rewrapped: number;
  readonly retired: readonly string[];
  /** Envelopes that would not open or copy in the last pass, at most 100 of them, and how many in all. They block retirement. */
  readonly failures: readonly { readonly id: string; readonly code: FailureCode }[];
  readonly failed: number;
}

/** A pass that finds nothing to do ends it: one to work, one to see, the rest for what others wrote meanwhile. */
const PASSES_MAX = 5;
const FAILURES_SHOWN_MAX = 100;
const PAGE_DEFAULT = 50;

/**
 * Runs to the end, or until a function of the caller throws; that error passes through, and another run goes on from there.
 * One bad envelope stops neither the others nor the loop. Throws `sealed` while the vault is, `invalid` without a target.
 */
export async function rotateKek(input: RotateKekInput): Promise<RotateKekResult> {
  const { rows, role, limit = PAGE_DEFAULT } = input;
  assert(limit >= 1, 'a page has at least one envelope');
  let rewrapped = 0;
  for (let passes = 1; ; passes++) {
    const first = startPass(rows, role);
    if (first === null) throw new Failure('invalid', `there is no ${role} key-encryption key to rotate to`);
    if (input.vault.isSealed) throw new Failure('sealed', 'the vault is sealed');
    const { pass, changed, failures, failed } = await runPass(input, first, limit);
    rewrapped += changed;
    const isComplete = pass.unfinished === 0 && failed === 0;
    if (isComplete) {
      const retired = retirableKeks(rows, pass);
      for (const kekId of retired) await input.retireKek(kekId);
      return { isComplete, rewrapped, retired, failures, failed };
    }
    // Where nothing moved, what is left cannot be done now, and trying again at once would not help.
    if (changed === 0 || passes === PASSES_MAX) return { isComplete, rewrapped, retired: [], failures, failed };
  }
}

interface PassResult {
  readonly pass: RewrapPass;
  readonly changed: number;
  readonly failures: { id: string; code: FailureCode }[];
  readonly failed: number;
}

async function runPass(input: RotateKekInput, first: RewrapPass, limit: number): Promise<PassResult> {
  const { rows } = input;
  const failures: { id: string; code: FailureCode }[] = [];
  let failed = 0;
  let changed = 0;
  let pass = first;

  function failedWith(id: string, error: unknown): void {
    if (!Failure.is(error, 'corrupt') && !Failure.is(error, 'sealed') && !Failure.is(error, 'conflict')) throw error;
    failed++;
    if (failures.length < FAILURES_SHOWN_MAX) failures.push({ id, code: error.code });
  }

  while (!pass.isOver) {
    const listed = await input.listEnvelopes(pass.cursor, limit);
    const page = listed.map(({ id, bytes }) => {
      try {
        return { id, kekIds: envelopeKekIds(bytes) };
      } catch (error) {
        failedWith(id, error);
        return { id, kekIds: null };
      }
    });
    // A record that cannot be read depends on nobody knows which KEK: it counts as failed, and is passed by.
    const planned = planPage({ rows, pass, limit, page: page.map(({ id, kekIds }) => ({ id, kekIds: kekIds ?? [] })) });
    const needing = new Set(planned.rewrap);
    for (const [index, { id, bytes }] of listed.entries()) {
      if (page[index]?.kekIds === null) continue;
      try {
        const current = needing.has(id) ? await rewrapOne(input, { id, bytes, targetId: pass.targetId }) : bytes;
        if (needing.has(id) && current !== null) changed++;
        // Also where nothing was to do: a kill between both steps left the copy behind.
        if (current !== null) await input.copyEnvelope?.(id, current);
      } catch (error) {
        failedWith(id, error);
      }
    }
    pass = planned.pass;
  }
  return { pass, changed, failures, failed };
}

/** The record as it now stands, or null where somebody else replaced it: the next pass sees to it. */
async function rewrapOne(
  input: RotateKekInput,
  { id, bytes, targetId }: StoredEnvelope & { readonly targetId: string },
): Promise<Uint8Array | null> {
  const next = input.vault.rewrap(bytes, targetId);
  const replaced = await input.replaceEnvelope(id, toHex(input.cipher.sha256(bytes)), next);
  return replaced ? next : null;
}
