// The stands by the names that people give them at a command line.
import type { Stand } from './stand.ts';
import { standNeon, standPrefectCloud, standPrefectServer } from './stands.ts';
import { standCachet, standCachetV2, standMastodon } from './stands-assisted.ts';
import { standPlaid } from './stands-plaid.ts';

export type StandName = 'neon' | 'prefect-cloud' | 'prefect-server' | 'mastodon' | 'plaid' | 'cachet' | 'cachet-v2';

export const STANDS: Readonly<Record<StandName, () => Promise<Stand>>> = {
  neon: standNeon,
  'prefect-cloud': standPrefectCloud,
  'prefect-server': standPrefectServer,
  mastodon: standMastodon,
  plaid: standPlaid,
  cachet: standCachet,
  'cachet-v2': standCachetV2,
};

/** Throws where nobody stands for it, and says who does. */
export function standName(text: string): StandName {
  const name = (Object.keys(STANDS) as StandName[]).find((one) => one === text);
  if (name === undefined) throw new Error(`no twin of ${text}: ${Object.keys(STANDS).join(', ')}`);
  return name;
}
