// What can go wrong at a twin, and when: each fault has a name, a probability, a number of times and the requests it concerns.
// It only decides whether a fault strikes; what a struck request then does is the twin’s (neon.ts, kit.ts).
import type { Prng } from './prng.ts';

/** The faults and what each does to a request it strikes. */
export const FAULTS = {
  'revoke-late': 'a delete is confirmed; the key works for `ms` more',
  'revoke-ignored': 'a delete is confirmed and nothing happens',
  'revoked-key-flaps': 'a revoked key is accepted now and then; with `ms`, only that long after its end',
  'create-lost': 'the key is made, no answer comes, and the connection is cut after `ms`',
  'create-slow': 'the key is made, the answer comes `ms` later',
  'create-arrives-later': 'the connection is cut at once, the key is made `ms` later all the same',
  'dead-on-arrival': 'the new key is confirmed and never works',
  'create-propagates-late': 'the new key is confirmed, and refused until `ms` later',
  'grace-ignored': 'a key that is replaced in place dies at once, whatever grace was asked for',
  'quota-full': 'a create is refused because there are too many keys',
  'good-key-refused': 'a live key is answered 401 as if it were dead',
  'outage-401': 'every key is answered 401, whatever it is',
  'rate-limited': 'answered 429; with Retry-After where `retryAfter` is given',
  'server-error': 'answered with `status`, nothing was done',
  'server-error-after': 'done, and answered with `status`',
  'cut-before': 'the connection is cut, nothing was done',
  'cut-after': 'done, and the connection is cut before the answer',
  'list-lags': 'the list of keys is `ms` old',
} as const;

export type FaultName = keyof typeof FAULTS;

export function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name);
}

export type RequestClass = 'create-key' | 'revoke-key' | 'list-keys' | 'auth' | 'other';

export interface Fault {
  /** 0 to 1; how likely a request that is concerned is struck. */
  readonly probability: number;
  /** How many requests it strikes before it is over; null is for ever. */
  readonly count: number | null;
  readonly ms: number;
  readonly status: number;
  /** Value of Retry-After: seconds or an HTTP date. */
  readonly retryAfter: string | null;
  /** The requests it concerns; null is all that it makes sense for. */
  readonly on: readonly RequestClass[] | null;
}

const ALWAYS: Fault = { probability: 1, count: null, ms: 0, status: 500, retryAfter: null, on: null };

export interface FaultBox {
  set(name: FaultName, options?: Partial<Fault>): void;
  /** Ends one fault, or all. */
  clear(name?: FaultName): void;
  active(): Readonly<Partial<Record<FaultName, Fault>>>;
  /** The fault, where it strikes this request. Draws from the random source only while the fault is set. */
  strike(name: FaultName, request: RequestClass): Fault | null;
}

export function faultBox(random: Prng): FaultBox {
  const faults = new Map<FaultName, Fault>();

  function set(name: FaultName, options: Partial<Fault> = {}): void {
    faults.set(name, { ...ALWAYS, ...options });
  }

  function clear(name?: FaultName): void {
    if (name === undefined) faults.clear();
    else faults.delete(name);
  }

  function strike(name: FaultName, request: RequestClass): Fault | null {
    if (faults.size === 0) return null;
    const fault = faults.get(name);
    if (fault === undefined || (fault.on !== null && !fault.on.includes(request))) return null;
    if (fault.probability < 1 && random.next() >= fault.probability) return null;
    if (fault.count !== null) {
      if (fault.count <= 1) faults.delete(name);
      else faults.set(name, { ...fault, count: fault.count - 1 });
    }
    return fault;
  }

  return { set, clear, active: () => Object.fromEntries(faults), strike };
}
