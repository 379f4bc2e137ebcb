// What the rest of the house may ask of the standing inventory. The runner itself is inventory.io.ts.
import type { Actor } from '../model/change.ts';

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
}

export interface InventoryRunner {
  /** Takes an inventory with one issuer, or with all of them. */
  run(issuerId: string | null, actor: Actor): Promise<readonly InventoryReport[]>;
}
