// A provider for an upstream that the lab is given: one key in Authorization, and as catalogue the paths that were allowed. It has no
// API for its keys, so nothing is rotated.
import type { Action, Provider } from '../../src/providers/provider.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
/** `**` stands for up to so many segments. */
const REST_MAX = 8;

function effectOf(method: Action['method']): Action['effect'] {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return 'read';
  return method === 'DELETE' ? 'delete' : 'write';
}

/** The actions of `METHOD /path` patterns. Throws for one that cannot be read. */
export function actionsOf(patterns: readonly string[]): Action[] {
  const actions = new Map<string, Action>();
  for (const pattern of patterns) {
    const match = /^([A-Z*]+) (\/\S*)$/.exec(pattern);
    if (match === null) throw new Error(`not a pattern: ${pattern} (write METHOD /path, with * and a last **)`);
    const methods = match[1] === '*' ? METHODS : METHODS.filter((method) => method === match[1]);
    for (const path of expand(match[2]!)) {
      for (const method of methods) {
        actions.set(`${method} ${path}`, {
          name: `path.${method.toLowerCase()}-${actions.size}`,
          method,
          path,
          effect: effectOf(method),
        });
      }
    }
  }
  return [...actions.values()];
}

function expand(path: string): string[] {
  const named = (text: string) => {
    let n = 0;
    return text.replaceAll(/(?<=\/)\*(?=\/|$)/g, () => `{p${n++}}`);
  };
  if (!path.endsWith('/**')) return [named(path)];
  const base = path.slice(0, -3);
  const paths = base === '' ? ['/'] : [base];
  for (let rest = 1; rest <= REST_MAX; rest++) paths.push(`${base}${'/*'.repeat(rest)}`);
  return paths.map(named);
}

export function labProvider(origin: string, allow: readonly string[]): Provider {
  return {
    name: 'lab',
    title: 'an upstream of the lab',
    origin,
    console: origin,
    actions: actionsOf(allow),
    kinds: [
      {
        name: 'key',
        title: 'key',
        parts: ['key'],
        format: { key: /^[!-~]{8,200}$/ },
        places: [{ in: 'header', name: 'authorization', scheme: 'Bearer' }],
        rotation: 'assisted',
        activeMax: null,
        propagationMs: 0,
        settings: {},
        issuers: [],
        issue: null,
        list: null,
        revoke: null,
        probe: {
          request: () => ({ method: 'GET', path: '/' }),
          read: (answer) => ({
            is: 'unknown',
            evidence: { status: answer.status, signature: 'lab.any', requestId: null },
            retryAfterMs: null,
          }),
        },
      },
    ],
  };
}
