// Sure's operations as actions, each with the scope that a key needs for it: `read`, or `read_write` for what changes something. Follows its
// OpenAPI document (read 2026-11-21) and, for the scopes, its source; what a later version adds is read as `api.read`, and not written.
import type { Action } from './provider.ts';

/** Resources that are listed and shown; then what else may be done with one: c(reate), u(pdate), d(elete). */
const RESOURCES: readonly (readonly [name: string, path: string, more: string])[] = [
  ['account', 'accounts', ''],
  ['balance', 'balances', ''],
  ['budget-category', 'budget_categories', ''],
  ['budget', 'budgets', ''],
  ['category', 'categories', 'c'],
  ['chat', 'chats', 'cud'],
  ['family-export', 'family_exports', 'c'],
  ['holding', 'holdings', ''],
  ['import', 'imports', 'c'],
  ['merchant', 'merchants', ''],
  ['recurring-transaction', 'recurring_transactions', 'cud'],
  ['rejected-transfer', 'rejected_transfers', ''],
  ['rule-run', 'rule_runs', ''],
  ['rule', 'rules', ''],
  ['security', 'securities', ''],
  ['security-price', 'security_prices', ''],
  ['sync', 'syncs', ''],
  ['tag', 'tags', 'cud'],
  ['trade', 'trades', 'cud'],
  ['transaction', 'transactions', 'cud'],
  ['transfer', 'transfers', ''],
  ['valuation', 'valuations', 'cu'],
];

type Method = Action['method'];

const EFFECTS: Readonly<Partial<Record<Method, Action['effect']>>> = { GET: 'read', DELETE: 'delete' };

function action(name: string, method: Method, path: string, more: Partial<Action> = {}): Action {
  const effect = EFFECTS[method] ?? 'write';
  return { name, method, path: `/api/v1/${path}`, effect, scopes: [method === 'GET' ? 'read' : 'read_write'], ...more };
}

function actionsOf([name, path, more]: (typeof RESOURCES)[number]): Action[] {
  const one = `${path}/{id}`;
  return [
    action(`${name}.list`, 'GET', path),
    action(`${name}.get`, 'GET', one),
    ...(more.includes('c') ? [action(`${name}.create`, 'POST', path)] : []),
    ...(more.includes('u') ? [action(`${name}.update`, 'PATCH', one)] : []),
    ...(more.includes('d') ? [action(`${name}.delete`, 'DELETE', one)] : []),
  ];
}

/** Ways to sign in: they take no key, and hand out tokens. */
const SIGN_IN = ['signup', 'login', 'sso_exchange', 'refresh', 'sso_link', 'sso_create_account'].map((step) =>
  action(`session.${step.replaceAll('_', '-')}`, 'POST', `auth/${step}`, { scopes: [], mints: true }),
);

export const sureActions: readonly Action[] = [
  ...RESOURCES.flatMap(actionsOf),
  action('balance-sheet.get', 'GET', 'balance_sheet'),
  action('family-settings.get', 'GET', 'family_settings'),
  action('provider-connection.list', 'GET', 'provider_connections'),
  action('sync.get-latest', 'GET', 'syncs/latest'),
  action('family-export.download', 'GET', 'family_exports/{id}/download'),
  action('import.list-rows', 'GET', 'imports/{id}/rows'),
  // Validates and keeps nothing; which scope it asks for is not known.
  { name: 'import.check', method: 'POST', path: '/api/v1/imports/preflight', effect: 'read' },
  action('import-session.create', 'POST', 'import_sessions'),
  action('import-session.get', 'GET', 'import_sessions/{id}'),
  action('import-session.add-chunk', 'POST', 'import_sessions/{id}/chunks'),
  action('import-session.publish', 'POST', 'import_sessions/{id}/publish'),
  action('chat-message.create', 'POST', 'chats/{chat_id}/messages'),
  action('chat-message.retry', 'POST', 'chats/{chat_id}/messages/retry'),
  action('assistant.enable', 'PATCH', 'auth/enable_ai'),
  action('user.reset-status', 'GET', 'users/reset/status'),
  // Everything that the user has, and the user.
  action('user.reset', 'DELETE', 'users/reset'),
  action('user.delete', 'DELETE', 'users/me'),
  // Not in its document: what a key is, for the key itself.
  action('usage.get', 'GET', 'usage'),
  ...SIGN_IN,
  action('api.read', 'GET', '{rest*}'),
];
