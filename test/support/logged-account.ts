// An account with a log of its keys, for tests: the standing inventory over rows in memory and a twin of Prefect Cloud, an issuer, a service account's
// key that it looks after, and a stranger who may change it too.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import type { CredentialRow } from '../../src/credentials/credential.ts';
import type { FindingRow } from '../../src/credentials/finding.ts';
import { createInventoryRunner } from '../../src/credentials/inventory.io.ts';
import { historyOf } from '../../src/credentials/test-support.io.ts';
import { nextImage } from '../../src/model/change.ts';
import { allRows } from '../../src/model/desk.ts';
import { prefectCloud } from '../../src/providers/prefect-cloud.ts';
import { graceSeconds, type Parts } from '../../src/providers/provider.ts';
import { type RunningTwin, startTwin } from '../../twins/kit.io.ts';
import type { KitKey } from '../../twins/kit.ts';
import { addBot, newPrefectKey, type PrefectCloudState, prefectCloudTwin } from '../../twins/prefect-cloud.ts';
import { prng } from '../../twins/prng.ts';
import { memoryDesk } from './desk.ts';
import { directCall } from './direct-call.ts';
import { secretParts } from './kit-twin.ts';
import { controlEvent, credentialRow, versionRow } from './rows.ts';

export const INSTANCE = '0a1b2c3d';
export const [ISSUER, CREDENTIAL] = [1, 2].map((n) => `crd_${n.toString(16).padStart(32, '0')}`) as [string, string];
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
const random = prng(31);
const botKey = prefectCloud.kinds.find((kind) => kind.name === 'service-account-key')!;
const kindOf = (row: CredentialRow) => ({ kind: prefectCloud.kinds.find((kind) => kind.name === row.kind)! });

const twins: RunningTwin<PrefectCloudState>[] = [];
after(async () => {
  for (const twin of twins) await twin.close();
});

export function mint(
  { control }: RunningTwin<PrefectCloudState>,
  kind: string,
  account: string,
  name = 'by hand',
): KitKey {
  const parts = { key: newPrefectKey(random, kind === 'user-key' ? 'pnu' : 'pnb') };
  return control.mint({ kind, name, account, parts });
}

/** A service account with the rights of an admin, as another tool has one, and what it does to a service account’s key. */
export function stranger(twin: RunningTwin<PrefectCloudState>, botId: string, mintedBefore?: KitKey) {
  const { state } = twin.control;
  const key =
    mintedBefore ?? mint(twin, 'service-account-key', addBot(state, random, { name: 'terraform', role: 'Admin' }).id);
  const settings = { accountId: state.accountId, botId };
  const acting = { parts: secretParts(key), places: botKey.places };
  const call = directCall(twin.origin);
  return {
    key,
    /** Rotates it with a grace of two days. Returns the id of what came of it. */
    async rotate(): Promise<string> {
      const input = { settings, label: 'l', providerKeyId: 'k', grace: graceSeconds(172_800, 172_800) };
      const made = botKey.replace!.read(await call(botKey.replace!.request(input), acting), input);
      assert(made.is === 'issued');
      return made.providerKeyId;
    },
    async end(providerKeyId: string): Promise<void> {
      const input = { settings, providerKeyId };
      assert.equal(botKey.revoke!.read(await call(botKey.revoke!.request(input), acting), input).is, 'accepted');
    },
  };
}

/** A user’s key that issues, a service account’s key that it looks after, and a stranger whose own key is registered too. */
export async function loggedAccount() {
  const desk = memoryDesk();
  const twin = await startTwin(prefectCloudTwin, { clock: desk.clock });
  twins.push(twin);
  const { state } = twin.control;
  const bot = addBot(state, random, { name: 'etl' });
  const keys = new Map<string, Parts>();
  const { origin } = twin;
  const { accountId } = state;
  function furnish(id: string, key: KitKey, row: Partial<CredentialRow>) {
    const { places } = botKey;
    desk.furnish(
      'credential',
      credentialRow({ id, name: id, provider: 'prefect-cloud', kind: key.kind, origin, places, ...row }),
    );
    const version = versionRow({
      id: `ver_${id}`,
      credentialId: id,
      providerKeyId: key.id,
      createdAt: desk.clock.now(),
    });
    desk.furnish('version', version);
    keys.set(version.id, secretParts(key));
    return version;
  }
  const held = mint(twin, 'service-account-key', bot.id, 'etl');
  furnish(ISSUER, mint(twin, 'user-key', state.userId), { purpose: 'manage', settings: {} });
  const version = furnish(CREDENTIAL, held, { issuerId: ISSUER, settings: { accountId, botId: bot.id } });
  const outside = stranger(twin, bot.id);
  furnish('crd_outside', outside.key, { settings: { accountId, botId: 'none' } });
  const start = () =>
    createInventoryRunner({
      desk,
      instance: INSTANCE,
      kindOf,
      callFor: () => directCall(origin),
      open: (_, one) => Promise.resolve(keys.get(one.id)!),
      running: () => new Set(),
      settleMs: MINUTE_MS,
      orphansMax: 3,
      records: historyOf(desk),
    });
  let runner = start();
  desk.advance(HOUR_MS);
  const findings = () =>
    allRows<FindingRow>(desk.rows, 'finding').map(({ kind, providerKeyId, state: at, told }) => [
      kind,
      providerKeyId,
      at,
      told?.by,
    ]);
  return {
    desk,
    twin,
    bot,
    held,
    version,
    outside,
    furnish,
    findings,
    restart() {
      runner = start();
    },
    run: () => runner.run(null, 'system:inventory'),
    async look() {
      const [report] = await runner.run(null, 'system:inventory');
      assert.equal(report!.problem, null);
      return report!.log;
    },
    /** As a person sets it aside. */
    async ignore(providerKeyId: string) {
      const finding = allRows<FindingRow>(desk.rows, 'finding').find((one) => one.providerKeyId === providerKeyId);
      const row = nextImage<FindingRow>(finding!, { state: 'ignored', closedAt: desk.clock.now() });
      await desk.write({ events: [controlEvent([{ noun: 'finding', row }], { type: 'finding.ignored' })] });
    },
  };
}
