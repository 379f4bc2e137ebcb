// Plaid's action catalogue: a name for each of the 329 operations of its OpenAPI document 2020-09-14 (read 2026-11-21). A name is the path
// without its version: `/beta/transactions/rules/v1/list` is `beta-transactions-rules.list`. It decides nothing.
import { plaidCheckActions } from './plaid.actions.checks.ts';
import { plaidItemActions } from './plaid.actions.items.ts';
import { plaidPaymentActions } from './plaid.actions.payments.ts';
import { plaidReportActions } from './plaid.actions.reports.ts';
import type { Action } from './provider.ts';

export const plaidActions: readonly Action[] = [
  ...plaidItemActions,
  ...plaidReportActions,
  ...plaidPaymentActions,
  ...plaidCheckActions,
];

/** What an Item may give: the products of the OpenAPI document. */
export const plaidProducts = [
  'assets',
  'auth',
  'balance',
  'balance_plus',
  'beacon',
  'identity',
  'identity_match',
  'investments',
  'investments_auth',
  'liabilities',
  'payment_initiation',
  'identity_verification',
  'transactions',
  'credit_details',
  'income',
  'income_verification',
  'standing_orders',
  'transfer',
  'employment',
  'recurring_transactions',
  'transactions_refresh',
  'signal',
  'statements',
  'processor_payments',
  'processor_identity',
  'profile',
  'cra_base_report',
  'cra_income_insights',
  'cra_partner_insights',
  'cra_network_insights',
  'cra_cashflow_insights',
  'cra_monitoring',
  'cra_lend_score',
  'cra_plaid_credit_score',
  'layer',
  'pay_by_bank',
  'protect_linked_bank',
  'protect_transactions',
] as const;
