// Routes of principals and their tokens, and `whoami`. The rules are in manage-*.ts.
import { z } from 'zod';
import { allRows, findRow, getRow } from '../model/desk.ts';
import {
  type Context,
  idParams,
  NO_BODY,
  PAGE_MEMBERS,
  pageAnswer,
  pageOf,
  pageOfSchema,
  type Records,
  type Route,
  route,
  rowAnswer,
  rowView,
} from '../model/route.ts';
import {
  issuedTokenSchema,
  newPrincipalSchema,
  newTokenSchema,
  principalChangeSchema,
  principalSchema,
  rolesSchema,
  rotatedTokenSchema,
  rotateTokenSchema,
  tokenSchema,
  tokenView,
} from './api-schemas.ts';
import { addPrincipal, changePrincipal, disablePrincipal, enablePrincipal } from './manage-principals.ts';
import { type Hash, issueToken, revokeToken, rotateToken } from './manage-tokens.ts';
import type { PrincipalRow, TokenRow } from './principal.ts';

export interface PrincipalRoom {
  readonly records: Records;
  readonly hash: Hash;
  /** Rules over several rows hold because changes come one after the other. */
  readonly inTurn: <T>(run: () => Promise<T>) => Promise<T>;
}

function principalAnswer(row: PrincipalRow, status = 200) {
  return rowAnswer(row, rowView(row), status);
}

export function principalRoutes(room: PrincipalRoom): Route[] {
  const { inTurn } = room;
  return [
    route({
      method: 'GET',
      path: '/v1/whoami',
      permission: null,
      summary: 'Who the caller is and what it may do',
      tag: 'principals',
      answers: {
        200: {
          about: 'The caller',
          schema: z.object({
            principal: principalSchema,
            token: tokenSchema,
            roles: rolesSchema,
            permissions: z.array(z.string()),
          }),
        },
      },
      handler({ caller, desk }) {
        const principal = getRow<PrincipalRow>(desk.rows, 'principal', caller.principalId);
        const token = getRow<TokenRow>(desk.rows, 'token', caller.tokenId);
        const permissions = [...caller.permissions].sort();
        const body = { principal: rowView(principal), token: tokenView(token), roles: principal.roles, permissions };
        return { status: 200, body };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/principals',
      permission: 'principal:read',
      summary: 'The principals, oldest first',
      tag: 'principals',
      query: z.strictObject(PAGE_MEMBERS),
      answers: { 200: { about: 'A page of principals', schema: pageOfSchema(principalSchema) } },
      handler({ desk }, { query }) {
        const rows = allRows<PrincipalRow>(desk.rows, 'principal');
        return pageAnswer(
          pageOf(rows, { ...query, order: 'asc' }, () => true),
          rowView,
        );
      },
    }),
    route({
      method: 'POST',
      path: '/v1/principals',
      permission: 'principal:write',
      summary: 'Adds a principal',
      description: 'Nobody gives roles whose permissions they do not hold.',
      tag: 'principals',
      body: newPrincipalSchema,
      answers: { 201: { about: 'The new principal', schema: principalSchema } },
      effect: 'rows',
      handler(context, { body }) {
        return inTurn(async () => principalAnswer(await addPrincipal(context, body), 201));
      },
    }),
    route({
      method: 'GET',
      path: '/v1/principals/{id}',
      permission: 'principal:read',
      summary: 'A principal',
      tag: 'principals',
      params: idParams('principal'),
      answers: { 200: { about: 'The principal', schema: principalSchema } },
      handler({ desk }, { params }) {
        return principalAnswer(getRow<PrincipalRow>(desk.rows, 'principal', params.id));
      },
    }),
    route({
      method: 'PATCH',
      path: '/v1/principals/{id}',
      permission: 'principal:write',
      summary: 'Changes a principal',
      description: 'Needs every permission that the principal has or would have. The last admin stays one.',
      tag: 'principals',
      params: idParams('principal'),
      body: principalChangeSchema,
      answers: { 200: { about: 'The principal as it is now', schema: principalSchema } },
      matches: 'principal',
      handler(context, { params, body }) {
        const given = Object.entries(body).filter(([, value]) => value !== undefined);
        return inTurn(async () =>
          principalAnswer(await changePrincipal(context, params.id, Object.fromEntries(given))),
        );
      },
    }),
    ...(['disable', 'enable'] as const).map((verb) =>
      route({
        method: 'POST',
        path: `/v1/principals/{id}/${verb}`,
        permission: 'principal:write',
        summary: verb === 'disable' ? 'Refuses every token of a principal' : 'Accepts its tokens again',
        tag: 'principals',
        params: idParams('principal'),
        body: NO_BODY,
        answers: { 200: { about: 'The principal as it is now', schema: principalSchema } },
        matches: 'principal',
        effect: 'rows',
        handler(context, { params }) {
          const change = verb === 'disable' ? disablePrincipal : enablePrincipal;
          return inTurn(async () => principalAnswer(await change(context, params.id)));
        },
      }),
    ),
    ...tokenRoutes(room),
  ];
}

function tokenRoutes({ records, hash, inTurn }: PrincipalRoom): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/principals/{id}/tokens',
      permission: 'token:read',
      summary: 'The tokens of a principal, newest first, revoked ones included',
      tag: 'tokens',
      params: idParams('principal'),
      query: z.strictObject(PAGE_MEMBERS),
      answers: { 200: { about: 'A page of tokens', schema: pageOfSchema(tokenSchema) } },
      async handler({ desk }, { params, query }) {
        getRow(desk.rows, 'principal', params.id);
        const page = { ...query, order: 'desc' as const };
        return pageAnswer(await records.page<TokenRow>('token', { parent: params.id, live: null }, page), tokenView);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/principals/{id}/tokens',
      permission: 'token:write',
      summary: 'Issues a token',
      description: 'Its text is shown once. Needs every permission that the principal has.',
      tag: 'tokens',
      params: idParams('principal'),
      body: newTokenSchema,
      answers: { 201: { about: 'The token, with its text', schema: issuedTokenSchema } },
      effect: 'rows',
      handler(context, { params, body }) {
        const { credential, ...rest } = body;
        return inTurn(async () => {
          const { token, text } = await issueToken(context, params.id, { ...rest, credentialId: credential }, hash);
          const view = tokenView(token);
          return { status: 201, body: { token: view, text }, replay: { token: view, text: null }, etag: 1 };
        });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/tokens/{id}/rotate',
      permission: 'token:write',
      summary: 'Puts a new token in the place of one',
      description: 'Same principal, credential, networks and expiry. The old one ends after the overlap.',
      tag: 'tokens',
      params: idParams('token'),
      body: rotateTokenSchema,
      answers: { 201: { about: 'The new token, with its text', schema: rotatedTokenSchema } },
      matches: 'token',
      effect: 'rows',
      handler(context, { params, body }) {
        return inTurn(async () => {
          const made = await rotateToken(context, params.id, body.overlapSeconds, hash);
          const shown = { token: tokenView(made.token), replaces: tokenView(made.replaces) };
          return { status: 201, body: { ...shown, text: made.text }, replay: { ...shown, text: null }, etag: 1 };
        });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/tokens/{id}/revoke',
      permission: 'token:write',
      summary: 'Revokes a token',
      description: 'Revoking one that is revoked changes nothing.',
      tag: 'tokens',
      params: idParams('token'),
      body: NO_BODY,
      answers: { 200: { about: 'The token as it is now', schema: tokenSchema } },
      matches: 'token',
      effect: 'rows',
      handler(context, { params }) {
        return inTurn(async () => {
          const row = (await revokedBefore(context, params.id, records)) ?? (await revokeToken(context, params.id));
          return rowAnswer(row, tokenView(row));
        });
      },
    }),
  ];
}

/** A token that is history already. */
async function revokedBefore(context: Context, id: string, records: Records): Promise<TokenRow | null> {
  if (findRow(context.desk.rows, 'token', id) !== null) return null;
  return records.find<TokenRow>('token', id);
}
