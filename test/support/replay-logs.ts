// Two logs that grow as a server's do, from real decisions and with the real writer's arithmetic, for tests of their replay.
import { createHash } from 'node:crypto';
import { matchAction } from '../../src/access/action.ts';
import { catalogueLines } from '../../src/access/catalogue.ts';
import { cutsOf } from '../../src/access/cuts.ts';
import { refusedEntry, type UseFacts, useEntry } from '../../src/access/leaf.ts';
import { advancePolicy, decideUse, emptyPolicy } from '../../src/access/policy.ts';
import type { GrantRow } from '../../src/access/principal.ts';
import { createReplay, type ReplayReport } from '../../src/access/replay.ts';
import { appendControl, appendUse, emptyWriterState, takeGathered, type UseItem } from '../../src/database/append.ts';
import { prepareControl } from '../../src/database/gather.ts';
import { createHasher } from '../../src/ledger/merkle.ts';
import { parseAddress } from '../../src/model/address.ts';
import { nextImage, type RowImage } from '../../src/model/change.ts';
import { neon } from '../../src/providers/neon.ts';
import { TABLES } from '../../src/tables.ts';
import { controlEvent, credentialRow, grantRow, NOW, principalRow, tokenRow, versionRow } from './rows.ts';

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest();

/** A control log and a use log that grow as a server's do. */
export function createLogs() {
  const state = emptyWriterState(createHasher(sha256), 0);
  const policy = emptyPolicy();
  const controls: string[] = [];
  const uses: string[] = [];
  const rows = new Map<string, { id: string; rowVersion: number }>();
  let requests = 0;

  function take(): void {
    for (const { log, entry } of takeGathered(state).entries) (log === 'control' ? controls : uses).push(entry);
  }

  function write(...images: RowImage[]): void {
    const event = controlEvent(images, { at: NOW });
    for (const item of prepareControl({ events: [event] }, TABLES, cutsOf).items) appendControl(state, item);
    for (const { row } of images) rows.set(row.id, row);
    advancePolicy(policy, [event], state.edges.control.size);
    take();
  }

  /** The next image of a row that was written. */
  function change<R extends { id: string; rowVersion: number }>(
    noun: RowImage['noun'],
    id: string,
    with_: Partial<R>,
  ): void {
    write({ noun, row: nextImage(rows.get(id) as R & { id: string; rowVersion: number }, with_ as never) });
  }

  interface Asked {
    readonly token?: string;
    readonly credential?: string;
    readonly method?: string;
    readonly path?: string;
    readonly at?: number;
    readonly mono?: number;
    readonly ip?: string;
  }

  /** Decides a request as the broker does. What comes back is to be recorded, at once or later. */
  function decide(asked: Asked = {}): UseItem {
    const token = policy.tokens.get(asked.token ?? 'tok_1')!;
    const credential = policy.credentials.get(asked.credential ?? 'crd_1')!;
    const { method = 'GET', path = '/api/v2/projects/p-1', ip = '10.0.0.7' } = asked;
    const match = matchAction(credential.catalogue!.compiled, method, path)!;
    const at = asked.at ?? NOW + requests;
    const monoMs = asked.mono ?? requests;
    const address = parseAddress(ip);
    const attempt = { at, monoMs, address, parameters: match.parameters };
    const decision = decideUse(policy, { token, credential, action: match.action }, attempt);
    const facts: UseFacts = {
      id: `r-${++requests}`,
      at,
      monoMs,
      asOf: policy.asOf,
      ip,
      userAgent: 'test',
      method,
      token: token.row.id,
      principal: token.row.principalId,
      credential: credential.row.id,
      provider: 'neon',
      version: credential.current?.id ?? null,
      grant: decision.grant?.row.id ?? null,
      action: match.action.name,
      effect: match.action.effect,
      path,
      query: null,
    };
    return { entry: decision.allowed ? useEntry(facts) : refusedEntry(facts, decision.reason), asOf: policy.asOf };
  }

  function record(item: UseItem): void {
    appendUse(state, item);
    take();
  }

  return {
    controls,
    uses,
    policy,
    write,
    change,
    decide,
    record,
    use: (asked: Asked = {}) => record(decide(asked)),
    note: (entry: string) => record({ entry, asOf: policy.asOf }),
    report: () => replayed(controls, uses),
  };
}

export function replayed(controls: readonly string[], uses: readonly string[], firstUse = 0): ReplayReport {
  const replay = createReplay(controls, firstUse);
  for (const use of uses) replay.use(use);
  return replay.report();
}

/** A furnished pair of logs: one caller, one credential, one grant, nothing used yet. */
export function furnished(grant: Partial<GrantRow> = {}) {
  const logs = createLogs();
  logs.write({
    noun: 'catalogue',
    row: { id: 'cat_1', rowVersion: 1, provider: 'neon', actions: catalogueLines(neon) } as never,
  });
  logs.write(
    { noun: 'principal', row: principalRow() },
    { noun: 'token', row: tokenRow() },
    { noun: 'credential', row: credentialRow() },
    { noun: 'version', row: versionRow() },
    { noun: 'grant', row: grantRow({ actions: ['project.*'], ...grant }) },
  );
  return logs;
}

export type Logs = ReturnType<typeof furnished>;
export const kindsOf = (report: ReplayReport) => report.findings.map(({ index, kind }) => `${index} ${kind}`);

/** The entry at an index, changed. */
export function changed(uses: readonly string[], index: number, change: Record<string, unknown>): string[] {
  return uses.map((use, i) => (i === index ? JSON.stringify({ ...JSON.parse(use), ...change }) : use));
}
