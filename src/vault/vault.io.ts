// The vault: holds the key-encryption keys while it is unsealed, and is the one object through which the rest of the program
// seals and opens envelopes. Responsible for the sealed state and for which KEKs a new envelope is wrapped under. Not here:
// who may open what (access/), where envelopes are stored (database/), where keys come from (kek.io.ts).
import type { Random } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { Secret } from '../model/secret.ts';
import { toHex } from './bytes.ts';
import type { Cipher } from './cipher.ts';
import type { EnvelopeContext } from './context.ts';
import { envelopeId } from './envelope.ts';
import { KEK_ROLES, type KekHolding, type KekRow, kekInForce, kekRowProblem } from './kek.ts';
import { openEnvelope, rewrapEnvelope, sealEnvelope } from './sealing.ts';
import { passesCheck, type WrappingKey } from './wrap.ts';

export interface SealedParts {
  /** Names this sealing, the same after every re-wrap. */
  readonly envelopeId: string;
  /** The record to store. */
  readonly bytes: Uint8Array;
  /** SHA-256 of the record, hex. Changes with a re-wrap. */
  readonly digest: string;
}

export interface Vault {
  /** True until `unseal` succeeds, and after `seal`. */
  readonly isSealed: boolean;
  /**
   * Takes over the keys; give every row that there is, also those whose key is not at hand. Replaces what was held before.
   * Throws `invalid` where a row is out of bounds, a key is not the one of its row, or a row stands there twice; `sealed`
   * where no key at all is at hand. After a throw the vault is as it was, and the keys are still the caller's.
   */
  unseal(keks: readonly KekHolding[]): void;
  /** Wipes every key. Idempotent. */
  seal(): void;
  /**
   * Encrypts all parts of a version under the KEKs in force. Throws `sealed` while sealed, or where the primary KEK in force
   * is not at hand; `invalid` for parts or a context that have no form. The envelope was opened once before it is returned.
   */
  sealParts(context: EnvelopeContext, parts: Readonly<Record<string, Secret>>): SealedParts;
  /** Throws `sealed` while sealed or where no KEK of the envelope is at hand, `corrupt` where it does not open in this context. */
  openParts(context: EnvelopeContext, bytes: Uint8Array): Record<string, Secret>;
  /**
   * The same payloads wrapped under the KEK with this id, in place of all KEKs of its role; wraps of other roles stay. Gives
   * the same bytes back where nothing is to do. Throws as `openParts`, and `invalid` where that KEK is unknown or retired.
   */
  rewrap(bytes: Uint8Array, toKekId: string): Uint8Array;
}

interface Held {
  readonly rows: readonly KekRow[];
  readonly keys: ReadonlyMap<string, WrappingKey>;
}

/** A vault, sealed. */
export function createVault({ cipher, random }: { readonly cipher: Cipher; readonly random: Random }): Vault {
  let held: Held | null = null;

  function unsealed(): Held {
    if (held === null) throw new Failure('sealed', 'the vault is sealed: its key-encryption key is not at hand');
    return held;
  }

  function verified(holdings: readonly KekHolding[]): Held {
    const keys = new Map<string, WrappingKey>();
    const seen = new Set<string>();
    for (const { row, check, key } of holdings) {
      const problem = seen.has(row.id) ? 'it stands there twice' : kekRowProblem(row);
      if (problem !== null) throw new Failure('invalid', `key-encryption key ${row.id}: ${problem}`);
      seen.add(row.id);
      if (key === null) continue;
      const kek = { id: row.id, version: row.version, key };
      if (!passesCheck({ cipher, kek, check })) {
        throw new Failure('invalid', `key-encryption key ${row.id}: the passphrase or key file is not the right one`);
      }
      keys.set(row.id, kek);
    }
    if (keys.size === 0) throw new Failure('sealed', 'no key-encryption key is at hand');
    return { rows: holdings.map(({ row }) => row), keys };
  }

  function wipe(before: Held | null, after: Held | null): void {
    const kept = new Set([...(after?.keys.values() ?? [])].map(({ key }) => key));
    for (const { key } of before?.keys.values() ?? []) if (!kept.has(key)) key.wipe();
  }

  /** The primary in force must be at hand; a recovery KEK is used where it is, and a later re-wrap adds it where it was not. */
  function sealingKeks({ rows, keys }: Held): WrappingKey[] {
    return KEK_ROLES.flatMap((role) => {
      const row = kekInForce(rows, role);
      const kek = row === null ? undefined : keys.get(row.id);
      if (kek === undefined && role === 'primary') {
        throw new Failure('sealed', 'the primary key-encryption key in force is not at hand');
      }
      return kek === undefined ? [] : [kek];
    });
  }

  return {
    get isSealed() {
      return held === null;
    },
    unseal(keks) {
      const next = verified(keks);
      wipe(held, next);
      held = next;
    },
    seal() {
      wipe(held, null);
      held = null;
    },
    sealParts(context, parts) {
      const keks = sealingKeks(unsealed());
      const bytes = sealEnvelope({ cipher, random, context, parts, keks });
      // Soon this is the only copy of a key that its provider never shows again: better fail here than then.
      for (const kek of keks) {
        const opened = openEnvelope({ cipher, context, bytes, keks: new Map([[kek.id, kek]]) });
        const isSame = Object.entries(parts).every(([name, secret]) => opened[name]?.equals(secret) === true);
        for (const secret of Object.values(opened)) secret.wipe();
        if (!isSame) throw new Failure('corrupt', 'envelope: what was sealed does not open to the same bytes');
      }
      return { envelopeId: envelopeId(bytes), bytes, digest: toHex(cipher.sha256(bytes)) };
    },
    openParts(context, bytes) {
      return openEnvelope({ cipher, context, bytes, keks: unsealed().keys });
    },
    rewrap(bytes, toKekId) {
      const { rows, keys } = unsealed();
      const row = rows.find(({ id }) => id === toKekId);
      if (row === undefined || row.retiredAt !== null) {
        throw new Failure('invalid', `key-encryption key ${toKekId} is unknown or retired`);
      }
      const to = keys.get(toKekId);
      if (to === undefined) throw new Failure('sealed', `key-encryption key ${toKekId} is not at hand`);
      function keeps(kekId: string): boolean {
        return rows.find(({ id }) => id === kekId)?.role !== row?.role;
      }
      return rewrapEnvelope({ cipher, random, bytes, keks: keys, to, keeps });
    },
  };
}
