// The story of one world: its key is lent to an application that runs, replaced as its nature allows with whatever a person does for it, and at last
// revoked as compromised. Told as it happens; each figure is what was seen. The worlds side by side are worlds.ts.
import type { Follower } from '../world/follow.ts';
import { requestRotation } from '../world/follow.ts';
import type { Lent } from '../world/furnish.ts';
import type { Api } from '../world/installation.ts';
import { assist } from '../world/person.ts';
import type { Texts } from '../world/stand.ts';

export interface Told {
  readonly lent: Lent;
  readonly rotation: 'rotated' | 'other';
  /** UTC milliseconds between which the traffic was held; null where it never was. */
  readonly held: { readonly from: number; readonly to: number } | null;
  /** The same for an old key that had ended before the new one was there. */
  readonly cut: { readonly from: number; readonly to: number } | null;
  /** Keys that the provider accepted when the rotation had ended: one, or the old one lives. */
  readonly aliveAfter: number;
  readonly revokedAt: number;
  readonly revocation: string;
  readonly certificates: number;
  readonly problems: readonly string[];
}

export interface StoryInput {
  readonly api: Api;
  readonly follower: Follower;
  readonly lent: Lent;
  readonly say: (text: string) => void;
}

interface RevocationSeen {
  readonly id: string;
  readonly state: { readonly end: string | null; readonly reason: string | null };
}

const WORDS = {
  overlap: 'its API makes a second key beside the first',
  grace: 'its API replaces the key and leaves the old one for a time',
  swap: 'there is one slot: requests wait at the broker while the key is replaced',
  ours: 'one string for everybody: requests wait at the broker while a program sets another one',
  assisted: 'no API makes its keys: a person does',
} as const;

const LOOK_MS = 250;
const LOOKS_MAX = 1_200;

export async function tell(input: StoryInput): Promise<Told> {
  const { api, follower, lent, say } = input;
  const { stand } = lent;
  const problems: string[] = [];
  say(`rotation: ${WORDS[stand.nature]}`);
  const { id, brought, cutAt } = await rotate(input, problems);
  const { rotation, steps } = await follower.told(id);
  const at = (type: string) => Date.parse(steps.find((one) => one.type === type)?.at ?? '');
  const to = at('rotation.promoted');
  const from = at('rotation.held');
  const after = Date.parse(steps[steps.findIndex((one) => one.type === 'rotation.promoted') + 1]?.at ?? '');
  const isRotated = rotation.state.end === 'rotated';
  if (!isRotated) problems.push(`the rotation ended ${rotation.state.end}: ${rotation.state.reason ?? ''}`);
  const aliveAfter = stand.alive(lent.n);
  say(
    isRotated
      ? `rotated: the provider refuses the old key, and accepts ${aliveAfter} ${aliveAfter === 1 ? 'key' : 'keys'} of this credential`
      : `the rotation ended ${rotation.state.end}`,
  );

  const revokedAt = Date.now();
  const ended = await revoke(input, brought ?? lent.first.parts);
  const { items } = await api<{ items: readonly object[] }>('GET', `/v1/certificates?credential=${lent.id}`);
  if (ended.state.end !== 'proven')
    problems.push(`the revocation ended ${ended.state.end}: ${ended.state.reason ?? ''}`);
  say(`revoked: ${ended.state.end}; ${items.length} certificates of death`);
  return {
    lent,
    rotation: isRotated ? 'rotated' : 'other',
    held: Number.isNaN(from) ? null : { from, to },
    cut: cutAt === null ? null : { from: cutAt, to: Math.max(to, after) },
    aliveAfter,
    revokedAt,
    revocation: ended.state.end ?? 'running',
    certificates: items.length,
    problems,
  };
}

/** A person brings a dead key first where a person is asked: a slip costs nothing. */
async function rotate(
  { api, follower, lent, say }: StoryInput,
  problems: string[],
): Promise<{ id: string; brought: Texts | null; cutAt: number | null }> {
  const { stand, first } = lent;
  if (stand.nature !== 'assisted' || stand.person === null) {
    const id = await requestRotation(api, lent.id);
    const proving = await follower.until(id, ({ state }) => state.step === 'prove');
    if (proving.state.end === null) say('the new key is in use; the old one’s refusals are counted');
    await follower.until(id, () => false);
    return { id, brought: null, cutAt: null };
  }
  const { person } = stand;
  const errand = { api, follower, lent, person, manner: 'dead' as const, round: 1, current: first.parts, say };
  const done = await assist(errand);
  problems.push(...done.problems);
  const issuer = stand.issuerOf(1);
  if (issuer !== stand.issuerOf(0)) {
    await api('PATCH', `/v1/credentials/${lent.id}`, { issuer: lent.besides.get(issuer ?? '') });
    say(`the key that was brought is another app's: ${issuer} is its issuer now`);
  }
  return { id: done.id, brought: done.brought, cutAt: done.cutAt };
}

async function revoke({ api, lent, say }: StoryInput, current: Texts): Promise<RevocationSeen> {
  const body = { credential: lent.id, reason: 'compromised', order: 'revoke-first' };
  const ordered = await api<{ revocations: readonly RevocationSeen[] }>('POST', '/v1/revocations', body);
  const { id } = ordered.revocations[0]!;
  say('revoked as compromised: the broker refuses from the next request on');
  const seen = await revocationEnd(api, id);
  const { person } = lent.stand;
  if (seen.state.end !== 'blocked' || person === null) return seen;
  say(`a person is asked: ${seen.state.reason}`);
  // Where the new key ends the old one there is nothing else to do; and without a living key no refusal could be counted.
  const next = person.make(lent.n, 2);
  if (!person.isCut) person.discard(current);
  await api('POST', `/v1/credentials/${lent.id}/versions`, { parts: next });
  await api('POST', `/v1/revocations/${id}/resume`);
  say('ends it at the provider and brings the next key, beside which the old one’s death is proven');
  return revocationEnd(api, id);
}

async function revocationEnd(api: Api, id: string): Promise<RevocationSeen> {
  for (let looks = 0; ; looks++) {
    const { items } = await api<{ items: readonly RevocationSeen[] }>('GET', '/v1/revocations?limit=100');
    const seen = items.find((one) => one.id === id);
    if (seen === undefined) throw new Error(`there is no revocation ${id}`);
    if (seen.state.end !== null || looks > LOOKS_MAX) return seen;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
