// The routes that speak of the server itself: whether it lives, whether it is ready, what it is, its OpenAPI document.
import { z } from 'zod';
import { Failure } from '../model/failure.ts';
import { type Route, route } from '../model/route.ts';
import { PUBLIC } from './openapi.ts';

export interface Status {
  readonly version: string;
  readonly instance: string;
  readonly sealed: boolean;
  /** Grows each time that a backup was restored. */
  readonly epoch: number;
  /** Grows with each start. */
  readonly fence: number;
  readonly dialect: 'sqlite' | 'postgresql';
  readonly logs: { readonly control: { readonly size: number }; readonly use: { readonly size: number } };
  /** Credentials whose current version has no second copy. */
  readonly unprotected: number;
  readonly openUses: number;
}

export const statusSchema = z.object({
  version: z.string(),
  instance: z.string(),
  sealed: z.boolean(),
  epoch: z.int(),
  fence: z.int(),
  dialect: z.enum(['sqlite', 'postgresql']),
  logs: z.object({ control: z.object({ size: z.int() }), use: z.object({ size: z.int() }) }),
  unprotected: z.int(),
  openUses: z.int(),
});

export interface SystemRoom {
  /** Throws `unavailable` where the database does not answer. */
  status(): Promise<Status>;
  /** Why the server is not ready, or null. */
  readiness(): Promise<string | null>;
  /** The OpenAPI document, once it is made. */
  document(): object;
}

export function systemRoutes(room: SystemRoom): Route[] {
  const healthy = z.object({ status: z.literal('ok') });
  return [
    route({
      method: 'GET',
      path: '/healthz',
      permission: PUBLIC,
      summary: 'Whether the process lives',
      tag: 'server',
      answers: { 200: { about: 'It does', schema: healthy } },
      handler: () => ({ status: 200, body: { status: 'ok' } }),
    }),
    route({
      method: 'GET',
      path: '/readyz',
      permission: PUBLIC,
      summary: 'Whether requests are served: unsealed, database reachable, not stopping',
      tag: 'server',
      answers: { 200: { about: 'They are', schema: healthy } },
      async handler() {
        const why = await room.readiness();
        if (why !== null) throw new Failure(why === 'sealed' ? 'sealed' : 'unavailable', why);
        return { status: 200, body: { status: 'ok' } };
      },
    }),
    route({
      method: 'GET',
      path: '/openapi.json',
      permission: PUBLIC,
      summary: 'This document',
      tag: 'server',
      answers: { 200: { about: 'OpenAPI 3.1', schema: z.looseObject({ openapi: z.string() }) } },
      handler: () => ({ status: 200, body: room.document() }),
    }),
    route({
      method: 'GET',
      path: '/v1/status',
      permission: 'server:read',
      summary: 'What this server is and holds',
      tag: 'server',
      answers: { 200: { about: 'The status', schema: statusSchema } },
      async handler() {
        return { status: 200, body: await room.status() };
      },
    }),
  ];
}
