// The person whom an assisted rotation waits for, as a script: makes the key on the twin's pages and brings it through the control API, at once, late,
// after a slip, or never; deletes the old key where nobody else does. What is asked of a person says the rotation itself.

import { type Follower, requestRotation } from './follow.ts';
import type { Lent } from './furnish.ts';
import type { Api } from './installation.ts';
import type { Person, Slip, Texts } from './stand.ts';

export type Manner = 'at-once' | 'late' | 'never' | Slip;

export interface Assisted {
  readonly id: string;
  readonly end: string;
  readonly reason: string | null;
  /** UTC milliseconds at which the old key ended before the new one was there; null where it did not. */
  readonly cutAt: number | null;
  /** The key that was brought; null where none was. */
  readonly brought: Texts | null;
  /** What was wrong with a key that was brought before it; null where none was. */
  readonly slip: Slip | null;
  readonly problems: readonly string[];
}

const LATE_MS = 4_000;
/** What a refusal says of each slip. */
const SAYS: Readonly<Record<Slip, RegExp>> = {
  dead: /refuses this key/,
  same: /this is the key of version/,
  'other-account': /another account/,
};

export interface Errand {
  readonly api: Api;
  readonly follower: Follower;
  readonly lent: Lent;
  readonly person: Person;
  readonly manner: Manner;
  /** Counts the keys that were brought for this credential, from 1. */
  readonly round: number;
  /** The key that is to go. */
  readonly current: Texts;
  readonly say: (text: string) => void;
}

/** Runs one rotation to its end, as the person of this manner would. */
export async function assist(errand: Errand): Promise<Assisted> {
  const { api, follower, lent, person, manner, say } = errand;
  const problems: string[] = [];
  const id = await requestRotation(api, lent.id);
  const waits = await follower.until(id, ({ state }) => state.step === 'await');
  if (waits.state.end !== null) return { ...endOf(id, waits), cutAt: null, brought: null, slip: null, problems };
  const todo = (await follower.told(id)).todo;
  if (todo === null) problems.push(`rotation ${id} waits and does not say what for`);
  else say(`a person is asked: ${todo.steps[0]}`);

  if (manner === 'never') {
    await api('POST', `/v1/rotations/${id}/cancel`, { reason: 'nobody could make the key' });
    return { ...endOf(id, await follower.until(id, () => false)), cutAt: null, brought: null, slip: null, problems };
  }
  if (manner === 'late') await new Promise((resolve) => setTimeout(resolve, LATE_MS));
  const cutAt = person.isCut ? Date.now() : null;
  const wrong = wrongKey(errand);
  if (wrong !== null) {
    const why = await refusalOf(api, id, wrong.parts);
    if (why === null || !SAYS[wrong.slip].test(why))
      problems.push(`rotation ${id}: a wrong key (${wrong.slip}) was answered with: ${why ?? 'taken'}`);
    else say(`brings a wrong key (${wrong.slip}), and it is refused`);
  }
  const brought = person.make(lent.n, errand.round);
  const maker = lent.stand.issuerOf(errand.round);
  // A key is its own maker's to end: the next one may be made by another.
  const issuer = maker === null ? {} : { issuer: lent.besides.get(maker) };
  await api('POST', `/v1/rotations/${id}/key`, { parts: brought, ...issuer });
  say('brings the new key, and it is taken');
  if (person.endOld !== null) {
    const seen = await follower.until(id, ({ state }) => state.step === 'prove');
    if (seen.state.end === null) {
      person.endOld(lent.n);
      say('nobody uses the old key any more: the person deletes it');
    }
  }
  return { ...endOf(id, await follower.until(id, () => false)), cutAt, brought, slip: wrong?.slip ?? null, problems };
}

function endOf(id: string, { state }: { state: { end: string | null; reason: string | null } }) {
  return { id, end: state.end ?? 'running', reason: state.reason };
}

/** The key of a slip; null where this person makes none, or the provider's keys cannot be wrong in this way. */
function wrongKey({ person, manner, lent, round, current }: Errand): { slip: Slip; parts: Texts } | null {
  switch (manner) {
    case 'same':
      return { slip: 'same', parts: current };
    case 'dead': {
      const parts = person.make(lent.n, round);
      person.discard(parts);
      return { slip: 'dead', parts };
    }
    case 'other-account':
      return person.ofAnother === null ? null : { slip: 'other-account', parts: person.ofAnother() };
    default:
      return null;
  }
}

async function refusalOf(api: Api, id: string, parts: Texts): Promise<string | null> {
  try {
    await api('POST', `/v1/rotations/${id}/key`, { parts });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
