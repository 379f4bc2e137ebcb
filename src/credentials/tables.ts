// The nouns that this room owns, as the database sees them.
import { type CredentialRow, credentialKey, type VersionRow } from './credential.ts';
import type { FindingRow } from './finding.ts';

export const credentialTable = {
  naturalKey: credentialKey,
  parent: (row: CredentialRow) => row.issuerId,
  isLive: () => true,
};

export const versionTable = {
  /** One number once for each credential, whoever writes. */
  naturalKey: (row: VersionRow) => `${row.credentialId}/${row.number}`,
  parent: (row: VersionRow) => row.credentialId,
  isLive: () => true,
};

export const findingTable = {
  /** One finding about a key, open or set aside: what was set aside must not be found anew. Closed ones are history. */
  naturalKey: (row: FindingRow) => (isStanding(row) ? `${row.issuerId}/${row.providerKeyId}` : null),
  parent: (row: FindingRow) => row.issuerId,
  isLive: isStanding,
};

function isStanding(row: FindingRow): boolean {
  return row.state === 'open' || row.state === 'ignored';
}
