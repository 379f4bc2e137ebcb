// Prefect Server's catalogue: the 170 operations that it shares with Prefect Cloud and the 9 that it has alone, each below `/api`, and its
// WebSockets. Follows Prefect Server's OpenAPI document, API 0.8.4 (read 2026-11-21).
import { below, narrowedBy, reads, removes, reveals, writes } from './prefect.actions.ts';
import { prefectOrchestrationActions, prefectSocketActions } from './prefect.orchestration.actions.ts';
import type { Action } from './provider.ts';

const own: readonly Action[] = [
  reads('version.get', 'GET /version'),
  reads('readiness.get', 'GET /ready'),
  narrowedBy(['client'], reads('csrf-token.get', 'GET /csrf-token')),
  reads('collection-view.get', 'GET /collections/views/{view}'),
  reads('admin.get-version', 'GET /admin/version'),
  // Passwords are masked in it, but not the one within the URL of a Redis, nor headers that were set for clients.
  reveals(reads('admin.get-settings', 'GET /admin/settings')),
  reads('admin-storage.get', 'GET /admin/storage'),
  writes('admin-storage.replace', 'PUT /admin/storage'),
  removes('admin-storage.clear', 'DELETE /admin/storage'),
];

/** A server knows no scopes: whoever has its string may do everything. */
function withoutScopes({ scopes: _, ...action }: Action): Action {
  return action;
}

export const prefectServerActions: readonly Action[] = below('/api', [
  ...prefectOrchestrationActions.map(withoutScopes),
  ...own,
  ...prefectSocketActions,
]);
