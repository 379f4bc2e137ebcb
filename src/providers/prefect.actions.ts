// The forms in which the catalogues of Prefect's two services are written down, one action a line. It names no operation itself: those
// are in prefect.orchestration.actions.ts, prefect-cloud.*.actions.ts and prefect-server.actions.ts.
import type { Action } from './provider.ts';

/** `line` is `METHOD /path`; `scopes` are what the document says a key needs, all of them, or none where it does not say. */
function action(effect: Action['effect'], name: string, line: string, scopes: readonly string[]): Action {
  const space = line.indexOf(' ');
  return {
    name,
    method: line.slice(0, space) as Action['method'],
    path: line.slice(space + 1),
    effect,
    ...(scopes.length === 0 ? {} : { scopes }),
  };
}

export function reads(name: string, line: string, ...scopes: readonly string[]): Action {
  return action('read', name, line, scopes);
}

export function writes(name: string, line: string, ...scopes: readonly string[]): Action {
  return action('write', name, line, scopes);
}

export function removes(name: string, line: string, ...scopes: readonly string[]): Action {
  return action('delete', name, line, scopes);
}

/** Marks an action as minting or revealing a credential: no wildcard matches it. */
export function reveals(marked: Action): Action {
  return { ...marked, mints: true };
}

/** Names the query parameters that a grant may constrain. */
export function narrowedBy(query: readonly string[], narrowed: Action): Action {
  return { ...narrowed, query };
}

/** A WebSocket whose first message is `{"type":"auth","token":"…"}`, whatever its handshake holds. */
export function greetedSocket(opened: Action): Action {
  return { ...opened, upgrade: 'websocket', firstFrame: { pointer: '/token', subprotocol: 'prefect' } };
}

/** The same actions below another path. */
export function below(prefix: string, actions: readonly Action[]): readonly Action[] {
  return actions.map((one) => ({ ...one, path: prefix + one.path }));
}
