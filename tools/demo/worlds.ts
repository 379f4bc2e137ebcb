// `npm run demo -- --provider NAME` and `--all`: one server and a twin for each world, every world's key stored, lent to an application that
// runs, rotated as its nature allows, and revoked with its certificate, side by side. Everything but the twins is the real thing; it is
// worked through the control API. Says what it saw, and ends with 1 where something did not hold.
import { judge, quantile, type Span } from '../rotations/judge.ts';
import { startApplication } from '../world/application.ts';
import { createClosing } from '../world/closing.ts';
import { createFollower } from '../world/follow.ts';
import { furnish, type Lent, programsFor, setString } from '../world/furnish.ts';
import { startInstallation } from '../world/installation.ts';
import { openServerDoor } from '../world/server-door.ts';
import type { Stand } from '../world/stand.ts';
import { STANDS, type StandName } from '../world/stand-index.ts';
import { type Told, tell } from './world-story.ts';

const QUIET_SECONDS = 1;
/** Requests a second to each world. */
const RATE = 15;
const WARM_MS = 2_000;

export interface Voice {
  say(text?: string): void;
  bold(text: string): string;
}

/** Runs the worlds, says what happened and resolves with whether everything held. Leaves nothing running and no file. */
export async function demonstrate(names: readonly StandName[], { say, bold }: Voice): Promise<boolean> {
  const started = performance.now();
  const clock = () => `${((performance.now() - started) / 1000).toFixed(0).padStart(3)} s`;
  const closing = createClosing();
  try {
    const stands: Stand[] = [];
    for (const name of names) {
      const stand = await STANDS[name]();
      stands.push(stand);
      closing.add(() => stand.close());
    }
    let programs: ReturnType<typeof programsFor> = [];
    for (const stand of stands) {
      if (!('restart' in stand)) continue;
      const door = await openServerDoor(stand.restart as (text: string) => void);
      closing.add(() => door.close());
      programs = programsFor(stand, 1, setString(door.origin));
    }
    const origins = Object.fromEntries(stands.map(({ provider, origin }) => [provider, origin]));
    const installation = await startInstallation(origins, { rotationsAtOnce: names.length, programs });
    closing.add(() => installation.stop());
    const { api, serving } = installation;
    const follower = createFollower(api);
    closing.add(() => Promise.resolve(follower.stop()));
    say(`${clock()}  one server at ${serving.apiOrigin}, its broker at ${serving.brokerOrigin}`);

    const lent: Lent[] = [];
    for (const stand of stands) {
      const given = { stand, brokerOrigin: serving.brokerOrigin, count: 1, quietSeconds: QUIET_SECONDS };
      const [one] = await furnish(api, given);
      lent.push(one!);
      const { provider, about, actions } = stand;
      say(
        `${clock()}  ${bold(provider.padEnd(15))} stored: ${about}, at ${stand.origin}; granted ${actions.join(', ')}`,
      );
    }
    const application = startApplication(lent, RATE * lent.length);
    closing.add(() => (application.hasEnded ? Promise.resolve() : application.stop().catch(() => {})));
    await new Promise((resolve) => setTimeout(resolve, WARM_MS));
    say(`${clock()}  an application asks, with tokens of Claviger in the keys’ places`);
    for (const [line, { stand, door }] of lent.entries()) {
      const { method, url } = stand.asks(door).read;
      const [, , , ms, status] = application.seen.find((one) => one[0] === line && one[1] === null) ?? [];
      const answer = status === undefined ? 'not answered yet' : `${status} after ${ms} ms`;
      say(`${clock()}  ${bold(stand.provider.padEnd(15))} ${method} ${new URL(url).pathname}: ${answer}`);
    }

    const tales = await Promise.all(
      lent.map((one) => {
        const voice = (text: string) => say(`${clock()}  ${bold(one.stand.provider.padEnd(15))} ${text}`);
        return tell({ api, follower, lent: one, say: voice });
      }),
    );
    await application.stop();
    return conclude(tales, application.seen, { say, bold });
  } finally {
    await closing.close();
  }
}

/** The closing table. A world's requests are those that were answered before its key was revoked. */
function conclude(tales: readonly Told[], seen: Parameters<typeof judge>[0], { say, bold }: Voice): boolean {
  const rows: string[][] = [['world', 'nature', 'requests', 'failed', 'pause', 'old key dead after', 'certificates']];
  const problems: string[] = [];
  for (const [line, tale] of tales.entries()) {
    const { stand } = tale.lent;
    const mine = seen.filter((one) => one[0] === line);
    const before = mine.filter(([, , startedAt, ms]) => startedAt + ms < tale.revokedAt);
    const spans: Span[] = [];
    if (tale.held !== null) spans.push({ line, ...tale.held, is: 'hold' });
    if (tale.cut !== null) spans.push({ line, ...tale.cut, is: 'cut' });
    const numbers = new Set(mine.map(([, number]) => number));
    const carried = new Map([...stand.carried].filter(([number]) => numbers.has(number)));
    // Counted over all of them, so that no write is called unsent; what failed counts only before the revocation.
    const writes = judge(mine, spans, carried);
    const verdict = judge(before, spans, new Map());
    const refusedAfter = mine.filter(([, , startedAt, , status]) => startedAt > tale.revokedAt && status >= 400).length;
    const passedAfter = mine.filter(([, , at, , status]) => at > tale.revokedAt + 1_000 && status < 300).length;
    const pause =
      tale.held !== null
        ? `held ${tale.held.to - tale.held.from} ms, longest request ${verdict.longestMs} ms`
        : tale.cut !== null
          ? `hard cut of ${tale.cut.to - tale.cut.from} ms`
          : `none; p99 ${quantile(
              before.map(([, , , ms]) => ms),
              0.99,
            )} ms`;
    const failed = `${verdict.failed}${verdict.cut === 0 ? '' : ` (+${verdict.cut} in the cut)`}`;
    const dead = tale.rotation === 'rotated' && tale.aliveAfter === 1 ? 'yes' : 'NO';
    rows.push([stand.provider, stand.nature, `${verdict.requests}`, failed, pause, dead, `${tale.certificates}`]);
    const own = [...tale.problems];
    if (verdict.failed > 0) own.push(`${verdict.failed} requests failed`);
    if (tale.aliveAfter !== 1) own.push(`the provider accepted ${tale.aliveAfter} keys after the rotation`);
    if (writes.lost + writes.doubled > 0) own.push(`${writes.lost} writes lost, ${writes.doubled} carried out twice`);
    if (tale.revocation === 'proven' && tale.certificates !== 2) own.push(`${tale.certificates} certificates, not 2`);
    if (refusedAfter === 0 || passedAfter > 0) own.push(`${passedAfter} requests passed after the revocation`);
    problems.push(...own.map((one) => `${stand.provider}: ${one}`));
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  say();
  for (const [n, row] of rows.entries()) {
    const text = row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ');
    say(`  ${n === 0 ? bold(text) : text}`.trimEnd());
  }
  say();
  for (const problem of problems) say(`  ✖ ${problem}`);
  return problems.length === 0;
}
