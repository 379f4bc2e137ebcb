// The words of Plaid's catalogue: what an operation is called, what it does to the world, and whether its answer shows a credential.
// Nearly every call is a POST, so the effect follows the meaning of the path's last word, and is a write where that leaves a doubt.
import type { Action } from './provider.ts';

function post(effect: Action['effect'], name: string, path: string): Action {
  return { name, method: 'POST', path, effect };
}

/** `get`, `list`, `search`, `sync`, `download`, `introspect`. */
export function read(name: string, path: string): Action {
  return post('read', name, path);
}

/** Everything else: also what judges or compares and may be kept or billed (`evaluate`, `match`, `enrich`, `refresh`). */
export function write(name: string, path: string): Action {
  return post('write', name, path);
}

/** `remove`, `revoke`, `cancel`, `terminate`, `unlink`, `unregister`, `unsubscribe`. */
export function remove(name: string, path: string): Action {
  return post('delete', name, path);
}

/** The three operations that are a GET. */
export function get(name: string, path: string): Action {
  return { name, method: 'GET', path, effect: 'read' };
}

/**
 * Mints or reveals a credential: no wildcard matches it. Marked is every operation whose documented answer has room for a token, a secret or
 * a link that lets whoever holds it read or act, and what widens one that is out.
 */
export function reveals(marked: Action): Action {
  return { ...marked, mints: true };
}
