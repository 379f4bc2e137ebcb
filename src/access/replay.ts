// Replayable authorisation: folds the control log through the same policy and decides every recorded use again, offline. What it
// claims: no use stands in the log that the policy in force did not allow, none after its access was cut, and none whose
// record (grant, version, action) differs from what the policy says. Whether the entries are the ones that were written is
// the verifier's question (verifier/), not this one's.

import { type Address, parseAddress } from '../model/address.ts';
import type { ControlEvent } from '../model/change.ts';
import { Failure } from '../model/failure.ts';
import { matchAction } from './action.ts';
import type { Decision } from './authorize.ts';
import { cutsOf } from './cuts.ts';
import { advancePolicy, decideUse, emptyPolicy, type LiveCatalogue, type Policy } from './policy.ts';

export interface ReplayFinding {
  /** Index in the use log. */
  readonly index: number;
  readonly kind:
    | 'outside-policy'
    | 'after-revocation'
    | 'record-differs'
    | 'refusal-differs'
    | 'unknown-reference'
    | 'malformed';
  readonly why: string;
}

export interface ReplayReport {
  readonly uses: number;
  readonly refused: number;
  readonly outcomes: number;
  readonly strangers: number;
  /** Control entries that were folded. */
  readonly controls: number;
  readonly findings: readonly ReplayFinding[];
  /** Findings beyond the ones listed. */
  readonly more: number;
}

const FINDINGS_MAX = 1_000;

/** Refusals that are made by the policy, and so can be made again. */
const DECIDED: ReadonlySet<string> = new Set([
  'no-grant',
  'grant-expired',
  'network',
  'parameter',
  'rate-limited',
  'credential-suspended',
  'credential-retired',
  'no-current-version',
  'wrong-credential',
]);

interface StoredEvent extends ControlEvent {
  readonly uses: number;
}

/** A use or refusal as it stands in the log. */
interface Leaf {
  readonly kind: string;
  readonly asOf: number;
  readonly at: number;
  readonly mono: number;
  readonly ip: string;
  readonly method: string;
  readonly path: string | null;
  readonly query: Readonly<Record<string, string>> | null;
  readonly action: string | null;
  readonly effect: string | null;
  readonly provider: string | null;
  readonly token: string;
  readonly principal: string;
  readonly credential: string | null;
  readonly version: string | null;
  readonly grant: string | null;
  readonly reason?: string;
  readonly of?: readonly unknown[];
}

/** A class for its getter: the address is parsed only where networks are configured. */
class RecordedAttempt {
  readonly at: number;
  readonly monoMs: number;
  readonly parameters: Readonly<Record<string, string>>;
  readonly #ip: string;

  constructor(leaf: Leaf, parameters: Readonly<Record<string, string>>) {
    this.at = leaf.at;
    this.monoMs = leaf.mono;
    this.parameters = leaf.query === null ? parameters : { ...leaf.query, ...parameters };
    this.#ip = leaf.ip;
  }

  get address(): Address | null {
    return parseAddress(this.#ip);
  }
}

export interface Replay {
  /** Decides the next entry of the use log again. Entries come in order, without a gap. */
  use(entry: string): void;
  report(): ReplayReport;
}

/**
 * @param controls the whole control log, in order
 * @param firstUse index of the first use that will be given: later than 0 where older months were pruned
 */
export function createReplay(controls: readonly string[], firstUse = 0): Replay {
  const events = controls.map((text, index) => parseEvent(text, index));
  const policy = emptyPolicy();
  const cuts = new Map<string, number>();
  const findings: ReplayFinding[] = [];
  const counts = { uses: 0, refused: 0, outcomes: 0, strangers: 0 };
  let more = 0;
  let folded = 0;
  let cutting = 0;
  let index = firstUse;

  function find(kind: ReplayFinding['kind'], why: string): void {
    if (findings.length < FINDINGS_MAX) findings.push({ index, kind, why });
    else more++;
  }

  /** Brings the policy to what it was when the first `asOf` entries of the control log stood. */
  function foldTo(asOf: number): boolean {
    if (asOf < folded || asOf > events.length) return false;
    while (folded < asOf) {
      advancePolicy(policy, [events[folded]!], folded + 1);
      folded++;
    }
    return true;
  }

  /** Notes what had been cut by the control entries that were committed before this use. */
  function cutTo(at: number): void {
    while (cutting < events.length && events[cutting]!.uses <= at) {
      for (const id of cutsOf(events[cutting]!)) cuts.set(id, cutting);
      cutting++;
    }
  }

  function cutAfter(leaf: Leaf): string | null {
    for (const id of [leaf.credential, leaf.version, leaf.grant, leaf.principal, leaf.token]) {
      if (id !== null && (cuts.get(id) ?? -1) >= leaf.asOf) return id;
    }
    return null;
  }

  function redecide(leaf: Leaf): Decision | null {
    const token = policy.tokens.get(leaf.token);
    const credential = policy.credentials.get(leaf.credential ?? '');
    if (token === undefined || credential === undefined || credential.catalogue === null) return null;
    const action = actionOf(credential.catalogue, leaf);
    if (action === null || token.row.principalId !== leaf.principal) return null;
    if (leaf.effect !== action.action.effect || leaf.provider !== credential.row.provider) return null;
    return decideUse(
      policy,
      { token, credential, action: action.action },
      new RecordedAttempt(leaf, action.parameters),
    );
  }

  function useAgain(leaf: Leaf): void {
    counts.uses++;
    const problem = problemOf(leaf);
    if (problem !== null) find(problem[0], problem[1]);
  }

  function problemOf(leaf: Leaf): readonly [ReplayFinding['kind'], string] | null {
    const cut = cutAfter(leaf);
    if (cut !== null) {
      return ['after-revocation', `${cut} was cut at control entry ${cuts.get(cut)}, the use rests on ${leaf.asOf}`];
    }
    const decision = redecide(leaf);
    if (decision === null) return ['unknown-reference', 'token, credential or action are not what the policy knows'];
    if (!decision.allowed) return ['outside-policy', decision.reason];
    if (decision.grant.row.id !== leaf.grant) return ['record-differs', `the grant is ${decision.grant.row.id}`];
    const current = policy.credentials.get(leaf.credential!)?.current?.id ?? 'none';
    return current === leaf.version ? null : ['record-differs', `the version in force is ${current}`];
  }

  function refusalAgain(leaf: Leaf): void {
    counts.refused++;
    const reason = leaf.reason ?? '';
    const isDecided = DECIDED.has(reason);
    // Without an action or a path it was refused before the policy was asked. What names both, and is no decision of the policy, was
    // refused after the policy had allowed, and had spent the grant's rate.
    if (leaf.action === null || (leaf.path === null && !isDecided)) return;
    if (reason === 'stale' && cutAfter(leaf) === null) find('refusal-differs', 'nothing that it rests on was cut');
    const decision = redecide(leaf);
    if (decision === null) {
      find('unknown-reference', 'token, credential or action are not what the policy knows');
    } else if (!decision.allowed) {
      if (decision.reason !== reason) find('refusal-differs', `the policy refuses for ${decision.reason}`);
    } else if (isDecided) find('refusal-differs', 'the policy allows this');
  }

  function one(leaf: Leaf): void {
    switch (leaf.kind) {
      case 'use':
      case 'refused':
        cutTo(index);
        if (!foldTo(leaf.asOf)) find('malformed', 'asOf goes back, or beyond the control log');
        else if (leaf.kind === 'use') useAgain(leaf);
        else refusalAgain(leaf);
        return;
      case 'outcomes':
        counts.outcomes += leaf.of?.length ?? 0;
        return;
      case 'refusals':
        counts.strangers += leaf.of?.length ?? 0;
        return;
      case 'boot':
        forgetLimits(policy);
        return;
      default:
        find('malformed', 'an entry of an unknown kind');
    }
  }

  return {
    use(entry) {
      let leaf: Leaf | null = null;
      try {
        leaf = JSON.parse(entry) as Leaf;
      } catch {
        find('malformed', 'not JSON');
      }
      if (leaf !== null) one(leaf);
      index++;
    },
    report: () => ({ ...counts, controls: events.length, findings, more }),
  };
}

function parseEvent(text: string, index: number): StoredEvent {
  try {
    return JSON.parse(text) as StoredEvent;
  } catch (cause) {
    throw new Failure('corrupt', `control entry ${index} is not JSON`, { cause });
  }
}

/** The recorded action, if the recorded method and path are one of its requests. */
function actionOf(catalogue: LiveCatalogue, leaf: Leaf) {
  if (leaf.path === null) return null;
  const key = `${leaf.method} ${leaf.path}`;
  let match = catalogue.recent.get(key) ?? null;
  if (match === null) {
    match = matchAction(catalogue.compiled, leaf.method, leaf.path);
    if (match !== null && catalogue.recent.size < 4_096) catalogue.recent.set(key, match);
  }
  return match !== null && match.action.name === leaf.action ? match : null;
}

function forgetLimits(policy: Policy): void {
  for (const grant of policy.grants.values()) grant.arrivalMs = Number.NEGATIVE_INFINITY;
}
