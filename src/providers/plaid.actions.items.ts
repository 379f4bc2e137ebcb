// Plaid's operations on Items, Link, users, accounts and their data, and those of its sandbox, as actions. Names follow the paths of its
// OpenAPI document 2020-09-14 (read 2026-11-21); what the words mean is in plaid.actions.words.ts.

import { get, read, remove, reveals, write } from './plaid.actions.words.ts';
import type { Action } from './provider.ts';

export const plaidItemActions: readonly Action[] = [
  read('item-activity.list', '/item/activity/list'),
  read('item-application.list', '/item/application/list'),
  remove('item-application.unlink', '/item/application/unlink'),
  // Widens what a token or an application that is out already may read: as good as a new one.
  reveals(write('item-application-scopes.update', '/item/application/scopes/update')),
  read('item.get', '/item/get'),
  remove('item.remove', '/item/remove'),
  remove('item-products.terminate', '/item/products/terminate'),
  write('item-webhook.update', '/item/webhook/update'),
  reveals(write('item-access-token.invalidate', '/item/access_token/invalidate')),
  reveals(write('item-public-token.exchange', '/item/public_token/exchange')),
  reveals(write('item-public-token.create', '/item/public_token/create')),
  reveals(write('item.import', '/item/import')),

  reveals(write('link-token.create', '/link/token/create')),
  reveals(read('link-token.get', '/link/token/get')),
  reveals(write('link-oauth-correlation-id.exchange', '/link/oauth/correlation_id/exchange')),

  reveals(write('link-delivery.create', '/link_delivery/create')),
  reveals(read('link-delivery.get', '/link_delivery/get')),

  reveals(write('session-token.create', '/session/token/create')),

  reveals(write('oauth.token', '/oauth/token')),
  read('oauth.introspect', '/oauth/introspect'),
  remove('oauth.revoke', '/oauth/revoke'),

  write('user-transactions.refresh', '/user/transactions/refresh'),
  write('user-financial-data.refresh', '/user/financial_data/refresh'),
  reveals(write('user.create', '/user/create')),
  read('user.get', '/user/get'),
  remove('user-identity.remove', '/user/identity/remove'),
  write('user.update', '/user/update'),
  remove('user.remove', '/user/remove'),
  remove('user-products.terminate', '/user/products/terminate'),
  read('user-items.get', '/user/items/get'),
  write('user-items.associate', '/user/items/associate'),
  remove('user-items.remove', '/user/items/remove'),
  reveals(write('user-third-party-token.create', '/user/third_party_token/create')),
  remove('user-third-party-token.remove', '/user/third_party_token/remove'),

  reveals(read('user-account-session.get', '/user_account/session/get')),
  write('user-account-session-event.send', '/user_account/session/event/send'),

  read('accounts.get', '/accounts/get'),
  read('accounts-balance.get', '/accounts/balance/get'),

  read('auth.get', '/auth/get'),
  write('auth.verify', '/auth/verify'),

  read('identity.get', '/identity/get'),
  read('identity-documents-uploads.get', '/identity/documents/uploads/get'),
  write('identity.match', '/identity/match'),
  write('identity.refresh', '/identity/refresh'),

  read('institutions.get', '/institutions/get'),
  read('institutions.search', '/institutions/search'),
  read('institutions.get-by-id', '/institutions/get_by_id'),

  read('categories.get', '/categories/get'),

  read('transactions.get', '/transactions/get'),
  write('transactions.refresh', '/transactions/refresh'),
  read('transactions-recurring.get', '/transactions/recurring/get'),
  read('transactions.sync', '/transactions/sync'),
  write('transactions.enrich', '/transactions/enrich'),

  read('liabilities.get', '/liabilities/get'),

  read('investments-holdings.get', '/investments/holdings/get'),
  read('investments-transactions.get', '/investments/transactions/get'),
  write('investments.refresh', '/investments/refresh'),
  read('investments-auth.get', '/investments/auth/get'),

  read('statements.list', '/statements/list'),
  read('statements.download', '/statements/download'),
  write('statements.refresh', '/statements/refresh'),

  read('consent-events.get', '/consent/events/get'),

  read('application.get', '/application/get'),

  read('webhook-verification-key.get', '/webhook_verification_key/get'),

  read('profile-network-status.get', '/profile/network_status/get'),

  read('network-status.get', '/network/status/get'),

  read('issues.search', '/issues/search'),
  read('issues.get', '/issues/get'),
  write('issues.subscribe', '/issues/subscribe'),

  read('dashboard-user.get', '/dashboard_user/get'),
  read('dashboard-user.list', '/dashboard_user/list'),

  reveals(write('partner-customer.create', '/partner/customer/create')),
  read('partner-customer.get', '/partner/customer/get'),
  reveals(write('partner-customer.enable', '/partner/customer/enable')),
  remove('partner-customer.remove', '/partner/customer/remove'),
  read('partner-customer-oauth-institutions.get', '/partner/customer/oauth_institutions/get'),

  write('fdx-notifications.send', '/fdx/notifications'),
  get('fdx-recipients.list', '/fdx/recipients'),
  get('fdx-consents.get', '/fdx/consents/{consentId}'),
  get('fdx-recipient.get', '/fdx/recipient/{recipientId}'),

  write('sandbox-transactions.create', '/sandbox/transactions/create'),
  reveals(write('sandbox-processor-token.create', '/sandbox/processor_token/create')),
  reveals(write('sandbox-public-token.create', '/sandbox/public_token/create')),
  write('sandbox-item.fire-webhook', '/sandbox/item/fire_webhook'),
  write('sandbox-item.reset-login', '/sandbox/item/reset_login'),
  write('sandbox-item-application.seed', '/sandbox/item/application/seed'),
  write('sandbox-item.set-verification-status', '/sandbox/item/set_verification_status'),
  write('sandbox-user.reset-login', '/sandbox/user/reset_login'),
  write('sandbox-bank-transfer.simulate', '/sandbox/bank_transfer/simulate'),
  write('sandbox-transfer-sweep.simulate', '/sandbox/transfer/sweep/simulate'),
  write('sandbox-transfer.simulate', '/sandbox/transfer/simulate'),
  write('sandbox-transfer-refund.simulate', '/sandbox/transfer/refund/simulate'),
  write('sandbox-transfer-ledger.simulate-available', '/sandbox/transfer/ledger/simulate_available'),
  write('sandbox-transfer-ledger-deposit.simulate', '/sandbox/transfer/ledger/deposit/simulate'),
  write('sandbox-transfer-ledger-withdraw.simulate', '/sandbox/transfer/ledger/withdraw/simulate'),
  write('sandbox-transfer-repayment.simulate', '/sandbox/transfer/repayment/simulate'),
  write('sandbox-transfer.fire-webhook', '/sandbox/transfer/fire_webhook'),
  write('sandbox-transfer-test-clock.create', '/sandbox/transfer/test_clock/create'),
  write('sandbox-transfer-test-clock.advance', '/sandbox/transfer/test_clock/advance'),
  read('sandbox-transfer-test-clock.get', '/sandbox/transfer/test_clock/get'),
  read('sandbox-transfer-test-clock.list', '/sandbox/transfer/test_clock/list'),
  write('sandbox-payment-profile.reset-login', '/sandbox/payment_profile/reset_login'),
  write('sandbox-payment.simulate', '/sandbox/payment/simulate'),
  write('sandbox-bank-transfer.fire-webhook', '/sandbox/bank_transfer/fire_webhook'),
  write('sandbox-income.fire-webhook', '/sandbox/income/fire_webhook'),
  write('sandbox-bank-income.fire-webhook', '/sandbox/bank_income/fire_webhook'),
  write('sandbox-cra-cashflow-updates.update', '/sandbox/cra/cashflow_updates/update'),
  write('sandbox-oauth.select-accounts', '/sandbox/oauth/select_accounts'),

  reveals(write('payment-profile.create', '/payment_profile/create')),
  read('payment-profile.get', '/payment_profile/get'),
  remove('payment-profile.remove', '/payment_profile/remove'),
];
