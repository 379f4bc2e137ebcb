// What the API is given of the running program, as types: the composition root's App has all of it.
import type { Policy } from '../access/policy.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { InventoryRunner } from '../credentials/inventory-runner.ts';
import type { KeyRing } from '../credentials/ring.io.ts';
import type { Database } from '../database/database.ts';
import type { Log } from '../ledger/layout.ts';
import type { Signer } from '../ledger/note.ts';
import type { Desk } from '../model/desk.ts';
import type { Call, Kind, Provider, ProviderSettings } from '../providers/provider.ts';
import type { Revoker } from '../revocation/revoker.ts';
import type { Rotator } from '../rotation/rotator.ts';
import type { Vault } from '../vault/vault.io.ts';

export interface AppParts extends Desk {
  readonly config: {
    readonly dataDirectory: string;
    readonly providers: Readonly<Record<string, ProviderSettings>>;
    readonly trustedProxies: readonly string[];
  };
  readonly database: Database;
  readonly policy: Policy;
  readonly vault: Vault;
  readonly ring: KeyRing;
  readonly live: { readonly openUses: number };
  readonly guardian: { stranger(reason: string, source: string): void };
  readonly instance: string;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly injections: ReadonlyMap<string, unknown>;
  readonly signers: Record<Log, Signer> | null;
  kindOf(credential: CredentialRow): { provider: Provider; kind: Kind };
  callFor(credential: Pick<CredentialRow, 'provider' | 'origin'>): Call;
  arm(credential: CredentialRow, version: VersionRow): Promise<void>;
  wake(): Promise<void>;
  sleep(): void;
  publish(): Promise<void>;
}

/** The engines behind the routes that start something. */
export interface Engines {
  readonly rotator: Rotator;
  readonly revoker: Revoker;
  readonly inventory: InventoryRunner;
  /** Why it may be an outage to rotate this credential now; null where nothing speaks for one. */
  doubtOf(credential: CredentialRow): Promise<string | null>;
  /** Takes up what was running. After an unseal. */
  start(): void;
}
