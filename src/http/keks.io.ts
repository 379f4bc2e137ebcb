// The key-encryption keys as the API handles them: opening the vault with what an operator gives, and moving every envelope to a new key.
// Knows the rows, their check values and the stored envelopes; the cryptography is the vault's.
import path from 'node:path';
import type { VersionRow } from '../credentials/credential.ts';
import { writeDurably } from '../ledger/checkpoints.io.ts';
import { type ControlEvent, nextImage, type RowImage, rowJson } from '../model/change.ts';
import { allRows, findRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import { canonicalJson } from '../model/json.ts';
import { type Context, createTurns, eventOf, invalidField } from '../model/route.ts';
import { revealSecret, Secret } from '../model/secret.ts';
import type { KekMaterial, KekReport } from '../vault/api.ts';
import { cipher } from '../vault/cipher.io.ts';
import { deriveKek, type KekSource, loadKek, readKeyFile } from '../vault/kek.io.ts';
import {
  ARGON2ID_DEFAULTS,
  decodeKeyFile,
  decodePassphrase,
  type KekHolding,
  type KekRow,
  newArgon2idParams,
  newKek,
} from '../vault/kek.ts';
import { rotateKek } from '../vault/rewrap.io.ts';
import { openSecondCopy } from '../vault/second-copy.io.ts';
import { passesCheck } from '../vault/wrap.ts';
import type { AppParts } from './parts.io.ts';

/** The newest keys are tried: deriving one from a passphrase costs memory and time. */
const TRIED_MAX = 16;

export interface Keks {
  rows(): KekRow[];
  unseal(material: KekMaterial): Promise<void>;
  rotate(context: Context, material: KekMaterial): Promise<KekReport>;
}

export interface KekOptions {
  readonly app: AppParts;
  /** What the configuration names, so that a rotation has the old key at hand; null: an operator unseals. */
  readonly source: (() => Promise<KekSource>) | null;
  readonly secondCopyDirectory: string | null;
  /** After an unseal: takes up what was running. */
  readonly start: () => void;
}

export function createKeks(options: KekOptions): Keks {
  const { app } = options;
  const inTurn = createTurns();
  /** Keys that came through here, the very objects that the vault holds: it wipes them when it is sealed. */
  let given: KekHolding[] = [];

  function rows(): KekRow[] {
    return allRows<KekRow>(app.rows, 'kek').sort((a, b) => a.version - b.version);
  }

  async function checks(): Promise<{ row: KekRow; check: Uint8Array }[]> {
    const stored = await app.database.read
      .selectFrom('blobs')
      .select(['id', 'value'])
      .where('kind', '=', 'wrap')
      .execute();
    return rows().map((row) => {
      const check = stored.find(({ id }) => id === row.id)?.value;
      if (check === undefined) throw new Failure('corrupt', 'a key-encryption key has no check value');
      return { row, check };
    });
  }

  /** All rows, each with its key where `keyOf` finds the right one. */
  async function holdings(keyOf: (row: KekRow) => Promise<Secret | null>): Promise<KekHolding[]> {
    const all = await checks();
    const found: KekHolding[] = [];
    for (const { row, check } of all.toReversed()) {
      const key = found.length < TRIED_MAX ? await keyOf(row) : null;
      const fits = key !== null && passesCheck({ cipher, kek: { id: row.id, version: row.version, key }, check });
      if (!fits) key?.wipe();
      found.push({ row, check, key: fits ? key : null });
    }
    return found;
  }

  async function keyFrom(material: KekMaterial, row: KekRow): Promise<Secret | null> {
    if (material.passphrase !== null && row.params !== null) return deriveKek(material.passphrase, row.params);
    if (material.key !== null && row.params === null) return new Secret(revealSecret(material.key));
    return null;
  }

  async function unseal(material: KekMaterial): Promise<void> {
    if (!app.vault.isSealed) return;
    const found = await holdings((row) => keyFrom(material, row));
    if (found.every(({ key }) => key === null)) {
      throw new Failure('invalid', 'the passphrase or key file is not the right one');
    }
    app.vault.unseal(found);
    given = found;
    try {
      await app.wake();
    } catch (error) {
      // Half awake is worse than sealed: the operator tries again, or sees why not.
      app.sleep();
      throw error;
    }
    options.start();
  }

  /** The keys that are open now: those given here, else those that the configuration names. */
  async function present(): Promise<KekHolding[]> {
    const isStill = ({ row, check, key }: KekHolding) =>
      key !== null && passesCheck({ cipher, kek: { id: row.id, version: row.version, key }, check });
    const held = given.filter(isStill);
    const source = options.source === null ? null : await options.source();
    return holdings(async (row) => {
      const one = held.find((holding) => holding.row.id === row.id);
      if (one !== undefined) return one.key;
      if (source === null) return null;
      return loadKek({ row, source, dataDirectory: app.config.dataDirectory }).catch((error: unknown) => {
        if (Failure.is(error)) return null;
        throw error;
      });
    });
  }

  /** The new key, or the one that an interrupted rotation with the same material has made already. */
  async function targetOf(context: Context, material: KekMaterial, held: readonly KekHolding[]) {
    const known = rows();
    const newest = held.find(({ row }) => row.role === 'primary' && row.retiredAt === null);
    if (newest !== undefined) {
      const key = material.path === null ? await keyFrom(material, newest.row) : await fileKey(material.path);
      const kek = key === null ? null : { id: newest.row.id, version: newest.row.version, key };
      if (kek !== null && passesCheck({ cipher, kek, check: newest.check })) {
        return { ...newest, key: newest.key ?? kek.key };
      }
      key?.wipe();
    }
    const params = material.passphrase === null ? null : newArgon2idParams(app.random, ARGON2ID_DEFAULTS);
    const key = await newKey(material, params);
    const now = app.clock.now();
    const id = newId('kek', now, app.random);
    const made = newKek({ cipher, random: app.random, now, id, rows: known, role: 'primary', params, key });
    const event = eventOf(context, 'kek.created', [{ noun: 'kek', row: made.row }]);
    await context.desk.write({ events: [event], blobs: [{ kind: 'wrap', id, value: made.check }] });
    return { row: made.row, check: made.check, key };
  }

  async function fileKey(name: string): Promise<Secret> {
    try {
      return await readKeyFile({ path: name, dataDirectory: app.config.dataDirectory });
    } catch (error) {
      // Whether there is such a file on the server is not for the caller to learn from the answer.
      if (Failure.is(error)) throw invalidField('/keyFilePath', 'this is not a key file that can be used');
      throw error;
    }
  }

  async function newKey(material: KekMaterial, params: KekRow['params']): Promise<Secret> {
    if (material.path !== null) return fileKey(material.path);
    if (material.key !== null) return decodeKeyFile(Uint8Array.from(revealSecret(material.key)));
    if (material.passphrase === null || params === null) throw invalidField('', 'a key is needed');
    return deriveKek(decodePassphrase(revealSecret(material.passphrase)), params);
  }

  async function rotate(context: Context, material: KekMaterial): Promise<KekReport> {
    if (app.vault.isSealed) throw new Failure('sealed', 'the vault is sealed');
    const held = await present();
    if (held.every(({ key }) => key === null)) {
      throw new Failure('conflict', 'the old key is not at hand: seal, unseal through the API, and rotate then');
    }
    const target = await targetOf(context, material, held);
    const all = [target, ...held.filter(({ row }) => row.id !== target.row.id)];
    app.vault.unseal(all);
    given = all;
    const copy = await copyOf();
    const result = await rotateKek({
      vault: app.vault,
      cipher,
      rows: rows(),
      role: 'primary',
      listEnvelopes,
      replaceEnvelope: (id, oldDigest, bytes) => replaceEnvelope(context, id, oldDigest, bytes),
      copyEnvelope: copy,
      async retireKek(id) {
        const row = findRow<KekRow>(app.rows, 'kek', id);
        if (row === null) return;
        const retired = nextImage(row, { retiredAt: app.clock.now() });
        await context.desk.write({ events: [eventOf(context, 'kek.retired', [{ noun: 'kek', row: retired }])] });
      },
    });
    return { ...result, kek: findRow<KekRow>(app.rows, 'kek', target.row.id) ?? target.row };
  }

  async function listEnvelopes(afterId: string | null, limit: number) {
    const found = await app.database.read
      .selectFrom('blobs')
      .select(['id', 'value'])
      .where('kind', '=', 'envelope')
      .where('id', '>', afterId ?? '')
      .orderBy('id')
      .limit(limit)
      .execute();
    return found.map(({ id, value }) => ({ id, bytes: value }));
  }

  /** The version's row names the digest of its envelope, so both change in one write; its row version is the guard. */
  async function replaceEnvelope(context: Context, id: string, oldDigest: string, bytes: Uint8Array): Promise<boolean> {
    const version = findRow<VersionRow>(app.rows, 'version', id);
    if (version !== null && version.envelopeDigest !== oldDigest) return false;
    const envelopeDigest = cipher.sha256(bytes).toHex();
    const images: RowImage[] =
      version === null ? [] : [{ noun: 'version', row: nextImage(version, { envelopeDigest }) }];
    const event: ControlEvent = eventOf(context, 'envelope.rewrapped', images, {
      envelope: id,
      digest: envelopeDigest,
    });
    try {
      await context.desk.write({ events: [event], blobs: [{ kind: 'envelope', id, value: bytes }] });
      return true;
    } catch (error) {
      if (Failure.is(error, 'conflict')) return false;
      throw error;
    }
  }

  /** Brings the second copies of the versions that have one up to date, the row beside it first, as the rotation engine does. */
  async function copyOf(): Promise<((id: string, bytes: Uint8Array) => Promise<void>) | null> {
    const directory = options.secondCopyDirectory;
    if (directory === null) return null;
    const store = await openSecondCopy({ directory, dataDirectory: app.config.dataDirectory });
    return async (id, bytes) => {
      const version = findRow<VersionRow>(app.rows, 'version', id);
      if (version === null || version.secondCopyAt === null) return;
      writeDurably(path.join(directory, `${id}.json`), `${canonicalJson(rowJson(version))}\n`);
      await store.write(id, bytes);
    };
  }

  return {
    rows,
    unseal: (material) => inTurn(() => unseal(material)),
    rotate: (context, material) => inTurn(() => rotate(context, material)),
  };
}
