// Keeps the catalogues in the control log in step with this program's: what a path means is part of every decision, so a change
// of it is on record before the first decision that rests on it.
import type { Desk } from '../model/desk.ts';
import { allRows } from '../model/desk.ts';
import { newId } from '../model/id.ts';
import type { Provider } from '../providers/provider.ts';
import { type CatalogueRow, catalogueLines } from './catalogue.ts';

/** Writes the catalogue of each provider whose lines differ from those in force. */
export async function syncCatalogues(desk: Desk, providers: Iterable<Provider>): Promise<void> {
  for (const provider of providers) {
    const lines = catalogueLines(provider);
    const before = allRows<CatalogueRow>(desk.rows, 'catalogue').find((row) => row.provider === provider.name);
    if (before !== undefined && before.actions.join('\n') === lines.join('\n')) continue;
    const now = desk.clock.now();
    const row: CatalogueRow = {
      id: before?.id ?? newId('catalogue', now, desk.random),
      rowVersion: (before?.rowVersion ?? 0) + 1,
      provider: provider.name,
      actions: lines,
    };
    const event = {
      v: 1 as const,
      at: now,
      actor: 'system:start',
      type: 'catalogue.loaded',
      rows: [{ noun: 'catalogue' as const, row }],
      detail: { actions: lines.length },
    };
    await desk.write({ events: [event] });
  }
}
