// The configuration of one server, as the rest of the program sees it: validated whole, frozen, passed on. One YAML file for
// infrastructure; credentials, principals, grants and policies are data and do not stand here. Secrets never stand here either,
// only where they come from.
import type { ProviderSettings } from '../providers/provider.ts';
import type { ProgramSettings } from '../targets/program.ts';

/** Where a secret of the configuration comes from. */
export type SecretSource =
  | { readonly env: string }
  | { readonly file: string }
  | { readonly command: readonly string[] };

export interface ListenerConfig {
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly certificate: string; readonly key: string } | null;
  /** Names what terminates TLS in front; without it, and without `tls`, a listener off loopback is refused. */
  readonly terminatedBy: string | null;
}

export type DatabaseConfig = { readonly kind: 'sqlite' } | { readonly kind: 'postgresql'; readonly url: SecretSource };

export type KekConfig =
  | { readonly kind: 'key-file'; readonly path: string }
  | { readonly kind: 'passphrase'; readonly from: SecretSource };

export interface Config {
  /** Holds the SQLite database, the ledger's checkpoints and the lock. Mode 0700. */
  readonly dataDirectory: string;
  readonly broker: ListenerConfig;
  readonly api: ListenerConfig;
  readonly database: DatabaseConfig;
  /** The key-encryption key in force; null: the server starts sealed and is unsealed by an operator. */
  readonly kek: KekConfig | null;
  /** A second failure domain for ciphertext; null: credentials are shown as unprotected. */
  readonly secondCopy: { readonly directory: string } | null;
  /** Settings of the providers that differ from their defaults, by name. */
  readonly providers: Readonly<Record<string, ProviderSettings>>;
  /** Where declarations of further providers lie; null or absent: none. */
  readonly providersDirectory?: string | null;
  /** Programs that change the keys of single credentials; absent: none. */
  readonly programs?: readonly ProgramSettings[];
  /** CIDR networks of proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly outboundProxy: string | null;
  readonly limits: {
    readonly headerBytes: number;
    readonly editedBodyBytes: number;
    readonly connections: number;
    readonly upstreamHeadersSeconds: number;
    readonly upstreamSilenceSeconds: number;
  };
  /** Seconds in which open requests may finish when the server stops. */
  readonly drainSeconds: number;
  readonly scheduler: {
    /** Seconds between looks for what is due. */
    readonly everySeconds: number;
    /** Brake: rotations that may run at once. */
    readonly rotationsAtOnce: number;
    /** Seconds between two inventories of one issuer. */
    readonly inventorySeconds: number;
    /** Brake: orphans that one inventory may delete by itself. */
    readonly orphansMax: number;
  };
  /** Seconds between two checkpoints while something is written. */
  readonly checkpointSeconds: number;
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' };
}

/** The settings of a provider: what the configuration says, else its own origin and nothing private. */
export function providerSettings(config: Pick<Config, 'providers'>, name: string, origin: string): ProviderSettings {
  return config.providers[name] ?? { origin, privateNetworks: [], plainHttp: false };
}
