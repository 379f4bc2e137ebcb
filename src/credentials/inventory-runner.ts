// What the rest of the house may ask of the standing inventory. The runner itself is inventory.io.ts.
import type { Actor } from '../model/change.ts';

/** What one look at a provider's own log brought. */
export interface LogReport {
  /** Events about keys that were read. */
  readonly read: number;
  /** Findings that they made, or that they said more about. */
  readonly outside: number;
  /** Null where the log could be read; else why not. The inventory goes on without it. */
  readonly problem: string | null;
}

export interface InventoryReport {
  readonly issuerId: string;
  /** Null where the provider's list could be read; else why not. */
  readonly problem: string | null;
  readonly listed: number;
  readonly orphansDeleted: number;
  readonly heldBack: number;
  readonly unregistered: number;
  readonly missing: number;
  /** Keys that were certified dead and that the provider accepts: an alarm. */
  readonly resurrected: number;
  /** Null where this kind has no log, its settings name none, or another report of the same look has it already. */
  readonly log: LogReport | null;
}

export interface InventoryRunner {
  /** Takes an inventory with one issuer, or with all of them. */
  run(issuerId: string | null, actor: Actor): Promise<readonly InventoryReport[]>;
}
