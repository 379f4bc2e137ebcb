// Routes of grants and of the suggestion that right-sizes them. The rules are in manage-grants.ts and suggest.ts.
import { z } from 'zod';
import { allRows, findRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import {
  cutPage,
  idParams,
  idSchema,
  invalidField,
  LIMIT_MAX,
  NO_BODY,
  PAGE_MEMBERS,
  type Page,
  pageAnswer,
  pageOf,
  pageOfSchema,
  queryFlag,
  type Records,
  type Route,
  route,
  rowAnswer,
  rowView,
  secondsSchema,
} from '../model/route.ts';
import { grantSchema, newGrantSchema } from './api-schemas.ts';
import { EXPECTATIONS_MAX, expectationSchema, verdictSchema } from './expectation.ts';
import { type ActionsOf, giveGrant, revokeGrant } from './manage-grants.ts';
import type { LiveCatalogue } from './policy.ts';
import type { GrantRow } from './principal.ts';
import { type ObservedUse, suggest } from './suggest.ts';
import { tryGrants } from './try-grants.ts';

export interface GrantRoom {
  readonly records: Records;
  readonly actionsOf: ActionsOf;
  /** The catalogue of a credential in force; null where there is none yet. */
  catalogueOf(credentialId: string): LiveCatalogue | null;
  /** Admitted uses of a credential since a time, newest first, bounded. */
  usesOf(credentialId: string, principalId: string | null, since: number): Promise<readonly ObservedUse[]>;
  readonly inTurn: <T>(run: () => Promise<T>) => Promise<T>;
}

const suggestionSchema = z.object({
  principal: idSchema('principal'),
  actions: z.array(z.string()),
  parameters: z.record(z.string(), z.array(z.string())),
  uses: z.int(),
  wouldDeny: z.int().meta({ description: 'Uses on record that the proposal would have denied, replayed' }),
});

/** Stretches of the table that one page looks at. */
const LOOKS_MAX = 20;

/** A page of all grants that there ever were. Where the bound is reached it may hold fewer items than asked for, and still have a next. */
async function pageOfRecords(
  records: Records,
  query: { readonly limit: number; readonly cursor: string | null; readonly credential?: string | undefined },
  keep: (row: GrantRow) => boolean,
): Promise<Page<GrantRow>> {
  const filter = { parent: query.credential ?? null, live: null };
  const found: GrantRow[] = [];
  let { cursor } = query;
  for (let look = 0; look < LOOKS_MAX; look++) {
    const page = await records.page<GrantRow>('grant', filter, { limit: LIMIT_MAX, cursor, order: 'asc' });
    found.push(...page.items.filter(keep));
    if (found.length > query.limit || page.next === null) return cutPage(found, query.limit);
    cursor = page.next;
  }
  return { items: found, next: cursor };
}

export function grantRoutes(room: GrantRoom): Route[] {
  const tag = 'grants';
  const { inTurn } = room;
  return [
    route({
      method: 'GET',
      path: '/v1/grants',
      permission: 'grant:read',
      summary: 'Grants that were not revoked, oldest first; with revoked=true all of them',
      tag,
      query: z.strictObject({
        ...PAGE_MEMBERS,
        principal: idSchema('principal').optional(),
        credential: idSchema('credential').optional(),
        revoked: queryFlag(false).meta({ description: 'true: those that were revoked too' }),
      }),
      answers: { 200: { about: 'A page of grants', schema: pageOfSchema(grantSchema) } },
      async handler({ desk }, { query }) {
        const keep = (row: GrantRow) =>
          (query.principal === undefined || row.principalId === query.principal) &&
          (query.credential === undefined || row.credentialId === query.credential);
        if (query.revoked) return pageAnswer(await pageOfRecords(room.records, query, keep), rowView);
        const rows = allRows<GrantRow>(desk.rows, 'grant');
        return pageAnswer(pageOf(rows, { ...query, order: 'asc' }, keep), rowView);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/grants',
      permission: 'grant:write',
      summary: 'Gives a grant',
      description:
        'Actions are names of the provider’s catalogue or patterns of them. One that mints or reveals credentials is covered by its full name alone, and granting it needs credential:write.',
      tag,
      body: newGrantSchema,
      answers: { 201: { about: 'The new grant', schema: grantSchema } },
      effect: 'rows',
      handler(context, { body }) {
        const { principal, credential, ...terms } = body;
        const input = { ...terms, principalId: principal, credentialId: credential };
        return inTurn(async () => {
          const row = await giveGrant(context, input, room.actionsOf);
          return rowAnswer(row, rowView(row), 201);
        });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/grants/suggest',
      permission: 'grant:read',
      summary: 'The smallest grants that would have served the uses on record',
      description: 'Needs audit:read too. Looks at the newest uses, at most 200,000 entries of the log.',
      tag,
      body: z.strictObject({
        credential: idSchema('credential'),
        principal: idSchema('principal').nullable().default(null),
        sinceSeconds: secondsSchema,
      }),
      answers: {
        200: { about: 'One proposal for each principal', schema: z.object({ items: z.array(suggestionSchema) }) },
      },
      effect: 'memory',
      async handler({ caller, desk }, { body }) {
        if (!caller.permissions.has('audit:read')) {
          throw new Failure('denied', 'a suggestion shows what was used, which needs audit:read');
        }
        if (findRow(desk.rows, 'credential', body.credential) === null) {
          throw invalidField('/credential', 'there is no such credential');
        }
        const since = desk.clock.now() - body.sinceSeconds * 1000;
        const uses = await room.usesOf(body.credential, body.principal, since);
        return { status: 200, body: { items: suggest(uses, room.catalogueOf(body.credential)) } };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/grants/test',
      permission: 'grant:read',
      summary: 'What the grants in force would let through, case by case',
      description:
        'Decides as the broker would. Nothing is sent, recorded or spent: rates are not asked about, and neither are tokens. The answer has one item for each case, in their order.',
      tag,
      body: z.strictObject({ cases: z.array(expectationSchema).min(1).max(EXPECTATIONS_MAX) }),
      answers: {
        200: {
          about: 'One verdict for each case',
          schema: z.object({ failed: z.int(), items: z.array(verdictSchema) }),
        },
      },
      effect: 'memory',
      handler({ desk }, { body }) {
        const items = tryGrants(desk.rows, body.cases, desk.clock.now());
        return { status: 200, body: { failed: items.filter((one) => !one.holds).length, items } };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/grants/{id}/revoke',
      permission: 'grant:write',
      summary: 'Revokes a grant: refused from the next request on, what is open is cut',
      description: 'Revoking one that is revoked changes nothing.',
      tag,
      params: idParams('grant'),
      body: NO_BODY,
      answers: { 200: { about: 'The grant as it is now', schema: grantSchema } },
      matches: 'grant',
      effect: 'rows',
      handler(context, { params: { id } }) {
        return inTurn(async () => {
          const isLive = findRow(context.desk.rows, 'grant', id) !== null;
          const before = isLive ? null : await room.records.find<GrantRow>('grant', id);
          const row = before ?? (await revokeGrant(context, id));
          return rowAnswer(row, rowView(row));
        });
      },
    }),
  ];
}
