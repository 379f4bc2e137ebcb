// What is known from outside, without asking the server: which requests were answered, which changes were acknowledged, which writes the
// provider saw, and during which times access was closed. The checks hold the server's own records against these books.
import type { TwinExchange } from '../../twins/neon.io.ts';

/** A request of the load, as its sender saw it end. Times are monotonic milliseconds of this process. */
export interface Answered {
  readonly nonce: string;
  readonly isWrite: boolean;
  readonly credentialId: string;
  readonly tokenId: string;
  readonly grantId: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly status: number;
  /** The broker's own refusal; null where the answer is the provider's. */
  readonly refusal: string | null;
}

/** A change that the API acknowledged: this image of the row must be in the control log. */
export interface Acknowledged {
  readonly id: string;
  readonly rowVersion: number;
  readonly atMs: number;
}

/** While access was closed by acknowledged changes: no use may have been admitted that began and ended within. */
export interface Closed {
  /** Of a credential, a token or a grant. */
  readonly id: string;
  readonly fromMs: number;
  toMs: number;
}

export interface SeenWrite {
  readonly nonce: string;
  readonly atMs: number;
}

export interface Books {
  readonly answered: Answered[];
  readonly acknowledged: Acknowledged[];
  readonly closed: Closed[];
  readonly seenWrites: SeenWrite[];
  /** Ids of keys whose deletion the provider was asked for, ever. */
  readonly deletions: Set<string>;
  /** Told at once of each answer and each acknowledgement that is written here. */
  readonly listeners: Set<() => void>;
  /** What was counted before a restore went back in time. */
  totals: { answered: number; acknowledged: number; seenWrites: number };
  answer(one: Answered): void;
  acknowledge(one: Acknowledged): void;
  /** Notes what crossed the provider. */
  seen(exchange: TwinExchange): void;
  /** Forgets what was done after an instant: a restored backup does not hold it. */
  rewind(toMs: number): void;
}

const NONCE = /\/projects\/(n-[0-9a-z-]+)$/;
const KEY_DELETION = /\/api_keys\/(\d+)$/;

export function createBooks(): Books {
  const books: Books = {
    answered: [],
    acknowledged: [],
    closed: [],
    seenWrites: [],
    deletions: new Set(),
    listeners: new Set(),
    totals: { answered: 0, acknowledged: 0, seenWrites: 0 },
    answer(one) {
      books.answered.push(one);
      for (const tell of books.listeners) tell();
    },
    acknowledge(one) {
      books.acknowledged.push(one);
      for (const tell of books.listeners) tell();
    },
    seen({ method, path }) {
      if (method === 'GET') return;
      const nonce = NONCE.exec(path)?.[1];
      if (nonce !== undefined) books.seenWrites.push({ nonce, atMs: performance.now() });
      const key = method === 'DELETE' ? KEY_DELETION.exec(path)?.[1] : undefined;
      if (key !== undefined) books.deletions.add(key);
    },
    rewind(toMs) {
      const { totals } = books;
      totals.answered += keep(books.answered, (one) => one.endedMs < toMs);
      totals.acknowledged += keep(books.acknowledged, (one) => one.atMs < toMs);
      totals.seenWrites += keep(books.seenWrites, (one) => one.atMs < toMs);
      books.closed.length = 0;
    },
  };
  return books;
}

/** Keeps what is wanted, in place. Returns how many went. */
function keep<T>(list: T[], isWanted: (one: T) => boolean): number {
  const kept = list.filter(isWanted);
  const gone = list.length - kept.length;
  list.splice(0, list.length, ...kept);
  return gone;
}
