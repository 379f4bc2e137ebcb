// Stripe's operations as actions: everything that makes or shows keys, secrets and links that act for somebody, and what applications use
// most; the rest is below `api.*`. Paths follow Stripe's client library 23.1, and for the preview of keys its pages (read 2026-11-21).
//
// Payment and setup intents answer with a client secret, which is made to be handed to a browser: they are not marked.
import type { Action } from './provider.ts';

const IAM_KEYS = '/v2/iam/api_keys';
const WEBHOOKS = '/v1/webhook_endpoints';
const DESTINATIONS = '/v2/core/event_destinations';

const METHODS = {
  list: { method: 'GET', effect: 'read' },
  search: { method: 'GET', effect: 'read' },
  create: { method: 'POST', effect: 'write' },
  get: { method: 'GET', effect: 'read' },
  update: { method: 'POST', effect: 'write' },
  delete: { method: 'DELETE', effect: 'delete' },
} as const;
type Verb = keyof typeof METHODS;

function read(name: string, path: string): Action {
  return { name, method: 'GET', path, effect: 'read' };
}

function write(name: string, path: string): Action {
  return { name, method: 'POST', path, effect: 'write' };
}

function remove(name: string, path: string): Action {
  return { name, method: 'DELETE', path, effect: 'delete' };
}

function mints(action: Action): Action {
  return { ...action, mints: true };
}

/** The operations of one resource. `verbs` as text: `list create get`. */
function resource(name: string, collection: string, verbs: string): Action[] {
  return (verbs.split(' ') as Verb[]).map((verb) => {
    const isOfCollection = verb === 'list' || verb === 'create';
    const path = isOfCollection ? collection : verb === 'search' ? `${collection}/search` : `${collection}/{id}`;
    return { name: `${name}.${verb}`, path, ...METHODS[verb] };
  });
}

const KEYS: readonly Action[] = [
  // A private preview; the list shows the keys themselves.
  mints(read('api-key.list', IAM_KEYS)),
  mints(write('api-key.create', IAM_KEYS)),
  mints(read('api-key.get', `${IAM_KEYS}/{id}`)),
  mints(write('api-key.rotate', `${IAM_KEYS}/{id}/rotate`)),
  write('api-key.expire', `${IAM_KEYS}/{id}/expire`),

  mints(write('ephemeral-key.create', '/v1/ephemeral_keys')),
  remove('ephemeral-key.delete', '/v1/ephemeral_keys/{id}'),
  mints(write('terminal-connection-token.create', '/v1/terminal/connection_tokens')),
  mints(write('account-session.create', '/v1/account_sessions')),
  mints(write('customer-session.create', '/v1/customer_sessions')),
  mints(write('meter-event-session.create', '/v2/billing/meter_event_session')),
  mints(write('oauth-token.create', '/oauth/token')),

  // Links that act for an account or a customer.
  mints(write('account-link.create', '/v1/account_links')),
  mints(write('account-link-v2.create', '/v2/core/account_links')),
  mints(write('login-link.create', '/v1/accounts/{account}/login_links')),
  mints(write('billing-portal-session.create', '/v1/billing_portal/sessions')),
  mints(write('file-link.create', '/v1/file_links')),
  mints(read('file-link.list', '/v1/file_links')),
  mints(read('file-link.get', '/v1/file_links/{id}')),
  mints(write('file-link.update', '/v1/file_links/{id}')),

  // What applications of others have stored with Stripe.
  mints(read('app-secret.find', '/v1/apps/secrets/find')),
  read('app-secret.list', '/v1/apps/secrets'),
  write('app-secret.create', '/v1/apps/secrets'),
  { ...write('app-secret.delete', '/v1/apps/secrets/delete'), effect: 'delete' },

  // The answer to a new one holds the secret that events are signed with.
  read('webhook.list', WEBHOOKS),
  mints(write('webhook.create', WEBHOOKS)),
  read('webhook.get', `${WEBHOOKS}/{id}`),
  write('webhook.update', `${WEBHOOKS}/{id}`),
  remove('webhook.delete', `${WEBHOOKS}/{id}`),
  read('event-destination.list', DESTINATIONS),
  mints(write('event-destination.create', DESTINATIONS)),
  read('event-destination.get', `${DESTINATIONS}/{id}`),
  write('event-destination.update', `${DESTINATIONS}/{id}`),
  remove('event-destination.delete', `${DESTINATIONS}/{id}`),
  write('event-destination.disable', `${DESTINATIONS}/{id}/disable`),
  write('event-destination.enable', `${DESTINATIONS}/{id}/enable`),
  write('event-destination.ping', `${DESTINATIONS}/{id}/ping`),
];

const USE: readonly Action[] = [
  read('account.get', '/v1/account'),
  read('balance.get', '/v1/balance'),
  ...resource('balance-transaction', '/v1/balance_transactions', 'list get'),
  ...resource('customer', '/v1/customers', 'list create search get update delete'),
  ...resource('payment-intent', '/v1/payment_intents', 'list create search get update'),
  write('payment-intent.confirm', '/v1/payment_intents/{id}/confirm'),
  write('payment-intent.capture', '/v1/payment_intents/{id}/capture'),
  write('payment-intent.cancel', '/v1/payment_intents/{id}/cancel'),
  ...resource('setup-intent', '/v1/setup_intents', 'list create get update'),
  ...resource('charge', '/v1/charges', 'list create search get update'),
  write('charge.capture', '/v1/charges/{id}/capture'),
  ...resource('refund', '/v1/refunds', 'list create get update'),
  write('refund.cancel', '/v1/refunds/{id}/cancel'),
  ...resource('dispute', '/v1/disputes', 'list get update'),
  ...resource('payout', '/v1/payouts', 'list create get update'),

  ...resource('product', '/v1/products', 'list create search get update delete'),
  ...resource('price', '/v1/prices', 'list create search get update'),
  ...resource('subscription', '/v1/subscriptions', 'list create search get update'),
  remove('subscription.cancel', '/v1/subscriptions/{id}'),
  ...resource('invoice', '/v1/invoices', 'list create search get update delete'),
  // Computes an invoice and keeps none.
  { ...write('invoice.preview', '/v1/invoices/create_preview'), effect: 'read' },
  write('invoice.finalize', '/v1/invoices/{id}/finalize'),
  write('invoice.pay', '/v1/invoices/{id}/pay'),
  write('invoice.send', '/v1/invoices/{id}/send'),
  write('invoice.void', '/v1/invoices/{id}/void'),
  ...resource('checkout-session', '/v1/checkout/sessions', 'list create get update'),
  write('checkout-session.expire', '/v1/checkout/sessions/{id}/expire'),
  ...resource('payment-link', '/v1/payment_links', 'list create get update'),
  ...resource('event', '/v1/events', 'list get'),
];

/** Stripe's library uses no other methods than these three. */
const REST: readonly Action[] = [
  read('api.read', '/v1/{rest*}'),
  write('api.create', '/v1/{rest*}'),
  remove('api.delete', '/v1/{rest*}'),
  read('api-v2.read', '/v2/{rest*}'),
  write('api-v2.create', '/v2/{rest*}'),
  remove('api-v2.delete', '/v2/{rest*}'),
];

export const stripeActions: readonly Action[] = [...KEYS, ...USE, ...REST];
