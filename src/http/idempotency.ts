// Idempotency-Key: the same key with the same request is answered the same, with another request it is a conflict, and a request whose
// answer got lost is never carried out twice. A record is begun in the very write that has the effect, and completed with the answer
// afterwards; what a crash leaves in between is answered "begun, look at the state". Kept for a day, in the database, at most so
// many. A record holds neither key nor request, only a hash of the one and, keyed with it, of the other: bodies may hold secrets.
import type { Blob } from '../model/change.ts';
import type { Desk } from '../model/desk.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import type { Answer } from '../model/route.ts';
import { type Problem, problem } from './problem.ts';

export interface IdempotencyLimits {
  readonly keptMs: number;
  readonly keptMax: number;
}
export const DEFAULT_IDEMPOTENCY: IdempotencyLimits = { keptMs: 24 * 3_600_000, keptMax: 10_000 };

export interface StoredRecord {
  readonly id: string;
  readonly value: Uint8Array;
}

/** What is kept under a key: begun, and what became of it is not known; done, with the answer, null where it was too large to keep. */
interface Kept {
  readonly at: number;
  readonly request: string;
  readonly is: 'begun' | 'done';
  readonly answer: { readonly status: number; readonly body: object; readonly etag: number | null } | null;
}

/** The longest answer that is kept, as JSON. */
const ANSWER_LENGTH_MAX = 65_536;

export interface IdempotencyOptions {
  readonly desk: Desk;
  readonly limits: IdempotencyLimits;
  /** The stored record, or null. */
  read(id: string): Promise<Uint8Array | null>;
  /** HMAC-SHA-256 as hex. */
  mac(key: string, text: string): string;
}

/** One request under a key, from its beginning to its answer. Exactly one of `settle` and `fail` ends it. */
export interface Ticket {
  /** Its first write carries the record. */
  readonly desk: Desk;
  /** Records that the request has begun, where its effect is not one write. */
  begin(): Promise<void>;
  settle(answer: Answer): Promise<void>;
  fail(error: unknown): Promise<void>;
}

export type Opened =
  | { readonly is: 'new'; readonly ticket: Ticket }
  | { readonly is: 'replay'; readonly answer: Answer }
  | { readonly is: 'problem'; readonly problem: Problem };

export interface Keyed {
  readonly principalId: string;
  readonly key: string;
  /** All that tells one request from another, canonical. */
  readonly request: string;
  /** The desk that the request writes with; this one's own where absent. */
  readonly desk?: Desk;
}

export interface Idempotency {
  /** Takes over what is stored, oldest first. */
  load(records: readonly StoredRecord[]): void;
  open(asked: Keyed): Promise<Opened>;
  readonly kept: number;
}

/** Failures that certainly had no effect: the key may be used again. */
const WITHOUT_EFFECT: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'invalid',
  'denied',
  'not-found',
  'conflict',
  'rate-limited',
  'sealed',
]);
const SWEPT_AT_ONCE = 100;

export function createIdempotency(options: IdempotencyOptions): Idempotency {
  const { desk, limits } = options;
  /** Time of each record, oldest first. */
  const times = new Map<string, number>();
  const running = new Set<string>();

  function remember(id: string, at: number): void {
    times.delete(id);
    times.set(id, at);
  }

  /** Records to delete now: too old, or too many. */
  function takeOutdated(): Blob[] {
    const blobs: Blob[] = [];
    const now = desk.clock.now();
    for (const [id, at] of times) {
      const isOutdated = now - at > limits.keptMs || times.size > limits.keptMax;
      if (!isOutdated || blobs.length >= SWEPT_AT_ONCE) break;
      if (running.has(id)) continue;
      times.delete(id);
      blobs.push({ kind: 'idempotency', id, value: null });
    }
    return blobs;
  }

  function newTicket(id: string, request: string, own: Desk): Ticket {
    const at = desk.clock.now();
    let isBegun = false;
    const blobOf = (kept: Kept): Blob => ({
      kind: 'idempotency',
      id,
      value: new TextEncoder().encode(JSON.stringify(kept)),
    });

    async function begun(): Promise<void> {
      isBegun = true;
      await desk.write({ events: [], blobs: [blobOf({ at, request, is: 'begun', answer: null })] });
      remember(id, at);
    }

    return {
      desk: {
        rows: own.rows,
        clock: own.clock,
        random: own.random,
        async write(write) {
          if (isBegun) return own.write(write);
          isBegun = true;
          const blobs = [...(write.blobs ?? []), blobOf({ at, request, is: 'begun', answer: null })];
          const written = await own.write({ ...write, blobs });
          remember(id, at);
          return written;
        },
      },
      begin: begun,
      async settle(answer) {
        try {
          const body = answer.replay ?? (answer.body as object);
          const isKept = JSON.stringify(body).length <= ANSWER_LENGTH_MAX;
          const whole = { status: answer.status, body, etag: answer.etag ?? null };
          const kept = blobOf({ at, request, is: 'done', answer: isKept ? whole : null });
          await desk.write({ events: [], blobs: [kept, ...takeOutdated()] });
          remember(id, at);
        } finally {
          running.delete(id);
        }
      },
      async fail(error) {
        try {
          const isWithoutEffect = Failure.is(error) && WITHOUT_EFFECT.has(error.code);
          if (times.has(id) && isWithoutEffect) {
            times.delete(id);
            await desk.write({ events: [], blobs: [{ kind: 'idempotency', id, value: null }] });
          }
        } finally {
          running.delete(id);
        }
      },
    };
  }

  async function found(id: string, request: string): Promise<Opened | null> {
    const at = times.get(id);
    if (at === undefined || desk.clock.now() - at > limits.keptMs) return null;
    const value = await options.read(id);
    if (value === null) return null;
    const kept = JSON.parse(new TextDecoder().decode(value)) as Kept;
    if (kept.request !== request) return refuse('this Idempotency-Key was used for another request');
    if (kept.is === 'done' && kept.answer === null) {
      return refuse('the request with this Idempotency-Key was carried out; its answer was too large to keep');
    }
    if (kept.answer === null) {
      return refuse(
        'a request with this Idempotency-Key was begun and its answer is not known: look at what it changed',
      );
    }
    const { status, body, etag } = kept.answer;
    return { is: 'replay', answer: etag === null ? { status, body } : { status, body, etag } };
  }

  return {
    load(records) {
      const known = records.map(({ id, value }) => ({
        id,
        at: (JSON.parse(new TextDecoder().decode(value)) as Kept).at,
      }));
      for (const { id, at } of known.sort((a, b) => a.at - b.at)) remember(id, at);
    },
    async open({ principalId, key, request, desk: own = desk }) {
      const id = options.mac(principalId, key);
      if (running.has(id)) return refuse('a request with this Idempotency-Key is being carried out', 1);
      running.add(id);
      let opened: Opened | null = null;
      try {
        const mac = options.mac(key, request);
        opened = (await found(id, mac)) ?? { is: 'new', ticket: newTicket(id, mac, own) };
        return opened;
      } finally {
        if (opened?.is !== 'new') running.delete(id);
      }
    },
    get kept() {
      return times.size;
    },
  };
}

function refuse(detail: string, retryAfterSeconds: number | null = null): Opened {
  const headers = retryAfterSeconds === null ? {} : { 'retry-after': String(retryAfterSeconds) };
  return { is: 'problem', problem: problem('conflict', detail, { headers }) };
}
