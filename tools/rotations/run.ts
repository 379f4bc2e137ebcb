// Many rotations of one nature under constant load: an installation, the stands of that nature, an application in a process of its own, several
// credentials side by side, each rotated several times. What it came to is judged in judge.ts. Overlap has a run of its own (overlap.ts).
import { startApplication } from '../world/application.ts';
import { createClosing } from '../world/closing.ts';
import { createFollower, type Follower, requestRotation } from '../world/follow.ts';
import { furnish, type Lent, programsFor, setString } from '../world/furnish.ts';
import { type Api, startInstallation } from '../world/installation.ts';
import { assist, type Manner } from '../world/person.ts';
import { openServerDoor } from '../world/server-door.ts';
import type { Nature, Stand, Texts } from '../world/stand.ts';
import { standPrefectCloud, standPrefectServer } from '../world/stands.ts';
import { standCachet, standCachetV2, standMastodon } from '../world/stands-assisted.ts';
import { standPlaid, standPlaidSecret } from '../world/stands-plaid.ts';
import { judge, quantile, type Span } from './judge.ts';
import type { Summary } from './summary.ts';

export interface RunOptions {
  readonly nature: Exclude<Nature, 'overlap'>;
  readonly count: number;
  /** Requests a second, over all credentials. */
  readonly rate: number;
  readonly quietSeconds: number;
  readonly say: (text: string) => void;
}

interface Share {
  readonly stand: Stand;
  readonly count: number;
  /** Credentials side by side. */
  readonly lines: number;
}

/** Up to so many rotations there is a credential for each. */
export const SIDE_BY_SIDE = 12;
/** How often each of them is rotated where there are more. */
export const ROUNDS = 4;
/** The lines do not begin in the same instant, nor before the load is steady: what is measured is no start. */
const STAGGER_MS = 150;
/** A program is a process, and many that start at once are a pause of their own making. */
const PROGRAM_STAGGER_MS = 500;
const LOOK_MS = 100;
const WARM_REQUESTS = 60;
const WARM_MS = 20_000;
/** From so many on a few secrets of Plaid are among them: to prove one dead takes two minutes. */
const SECRETS_FROM = 40;
const SECRETS = 3;

function linesFor(count: number): number {
  return count <= SIDE_BY_SIDE ? count : Math.ceil(count / ROUNDS);
}

async function sharesOf(nature: RunOptions['nature'], count: number): Promise<Share[]> {
  const whole = (stand: Stand) => [{ stand, count, lines: linesFor(count) }];
  if (nature === 'grace') return whole(await standPrefectCloud());
  if (nature === 'swap') return whole(await standPlaid());
  if (nature === 'ours') return whole(await standPrefectServer());
  const secrets = count >= SECRETS_FROM ? SECRETS : 0;
  const rest = count - secrets;
  const [cachet, cut] = [Math.floor(rest * 0.3), Math.floor(rest * 0.3)];
  const isFew = count <= SIDE_BY_SIDE;
  const share = (stand: Stand, n: number, lines = isFew ? n : Math.ceil(n / ROUNDS)) => ({ stand, count: n, lines });
  const shares = [
    share(await standMastodon(), rest - cachet - cut),
    share(await standCachet(), cachet),
    share(await standCachetV2(), cut),
    ...(secrets === 0 ? [] : [share(await standPlaidSecret(), secrets, secrets)]),
  ];
  return shares.filter(({ count: n }) => n > 0);
}

const MANNERS: readonly Manner[] = ['at-once', 'dead', 'at-once', 'other-account', 'late', 'at-once', 'same'];
/** One in so many is brought by nobody. */
const NEVER_EVERY = 33;

/** How the person of the n-th rotation of a stand behaves. Where the old key is dead already nobody may be left alone. */
function mannerOf(stand: Stand, n: number, count: number): Manner {
  const isLast = count < NEVER_EVERY ? n === count - 1 : n % NEVER_EVERY === NEVER_EVERY - 1;
  if (stand.person?.isCut !== true && isLast) return 'never';
  return MANNERS[n % MANNERS.length]!;
}

interface Scene {
  readonly api: Api;
  readonly follower: Follower;
  readonly spans: Span[];
  readonly problems: string[];
  readonly keys: Map<Lent, { round: number; current: Texts }>;
  /** Keys that a person brought and that were refused, as they should be. */
  slips: number;
}

type Outcome = 'rotated' | 'called-off' | 'other';

async function rotateByApi(scene: Scene, lent: Lent): Promise<{ id: string; end: string; reason: string | null }> {
  const id = await requestRotation(scene.api, lent.id);
  const { state } = await scene.follower.until(id, () => false);
  return { id, end: state.end ?? 'running', reason: state.reason };
}

/** Rotates once, and writes down when the traffic of this line was held or cut off. */
async function rotateOnce(scene: Scene, input: { lent: Lent; line: number; manner: Manner }): Promise<Outcome> {
  const { lent, line, manner } = input;
  const { api, follower, spans, problems, keys } = scene;
  const { person } = lent.stand;
  const isAssisted = lent.stand.nature === 'assisted' && person !== null;
  const { round, current } = keys.get(lent)!;
  const assisted = isAssisted
    ? await assist({ api, follower, lent, person, manner, round: round + 1, current, say: () => {} })
    : null;
  const { id, end, reason } = assisted ?? (await rotateByApi(scene, lent));
  problems.push(...(assisted?.problems ?? []));
  scene.slips += assisted?.slip === null || assisted === null ? 0 : 1;
  const { steps } = await follower.told(id);
  const at = (type: string) => Date.parse(steps.find((one) => one.type === type)?.at ?? '');
  const to = at('rotation.promoted');
  const held = at('rotation.held');
  if (!Number.isNaN(held)) spans.push({ line, from: held, to, is: 'hold' });
  // What is written down as promoted is in force when it has been committed: at the latest when the next step was.
  const after = steps[steps.findIndex((one) => one.type === 'rotation.promoted') + 1]?.at;
  if (assisted !== null && assisted.cutAt !== null)
    spans.push({ line, from: assisted.cutAt, to: Math.max(to, Date.parse(after ?? '')), is: 'cut' });
  if (manner === 'never' && isAssisted) {
    if (end !== 'aborted') problems.push(`rotation ${id} was called off and ended ${end}`);
    return end === 'aborted' ? 'called-off' : 'other';
  }
  if (end !== 'rotated') {
    problems.push(`rotation ${id} of ${lent.name} ended ${end}: ${reason ?? ''}`);
    return 'other';
  }
  keys.set(lent, { round: round + 1, current: assisted?.brought ?? current });
  return 'rotated';
}

interface Version {
  readonly number: number;
  readonly state: string;
  readonly certificateId: string | null;
}

/** Every version but the newest is revoked and certified, and the provider accepts one key. Counts the certificates. */
async function certified({ api, problems, keys }: Scene): Promise<number> {
  let certificates = 0;
  for (const [lent, { round }] of keys) {
    const { versions } = await api<{ versions: readonly Version[] }>('GET', `/v1/credentials/${lent.id}`);
    const dead = versions.filter(({ state, certificateId }) => state === 'revoked' && certificateId !== null);
    const { items } = await api<{ items: readonly object[] }>(
      'GET',
      `/v1/certificates?credential=${lent.id}&limit=100`,
    );
    certificates += items.length;
    const current = versions.filter(({ state }) => state === 'current').length;
    if (dead.length !== round || current !== 1 || items.length !== round)
      problems.push(
        `${lent.name}: ${round} rotations, ${dead.length} certified versions, ${items.length} certificates, ${current} current`,
      );
    const alive = lent.stand.alive(lent.n);
    if (alive !== 1) problems.push(`${lent.name}: the provider accepts ${alive} keys`);
  }
  return certificates;
}

/** Runs and judges. Everything that was started has ended when it resolves or rejects. */
export async function runNature({ nature, count, rate, quietSeconds, say }: RunOptions): Promise<Summary> {
  const started = performance.now();
  const closing = createClosing();
  try {
    const shares = await sharesOf(nature, count);
    for (const { stand } of shares) closing.add(() => stand.close());
    const origins = Object.fromEntries(shares.map(({ stand }) => [stand.provider, stand.origin]));
    let programs: ReturnType<typeof programsFor> = [];
    for (const { stand, lines } of shares) {
      if (!('restart' in stand)) continue;
      const door = await openServerDoor(stand.restart as (text: string) => void);
      closing.add(() => door.close());
      programs = programsFor(stand, lines, setString(door.origin));
    }
    const installation = await startInstallation(origins, { rotationsAtOnce: count, programs });
    closing.add(() => installation.stop());
    const { api, serving } = installation;
    const follower = createFollower(api);
    closing.add(() => Promise.resolve(follower.stop()));
    const scene: Scene = { api, follower, spans: [], problems: [], keys: new Map(), slips: 0 };

    const all: Lent[] = [];
    for (const { stand, lines } of shares) {
      const service = `service-of-${stand.provider}`;
      const given = { stand, brokerOrigin: serving.brokerOrigin, count: lines, quietSeconds, service };
      all.push(...(await furnish(api, given)));
    }
    for (const lent of all) scene.keys.set(lent, { round: 0, current: lent.first.parts });
    const caller = startApplication(all, rate);
    closing.add(() => (caller.hasEnded ? Promise.resolve() : caller.stop().catch(() => {})));

    for (let waitedMs = 0; caller.seen.length < WARM_REQUESTS && waitedMs < WARM_MS; waitedMs += LOOK_MS)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));

    const staggerMs = programs.length > 0 ? PROGRAM_STAGGER_MS : STAGGER_MS;
    const outcomes: Outcome[] = [];
    async function work(share: Share, queue: number[], lent: Lent): Promise<void> {
      const line = all.indexOf(lent);
      await new Promise((resolve) => setTimeout(resolve, line * staggerMs));
      for (let n = queue.shift(); n !== undefined; n = queue.shift()) {
        const manner = mannerOf(share.stand, n, share.count);
        outcomes.push(await rotateOnce(scene, { lent, line, manner }));
        say(`  ${nature}: ${outcomes.length}/${count} rotations, ${caller.seen.length} requests`);
      }
    }
    await Promise.all(
      shares.flatMap((share) => {
        const queue = Array.from({ length: share.count }, (_, n) => n);
        return all.filter(({ stand }) => stand === share.stand).map((lent) => work(share, queue, lent));
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    await caller.stop();
    const certificates = await certified(scene);
    const carried = new Map(shares.flatMap(({ stand }) => [...stand.carried]));
    const verdict = judge(caller.seen, scene.spans, carried);
    const holds = scene.spans.flatMap((span) => (span.is === 'hold' ? [span.to - span.from] : []));
    const rotated = outcomes.filter((one) => one === 'rotated').length;
    const calledOff = outcomes.filter((one) => one === 'called-off').length;
    if (rotated + calledOff !== count) scene.problems.push(`${rotated + calledOff} of ${count} rotations went well`);
    if (certificates !== rotated) scene.problems.push(`${certificates} certificates for ${rotated} rotations`);
    return {
      nature,
      about: shares.map(({ stand, lines }) => `${stand.provider}, ${stand.about}: ${lines}`).join('; '),
      rotated,
      calledOff,
      slips: scene.slips,
      ...verdict,
      heldP99Ms: quantile(holds, 0.99),
      heldLongestMs: quantile(holds, 1),
      isHeld: holds.length > 0,
      certificates,
      seconds: Math.round((performance.now() - started) / 1000),
      problems: [...scene.problems, ...verdict.problems],
    };
  } finally {
    await closing.close();
  }
}
