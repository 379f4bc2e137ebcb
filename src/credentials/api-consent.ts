// Routes of consent: beginning one, what became of it, and the address to which the instance sends the browser back. The last is open to everybody:
// whoever comes there is known by the state that a consent was begun with, and by nothing else.
import { z } from 'zod';
import { findRow, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { idParams, idSchema, invalidField, type Route, route, rowView, timeSchema } from '../model/route.ts';
import { type Holder, issuerOf } from './asking.ts';
import type { Consents, ConsentView } from './consent.ts';
import { CALLBACK_PATH, consentFlow, namesIn, redirectProblem, uncovered } from './consent-flow.ts';
import { consentPage } from './consent-page.ts';
import type { CredentialRow } from './credential.ts';
import { type Acting, issuerProblem, type Kinds, kindAt } from './manage.ts';

export interface ConsentRoom {
  readonly consents: Consents;
  readonly kinds: Kinds;
}

const SCOPES_MAX = 100;

const viewSchema = z.object({
  state: z.enum(['waiting', 'brought', 'denied', 'refused', 'expired']),
  why: z.string().nullable(),
  app: idSchema('credential').meta({ description: 'The app that is consented to' }),
  scopes: z.array(z.string()),
  account: z.string().nullable().meta({ description: 'Whose key it is, as the provider names the account' }),
  startedAt: timeSchema,
  expiresAt: timeSchema,
});

const bodySchema = z.strictObject({
  app: idSchema('credential')
    .optional()
    .meta({ description: 'The app to consent to; absent: the credential’s issuer' }),
  scopes: z
    .array(z.string().min(1).max(100))
    .min(1)
    .max(SCOPES_MAX)
    .optional()
    .meta({ description: 'What to ask for, some of the app’s own; absent: all of them' }),
});

/** A server may add members of its own: they are ignored. */
const answerSchema = z.object({
  state: z.string().min(1).max(200),
  code: z.string().max(2_000).optional(),
  error: z.string().max(200).optional(),
  iss: z.string().max(500).optional(),
});

/** The app with its current version. Throws `invalid`, `conflict` where it has none. */
function appOf(context: Acting, credential: CredentialRow, id: string | undefined, kinds: Kinds): Holder {
  const { rows } = context.desk;
  const asked = id ?? credential.issuerId;
  if (asked === null) throw invalidField('/app', 'the credential has no issuer: name the app that is consented to');
  const app = findRow<CredentialRow>(rows, 'credential', asked);
  if (app === null) throw invalidField('/app', 'there is no such credential');
  const kind = kindAt(kinds, credential.provider, credential.kind);
  const wrong = issuerProblem(app, { ...credential, kind }, kinds);
  if (wrong !== null) throw invalidField('/app', wrong);
  const holder = issuerOf(rows, { ...credential, issuerId: app.id });
  if (holder === null) throw new Failure('conflict', 'the app has no current version');
  return holder;
}

export function consentRoutes({ consents, kinds }: ConsentRoom): Route[] {
  const params = idParams('credential');
  const path = '/v1/credentials/{id}/consent';
  const tag = 'credentials';
  const shown = (view: ConsentView) => rowView(view);
  return [
    route({
      method: 'POST',
      path,
      permission: 'credential:write',
      summary: 'Begins a consent: the address that a person opens to make the key',
      description:
        'Good for ten minutes and one answer, and gone with a restart. A later one takes its place. Needs credential:rotate too.',
      tag,
      params,
      body: bodySchema.optional(),
      answers: {
        201: {
          about: 'The address, and what is asked for',
          schema: z.object({ url: z.string(), consent: viewSchema }),
        },
      },
      effect: 'memory',
      async handler(context, { params: { id }, body }) {
        if (!context.caller.permissions.has('credential:rotate'))
          throw new Failure('denied', 'bringing a key needs credential:rotate besides credential:write');
        const credential = getRow<CredentialRow>(context.desk.rows, 'credential', id);
        if (credential.retiredAt !== null) throw new Failure('conflict', 'the credential is decommissioned');
        const flow = consentFlow(credential.provider, credential.kind);
        if (flow === null) throw new Failure('conflict', 'keys of this kind are not made by consent');
        const app = appOf(context, credential, body?.app, kinds);
        const { redirectUri, scopes: own } = app.credential.settings;
        const wrong = redirectProblem(redirectUri);
        if (wrong !== null) throw new Failure('conflict', wrong);
        const appScopes = namesIn(own);
        const scopes = body?.scopes ?? appScopes;
        if (scopes.length === 0) throw invalidField('/scopes', 'the app’s own are not known: name what to ask for');
        const model = kindAt(kinds, credential.provider, credential.kind).scopes;
        const more = appScopes.length === 0 ? [] : uncovered(appScopes, scopes, model);
        if (more.length > 0) throw invalidField('/scopes', `the app does not have ${more.join(', ')}`);
        const { caller } = context;
        const begun = await consents.begin({ credential, app, flow, redirectUri: redirectUri!, scopes, caller });
        return { status: 201, body: { url: begun.url, consent: shown(begun.view) } };
      },
    }),
    route({
      method: 'GET',
      path,
      permission: 'credential:read',
      summary: 'What became of the newest consent',
      tag,
      params,
      answers: { 200: { about: 'The consent', schema: viewSchema } },
      handler(context, { params: { id } }) {
        getRow<CredentialRow>(context.desk.rows, 'credential', id);
        const view = consents.view(id);
        if (view === null) throw new Failure('not-found', 'no consent was begun lately');
        return { status: 200, body: shown(view) };
      },
    }),
    route({
      method: 'GET',
      path: CALLBACK_PATH,
      permission: 'public',
      summary: 'Where a provider sends the browser back to; a page for the person',
      tag,
      query: answerSchema,
      answers: {
        200: { about: 'The key was taken', schema: z.string(), types: ['text/html'] },
        403: { about: 'The person did not agree, or the key was not taken', schema: z.string(), types: ['text/html'] },
        410: { about: 'Nobody waits for this answer, or not any more', schema: z.string(), types: ['text/html'] },
      },
      async handler(_context, { query }) {
        const { state, code = null, error = null, iss: issuer = null } = query;
        const view = await consents.finish({ state, code, error, issuer });
        return consentPage(view?.state ?? null);
      },
    }),
  ];
}
