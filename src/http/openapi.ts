// What the OpenAPI 3.1 document says of a route: its schemas, the permission it requires (`x-claviger-permission`), and every problem
// that it may answer with. The document itself is put together by @fastify/swagger from these.
import { z } from 'zod';
import type { Route } from '../model/route.ts';
import { IDEMPOTENCY_KEY, IF_MATCH } from './precondition.ts';
import { problemSchema } from './problem.ts';

export const PUBLIC = 'public';

const idempotencyKey = z
  .string()
  .regex(IDEMPOTENCY_KEY)
  .meta({ description: 'The same key with the same request is answered the same for a day' });
const ifMatch = z.string().regex(IF_MATCH).meta({ description: 'Row version in quotes, as the ETag gave it' });

const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'The request, its JSON or its input is wrong',
  401: 'No valid token',
  403: 'The caller may not do this',
  404: 'There is no such row',
  409: 'The present state does not allow this',
  412: 'The row is not the version that If-Match names',
  413: 'The body is larger than 1 MiB',
  415: 'The body is not application/json',
  429: 'Too many failed authentications from this address, or a brake of the operation',
  502: 'The provider refused or could not be reached',
  503: 'Sealed, stopping, or the database cannot be written',
  504: 'The provider did not answer; the request may have taken effect',
};

/** The statuses of the problems that a route may answer with. */
export function problemsOf(route: Route): number[] {
  const statuses = new Set([400, 503]);
  if (route.permission !== PUBLIC) for (const status of [401, 403, 429]) statuses.add(status);
  if (route.params !== undefined) statuses.add(404);
  if (route.matches !== undefined) statuses.add(412);
  if (route.method !== 'GET') for (const status of [404, 409, 413, 415]) statuses.add(status);
  if (route.effect === 'outside') for (const status of [502, 504]) statuses.add(status);
  return [...statuses].sort((a, b) => a - b);
}

function headersOf(route: Route): z.ZodType | undefined {
  const members: Record<string, z.ZodType> = {};
  if (route.method === 'POST') members['idempotency-key'] = idempotencyKey.optional();
  if (route.matches !== undefined) members['if-match'] = ifMatch.optional();
  return Object.keys(members).length === 0 ? undefined : z.object(members);
}

/** `post` and `/v1/principals/{id}/disable` as `post-principals-id-disable`: a name for generated clients. */
export function operationId(route: Pick<Route, 'method' | 'path'>): string {
  const words = route.path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '' && word !== 'v1');
  return [route.method.toLowerCase(), ...words].join('-');
}

/** Marks the bodies that may be left out: the plug-in calls every body required. */
export function markOptionalBodies(document: object, routes: readonly Route[]): void {
  const { paths = {} } = document as {
    paths?: Record<string, Record<string, { requestBody?: { required?: boolean } }>>;
  };
  for (const { path, method, body } of routes) {
    const operation = paths[path]?.[method.toLowerCase()];
    if (operation?.requestBody === undefined) continue;
    operation.requestBody.required = body?.safeParse(undefined).success !== true;
  }
}

/** The schema of a route in the form that Fastify and its swagger plug-in take. */
export function fastifySchema(route: Route): Record<string, unknown> {
  const response: Record<string, unknown> = {};
  for (const [status, { about, schema, types }] of Object.entries(route.answers)) {
    const content: Record<string, { schema: z.ZodType }> = {};
    for (const type of types ?? ['application/json']) {
      content[type] = { schema: type === 'application/json' ? schema : z.string() };
    }
    response[status] = { description: about, content };
  }
  for (const status of problemsOf(route)) {
    response[status] ??= {
      description: PROBLEMS[status],
      content: { 'application/problem+json': { schema: problemSchema } },
    };
  }
  const isPublic = route.permission === PUBLIC;
  const schema: Record<string, unknown> = {
    operationId: operationId(route),
    summary: route.summary,
    tags: [route.tag],
    security: isPublic ? [] : [{ bearer: [] }],
    'x-claviger-permission': route.permission ?? 'any valid token',
    params: route.params,
    querystring: route.query,
    headers: headersOf(route),
    body: route.body,
    response,
  };
  if (route.description !== undefined) schema['description'] = route.description;
  for (const [name, value] of Object.entries(schema)) if (value === undefined) delete schema[name];
  return schema;
}
