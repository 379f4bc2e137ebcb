// All commands, in the order of the help. One line for each group.

import * as providers from '../../providers/index.ts';
import type { Command } from '../command.ts';
import { createLookalike, createPublicParts } from '../lookalike.ts';
import { ed25519, sha256 } from '../primitives.io.ts';
import type { Program } from '../program.io.ts';
import { applyCommands } from './apply.ts';
import { auditCommands } from './audit.ts';
import { certificateCommands } from './certificate.ts';
import { completionCommands } from './completion.ts';
import { consentCommands } from './consent.ts';
import { credentialCommands } from './credential.ts';
import { grantCommands } from './grant.ts';
import { importCommands } from './import.ts';
import { inventoryCommands } from './inventory.ts';
import { kekCommands } from './kek.ts';
import { auditLocalCommands, databaseCommands, installationCommands, kekFileCommands } from './offline.io.ts';
import { principalCommands } from './principal.ts';
import { providerCommands } from './provider.ts';
import { providerOfflineCommands } from './provider-offline.io.ts';
import { revokeCommands } from './revoke.ts';
import { rotateCommands } from './rotate.ts';
import { serverCommands } from './server.ts';
import { tokenCommands } from './token.ts';

/** What the first words of two-word commands are about. */
export const GROUPS: Readonly<Record<string, string>> = {
  credential: 'credentials: the keys that are looked after',
  version: 'versions: the keys of a credential, one after the other',
  inventory: 'what the providers list and nobody registered',
  principal: 'who may use keys, or this API',
  token: 'tokens of principals',
  grant: 'who may do what with which credential',
  provider: 'what this server knows of providers',
  rotation: 'rotations under way and done',
  revocation: 'revocations under way and done',
  certificate: 'certificates of death',
  kek: 'key-encryption keys',
  audit: 'the ledger: following, exporting, verifying it',
};

export function createProgram(): Program {
  const looksSecret = createLookalike(Object.values(providers));
  const isPublicPart = createPublicParts(Object.values(providers));
  const primitives = { sha256, verify: ed25519 };
  const commands: readonly Command[] = [
    ...installationCommands,
    ...serverCommands,
    ...applyCommands(looksSecret),
    ...databaseCommands,
    ...importCommands,
    ...credentialCommands,
    ...consentCommands,
    ...inventoryCommands,
    ...principalCommands,
    ...tokenCommands,
    ...grantCommands,
    ...providerCommands,
    ...providerOfflineCommands,
    ...rotateCommands,
    ...revokeCommands,
    ...certificateCommands(primitives),
    ...kekCommands,
    ...kekFileCommands,
    ...auditCommands(primitives),
    ...auditLocalCommands,
    ...completionCommands(() => commands, GROUPS),
  ];
  return { commands, groups: GROUPS, looksSecret, isPublicPart };
}
