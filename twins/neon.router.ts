// How the Neon twin finds the route of a request line: a tree of segments in which a literal beats a parameter. It knows no routes.
import type { Json } from '../src/model/json.ts';
import type { FaultBox } from './faults.ts';
import type { Access, Refusal } from './neon.access.ts';
import type { KeyRing, TwinKey } from './neon.keys.ts';
import type { Maker } from './neon.world.ts';

export interface Context {
  readonly maker: Maker;
  readonly keys: KeyRing;
  readonly faults: FaultBox;
  /** The caller, alive and permitted. */
  readonly key: TwinKey;
  /** UTC milliseconds. */
  readonly now: number;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** null without a body, undefined for one that is not JSON. */
  readonly body: Json | undefined;
  /** Does something at a later instant: an effect that was on its way. */
  later(at: number, effect: (now: number) => void): void;
}

/** What a handler wants done with its answer besides sending it. */
export interface Answer {
  readonly status: number;
  readonly body: Json | Uint8Array;
  readonly delayMs?: number;
  /** Cut the connection instead of answering, after the delay. */
  readonly isCut?: boolean;
}

export type Handler = (context: Context) => Answer | Refusal;

export interface Route {
  readonly method: string;
  /** Template below the origin. */
  readonly path: string;
  readonly access: Access;
  readonly handle: Handler;
}

/** `line` is `METHOD /path` below the API's base path. */
export function route(line: string, access: Access, handle: Handler): Route {
  const [method = '', path = ''] = line.split(' ');
  return { method, path: `/api/v2${path}`, access, handle };
}

interface Node {
  readonly literals: Map<string, Node>;
  parameter: Node | null;
  readonly routes: Map<string, { route: Route; names: readonly string[] }>;
}

export interface Match {
  readonly route: Route;
  readonly params: Record<string, string>;
}

export interface Router {
  find(method: string, pathname: string): Match | null;
}

const SEGMENTS_MAX = 16;

function node(): Node {
  return { literals: new Map(), parameter: null, routes: new Map() };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Throws where two routes have the same request line: a table with such a pair is a mistake. */
export function router(routes: readonly Route[]): Router {
  const root = node();
  for (const one of routes) {
    const names: string[] = [];
    let at = root;
    for (const segment of one.path.split('/').slice(1)) {
      if (segment.startsWith('{')) {
        names.push(segment.slice(1, -1));
        at.parameter ??= node();
        at = at.parameter;
      } else {
        const next = at.literals.get(segment) ?? node();
        at.literals.set(segment, next);
        at = next;
      }
    }
    if (at.routes.has(one.method)) throw new Error(`two routes for ${one.method} ${one.path}`);
    at.routes.set(one.method, { route: one, names });
  }

  function walk(from: Node, method: string, segments: readonly string[], index: number, values: string[]): Node | null {
    if (index === segments.length) return from.routes.has(method) ? from : null;
    const segment = segments[index]!;
    const literal = from.literals.get(segment);
    if (literal !== undefined) {
      const found = walk(literal, method, segments, index + 1, values);
      if (found !== null) return found;
    }
    if (from.parameter === null || segment === '') return null;
    values.push(segment);
    const found = walk(from.parameter, method, segments, index + 1, values);
    if (found === null) values.pop();
    return found;
  }

  function find(method: string, pathname: string): Match | null {
    const segments = pathname.split('/', SEGMENTS_MAX).slice(1);
    const values: string[] = [];
    const found = walk(root, method, segments, 0, values)?.routes.get(method);
    if (found === undefined) return null;
    const params: Record<string, string> = {};
    for (const [i, name] of found.names.entries()) params[name] = decoded(values[i] ?? '');
    return { route: found.route, params };
  }

  return { find };
}
