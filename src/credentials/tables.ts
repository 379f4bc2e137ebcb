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
  /** One open finding about a key; closed ones are history. */
  naturalKey: (row: FindingRow) => (row.state === 'open' ? `${row.issuerId}/${row.providerKeyId}` : null),
  parent: (row: FindingRow) => row.issuerId,
  isLive: (row: FindingRow) => row.state === 'open',
};
