// Requests whose content must be whole before anything is sent on: JSON bodies into which keys are written, forms that could ask for another
// method, and small JSON bodies that are read to see who calls. Everything else streams (listener.io.ts). Not here: reading and editing
// (body.io.ts), what a handle in a body means (companion.ts).
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Guardian } from '../access/guardian.io.ts';
import type { UseFacts } from '../access/leaf.ts';
import type { Live } from '../credentials/live.ts';
import { expectsContinue, plainForm, readJson, refusedUnread, within, withLength } from './body.io.ts';
import { tokensOfBody } from './body-tokens.ts';
import { type Judged, judgeBody, type RefusedUses, refuseAll } from './companion.io.ts';
import type { Body } from './exchange.io.ts';
import { factsOf, type When } from './facts.io.ts';
import type { FoundToken } from './inject.ts';
import type { Forward, Plan, Refusal, Snapshot } from './plan.ts';

/** A request with its answer, as they pass from hand to hand here. */
export interface Asking {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** What was decided of it. */
export interface Made {
  readonly plan: Forward;
  readonly facts: UseFacts;
}

/** What the listener lends: its limits, its clock, and its ways on. */
export interface WholeOptions {
  readonly guardian: Guardian;
  readonly live: Live;
  readonly now: () => number;
  readonly mono: () => number;
  readonly limits: {
    readonly editedBodyBytesMax: number;
    readonly strangerBodyBytesMax: number;
    readonly headersTimeoutMs: number;
  };
  /** The state to decide on, and when that is. */
  moment(id: string): { readonly snapshot: Snapshot; readonly when: When };
  /** Plans the request anew, with the tokens of its body. */
  plan(
    request: IncomingMessage,
    inBody: readonly FoundToken[],
    moment: { snapshot: Snapshot; when: When },
    spends?: boolean,
  ): Plan;
  /** Whether a decision made now, with the content at hand, is the last one: not where something is held. */
  readonly isLastNow: () => boolean;
  /** Decides it for good, now that its content is here; null where it is refused, and answered. */
  decide(asking: Asking, id: string): Made | null;
  /** Has the request wait where the second credential is held, and decides it anew; false where it need not. */
  waits(judged: Judged, asking: Asking, text: string, then: (anew: Made) => void): boolean;
  begin(made: Judged, asking: Asking, body: Body, again: ((request: IncomingMessage) => Judged | null) | null): void;
  refuse(refusal: Refusal, asking: Asking, when: When | UseFacts): void;
  /** Answers what has been recorded. */
  answer(refusal: Refusal, asking: Asking, id: string): void;
}

export interface Whole {
  /** Waits for the content, holding the version meanwhile: it counts as in flight, and access that ends ends it. */
  begin(made: Made, asking: Asking, isEdited: boolean): Promise<void>;
  /** Writes the key into a JSON body that is here, and a second one where a handle stands in it. */
  edit(made: Made, asking: Asking, text: string): void;
  /** Waits for a body that may say who calls, and plans with it. Null: there is nobody to answer any more. */
  whoCalls(
    stranger: Refusal,
    asking: Asking,
  ): Promise<{ made: Plan; when: When; text: string; isLast: boolean } | null>;
  /** Refuses both uses, and answers. */
  refuse(refused: RefusedUses, asking: Asking): void;
}

function refusal({ identity, ip }: Forward, status: number, reason: string): Refusal {
  return { kind: 'refuse', status, reason, identity, ip, retryAfterMs: 0 };
}

export function createWhole(options: WholeOptions): Whole {
  const { guardian, limits, live } = options;

  /** Decides a request with tokens in its body again. */
  function again(request: IncomingMessage, text: string): Judged | null {
    const moment = options.moment(randomUUID());
    const plan = options.plan(request, tokensOfBody(text), moment);
    if (plan.kind === 'refuse') return null;
    const judged = judgeBody({ plan, facts: factsOf(plan, request, moment.when) }, text, request, moment);
    return judged.is === 'judged' ? judged.judged : null;
  }

  function refuse({ refusal: said, entries }: RefusedUses, asking: Asking): void {
    refuseAll(guardian, entries, () => options.answer(said, asking, entries[0]![0].id));
  }

  function edit(made: Made, asking: Asking, text: string): void {
    const done = judgeBody(made, text, asking.request, options.moment(made.facts.id));
    if (done.is === 'refused') {
      refuse(done, asking);
      return;
    }
    if (options.waits(done.judged, asking, text, (anew) => edit(anew, asking, text))) return;
    const bytes = Buffer.from(done.text);
    const plan = { ...made.plan, headers: withLength(made.plan.headers, bytes.length) };
    options.begin({ ...done.judged, plan }, asking, { kind: 'bytes', bytes }, (request) => again(request, text));
  }

  return {
    edit,
    refuse,
    async begin(made, asking, isEdited) {
      const { request, response } = asking;
      const { plan, facts } = made;
      const bytesMax = limits.editedBodyBytesMax;
      const unread = refusedUnread(request, isEdited, bytesMax);
      if (unread !== null) {
        options.refuse(refusal(plan, unread.status, unread.reason), asking, facts);
        return;
      }
      const { token, credential } = plan.identity;
      const held = {
        versionId: plan.versionId,
        credentialId: credential.row.id,
        grantId: plan.grantId,
        principalId: token.row.principalId,
        tokenId: token.row.id,
        endsAt: plan.endsAt,
        cut: () => request.destroy(),
      };
      const release = live.open(held, options.mono(), facts.at);
      try {
        if (expectsContinue(request)) response.writeContinue();
        const read = await (isEdited ? readJson(request, bytesMax) : plainForm(request, bytesMax));
        if (read.is === 'gone') return;
        if (read.is === 'refused') {
          options.refuse(refusal(plan, read.status, read.reason), asking, facts);
          return;
        }
        const last = options.decide(asking, facts.id);
        if (last === null) return;
        if (read.is === 'text') edit(last, asking, read.text);
        else {
          const headers = withLength(last.plan.headers, read.bytes.length);
          const body: Body = { kind: 'bytes', bytes: read.bytes };
          options.begin({ plan: { ...last.plan, headers }, facts: last.facts, along: null }, asking, body, null);
        }
      } finally {
        release(options.mono(), options.now());
      }
    },
    async whoCalls(stranger, { request, response }) {
      const read = await within(limits.headersTimeoutMs, readJson(request, limits.strangerBodyBytesMax));
      if (read?.is === 'gone' || response.closed) return null;
      const text = read?.is === 'text' ? read.text : '';
      const inBody = tokensOfBody(text);
      const moment = options.moment(randomUUID());
      const isLast = options.isLastNow();
      const made = inBody.length === 0 ? stranger : options.plan(request, inBody, moment, isLast);
      return { made, when: moment.when, text, isLast };
    },
  };
}
