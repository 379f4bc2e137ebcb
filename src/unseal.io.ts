// Bringing the key-encryption keys to the vault: from what the configuration names, or from what an operator gives.
import { type App, kekRows } from './app.io.ts';
import { Failure } from './model/failure.ts';
import type { Secret } from './model/secret.ts';
import { type KekSource, loadKek } from './vault/kek.io.ts';
import type { KekHolding } from './vault/kek.ts';

/**
 * Unseals with one source: every KEK that it fits is loaded. Throws `invalid` where it fits none, `sealed` where there is no KEK.
 * Afterwards the broker serves.
 */
export async function unseal(app: App, source: KekSource): Promise<void> {
  const rows = kekRows(app.rows);
  const holdings: KekHolding[] = [];
  let problem: unknown = null;
  for (const row of rows) {
    const check = await app.database.read
      .selectFrom('blobs')
      .select('value')
      .where('kind', '=', 'wrap')
      .where('id', '=', row.id)
      .executeTakeFirst();
    if (check === undefined) throw new Failure('corrupt', 'a key-encryption key has no check value');
    let key: Secret | null = null;
    try {
      // The passphrase is wiped by nobody but its giver: each derivation gets a copy of its own.
      key = await loadKek({ row, source, dataDirectory: app.config.dataDirectory });
    } catch (error) {
      problem = error;
    }
    holdings.push({ row, check: check.value, key });
  }
  if (holdings.every((holding) => holding.key === null)) {
    throw problem ?? new Failure('sealed', 'there is no key-encryption key');
  }
  unsealWith(app, holdings);
  await app.wake();
}

/** A key that is not the one of a row opens nothing: rows of the same kind are tried until the newest one fits. */
function unsealWith(app: App, holdings: readonly KekHolding[]): void {
  let kept = holdings;
  for (let tries = 0; tries < holdings.length; tries++) {
    try {
      app.vault.unseal(kept);
      return;
    } catch (error) {
      const wrong = Failure.is(error, 'invalid')
        ? kept.find((h) => h.key !== null && error.message.includes(h.row.id))
        : undefined;
      const others = kept.filter((holding) => holding.key !== null).length;
      if (wrong === undefined || others <= 1) throw error;
      kept = kept.map((holding) => (holding === wrong ? { ...holding, key: null } : holding));
    }
  }
}
