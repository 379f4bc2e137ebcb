// Asks for the addresses of a name, and lets only those pass that may be dialled. What passes is what is dialled: nobody asks a
// second time between the check and the connection, which is all that DNS rebinding needs. Not here: the rules (address.ts).
import { promises as dns } from 'node:dns';
import { type Address, parseAddress } from '../model/address.ts';
import type { Clock } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import { checkAddresses } from './address.ts';
import type { Origin } from './origin.ts';
import { bareCause } from './upstream-failure.ts';

/** All addresses of a host name, in the order in which to try them. Rejects with Failure `upstream-unavailable`. */
export type Resolver = (host: string) => Promise<readonly Address[]>;

export interface ResolverOptions {
  readonly clock: Clock;
  /** Longest wait for an answer, milliseconds. */
  readonly deadlineMs?: number;
  /** How long an answer is used again, milliseconds. */
  readonly cacheMs?: number;
  /** Most names that are remembered or asked for at once; beyond it the oldest answer is forgotten, or the question refused. */
  readonly hostsMax?: number;
  /** Asks the system; tests give their own. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
}

const ADDRESSES_MAX = 64;

function unavailable(message: string, cause?: unknown): Failure {
  return new Failure('upstream-unavailable', message, cause === undefined ? {} : { cause });
}

async function systemLookup(host: string): Promise<readonly string[]> {
  const answers = await dns.lookup(host, { all: true, order: 'verbatim' });
  return answers.map((answer) => answer.address);
}

/** The work's result, or Failure `upstream-unavailable` after the deadline; the work itself goes on. */
export function withDeadline<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(unavailable('the name of the upstream was not resolved in time'));
    }, deadlineMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * A resolver over the system's own (hosts file, search domains and all). One question per name is under way at a time; it keeps
 * its place until the system has answered, even after the deadline, so that a stuck resolver cannot be asked without bound.
 */
export function createResolver(options: ResolverOptions): Resolver {
  const { clock, deadlineMs = 3000, cacheMs = 5000, hostsMax = 256, lookup = systemLookup } = options;
  const answers = new Map<string, { readonly addresses: readonly Address[]; readonly until: number }>();
  const questions = new Map<string, Promise<readonly Address[]>>();

  async function ask(host: string): Promise<readonly Address[]> {
    try {
      const texts = await lookup(host);
      const addresses = texts.slice(0, ADDRESSES_MAX + 1).map(parseAddress);
      if (addresses.length > ADDRESSES_MAX || addresses.includes(null))
        throw new Error('an answer without form or bound');
      const known = addresses.filter((address) => address !== null);
      if (answers.size >= hostsMax) answers.delete(answers.keys().next().value!);
      if (cacheMs > 0) answers.set(host, { addresses: known, until: clock.monotonic() + cacheMs });
      return known;
    } catch (error) {
      throw unavailable('the name of the upstream could not be resolved', bareCause(error));
    }
  }

  return function resolve(host: string): Promise<readonly Address[]> {
    const answer = answers.get(host);
    if (answer !== undefined && clock.monotonic() < answer.until) return Promise.resolve(answer.addresses);
    answers.delete(host);
    let question = questions.get(host);
    if (question === undefined) {
      if (questions.size >= hostsMax) return Promise.reject(unavailable('too many names are being resolved'));
      question = ask(host).finally(() => questions.delete(host));
      questions.set(host, question);
    }
    return withDeadline(question, deadlineMs);
  };
}

/** The addresses of an origin that may be dialled: all that it resolves to, or a rejection with Failure `upstream-unavailable`. */
export type Guard = (origin: Origin) => Promise<readonly Address[]>;

/** Lets an answer pass only as a whole. The refusal names the address in its cause, for operators, never in its message. */
export function createGuard(resolver: Resolver): Guard {
  return async function guard(origin: Origin): Promise<readonly Address[]> {
    const addresses = origin.address === null ? await resolver(origin.host) : [origin.address];
    const checked = checkAddresses(addresses, origin.reach);
    if (checked.is === 'allowed') return checked.addresses;
    const detail =
      checked.address === null
        ? 'no address at all'
        : `${checked.address.text}, which is ${checked.class ?? 'unknown'}`;
    throw unavailable(
      'the upstream resolves to an address that may not be dialled',
      new Error(`${origin.host}: ${detail}`),
    );
  };
}
