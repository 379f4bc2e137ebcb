// Carries the second use of a request beside the first: an entry in the log for each, both durable before the answer flows; both versions counted
// in flight until it ends; both keys taken out of the answer; and whatever ends the access of either ends both. To the exchange it is one
// request: what it is given here stands in the place of its context. Not here: whether the second use is allowed (companion.ts).
import type { IncomingMessage } from 'node:http';
import type { Guardian } from '../access/guardian.io.ts';
import type { UseFacts } from '../access/leaf.ts';
import { UNWRITTEN } from '../database/gather.ts';
import { editedJson } from './body.io.ts';
import { tokensOfBody } from './body-tokens.ts';
import { type Companion, HANDLE_REFUSED, planCompanion } from './companion.ts';
import type { ExchangeContext } from './exchange.io.ts';
import { factsAlong, factsFor, type When } from './facts.io.ts';
import type { Forward, Refusal, Snapshot } from './plan.ts';

/** A request as it was judged with its body: the second use is null where there is none. */
export interface Judged {
  readonly plan: Forward;
  readonly facts: UseFacts;
  readonly along: { readonly companion: Companion; readonly facts: UseFacts } | null;
}

/** A refusal of both uses: an entry for each whose token is known, and one answer. */
export interface RefusedUses {
  readonly is: 'refused';
  readonly refusal: Refusal;
  readonly entries: readonly (readonly [facts: UseFacts, reason: string])[];
}

/** As a refusal is recorded: no version was used. */
function unused(facts: UseFacts): UseFacts {
  return { ...facts, version: null };
}

/** Refuses both uses of a request for one reason. */
export function refuseUses(judged: Judged, status: number, reason: string): RefusedUses {
  const { plan, facts, along } = judged;
  const entries: [UseFacts, string][] = [[unused(facts), reason]];
  if (along !== null) entries.push([unused(along.facts), reason]);
  const refusal = { kind: 'refuse', status, reason, identity: plan.identity, ip: plan.ip, retryAfterMs: 0 } as const;
  return { is: 'refused', refusal, entries };
}

/**
 * Judges an admitted request once more, with its JSON body: the body as it is sent on, and the second use that a handle in it asks for. What the
 * second use spends of a rate is spent; nothing is recorded yet.
 */
export function judgeBody(
  first: { readonly plan: Forward; readonly facts: UseFacts },
  text: string,
  request: IncomingMessage,
  { snapshot, when }: { readonly snapshot: Snapshot; readonly when: When },
): { readonly is: 'judged'; readonly judged: Judged; readonly text: string } | RefusedUses {
  const { plan, facts } = first;
  const alone: Judged = { ...first, along: null };
  const edited = editedJson(text, plan.injection);
  if (edited.is !== 'text') return refuseUses(alone, edited.status, edited.reason);
  const second = planCompanion(plan, tokensOfBody(text), snapshot, { at: when.at, monoMs: when.mono });
  if (second.kind === 'alone') return { is: 'judged', judged: alone, text: edited.text };
  if (second.kind === 'refuse') {
    const { identity, reason } = second;
    const mine = refuseUses(alone, second.status, reason);
    if (identity === null) return mine;
    const theirs = factsFor(identity, plan.ip, request, when, plan.facts.userAgent, null);
    const refusal = { ...second, identity: plan.identity };
    return {
      is: 'refused',
      refusal,
      entries: [
        [unused(facts), HANDLE_REFUSED],
        [theirs, reason],
      ],
    };
  }
  const { companion } = second;
  const judged: Judged = { ...first, along: { companion, facts: factsAlong(plan, companion, request, when) } };
  const both = editedJson(edited.text, companion.injection);
  if (both.is !== 'text') return refuseUses(judged, both.status, both.reason);
  return { is: 'judged', judged, text: both.text };
}

export interface Accompanied {
  readonly plan: Forward;
  readonly context: ExchangeContext;
  /** Must be told of the exchange as soon as there is one. */
  bind(exchange: { cut(why: string): void }): void;
}

function idsOf({ companion }: NonNullable<Judged['along']>) {
  const { token, credential } = companion.identity;
  return {
    versionId: companion.versionId,
    credentialId: credential.row.id,
    grantId: companion.grantId,
    principalId: token.row.principalId,
    tokenId: token.row.id,
    endsAt: companion.endsAt,
  };
}

/** The first plan, with nothing of either key in its answer. */
function scrubbing(plan: Forward, { injection }: Companion): Forward {
  return { ...plan, injection: { ...plan.injection, scrub: [...plan.injection.scrub, ...injection.scrub] } };
}

/**
 * The context of an exchange whose request was judged with its body. Where it makes two uses, the second version is in flight from here on until
 * the exchange has ended. `again` judges the whole request anew, the second use included.
 */
export function accompany(
  context: ExchangeContext,
  judged: Judged,
  again: (request: IncomingMessage) => Judged | null,
): Accompanied {
  if (judged.along === null) return { plan: judged.plan, context: { ...context, again }, bind() {} };
  return withSecond(context, judged.plan, judged.along, again);
}

function withSecond(
  context: ExchangeContext,
  plan: Forward,
  first: NonNullable<Judged['along']>,
  again: (request: IncomingMessage) => Judged | null,
): Accompanied {
  const { guardian, live } = context;
  let along = first;
  let secondIndex = UNWRITTEN;
  let exchange: { cut(why: string): void } | null = null;
  const open = { ...idsOf(along), cut: (why: string) => exchange?.cut(why) };
  const release = live.open(open, context.mono(), along.facts.at);

  function admitted(facts: UseFacts, done: (index: number) => void): void {
    const indexes: number[] = [];
    const one = (place: number) => (index: number) => {
      indexes[place] = index;
      const [first, second] = indexes;
      if (first === undefined || second === undefined) return;
      secondIndex = second;
      // An entry whose other half could not be written keeps no outcome: nobody can tell how far its request went.
      done(first < 0 ? first : Math.min(first, second) < 0 ? second : first);
    };
    guardian.admitted(facts, one(0));
    guardian.admitted(along.facts, one(1));
  }

  const both: Guardian = {
    ...guardian,
    admitted,
    outcome(outcome) {
      guardian.outcome(outcome);
      guardian.outcome({ ...outcome, index: secondIndex });
    },
  };
  return {
    plan: scrubbing(plan, along.companion),
    bind(started) {
      exchange = started;
    },
    context: {
      ...context,
      guardian: both,
      again(request) {
        const now = again(request);
        // It was sent with this version's key: another one cannot stand in for it.
        if (now === null || now.along?.companion.versionId !== open.versionId) return null;
        along = now.along;
        Object.assign(open, idsOf(along));
        return { plan: scrubbing(now.plan, along.companion), facts: now.facts };
      },
      ended() {
        release(context.mono(), context.now());
        context.ended();
      },
    },
  };
}

/** Records refusals, one entry each, and tells when all of them are durable or cannot be written. */
export function refuseAll(
  guardian: Pick<Guardian, 'refused'>,
  refusals: readonly (readonly [UseFacts, reason: string])[],
  done: () => void,
): void {
  let waiting = refusals.length;
  const one = () => {
    waiting--;
    if (waiting === 0) done();
  };
  for (const [facts, reason] of refusals) guardian.refused(facts, reason, one);
}
