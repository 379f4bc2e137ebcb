// For tests alone: the standing inventory over rows in memory and a twin of the provider, with one issuer and one key that it minted.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { type MemoryDesk, memoryDesk } from '../../test/support/desk.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { credentialRow, versionRow } from '../../test/support/rows.ts';
import { type RunningNeonTwin, startNeonTwin } from '../../twins/neon.io.ts';
import type { Noun, Row } from '../model/change.ts';
import { allRows } from '../model/desk.ts';
import type { Page, Records } from '../model/route.ts';
import { Secret } from '../model/secret.ts';
import { neon } from '../providers/neon.ts';
import { TABLES } from '../tables.ts';
import type { FindingRow } from './finding.ts';
import { createInventoryRunner } from './inventory.io.ts';
import { formatLabel, labelPart } from './label.ts';

const INSTANCE = '0a1b2c3d';
const hex = (prefix: string, n: number) => `${prefix}_${n.toString(16).padStart(32, '0')}`;
export const [ISSUER, CREDENTIAL, ROTATION] = [hex('crd', 1), hex('crd', 2), hex('rot', 3)];

const twins: RunningNeonTwin[] = [];
after(async () => {
  for (const twin of twins) await twin.close();
});

/** One issuer, one organization key that it minted, and a provider that holds both. */
export async function setUp(options: { orphansMax?: number; settleMs?: number } = {}) {
  const desk = memoryDesk();
  const twin = await startNeonTwin({ clock: desk.clock });
  twins.push(twin);
  const { seeds, mint } = twin.control;
  const held = mint({ kind: 'organization', name: label(1) });
  const issuer = credentialRow({ id: ISSUER, name: 'issuer', kind: 'personal-key', purpose: 'manage', settings: {} });
  const credential = credentialRow({ id: CREDENTIAL, issuerId: ISSUER, settings: { orgId: seeds.orgId } });
  const keys = new Map<string, Secret>([
    ['ver_issuer', seeds.adminKey],
    ['ver_held', held.key],
  ]);
  desk.furnish('credential', issuer, credential);
  desk.furnish(
    'version',
    versionRow({ id: 'ver_issuer', credentialId: ISSUER, providerKeyId: seeds.adminKeyId }),
    versionRow({ id: 'ver_held', credentialId: CREDENTIAL, providerKeyId: held.id }),
  );
  const running = new Set<string>();
  const runner = createInventoryRunner({
    desk,
    instance: INSTANCE,
    kindOf: (row) => ({ kind: neon.kinds.find((kind) => kind.name === row.kind)! }),
    callFor: () => directCall(twin.origin),
    open: (_, version) => Promise.resolve({ key: keys.get(version.id) ?? new Secret('canary-none') }),
    running: () => running,
    settleMs: options.settleMs ?? 0,
    orphansMax: options.orphansMax ?? 3,
    records: historyOf(desk),
  });
  desk.advance(1_000);
  const run = async () => {
    const reports = await runner.run(null, 'system:inventory');
    assert.equal(reports.length, 1);
    return reports[0]!;
  };
  const isAlive = (id: string) => twin.control.keys().find((key) => key.id === id)?.isAlive;
  const findings = () => allRows<FindingRow>(desk.rows, 'finding');
  return { desk, twin, run, runner, running, keys, held, isAlive, findings, mint };
}

/** What was written and is history now, as one page. */
export function historyOf(desk: MemoryDesk): Pick<Records, 'page'> {
  return {
    page<R extends Row>(noun: Noun, { parent, live }: Parameters<Records['page']>[1]): Promise<Page<R>> {
      assert.equal(live, false);
      const images = desk.events.flatMap((event) => event.rows).filter((image) => image.noun === noun);
      const rows = new Map(images.map(({ row }) => [row.id, row]));
      const table = TABLES[noun];
      const items = [...rows.values()].filter(
        (row) => !table.isLive(row as never) && table.parent(row as never) === parent,
      );
      return Promise.resolve({ items: items as R[], next: null });
    },
  };
}

export function label(attempt: number, change: Partial<Parameters<typeof formatLabel>[0]> = {}): string {
  const own = { instance: INSTANCE, credential: labelPart(CREDENTIAL), rotation: labelPart(ROTATION), attempt };
  return formatLabel({ ...own, ...change });
}
export const typesOf = (desk: { events: readonly { type: string }[] }) => desk.events.map((event) => event.type);

/** As `setUp`, with a second version whose key was revoked and certified dead a minute ago. */
export async function setUpDead(options: Parameters<typeof setUp>[0] = {}) {
  const house = await setUp(options);
  const { desk, twin, keys, mint } = house;
  const dead = mint({ kind: 'organization', name: label(7) });
  const state = { state: 'revoked', certificateId: 'crt_dead', number: 2 } as const;
  const version = versionRow({ id: 'ver_dead', credentialId: CREDENTIAL, providerKeyId: dead.id, ...state });
  desk.furnish('version', version);
  keys.set('ver_dead', dead.key);
  desk.advance(1_000);
  const remove = () =>
    directCall(twin.origin)(
      { method: 'DELETE', path: `/api/v2/organizations/${twin.control.seeds.orgId}/api_keys/${dead.id}` },
      { parts: { key: twin.control.seeds.adminKey }, places: credentialRow().places },
    );
  const open = () => house.findings().map((finding) => [finding.kind, finding.providerKeyId, finding.state]);
  return { ...house, dead, remove, open };
}
