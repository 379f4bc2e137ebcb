// The life of one house under torture: server after server on one directory, each ended by SIGKILL at a moment drawn from the seed; online
// backups in between, and restores of them; at the end a settling server, an inventory, and every check.
import { rmSync } from 'node:fs';
import path from 'node:path';
import { cutsOf } from '../../src/access/cuts.ts';
import { VERSION } from '../../src/app.io.ts';
import type { VersionRow } from '../../src/credentials/credential.ts';
import { takeBackup } from '../../src/database/backup.io.ts';
import { openForReading } from '../../src/database/reading.io.ts';
import { restoreBackup } from '../../src/database/restore.io.ts';
import { createEngines } from '../../src/engines.io.ts';
import type { Log } from '../../src/ledger/layout.ts';
import { newestCheckpoints } from '../../src/ledger/superseded.io.ts';
import type { RevocationRow } from '../../src/revocation/revocation.ts';
import type { RotationRow } from '../../src/rotation/rotation.ts';
import { TABLES } from '../../src/tables.ts';
import type { TwinExchange } from '../../twins/neon.io.ts';
import { type Prng, prng } from '../../twins/prng.ts';
import { createBooks } from './books.ts';
import {
  addIntents,
  type Check,
  check,
  checkCertificates,
  checkChanges,
  checkIntents,
  checkKeys,
  checkUses,
  lostCredentials,
} from './checks.ts';
import { type Child, startServer } from './child.ts';
import { type Folded, foldAndCompare } from './fold.ts';
import { buildHouse, openApp, type TortureHouse } from './house.ts';
import { checkLedger, checkReplay, replay } from './ledger.ts';
import { type Load, startLoad } from './load.ts';

export interface StoryPlan {
  readonly seed: number;
  readonly kills: number;
  readonly restores: number;
  readonly isProtected: boolean;
  readonly say: (text: string) => void;
}

export interface StoryTold {
  readonly seed: number;
  readonly checks: readonly Check[];
  readonly counts: Readonly<Record<string, number>>;
  /** Kept where a check failed, else removed. */
  readonly directory: string;
}

/** When a server is killed. */
type Moment =
  | { readonly at: 'start'; readonly ms: number }
  | { readonly at: 'ready'; readonly ms: number }
  /** `ms` after the provider has seen a request of a kind; where none comes, after a while. */
  | { readonly at: 'request'; readonly kind: RegExp; readonly ms: number };

interface Acting {
  readonly takesBackup?: boolean;
  readonly onReady?: () => Promise<void>;
}

interface Backup {
  readonly file: string;
  /** What was acknowledged before is in it. */
  readonly startedMs: number;
}

const START_MS = 1_200;
/** About as long as a recovery takes. */
const RECOVERY_MS = 14_000;
const REQUEST_WAIT_MS = 4_000;
const SETTLE_MS = 180_000;
/** An orphan is deleted when it is older than a minute: the last inventory is taken with a clock that is ahead. */
const AHEAD_MS = 120_000;
const KINDS = [
  /^POST .*\/api_keys$/,
  /^DELETE .*\/api_keys\/\d+$/,
  /^GET .*\/api_keys$/,
  /^GET .*\/auth$/,
  /^(?:PATCH|DELETE) .*\/projects\/n-/,
];

function momentOf(random: Prng): Moment {
  const drawn = random.next();
  if (drawn < 0.15) return { at: 'start', ms: random.below(START_MS) };
  if (drawn < 0.5) return { at: 'ready', ms: random.below(2_500) };
  if (drawn < 0.8)
    return { at: 'request', kind: KINDS[random.below(KINDS.length)]!, ms: random.below(3) * random.below(20) };
  return { at: 'ready', ms: 2_500 + random.below(6_500) };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export async function tell(plan: StoryPlan): Promise<StoryTold> {
  const random = prng(plan.seed);
  const books = createBooks();
  const watchers = new Set<(line: string) => void>();
  const onExchange = (exchange: TwinExchange) => {
    books.seen(exchange);
    for (const watch of watchers) watch(`${exchange.method} ${exchange.path}`);
  };
  const house = await buildHouse({ seed: plan.seed, onExchange, isProtected: plan.isProtected });
  const ended = new Set(house.doomedIds);
  const store = { kind: 'sqlite' as const, file: house.databaseFile };
  const ledgerDirectory = path.join(house.config.dataDirectory, 'ledger');
  const mayRevoke = random.next() < 0.7;
  const loads: Load[] = [];
  const intents = { creations: new Set<string>(), deletions: new Set<string>() };
  const checks: Check[] = [];
  const counts = {
    kills: 0,
    restores: 0,
    answered: 0,
    changes: 0,
    keys: 0,
    certificates: 0,
    uses: 0,
    controls: 0,
    lost: 0,
  };
  let lives = 0;
  let backup: Backup | null = null;
  let kept: Record<Log, string | null> = { control: null, use: null };

  function seen(kind: RegExp, withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        watchers.delete(watch);
        resolve();
      };
      const watch = (line: string) => kind.test(line) && done();
      const timer = setTimeout(done, withinMs);
      watchers.add(watch);
    });
  }

  async function liveUntil(moment: Moment, child: Child, act: Acting): Promise<void> {
    const isEarly = moment.at === 'start' && act.takesBackup !== true && act.onReady === undefined;
    if (isEarly) {
      await Promise.race([pause(moment.ms), child.exited]);
      return;
    }
    const origins = await child.ready;
    if (origins === null) return;
    await act.onReady?.();
    const name = `${plan.seed.toString(36)}-${lives.toString(36)}`;
    loads.push(startLoad({ house, books, origins, random, name, mayRevoke }));
    if (act.takesBackup === true) {
      await pause(random.below(1_500));
      backup = await online();
    }
    if (moment.at === 'request') await Promise.race([seen(moment.kind, REQUEST_WAIT_MS), child.exited]);
    await Promise.race([pause(moment.ms), child.exited]);
  }

  /** A backup of the database that is being written to, as the command takes it. */
  async function online(): Promise<Backup> {
    const file = path.join(house.directory, `backup-${lives}`);
    const startedMs = performance.now();
    await takeBackup({
      store,
      to: file,
      program: VERSION,
      now: Date.now(),
      checkpoints: newestCheckpoints(ledgerDirectory),
    });
    return { file, startedMs };
  }

  /** One life of a server, ended by SIGKILL. */
  async function live(moment: Moment, act: Acting = {}): Promise<void> {
    lives++;
    const child = startServer(house.directory, random.below(1e9));
    await liveUntil(moment, child, act);
    child.kill();
    await child.exited;
    await Promise.all(loads.splice(0).map((load) => load.stop()));
    counts.kills++;
    if (child.ending() !== 'SIGKILL') {
      checks.push(
        check('no server ends by itself', [`life ${lives} ended with ${child.ending()}: ${child.lastWords()}`]),
      );
    }
    kept = newestCheckpoints(ledgerDirectory);
  }

  /** Holds the database as it is now against the books. */
  async function examine(): Promise<Folded> {
    const { read, close } = await openForReading({ kind: 'sqlite', file: house.databaseFile });
    try {
      const folded = await foldAndCompare(read);
      const rows = await read.selectFrom('use_entries').select('entry').orderBy('idx').execute();
      const uses = rows.map((row) => row.entry);
      const entries = await read.selectFrom('control_entries').select('entry').orderBy('idx').execute();
      addIntents(intents, folded.events);
      const report = replay(
        entries.map((row) => row.entry),
        uses,
      );
      counts.uses = report.uses;
      counts.controls = report.controls;
      checks.push(
        check('the folded control log equals the tables', folded.problems),
        ...checkUses(books, uses),
        checkChanges(books, folded.events),
        checkReplay(report),
        checkCertificates(folded.rows, house.twin.control.keys()),
      );
      return folded;
    } finally {
      await close();
    }
  }

  function unprotectedOf({ rows }: Folded): Set<string> {
    const versions = [...rows.get('version')!.values()] as VersionRow[];
    const shown = versions.filter((version) => version.state === 'current' && version.secondCopyAt === null);
    return new Set(shown.map((version) => version.credentialId));
  }

  /** Puts the backup in the place of the database, and starts a server on it, which recovers before it serves. */
  async function restore({ file, startedMs }: Backup): Promise<void> {
    const unprotected = unprotectedOf(await examine());
    const { dataDirectory } = house.config;
    await restoreBackup({ file, store, dataDirectory, replace: true, now: Date.now(), tables: TABLES, cutsOf });
    rmSync(file);
    backup = null;
    books.rewind(startedMs);
    kept = { control: null, use: null };
    counts.restores++;
    if (random.next() < 0.3) await live({ at: 'start', ms: START_MS + random.below(RECOVERY_MS) });
    let isServing = false;
    const problems: string[] = [];
    await live(momentOf(random), {
      async onReady() {
        isServing = true;
        const lost = lostCredentials((await folded()).rows, house.twin.control.keys(), ended);
        counts.lost += lost.length;
        for (const { id, name } of lost)
          if (!unprotected.has(id)) problems.push(`${name} was lost and not shown as unprotected`);
      },
    });
    if (!isServing) problems.push('the server did not serve after the restore');
    checks.push(check('no key is lost that was not shown as unprotected', problems));
  }

  async function folded(): Promise<Folded> {
    const { read, close } = await openForReading({ kind: 'sqlite', file: house.databaseFile });
    try {
      return await foldAndCompare(read);
    } finally {
      await close();
    }
  }

  /** A server that starts nothing by itself, until nothing runs any more. */
  async function settle(): Promise<void> {
    house.twin.control.clearFaults();
    lives++;
    const child = startServer(house.directory, random.below(1e9), ['--settle']);
    await child.ready;
    const until = performance.now() + SETTLE_MS;
    let running: string[] = [];
    do {
      await pause(300);
      running = unsettled(await folded());
    } while (running.length > 0 && performance.now() < until && child.ending() === null);
    checks.push(check('everything that runs comes to its end', running));
    const ending = await child.stop();
    checks.push(
      check(
        'the server stops when it is asked to',
        ending === '0' ? [] : [`it ended with ${ending}: ${child.lastWords()}`],
      ),
    );
  }

  async function inventory(): Promise<void> {
    const app = await openApp(house.config, house.kekPath, () => Date.now() + AHEAD_MS);
    const engines = await createEngines(app, () => {});
    const reports = await engines.inventory.run(null, 'system:torture');
    const problems = reports
      .filter((one) => one.problem !== null || one.heldBack > 0)
      .map((one) => JSON.stringify(one));
    checks.push(check('the inventory is taken', problems));
    await app.stop();
  }

  async function finish(): Promise<void> {
    await settle();
    await inventory();
    const { rows } = await examine();
    const keys = house.twin.control.keys();
    const { instance } = house;
    // Those that were not revoked in the end keep their keys; the others have none.
    checks.push(...checkKeys({ rows, keys, instance, ended }));
    checks.push(...checkIntents({ intents, keys, instance, deletions: books.deletions }));
    const to = path.join(house.directory, 'export');
    const { databaseFile, config } = house;
    checks.push(await checkLedger({ databaseFile, dataDirectory: config.dataDirectory, to, kept }));
    counts.answered = books.totals.answered + books.answered.length;
    counts.changes = books.totals.acknowledged + books.acknowledged.length;
    counts.keys = keys.length;
    counts.certificates = rows.get('certificate')!.size;
  }

  setFaults(house);
  for (const [kills, isRestored] of segmentsOf(plan)) {
    const backupAt = random.below(kills);
    for (let kill = 0; kill < kills; kill++) {
      await live(momentOf(random), { takesBackup: isRestored && kill === backupAt });
      plan.say(`house ${plan.seed}: ${counts.kills} kills, ${counts.restores} restores`);
    }
    if (isRestored && backup !== null) await restore(backup);
  }
  await finish();
  await house.twin.close();
  const isGood = checks.every((one) => one.problems.length === 0);
  if (isGood) rmSync(house.directory, { recursive: true, force: true });
  return { seed: plan.seed, checks, counts, directory: house.directory };
}

/** The kills of a house in runs, and whether a restore follows the run. */
function segmentsOf({ kills, restores }: StoryPlan): [number, boolean][] {
  const runs = restores + 1;
  return Array.from({ length: runs }, (_, run) => {
    const from = Math.round((kills * run) / runs);
    return [Math.max(1, Math.round((kills * (run + 1)) / runs) - from), run < restores];
  });
}

/** What goes wrong at the provider while a house lives: slow, late, lost, refused, confirmed and not done. */
function setFaults({ twin: { control } }: TortureHouse): void {
  control.latency({ ms: 1, jitterMs: 10 });
  control.fault('revoke-late', { probability: 0.4, ms: 1_200 });
  control.fault('revoke-ignored', { probability: 0.1 });
  control.fault('create-lost', { probability: 0.1, ms: 100 });
  control.fault('create-arrives-later', { probability: 0.05, ms: 1_500 });
  control.fault('dead-on-arrival', { probability: 0.05 });
  control.fault('server-error', { probability: 0.03, on: ['create-key', 'revoke-key', 'list-keys', 'auth'] });
  control.fault('cut-after', { probability: 0.05, on: ['create-key', 'revoke-key'] });
  control.fault('list-lags', { probability: 0.2, ms: 500 });
}

/** What has not come to its end. */
function unsettled({ rows }: Folded): string[] {
  const versions = [...rows.get('version')!.values()] as VersionRow[];
  const rotations = [...rows.get('rotation')!.values()] as RotationRow[];
  const revocations = [...rows.get('revocation')!.values()] as RevocationRow[];
  return [
    ...versions
      .filter((row) => row.state !== 'current' && row.state !== 'revoked')
      .map((row) => `${row.id} is ${row.state}`),
    ...[...rotations, ...revocations]
      .filter((row) => row.endedAt === null)
      .map((row) => `${row.id} is in ${row.state.step}, ${row.state.end ?? 'running'}, ${row.state.reason ?? ''}`),
  ];
}
