// All nouns and the rooms that own them: the one list that the database is given.
import { catalogueTable } from './access/catalogue.ts';
import { grantTable, principalTable, tokenTable } from './access/tables.ts';
import { credentialTable, findingTable, versionTable } from './credentials/tables.ts';
import type { Tables } from './database/schema.ts';
import { settingTable } from './model/setting.ts';
import { certificateTable, revocationTable } from './revocation/revocation.ts';
import { rotationTable } from './rotation/rotation.ts';

export const TABLES: Tables = {
  principal: principalTable,
  token: tokenTable,
  grant: grantTable,
  credential: credentialTable,
  version: versionTable,
  rotation: rotationTable,
  revocation: revocationTable,
  certificate: certificateTable,
  finding: findingTable,
  kek: { naturalKey: () => null, parent: () => null, isLive: () => true },
  setting: settingTable,
  catalogue: catalogueTable,
};
