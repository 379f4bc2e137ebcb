// Which methods a path has: for 405 with Allow, for OPTIONS, and for telling a missing path from a missing method.
import type { Route } from '../model/route.ts';

export interface Paths {
  /** The methods of the path, HEAD and OPTIONS included; null where there is no such path. */
  allowed(path: string): readonly string[] | null;
}

/** `/v1/principals/{id}` as Fastify writes it: `/v1/principals/:id`. */
export function mountPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

export function createPaths(routes: readonly Pick<Route, 'method' | 'path'>[]): Paths {
  const methods = new Map<string, Set<string>>();
  for (const { method, path } of routes) {
    const known = methods.get(path) ?? new Set<string>();
    known.add(method);
    if (method === 'GET') known.add('HEAD');
    methods.set(path, known);
  }
  const templates = [...methods].map(([path, known]) => ({
    segments: path.split('/'),
    allowed: [...known, 'OPTIONS'].sort(),
  }));
  return {
    allowed(path) {
      const segments = path.split('/');
      // Literal templates win, as in the router: `/v1/grants/suggest` is not `/v1/grants/{id}`.
      const fits = templates.filter((template) => isFit(template.segments, segments));
      fits.sort((a, b) => parameters(a.segments) - parameters(b.segments));
      return fits[0]?.allowed ?? null;
    },
  };
}

function parameters(template: readonly string[]): number {
  return template.filter((segment) => segment.startsWith('{')).length;
}

function isFit(template: readonly string[], segments: readonly string[]): boolean {
  if (template.length !== segments.length) return false;
  return template.every((part, i) => (part.startsWith('{') ? segments[i] !== '' : part === segments[i]));
}
