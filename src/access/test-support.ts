// What the tests of the policy decide about: four actions of one provider, the last of which no wildcard covers, its catalogue with just these, and
// attempts to do them. Whole rows of the other nouns: test/support/rows.ts.
import assert from 'node:assert/strict';
import { catalogueRow, NOW } from '../../test/support/rows.ts';
import { parseAddress } from '../model/address.ts';
import { neonActions } from '../providers/neon.actions.ts';
import type { Action } from '../providers/provider.ts';
import type { Attempt } from './authorize.ts';
import { type CatalogueRow, formatAction } from './catalogue.ts';

function action(name: string): Action {
  const found = neonActions.find((one) => one.name === name);
  assert(found !== undefined, name);
  return found;
}

export const GET = action('project.get');
export const LIST = action('branch.list');
export const ACTIONS = [GET, LIST, action('branch.update'), action('branch.create')];
export const LINES = ACTIONS.map(formatAction);

export function catalogueWith(given: Partial<CatalogueRow> = {}): CatalogueRow {
  return catalogueRow({ actions: LINES, ...given });
}

export function attempt(given: Partial<Attempt> = {}): Attempt {
  return { parameters: {}, address: parseAddress('10.0.0.1'), at: NOW, monoMs: 0, ...given };
}
