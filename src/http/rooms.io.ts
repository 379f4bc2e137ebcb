// What each room's routes need of the running program: the adapters from the composition root to the rooms' own interfaces, and the one list
// of all routes.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { accessRoutes } from '../access/api.ts';
import type { ObservedUse } from '../access/suggest.ts';
import { credentialRoutes } from '../credentials/api.ts';
import { consentRoutes } from '../credentials/api-consent.ts';
import { ledgerRoutes } from '../ledger/api.ts';
import { readCheckpoint } from '../ledger/checkpoints.io.ts';
import type { Log } from '../ledger/layout.ts';
import { createLedgerReader } from '../ledger/read.io.ts';
import type { Route } from '../model/route.ts';
import { revocationRoutes } from '../revocation/api.ts';
import { rotationRoutes } from '../rotation/api.ts';
import { vaultRoutes } from '../vault/api.ts';
import type { KekSource } from '../vault/kek.io.ts';
import { createConsentRoom } from './consent.io.ts';
import { createJournal, usesOf } from './history.ts';
import { createKeks } from './keks.io.ts';
import { createKeys, createKinds, identifyTools, inspectVersionKey } from './keys.io.ts';
import type { AppParts, Engines } from './parts.io.ts';
import { createRecords } from './records.io.ts';
import { type Status, statusSchema, systemRoutes } from './system.ts';

export interface RoomsInput {
  readonly app: AppParts;
  readonly engines: Engines;
  /** Program version. */
  readonly version: string;
  /** Where the configuration says that the key-encryption key comes from; null: an operator unseals. */
  readonly kekSource: (() => Promise<KekSource>) | null;
  readonly secondCopyDirectory: string | null;
}

export interface ServerFacts {
  readonly readiness: () => Promise<string | null>;
  readonly document: () => object;
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Every route of the API. */
export function apiRoutes(input: RoomsInput, facts: ServerFacts): Route[] {
  const { app, engines } = input;
  const records = createRecords(app.database.read);
  const reader = createLedgerReader(app.database.read);
  const kinds = createKinds(app);
  const keks = createKeks({
    app,
    source: input.kekSource,
    secondCopyDirectory: input.secondCopyDirectory,
    start: () => engines.start(),
  });
  const status = () => statusOf(app, input.version);
  const ledger = path.join(app.config.dataDirectory, 'ledger');
  const actionsOf = (provider: string) => app.providers.get(provider)?.actions ?? [];
  return [
    ...systemRoutes({ status, ...facts }),
    ...accessRoutes({
      records,
      hash: sha256,
      kinds,
      actionsOf,
      providers: () => app.providers.values(),
      catalogueOf: (id) => app.policy.credentials.get(id)?.catalogue ?? null,
      usesOf: (credential, principal, since): Promise<readonly ObservedUse[]> =>
        usesOf(reader, { credential, principal, since }),
    }),
    ...credentialRoutes({
      kinds,
      keys: createKeys(app),
      inventory: engines.inventory,
      records,
      identifyTools: (credential, version) => identifyTools(app, credential, version),
      inspect: (credential, version) => inspectVersionKey(app, credential, version),
    }),
    ...consentRoutes(createConsentRoom(app, kinds, createKeys(app), engines.rotator)),
    ...rotationRoutes({
      rotator: engines.rotator,
      records,
      kinds,
      journal: createJournal(reader),
      doubtOf: engines.doubtOf,
      kindOf(credential) {
        const provider = app.providers.get(credential.provider);
        const kind = provider?.kinds.find((one) => one.name === credential.kind);
        return provider === undefined || kind === undefined ? null : { provider, kind };
      },
    }),
    ...revocationRoutes({ revoker: engines.revoker, records }),
    ...ledgerRoutes({
      reader,
      checkpoint: (log) => readCheckpoint(ledger, log),
      vkey: (log) => app.signers?.[log].vkey ?? readVkey(ledger, log),
      publish: () => app.publish(),
    }),
    ...vaultRoutes({
      isSealed: () => app.vault.isSealed,
      unseal: keks.unseal,
      seal: () => app.sleep(),
      keks: keks.rows,
      rotate: keks.rotate,
      statusSchema,
      status,
    }),
  ];
}

/** The verifier key that was published with the checkpoints; null before the first. */
function readVkey(directory: string, log: Log): string | null {
  try {
    return readFileSync(path.join(directory, log, 'vkey'), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function statusOf(app: AppParts, version: string): Promise<Status> {
  const { database } = app;
  const { control, use } = await database.heads();
  let unprotected = 0;
  for (const { row, current } of app.policy.credentials.values()) {
    if (row.retiredAt === null && current !== null && current.secondCopyAt === null) unprotected++;
  }
  return {
    version,
    instance: app.instance,
    sealed: app.vault.isSealed,
    epoch: database.epoch,
    fence: database.fence,
    dialect: database.dialect,
    logs: { control: { size: control.size }, use: { size: use.size } },
    unprotected,
    openUses: app.live.openUses,
  };
}
