// The life of one house under torture: server after server on one directory, each ended by SIGKILL at a moment drawn from the seed; online
// backups in between, and restores of them, which are killed too; at the end a settling server, an inventory, and every check.
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { VERSION } from '../../src/app.io.ts';
import type { VersionRow } from '../../src/credentials/credential.ts';
import { takeBackup } from '../../src/database/backup.io.ts';
import { openForReading } from '../../src/database/reading.io.ts';
import { createEngines } from '../../src/engines.io.ts';
import type { Log } from '../../src/ledger/layout.ts';
import { newestCheckpoints } from '../../src/ledger/superseded.io.ts';
import type { TwinExchange } from '../../twins/neon.io.ts';
import { prng } from '../../twins/prng.ts';
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
  unsettled,
} from './checks.ts';
import { type Child, type ServerChild, startRestore, startServer } from './child.ts';
import { type Folded, foldAndCompare } from './fold.ts';
import { buildHouse, openApp, setFaults } from './house.ts';
import { checkLedger, checkReplay, replay } from './ledger.ts';
import { type Load, startLoad } from './load.ts';
import { duringRecovery, type Moment, momentOf, pastPivot, restoreMomentOf } from './moments.ts';

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

interface Acting {
  readonly takesBackup?: boolean;
  readonly onReady?: () => Promise<void>;
}

interface Backup {
  readonly file: string;
  /** What was acknowledged before is in it. */
  readonly startedMs: number;
  /** The provider's ids of the keys that were current then. */
  readonly keyIds: readonly string[];
}

const ANSWERS_WAIT_MS = 4_000;
/** How many of the restores come after a key has died since their backup. */
const PIVOTS = 0.7;
/** How many of the attempts to restore are killed, and how many of these there are at most before one comes to its end. */
const KILLED_RESTORES = 0.75;
const KILLED_RESTORES_MAX = 3;
const SETTLE_MS = 180_000;
/** An orphan is deleted when it is older than a minute: the last inventory is taken with a clock that is ahead. */
const AHEAD_MS = 120_000;

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Tells the story of a house to its end. What cannot be told is a failed check. */
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
    killedRestores: 0,
    answered: 0,
    changes: 0,
    keys: 0,
    certificates: 0,
    uses: 0,
    controls: 0,
    adopted: 0,
    lost: 0,
  };
  let lives = 0;
  let running: Child | null = null;
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

  /** Kills with the very arrival of an answer, before anything else is done here. */
  function killedAt(count: number, child: Child): Promise<void> {
    return new Promise((resolve) => {
      let left = count;
      const timer = setTimeout(done, ANSWERS_WAIT_MS);
      books.listeners.add(hear);
      function hear(): void {
        if (--left > 0) return;
        child.kill();
        done();
      }
      function done(): void {
        clearTimeout(timer);
        books.listeners.delete(hear);
        resolve();
      }
    });
  }

  async function liveUntil(moment: Moment, child: ServerChild, act: Acting): Promise<void> {
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
    if (moment.at === 'request') await Promise.race([seen(moment.kind, moment.waitMs), child.exited]);
    if (moment.at === 'answer') await Promise.race([killedAt(moment.count, child), child.exited]);
    else await Promise.race([pause(moment.ms), child.exited]);
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
    const rows = (await folded(file)).rows.get('version')!.values() as Iterable<VersionRow>;
    const current = [...rows].filter(
      (row) => row.state === 'current' && house.credentialIds.includes(row.credentialId),
    );
    return { file, startedMs, keyIds: current.map((row) => row.providerKeyId).filter((id) => id !== null) };
  }

  /** One life of a server, ended by SIGKILL. */
  async function live(moment: Moment, act: Acting = {}): Promise<void> {
    lives++;
    const child = startServer(house.directory, random.below(1e9));
    running = child;
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

  /**
   * Puts the backup in the place of the database, as an operator does whose command is killed now and then and run again. Returns the
   * credentials that the database of before showed as unprotected.
   */
  async function putBack(file: string): Promise<Set<string>> {
    let unprotected = unprotectedOf(await examine());
    for (let killed = 0; killed < KILLED_RESTORES_MAX && random.next() < KILLED_RESTORES; killed++) {
      const child = startRestore(house.directory, file);
      running = child;
      await child.reached(restoreMomentOf(random));
      child.kill();
      await child.exited;
      if (child.ending() === '0') return unprotected;
      mustEnd('a restore ends as it is told', child, 'SIGKILL');
      counts.killedRestores++;
      // The new database is there, and nobody has written to it: the operator may take it as it is.
      const isNew = (await folded()).events.at(-1)?.type === 'ledger.epoch-opened';
      plan.say(`house ${plan.seed}: a restore was killed, the ${isNew ? 'new' : 'old'} database is there`);
      if (isNew && random.next() < 0.5) return unprotected;
      if (isNew) continue;
      // The old one is there with all that it held, and may serve again.
      if (random.next() < 0.3) await live(momentOf(random));
      unprotected = unprotectedOf(await examine());
    }
    const child = startRestore(house.directory, file);
    running = child;
    await child.exited;
    mustEnd('a restore ends as it is told', child, '0');
    return unprotected;
  }

  function mustEnd(name: string, child: Child, wanted: string): void {
    const ending = child.ending();
    checks.push(check(name, ending === wanted ? [] : [`it ended with ${ending}: ${child.lastWords()}`]));
  }

  /** Restores, and starts a server on what was restored, which recovers before it serves. */
  async function restore({ file, startedMs }: Backup): Promise<void> {
    const unprotected = await putBack(file);
    rmSync(file);
    backup = null;
    books.rewind(startedMs);
    kept = { control: null, use: null };
    counts.restores++;
    if (random.next() < 0.3) await live(duringRecovery(random));
    let isServing = false;
    const problems: string[] = [];
    await live(momentOf(random), {
      async onReady() {
        isServing = true;
        const { rows, events } = await folded();
        const lost = lostCredentials(rows, house.twin.control.keys(), ended);
        const epoch = events.findLastIndex((event) => event.type === 'ledger.epoch-opened');
        counts.adopted += events.filter((one, n) => n > epoch && one.type === 'recovery.version-adopted').length;
        counts.lost += lost.length;
        for (const { id, name } of lost)
          if (!unprotected.has(id)) problems.push(`${name} was lost and not shown as unprotected`);
      },
    });
    if (!isServing) problems.push('the server did not serve after the restore');
    checks.push(check('no key is lost that was not shown as unprotected', problems));
  }

  async function folded(file = house.databaseFile): Promise<Folded> {
    const { read, close } = await openForReading({ kind: 'sqlite', file });
    try {
      return await foldAndCompare(read);
    } finally {
      await close();
    }
  }

  /** A server that rotates only what has lost its key, until nothing runs any more. */
  async function settle(): Promise<void> {
    house.twin.control.clearFaults();
    lives++;
    const child = startServer(house.directory, random.below(1e9), ['--settle']);
    running = child;
    await child.ready;
    const until = performance.now() + SETTLE_MS;
    let left: string[] = [];
    do {
      await pause(300);
      const { rows } = await folded();
      const lost = lostCredentials(rows, house.twin.control.keys(), ended);
      left = [...unsettled(rows), ...lost.map(({ name }) => `${name} has no accepted key`)];
    } while (left.length > 0 && performance.now() < until && child.ending() === null);
    checks.push(check('everything that runs comes to its end', left));
    await child.stop();
    mustEnd('the server stops when it is asked to', child, '0');
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

  async function whole(): Promise<void> {
    setFaults(house.twin);
    for (const [kills, isRestored] of segmentsOf(plan)) {
      const backupAt = random.below(kills);
      for (let kill = 0; kill < kills; kill++) {
        const takesBackup = isRestored && kill === backupAt;
        await live(momentOf(random), { takesBackup });
        plan.say(`house ${plan.seed}: ${counts.kills} kills, ${counts.restores} restores`);
      }
      const taken = backup as Backup | null;
      if (!isRestored || taken === null) continue;
      if (random.next() < PIVOTS && taken.keyIds.length > 0) await live(pastPivot(random, taken.keyIds));
      await restore(taken);
    }
    await finish();
  }

  try {
    await whole();
  } catch (error) {
    const isGone = !existsSync(house.directory);
    const why = isGone ? 'its directory is gone: removed from outside' : String((error as Error).stack ?? error);
    checks.push(check('the story is told to its end', [why]));
  } finally {
    (running as Child | null)?.kill();
    await Promise.all(loads.splice(0).map((load) => load.stop()));
    await house.twin.close();
  }
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
