// `claviger provider check --live`: a kind of keys against the real account, a step at a time. Probes the key that is given, looks at the list,
// and, where that was asked for, makes a key, ends it and waits until it is refused. Whatever was made is ended, and what could not be
// ended is said. Pure: asking, waiting and speaking are given. Not here: rotation, certificates; nothing is kept.
import type { Asker, Holder, NoAnswer, WholeList } from '../credentials/asking.ts';
import { deathPolicyFor, verdict } from '../credentials/death.ts';
import type {
  Evidence,
  IssueInput,
  IssueOutcome,
  Kind,
  Liveness,
  Parts,
  RevokeOutcome,
} from '../providers/provider.ts';

export interface Step {
  readonly step: string;
  readonly ok: boolean;
  /** What was found, in the words of the contract: `alive`, `accepted`. */
  readonly is: string;
  /** `200 sendgrid.200.scopes`, and the provider's id of the request. */
  readonly evidence: string | null;
}

/** A key that this check made and could not end, or may have made. */
export interface Left {
  readonly label: string;
  readonly providerKeyId: string | null;
}

export interface LiveReport {
  readonly steps: readonly Step[];
  readonly left: readonly Left[];
}

export interface LiveOptions {
  readonly asker: Asker;
  readonly kind: Kind;
  /** What the made key is asked for; its label is the check's own. */
  readonly input: IssueInput;
  readonly issuer: Holder;
  /** Whether a key is made. */
  readonly isMinting: boolean;
  /** Takes the made key into the hand that the asker opens. */
  readonly hold: (parts: Parts) => Holder;
  /** Whether the parts have the form of the kind. */
  readonly hasForm: (parts: Parts) => boolean;
  /** Told of each step as it ends, and of a key as soon as there is one. */
  readonly onStep: (step: Step) => void;
  readonly onMade: (made: Left) => void;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Tries of what a provider may be slow to show: a new key, its place in the list. */
const TRIES_MAX = 5;
/** Bracketed probes until a revoked key is given up on. */
const PROBES_MAX = 20;
const REVOKES_MAX = 3;
const WAIT_MS = 1_000;
/** Longest wait between two probes: this is a check and no certificate, and somebody sits before it. */
const SPACING_MAX_MS = 60_000;

/** Runs the check. Does not throw for what the provider does. A crash after `onMade` leaves the key that it named. */
export async function checkLive(options: LiveOptions): Promise<LiveReport> {
  const { asker, kind, input, issuer } = options;
  const steps: Step[] = [];
  const add = (step: string, ok: boolean, said: { is: string; evidence?: Evidence; code?: string }): boolean => {
    const code = said.code === undefined ? '' : ` (${said.code})`;
    const made = {
      step,
      ok,
      is: `${said.is}${code}`,
      evidence: said.evidence ? describeEvidence(said.evidence) : null,
    };
    steps.push(made);
    options.onStep(made);
    return ok;
  };

  const given = await asker.probe(issuer, issuer);
  if (!add('probe the given key', given.is === 'alive', given)) return { steps, left: [] };
  if (kind.list !== null) {
    const listed = await asker.list(kind, input.settings, issuer);
    if (!add('list', listed.is === 'listed', describeList(listed))) return { steps, left: [] };
  }
  if (!options.isMinting) return { steps, left: [] };

  const issued = await asker.issue(kind, input, issuer);
  add('issue', issued.is === 'issued', issued);
  if (issued.is !== 'issued') return { steps, left: await findLost(issued) };
  const made: Left = { label: input.label, providerKeyId: issued.providerKeyId };
  options.onMade(made);
  const key = options.hold(issued.parts);
  let isEnded = false;
  try {
    add('form of the new key', options.hasForm(issued.parts), {
      is: options.hasForm(issued.parts) ? 'fits' : 'unknown form',
    });
    const alive = await patiently(
      () => asker.probe(key, issuer),
      (said) => said.is === 'alive',
    );
    add('probe the new key', alive.is === 'alive', alive);
    if (kind.list !== null) {
      const listed = await patiently(() => asker.list(kind, input.settings, issuer), isListed(issued.providerKeyId));
      const isThere = isListed(issued.providerKeyId)(listed);
      add('list the new key', isThere, listed.is === 'listed' ? { is: isThere ? 'listed' : 'not listed' } : listed);
    }
  } finally {
    isEnded = await revoke(issued.providerKeyId, key);
  }
  if (!isEnded) return { steps, left: [made] };
  const isDead = await untilDead(key);
  return { steps, left: isDead ? [] : [made] };

  /** A creation whose answer said nothing: the key is looked for by its name, and ended. */
  async function findLost(said: Exclude<IssueOutcome, { is: 'issued' }> | NoAnswer): Promise<readonly Left[]> {
    if (isCertainlyNone(said)) return [];
    const unknown = { label: input.label, providerKeyId: null };
    if (kind.list === null) return [unknown];
    const isLost = (listed: WholeList | NoAnswer) =>
      listed.is === 'listed' && listed.keys.some((one) => one.name === input.label);
    const listed = await patiently(() => asker.list(kind, input.settings, issuer), isLost);
    const lost = listed.is === 'listed' ? listed.keys.filter((one) => one.name === input.label) : [];
    add(
      'look for a lost key',
      listed.is === 'listed',
      listed.is === 'listed' ? { is: `${lost.length} found` } : listed,
    );
    if (lost.length === 0) return [unknown];
    const left: Left[] = [];
    for (const { providerKeyId } of lost.slice(0, TRIES_MAX)) {
      if (!(await revoke(providerKeyId, null))) left.push({ label: input.label, providerKeyId });
    }
    return left;
  }

  /** Whether the provider took the revocation, or has no such key. */
  async function revoke(providerKeyId: string, target: Holder | null): Promise<boolean> {
    let said: RevokeOutcome | NoAnswer = { is: 'no-answer', code: 'not-asked' };
    for (let tries = 0; tries < REVOKES_MAX; tries++) {
      if (tries > 0) await options.sleep(WAIT_MS);
      said = await asker.revoke(kind, { settings: input.settings, providerKeyId }, issuer, target);
      if (said.is === 'accepted') break;
      // Not there: after a revocation that got no answer that is its success; as the first answer it is none.
      if (said.is === 'absent' && tries > 0) break;
    }
    return add('revoke', said.is === 'accepted' || said.is === 'absent', said);
  }

  /** Refusals count only between two acceptances of the given key, several of them, further apart than revocation takes to spread. */
  async function untilDead(key: Holder): Promise<boolean> {
    const { refusals: needed, spacingMs } = deathPolicyFor(kind.propagationMs);
    let refusals = 0;
    let target: Liveness | null = null;
    for (let probes = 0; probes < PROBES_MAX && refusals < needed; probes++) {
      if (probes > 0) await options.sleep(Math.min(spacingMs, SPACING_MAX_MS));
      const before = await asker.probe(issuer, issuer);
      target = await asker.probe(key, issuer);
      const after = await asker.probe(issuer, issuer);
      const seen = verdict({ before: before.is, target: target.is, after: after.is });
      refusals = seen === 'dead' ? refusals + 1 : seen === 'alive' ? 0 : refusals;
    }
    const is = refusals >= needed ? `dead: refused ${refusals} times` : `${target?.is}: no proof of its death`;
    return add(
      'probe until it is dead',
      refusals >= needed,
      target === null ? { is } : { is, evidence: target.evidence },
    );
  }

  async function patiently<T>(ask: () => Promise<T>, isGood: (said: T) => boolean): Promise<T> {
    let said = await ask();
    for (let tries = 1; tries < TRIES_MAX && !isGood(said); tries++) {
      await options.sleep(WAIT_MS);
      said = await ask();
    }
    return said;
  }
}

/** Nothing was made: the provider said so, or nothing was sent. */
function isCertainlyNone(said: Exclude<IssueOutcome, { is: 'issued' }> | NoAnswer): boolean {
  if (said.is === 'refused') return true;
  return said.is === 'no-answer' && ['invalid', 'upstream-unavailable', 'impossible'].includes(said.code);
}

function isListed(id: string): (listed: WholeList | NoAnswer) => boolean {
  return (listed) => listed.is === 'listed' && listed.keys.some((one) => one.providerKeyId === id);
}

function describeList(listed: WholeList | NoAnswer): { is: string; evidence?: Evidence; code?: string } {
  return listed.is === 'listed' ? { is: `listed: ${listed.keys.length} keys` } : listed;
}

function describeEvidence({ status, signature, requestId }: Evidence): string {
  return [status === null ? null : String(status), signature, requestId].filter((one) => one !== null).join(' ');
}
