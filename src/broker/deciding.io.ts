// When a request is decided for good: at its head where nothing stands in between; after its content where that must be whole; after the wait where
// its credential is held while the key is replaced. What was decided before such a wait allows the wait and nothing more, and spends no rate
// limit: the decision that is recorded rests on the policy and the key of the moment in which the request is sent on.
import type { IncomingMessage } from 'node:http';
import type { Gate } from '../credentials/gate.ts';
import { hasBody } from './body.io.ts';
import { factsOf, type When } from './facts.io.ts';
import type { FoundToken } from './inject.ts';
import type { Forward, Plan, Refusal, Snapshot } from './plan.ts';
import type { Asking, Made } from './whole.io.ts';

export interface DecidingOptions {
  readonly gate: Gate;
  moment(id: string): { readonly snapshot: Snapshot; readonly when: When };
  plan(
    request: IncomingMessage,
    inBody: readonly FoundToken[],
    moment: { readonly snapshot: Snapshot; readonly when: When },
    spends: boolean,
  ): Plan;
  refuse(refusal: Refusal, asking: Asking, when: When): void;
}

export interface Deciding {
  /** Whether a decision at the head is the last one. */
  isLastAtHead(request: IncomingMessage): boolean;
  /** Decides now, for good; null where it is refused, and answered. */
  now(asking: Asking, id: string, inBody: readonly FoundToken[]): Made | null;
  /** Whether the traffic of the credential is held. */
  isHeld(credentialId: string): boolean;
  /** Lets the request wait, and decides it anew; `then` is not called where it is refused, or its caller gone. */
  wait(made: Forward, asking: Asking, again: Again): void;
}

export interface Again {
  readonly id: string;
  readonly credentialId: string;
  readonly inBody: readonly FoundToken[];
  /** Whether what is decided after the wait is the last decision. */
  readonly isLast: boolean;
  then(made: Made): void;
}

/** What a caller is told whom the waiting room has no place for. */
const FULL_RETRY_MS = 2_000;

export function createDeciding(options: DecidingOptions): Deciding {
  const { gate } = options;

  function decide(asking: Asking, id: string, inBody: readonly FoundToken[], spends: boolean): Made | null {
    const moment = options.moment(id);
    const plan = options.plan(asking.request, inBody, moment, spends);
    if (plan.kind === 'forward') return { plan, facts: factsOf(plan, asking.request, moment.when) };
    options.refuse(plan, asking, moment.when);
    return null;
  }

  return {
    isLastAtHead: (request) => !gate.isAnyHeld && !hasBody(request),
    now: (asking, id, inBody) => decide(asking, id, inBody, true),
    isHeld: (credentialId) => gate.isAnyHeld && gate.isHeld(credentialId),
    wait(made, asking, again) {
      const { response } = asking;
      const leave = gate.wait(again.credentialId, (how) => {
        response.off('close', leave);
        if (response.closed || response.destroyed) return;
        if (how === 'full') {
          const { identity, ip } = made;
          const refusal = { kind: 'refuse' as const, status: 503, reason: 'held', identity, ip };
          options.refuse({ ...refusal, retryAfterMs: FULL_RETRY_MS }, asking, options.moment(again.id).when);
          return;
        }
        const anew = decide(asking, again.id, again.inBody, again.isLast);
        if (anew !== null) again.then(anew);
      });
      response.once('close', leave);
    },
  };
}
