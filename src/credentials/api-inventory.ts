// Routes of the standing inventory: what it found, taking one now, and setting a finding aside.
import { z } from 'zod';
import { nextImage, type Rows } from '../model/change.ts';
import { allRows, findRow, getRow } from '../model/desk.ts';
import {
  eventOf,
  idParams,
  idSchema,
  invalidField,
  NO_BODY,
  PAGE_MEMBERS,
  pageAnswer,
  pageOf,
  pageOfSchema,
  type Route,
  route,
  rowAnswer,
  rowView,
} from '../model/route.ts';
import { findingSchema, reportSchema } from './api-schemas.ts';
import type { CredentialRow, VersionRow } from './credential.ts';
import { FINDING_SEVERITY, type FindingRow } from './finding.ts';
import type { InventoryRunner } from './inventory-runner.ts';

function findingView(rows: Rows, row: FindingRow): object {
  return { ...rowView(row), severity: FINDING_SEVERITY[row.kind], credentialId: holderOf(rows, row) };
}

/** The credential that has, or had, this key; null where it is nobody's. */
function holderOf(rows: Rows, { issuerId, providerKeyId }: FindingRow): string | null {
  const provider = findRow<CredentialRow>(rows, 'credential', issuerId)?.provider;
  const version = allRows<VersionRow>(rows, 'version').find(
    (one) =>
      one.providerKeyId === providerKeyId &&
      findRow<CredentialRow>(rows, 'credential', one.credentialId)?.provider === provider,
  );
  return version?.credentialId ?? null;
}

export function inventoryRoutes(room: { readonly inventory: InventoryRunner }): Route[] {
  const tag = 'inventory';
  return [
    route({
      method: 'GET',
      path: '/v1/inventory',
      permission: 'inventory:read',
      summary:
        'Open findings: dead keys that live again, keys in use that others changed, keys that nobody registered, orphans that the brake held back',
      tag,
      query: z.strictObject(PAGE_MEMBERS),
      answers: { 200: { about: 'A page of findings', schema: pageOfSchema(findingSchema) } },
      handler({ desk }, { query }) {
        const rows = allRows<FindingRow>(desk.rows, 'finding');
        return pageAnswer(
          pageOf(rows, { ...query, order: 'asc' }, (row) => row.state === 'open'),
          (row) => findingView(desk.rows, row),
        );
      },
    }),
    route({
      method: 'POST',
      path: '/v1/inventory',
      permission: 'inventory:run',
      summary: 'Takes an inventory now, with one issuer or with all',
      description:
        'Orphans of interrupted rotations are deleted within the brake of the configuration. A key that was certified dead and is listed is asked about; where the provider accepts it, that is an alarm, and it is asked to end it once more. Where the provider keeps a log of keys, it is read too.',
      tag,
      body: z.strictObject({ issuer: idSchema('credential').nullable().default(null) }).prefault({}),
      answers: {
        200: { about: 'One report for each list of keys', schema: z.object({ items: z.array(reportSchema) }) },
      },
      effect: 'outside',
      async handler({ caller, desk }, { body: { issuer } }) {
        const known = allRows<CredentialRow>(desk.rows, 'credential').some((row) => row.id === issuer);
        if (issuer !== null && !known) throw invalidField('/issuer', 'there is no such credential');
        return { status: 200, body: { items: await room.inventory.run(issuer, caller.principalId) } };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/inventory/findings/{id}/ignore',
      permission: 'inventory:run',
      summary: 'Sets a finding aside',
      tag,
      params: idParams('finding'),
      body: NO_BODY,
      answers: { 200: { about: 'The finding as it is now', schema: findingSchema } },
      matches: 'finding',
      effect: 'rows',
      async handler(context, { params: { id } }) {
        const before = getRow<FindingRow>(context.desk.rows, 'finding', id);
        const row = nextImage(before, { state: 'ignored' as const, closedAt: context.desk.clock.now() });
        await context.desk.write({ events: [eventOf(context, 'finding.ignored', [{ noun: 'finding', row }])] });
        return rowAnswer(row, findingView(context.desk.rows, row));
      },
    }),
  ];
}
