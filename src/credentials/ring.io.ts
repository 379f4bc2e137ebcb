// The key ring: the opened parts of versions, in memory while the vault is unsealed. The only place that turns an envelope into a
// usable key; opened once when a version becomes usable, because opening for each request would cost more than the request.
import type { Kysely } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { Failure } from '../model/failure.ts';
import type { Secret } from '../model/secret.ts';
import type { EnvelopeContext } from '../vault/context.ts';
import type { Vault } from '../vault/vault.io.ts';
import type { CredentialRow, VersionRow } from './credential.ts';

export interface KeyRing {
  /** The parts of a version. Throws `sealed`, `corrupt`, or `not-found` where no envelope is stored. */
  open(credential: CredentialRow, version: VersionRow): Promise<Readonly<Record<string, Secret>>>;
  /** Takes parts that were just sealed, without a second opening. */
  put(versionId: string, parts: Readonly<Record<string, Secret>>): void;
  /** Forgets and wipes. */
  drop(versionId: string): void;
  /** Forgets and wipes everything: the vault is sealed. */
  clear(): void;
}

/** The context that a version's envelope is bound to. Everything in it comes from rows, nothing from code that may change. */
export function envelopeContext(credential: CredentialRow, versionId: string): EnvelopeContext {
  return {
    space: credential.space,
    environment: credential.environment,
    credential: credential.id,
    version: versionId,
    purpose: credential.purpose,
    destination: { origin: credential.origin, places: credential.places },
  };
}

export function createKeyRing(vault: Vault, read: Kysely<Schema>): KeyRing {
  const opened = new Map<string, Readonly<Record<string, Secret>>>();

  function wipe(parts: Readonly<Record<string, Secret>>): void {
    for (const part of Object.values(parts)) part.wipe();
  }

  return {
    async open(credential, version) {
      const known = opened.get(version.id);
      if (known !== undefined && !vault.isSealed) return known;
      const row = await read
        .selectFrom('blobs')
        .select('value')
        .where('kind', '=', 'envelope')
        .where('id', '=', version.id)
        .executeTakeFirst();
      if (row === undefined) throw new Failure('not-found', 'no envelope is stored for this version');
      // Whoever opens many, one after the other, lets requests through in between.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const parts = vault.openParts(envelopeContext(credential, version.id), row.value);
      // A dead key is opened to be asked about, and not kept at hand.
      if (version.state !== 'revoked') opened.set(version.id, parts);
      return parts;
    },
    put(versionId, parts) {
      opened.set(versionId, parts);
    },
    drop(versionId) {
      const parts = opened.get(versionId);
      if (parts !== undefined) wipe(parts);
      opened.delete(versionId);
    },
    clear() {
      for (const parts of opened.values()) wipe(parts);
      opened.clear();
    },
  };
}
