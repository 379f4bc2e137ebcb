// The route that shows what this program knows of providers: kinds with what they need, and the actions that grants may name.
import { z } from 'zod';
import { sharedSettings } from '../credentials/issuing.ts';
import { type Route, route } from '../model/route.ts';
import type { Provider } from '../providers/provider.ts';
import { parametersOf } from './manage-grants.ts';

const kindSchema = z.object({
  name: z.string(),
  title: z.string(),
  parts: z.array(z.string()),
  publicParts: z.array(z.string()),
  settings: z.record(
    z.string(),
    z.object({ required: z.boolean(), about: z.string(), default: z.string().optional() }),
  ),
  rotation: z.enum(['overlap', 'grace', 'swap', 'assisted']),
  activeMax: z.int().nullable(),
  issuers: z.array(z.string()),
});

const actionSchema = z.object({
  name: z.string(),
  effect: z.enum(['read', 'write', 'delete']),
  mints: z.boolean(),
  parameters: z.array(z.string()),
});

const providerSchema = z.object({
  name: z.string(),
  title: z.string(),
  origin: z.string(),
  prefix: z.string().meta({
    description: 'What all paths of its API begin with, for the base URL of a client; empty where they share nothing',
  }),
  console: z.string(),
  kinds: z.array(kindSchema),
  actions: z.array(actionSchema),
});

export function providerRoutes(providers: () => Iterable<Provider>): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/providers',
      permission: 'credential:read',
      summary: 'The providers: kinds of credentials, and actions to grant',
      tag: 'providers',
      answers: {
        200: { about: 'All of them', schema: z.object({ items: z.array(providerSchema), next: z.null() }) },
      },
      handler: () => ({ status: 200, body: { items: [...providers()].map(providerView), next: null } }),
    }),
  ];
}

function providerView({ name, title, origin, console: page, kinds, actions }: Provider): object {
  return {
    name,
    title,
    origin,
    prefix: sharedPrefix(actions.map((action) => action.path)),
    console: page,
    kinds: kinds.map((kind) => ({
      name: kind.name,
      title: kind.title,
      parts: kind.parts,
      publicParts: kind.publicParts ?? [],
      settings: { ...sharedSettings(kind), ...kind.settings },
      rotation: kind.rotation,
      activeMax: kind.activeMax,
      issuers: kind.issuers,
    })),
    actions: actions.map((action) => ({
      name: action.name,
      effect: action.effect,
      mints: action.mints === true,
      parameters: parametersOf(action),
    })),
  };
}

/** The whole segments that all paths begin with, up to the first parameter: `/api/v2`. A path's last segment is never one of them. */
export function sharedPrefix(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => path.split('/').slice(1, -1));
  const end = first.findIndex(
    (segment, i) => segment.startsWith('{') || others.some((segments) => segments[i] !== segment),
  );
  const shared = end < 0 ? first : first.slice(0, end);
  return shared.map((segment) => `/${segment}`).join('');
}
