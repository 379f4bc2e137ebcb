// Plaid's checks of people and businesses (identity verification, watchlists, fraud), as actions. Names follow the paths of its OpenAPI
// document 2020-09-14 (read 2026-11-21); what the words mean is in plaid.actions.words.ts.

import { read, reveals, write } from './plaid.actions.words.ts';
import type { Action } from './provider.ts';

export const plaidCheckActions: readonly Action[] = [
  reveals(write('identity-verification.create', '/identity_verification/create')),
  reveals(read('identity-verification.get', '/identity_verification/get')),
  reveals(read('identity-verification.list', '/identity_verification/list')),
  reveals(write('identity-verification.retry', '/identity_verification/retry')),
  write('identity-verification-autofill.create', '/identity_verification/autofill/create'),

  write('watchlist-screening-entity.create', '/watchlist_screening/entity/create'),
  read('watchlist-screening-entity.get', '/watchlist_screening/entity/get'),
  read('watchlist-screening-entity-history.list', '/watchlist_screening/entity/history/list'),
  read('watchlist-screening-entity-hit.list', '/watchlist_screening/entity/hit/list'),
  read('watchlist-screening-entity.list', '/watchlist_screening/entity/list'),
  read('watchlist-screening-entity-program.get', '/watchlist_screening/entity/program/get'),
  read('watchlist-screening-entity-program.list', '/watchlist_screening/entity/program/list'),
  write('watchlist-screening-entity-review.create', '/watchlist_screening/entity/review/create'),
  read('watchlist-screening-entity-review.list', '/watchlist_screening/entity/review/list'),
  write('watchlist-screening-entity.update', '/watchlist_screening/entity/update'),
  write('watchlist-screening-individual.create', '/watchlist_screening/individual/create'),
  read('watchlist-screening-individual.get', '/watchlist_screening/individual/get'),
  read('watchlist-screening-individual-history.list', '/watchlist_screening/individual/history/list'),
  read('watchlist-screening-individual-hit.list', '/watchlist_screening/individual/hit/list'),
  read('watchlist-screening-individual.list', '/watchlist_screening/individual/list'),
  read('watchlist-screening-individual-program.get', '/watchlist_screening/individual/program/get'),
  read('watchlist-screening-individual-program.list', '/watchlist_screening/individual/program/list'),
  write('watchlist-screening-individual-review.create', '/watchlist_screening/individual/review/create'),
  read('watchlist-screening-individual-review.list', '/watchlist_screening/individual/review/list'),
  write('watchlist-screening-individual.update', '/watchlist_screening/individual/update'),

  write('beacon-account-risk.evaluate', '/beacon/account_risk/v1/evaluate'),
  write('beacon-user.create', '/beacon/user/create'),
  read('beacon-user.get', '/beacon/user/get'),
  write('beacon-user.review', '/beacon/user/review'),
  write('beacon-report.create', '/beacon/report/create'),
  read('beacon-report.list', '/beacon/report/list'),
  read('beacon-report-syndication.list', '/beacon/report_syndication/list'),
  read('beacon-report.get', '/beacon/report/get'),
  read('beacon-report-syndication.get', '/beacon/report_syndication/get'),
  write('beacon-user.update', '/beacon/user/update'),
  read('beacon-duplicate.get', '/beacon/duplicate/get'),
  read('beacon-user-history.list', '/beacon/user/history/list'),
  read('beacon-user-account-insights.get', '/beacon/user/account_insights/get'),

  read('protect-user-insights.get', '/protect/user/insights/get'),
  write('protect-report.create', '/protect/report/create'),
  write('protect.compute', '/protect/compute'),
  write('protect-event.send', '/protect/event/send'),
  read('protect-event.get', '/protect/event/get'),

  reveals(read('business-verification.get', '/business_verification/get')),
  reveals(write('business-verification.create', '/business_verification/create')),
];
