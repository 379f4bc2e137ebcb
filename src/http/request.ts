// One request after the caller is known: input against schemas, preconditions, the idempotency key, then the handler. Knows no Fastify
// and no socket.
import type { Row } from '../model/change.ts';
import type { Desk } from '../model/desk.ts';
import { findRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { canonicalJson, type Json } from '../model/json.ts';
import type { Answer, Caller, Input, Route } from '../model/route.ts';
import type { ParsedBody } from './body.ts';
import type { Idempotency, Ticket } from './idempotency.ts';
import { chooseType, IDEMPOTENCY_KEY, matchProblem, preconditionFailed } from './precondition.ts';
import { type Problem, problem, problemOf } from './problem.ts';
import { validate } from './validate.ts';

export interface Asked {
  readonly route: Route;
  /** Null on public routes. */
  readonly caller: Caller | null;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: ParsedBody | undefined;
  readonly ifMatch: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly accept: string | undefined;
  /** Path and query as they were sent. */
  readonly target: string;
}

export type Performed =
  | { readonly is: 'answer'; readonly answer: Answer; readonly type: string }
  | { readonly is: 'problem'; readonly problem: Problem; readonly error?: unknown };

const NOBODY: Caller = { principalId: '', tokenId: '', permissions: new Set() };

export async function perform(
  asked: Asked,
  house: { readonly desk: Desk; readonly idempotency: Idempotency },
): Promise<Performed> {
  const { route, body } = asked;
  if (body?.is === 'problem') return { is: 'problem', problem: body.problem };
  const validated = validate(route, { params: asked.params, query: asked.query, body: body?.value });
  if (validated.is === 'problem') return validated;
  const type = chooseType(asked.accept, Object.values(route.answers)[0]?.types ?? []);
  if (type === null) return { is: 'problem', problem: problem('not-acceptable') };
  const id = (asked.params as { id?: string } | undefined)?.id ?? '';
  const matched = route.matches === undefined ? null : findRow<Row>(house.desk.rows, route.matches, id);
  const mismatch = route.matches === undefined ? null : matchProblem(asked.ifMatch, matched);
  const desk =
    matched === null || asked.ifMatch === undefined ? house.desk : guardedDesk(house.desk, route, id, asked.ifMatch);
  const keyed = route.method === 'POST' ? asked.idempotencyKey : undefined;
  if (keyed !== undefined && !IDEMPOTENCY_KEY.test(keyed)) return { is: 'problem', problem: badKey() };

  if (keyed === undefined || route.effect === 'memory' || asked.caller === null) {
    if (mismatch !== null) return { is: 'problem', problem: mismatch };
    return handle(asked, validated.input, { desk, type, ticket: null });
  }
  const request = canonicalRequest(asked);
  if (request === null) return { is: 'problem', problem: problem('invalid', 'the body holds a number out of range') };
  const opened = await house.idempotency.open({ principalId: asked.caller.principalId, key: keyed, request, desk });
  if (opened.is === 'problem') return opened;
  // A replay is the answer of then: what the row is now does not matter.
  if (opened.is === 'replay') return { is: 'answer', answer: opened.answer, type };
  if (mismatch !== null) {
    await opened.ticket.fail(new Failure('conflict', ''));
    return { is: 'problem', problem: mismatch };
  }
  return handle(asked, validated.input, { desk: opened.ticket.desk, type, ticket: opened.ticket });
}

/**
 * A desk that writes no image of the matched row but the one after a version that If-Match names: between the check and the write
 * the handler may have waited its turn.
 */
function guardedDesk(desk: Desk, route: Route, id: string, ifMatch: string): Desk {
  return {
    rows: desk.rows,
    clock: desk.clock,
    random: desk.random,
    async write(write) {
      for (const { noun, row } of write.events.flatMap((event) => event.rows)) {
        if (noun !== route.matches || row.id !== id) continue;
        if (matchProblem(ifMatch, { id, rowVersion: row.rowVersion - 1 }) !== null) {
          throw new Failure('conflict', `${noun} ${id}: it was changed meanwhile`);
        }
      }
      return desk.write(write);
    },
  };
}

async function handle(
  asked: Asked,
  input: Input<unknown, unknown, unknown>,
  how: { readonly desk: Desk; readonly type: string; readonly ticket: Ticket | null },
): Promise<Performed> {
  const { route } = asked;
  const { desk, type, ticket } = how;
  try {
    if (route.effect === 'outside') await ticket?.begin();
    const answer = await route.handler({ caller: asked.caller ?? NOBODY, desk, type }, input);
    await ticket?.settle(answer);
    return { is: 'answer', answer, type };
  } catch (error) {
    await ticket?.fail(error);
    // Between the check and the write somebody else was quicker: with If-Match that is the precondition's failure.
    const isLate =
      asked.ifMatch !== undefined && Failure.is(error, 'conflict') && /changed meanwhile/.test(error.message);
    return { is: 'problem', problem: isLate ? preconditionFailed() : problemOf(error), error };
  }
}

/** Everything that tells one request from another; null where it cannot be written down. */
function canonicalRequest(asked: Asked): string | null {
  const body = asked.body?.is === 'json' ? asked.body.value : null;
  try {
    return canonicalJson([asked.route.method, asked.target, body] as readonly Json[]);
  } catch {
    return null;
  }
}

function badKey(): Problem {
  const errors = [{ pointer: '/headers/idempotency-key', detail: '1 to 255 printable ASCII characters' }];
  return problem('invalid', 'the Idempotency-Key is malformed', { errors });
}
