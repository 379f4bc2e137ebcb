// Settings of the installation that belong into the control log: its instance id, what the configuration said when it mattered.
import type { Row } from './change.ts';
import type { Json } from './json.ts';

export interface SettingRow extends Row {
  readonly name: string;
  readonly value: Json;
}

export const settingTable = {
  naturalKey: (row: SettingRow) => row.name,
  parent: () => null,
  isLive: () => true,
};
