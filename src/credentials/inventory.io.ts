// Takes the standing inventory with real providers: what inventory.ts decides is done here, journaled before and after. What it deletes is
// certainly ours (the whole label) and certainly nobody's (no version, no running rotation), and never more than the brake allows.
import type { Actor, ControlEvent } from '../model/change.ts';
import { nextImage } from '../model/change.ts';
import type { Desk } from '../model/desk.ts';
import { allRows, findRow } from '../model/desk.ts';
import { newId } from '../model/id.ts';
import type { Records } from '../model/route.ts';
import type { Secret } from '../model/secret.ts';
import type { Call, Kind, ListedKey } from '../providers/provider.ts';
import { createAsker, type Holder, issuerOf } from './asking.ts';
import type { CredentialRow, VersionRow } from './credential.ts';
import type { FindingRow } from './finding.ts';
import { type Inventory, takeInventory } from './inventory.ts';
import { type Judged, judge, type ListedAccount, suspectsOf } from './inventory-resurrection.ts';
import type { InventoryReport, InventoryRunner } from './inventory-runner.ts';
import { labelPart } from './label.ts';
import { createProber } from './prober.ts';
import { createProviderLogs } from './provider-log.io.ts';

export interface InventoryOptions {
  readonly desk: Desk;
  readonly instance: string;
  readonly kindOf: (credential: CredentialRow) => { kind: Kind };
  readonly callFor: (credential: CredentialRow) => Call;
  readonly open: (credential: CredentialRow, version: VersionRow) => Promise<Readonly<Record<string, Secret>>>;
  /** Label parts of rotations that have not ended. */
  readonly running: () => ReadonlySet<string>;
  readonly settleMs: number;
  readonly orphansMax: number;
  /** Closed findings and ended rotations, which are history. */
  readonly records: Pick<Records, 'page'>;
}

interface Account {
  readonly issuer: CredentialRow;
  readonly version: VersionRow;
  /** A credential whose kind and settings say how to list and delete here. */
  readonly sample: CredentialRow;
  readonly kind: Kind;
  readonly dependants: readonly CredentialRow[];
}

interface Taken {
  readonly report: Omit<InventoryReport, 'log'>;
  /** The ids that are listed; null where the list could not be read. */
  readonly present: ReadonlySet<string> | null;
  /** Keys of dead versions that were asked about and refused. */
  readonly refused: ReadonlySet<string>;
}

function placeOf({ issuer, dependants }: Account): ListedAccount {
  const { id: issuerId, provider } = issuer;
  const origins = new Set([issuer, ...dependants].map((credential) => credential.origin));
  return { issuerId, provider, origins, dependants: new Set(dependants.map((credential) => credential.id)) };
}

function holderOf({ issuer, version }: Account): Holder {
  return { credential: issuer, version };
}

export function createInventoryRunner(options: InventoryOptions): InventoryRunner {
  const { desk } = options;
  const asker = createAsker(options);
  const logs = createProviderLogs(options);
  const prober = createProber({
    ...options,
    now: () => desk.clock.now(),
    issuerOf: ({ credential, version }) => issuerOf(desk.rows, credential, version),
  });

  /** One account for each distinct list: credentials of one issuer that appear in the same list of the provider. */
  function accountsOf(issuerId: string | null): Account[] {
    const credentials = allRows<CredentialRow>(desk.rows, 'credential');
    const versions = allRows<VersionRow>(desk.rows, 'version');
    const accounts = new Map<string, Account & { dependants: CredentialRow[] }>();
    for (const credential of credentials) {
      const issuer = credentials.find((one) => one.id === credential.issuerId);
      if (issuer === undefined || (issuerId !== null && issuer.id !== issuerId)) continue;
      const version = versions.find((one) => one.credentialId === issuer.id && one.state === 'current');
      const { kind } = options.kindOf(credential);
      if (version === undefined || kind.list === null || kind.revoke === null) continue;
      const { path } = kind.list.request({ settings: credential.settings });
      const key = `${issuer.id} ${credential.origin}${path}`;
      const account = accounts.get(key);
      if (account !== undefined) account.dependants.push(credential);
      else accounts.set(key, { issuer, version, sample: credential, kind, dependants: [credential] });
    }
    return [...accounts.values()];
  }

  async function take(account: Account, actor: Actor): Promise<Taken> {
    const report = {
      issuerId: account.issuer.id,
      listed: 0,
      orphansDeleted: 0,
      heldBack: 0,
      unregistered: 0,
      missing: 0,
      resurrected: 0,
    };
    const listed = await list(account);
    if (typeof listed === 'string')
      return { report: { ...report, problem: listed }, present: null, refused: new Set() };
    const { held, own } = heldKeys(account);
    const inventory = takeInventory({
      seen: listed,
      instance: options.instance,
      credentials: new Set(account.dependants.map((credential) => labelPart(credential.id))),
      held,
      running: options.running(),
      now: desk.clock.now(),
      settleMs: options.settleMs,
      orphansMax: options.orphansMax,
    });
    const deleted = await deleteOrphans(account, inventory, listed, actor);
    await note(account, inventory, listed, actor);
    const { alive, refused } = await judge(suspectsOf(desk.rows, listed, placeOf(account)), prober, holderOf(account));
    const resurrected = await alarm(account, alive, options.orphansMax - deleted, actor);
    const counts = {
      problem: null,
      listed: listed.length,
      orphansDeleted: deleted,
      heldBack: inventory.heldBack.length,
      unregistered: inventory.unregistered.length,
      missing: inventory.missing.filter((id) => own.has(id)).length,
      resurrected,
    };
    return { report: { ...report, ...counts }, present: new Set(listed.map((key) => key.providerKeyId)), refused };
  }

  /**
   * Provider ids that versions hold: `held` by anybody at this provider, whatever their state, whoever issued them and wherever they are listed;
   * `own` those that the credentials of this very list should have there.
   */
  function heldKeys(account: Account): { held: Set<string>; own: Set<string> } {
    const { provider, origins, dependants } = placeOf(account);
    const [held, own] = [new Set<string>(), new Set<string>()];
    for (const version of allRows<VersionRow>(desk.rows, 'version')) {
      if (version.providerKeyId === null) continue;
      const credential = findRow<CredentialRow>(desk.rows, 'credential', version.credentialId);
      if (credential?.provider !== provider || !origins.has(credential.origin)) continue;
      held.add(version.providerKeyId);
      if (dependants.has(credential.id) && version.state !== 'revoked') own.add(version.providerKeyId);
    }
    return { held, own };
  }

  async function list(account: Account): Promise<readonly ListedKey[] | string> {
    const outcome = await asker.list(account.kind, account.sample.settings, holderOf(account));
    if (outcome.is === 'listed') return outcome.keys;
    return outcome.is === 'no-answer' ? outcome.code : `${outcome.is}: ${outcome.evidence.signature}`;
  }

  /** Each deletion stands in the journal before it is asked for, and again with what the provider said. */
  async function deleteOrphans(
    account: Account,
    inventory: Inventory,
    listed: readonly ListedKey[],
    actor: Actor,
  ): Promise<number> {
    let deleted = 0;
    for (const providerKeyId of inventory.orphans) {
      const name = listed.find((key) => key.providerKeyId === providerKeyId)?.name ?? '';
      const finding = await putFinding(
        account,
        providerKeyId,
        { kind: 'orphan', name, state: 'open', lastUsedAt: null },
        actor,
      );
      const input = { settings: account.sample.settings, providerKeyId };
      const outcome = await asker.revoke(account.kind, input, holderOf(account), null);
      const said = outcome.is === 'no-answer' ? outcome.code : outcome.is;
      if (said !== 'accepted' && said !== 'absent') continue;
      deleted++;
      await writeFinding(
        'inventory.orphan-deleted',
        nextImage<FindingRow>(finding, { state: 'deleted', closedAt: desk.clock.now() }),
        actor,
        {
          outcome: said,
        },
      );
    }
    return deleted;
  }

  async function note(
    account: Account,
    inventory: Inventory,
    listed: readonly ListedKey[],
    actor: Actor,
  ): Promise<void> {
    for (const key of inventory.unregistered) {
      const found = listed.find((one) => one.providerKeyId === key.providerKeyId);
      await putFinding(
        account,
        key.providerKeyId,
        { kind: 'unregistered', name: key.name, state: 'open', lastUsedAt: found?.lastUsedAt ?? null },
        actor,
      );
    }
    for (const providerKeyId of inventory.heldBack) {
      const name = listed.find((key) => key.providerKeyId === providerKeyId)?.name ?? '';
      await putFinding(account, providerKeyId, { kind: 'held-back', name, state: 'open', lastUsedAt: null }, actor);
    }
  }

  /**
   * Puts each key on record that lives although it is dead, and asks the provider once more to end it: the order to do so still stands. Not more
   * of them than the brake leaves, and none that a person has set aside. The finding stays open until the key is refused. Returns how many are open.
   */
  async function alarm(account: Account, alive: Judged['alive'], callsMax: number, actor: Actor): Promise<number> {
    const standing: FindingRow[] = [];
    for (const { providerKeyId, name, lastUsedAt, version, credential, reading } of alive) {
      const { signature, status } = reading;
      const detail = { credential: credential.id, version: version.id, certificate: version.certificateId, signature };
      const about = { kind: 'resurrected', name, state: 'open', lastUsedAt } as const;
      const finding = await putFinding(account, providerKeyId, about, actor, { ...detail, status });
      if (finding.state === 'open') standing.push(finding);
    }
    if (standing.length > callsMax) return standing.length;
    for (const finding of standing) {
      const { providerKeyId } = finding;
      const holder = alive.find((one) => one.providerKeyId === providerKeyId)!;
      const { kind } = options.kindOf(holder.credential);
      const input = { settings: holder.credential.settings, providerKeyId };
      const outcome = await asker.revoke(kind, input, holderOf(account), holder);
      const said = outcome.is === 'no-answer' ? outcome.code : outcome.is;
      const again = nextImage<FindingRow>(finding, {});
      await writeFinding('inventory.revoke-repeated', again, actor, { outcome: said });
    }
    return standing.length;
  }

  /** Closes an issuer's findings about keys that stand in none of its lists any more; an alarm, once its key is refused too. */
  async function closeGone(
    issuerId: string,
    present: ReadonlySet<string>,
    refused: ReadonlySet<string>,
    actor: Actor,
  ): Promise<void> {
    for (const finding of allRows<FindingRow>(desk.rows, 'finding')) {
      if (finding.issuerId !== issuerId || present.has(finding.providerKeyId)) continue;
      if (finding.kind === 'resurrected' && !refused.has(finding.providerKeyId)) continue;
      // What the provider's log tells of may stand in no list of ours; what ends it is read there too (provider-log.ts).
      if (finding.kind === 'changed-outside' || (finding.kind === 'unregistered' && finding.told !== undefined))
        continue;
      const gone = nextImage<FindingRow>(finding, { state: 'gone', closedAt: desk.clock.now() });
      await writeFinding('inventory.finding-gone', gone, actor, {});
    }
  }

  /** The open finding about a key, made where there is none. Its closed predecessors are history under other ids. */
  async function putFinding(
    account: Account,
    providerKeyId: string,
    about: Pick<FindingRow, 'kind' | 'name' | 'state' | 'lastUsedAt'>,
    actor: Actor,
    detail: ControlEvent['detail'] = {},
  ): Promise<FindingRow> {
    const known = allRows<FindingRow>(desk.rows, 'finding').find(
      (finding) => finding.issuerId === account.issuer.id && finding.providerKeyId === providerKeyId,
    );
    if (known !== undefined && known.kind === about.kind) return known;
    const at = desk.clock.now();
    const row: FindingRow =
      known !== undefined
        ? // What was set aside as something lesser is no excuse for an alarm.
          nextImage<FindingRow>(known, {
            kind: about.kind,
            ...(about.kind === 'resurrected' ? { state: 'open', closedAt: null } : {}),
          })
        : {
            id: newId('finding', at, desk.random),
            rowVersion: 1,
            issuerId: account.issuer.id,
            providerKeyId,
            firstSeenAt: at,
            closedAt: null,
            ...about,
          };
    await writeFinding(`inventory.${about.kind}-found`, row, actor, detail);
    return row;
  }

  async function writeFinding(
    type: string,
    row: FindingRow,
    actor: Actor,
    detail: ControlEvent['detail'],
  ): Promise<void> {
    const event: ControlEvent = { v: 1, at: desk.clock.now(), actor, type, rows: [{ noun: 'finding', row }], detail };
    await desk.write({ events: [event] });
  }

  return {
    async run(issuerId, actor) {
      const reports: InventoryReport[] = [];
      const taken = new Map<string, Taken[]>();
      const read = new Set<string>();
      for (const account of accountsOf(issuerId)) {
        const one = await take(account, actor);
        reports.push({ ...one.report, log: await logs.look(holderOf(account), account.dependants, read, actor) });
        taken.set(account.issuer.id, [...(taken.get(account.issuer.id) ?? []), one]);
      }
      for (const [id, all] of taken) {
        // One list that could not be read may hold what the others do not.
        if (all.some(({ present }) => present === null)) continue;
        const present = new Set(all.flatMap((one) => [...one.present!]));
        await closeGone(id, present, new Set(all.flatMap(({ refused }) => [...refused])), actor);
      }
      return reports;
    },
  };
}
