// The steps of a rotation and of a revocation as people follow them: which are done, which one runs, what it waits for. Pure: from a
// row to text. The words are those of the protocol (DESIGN section 5); storing is part of issuing and is shown as its own step.
import type { Paint } from './paint.ts';
import type { Revocation, Rotation } from './rows.ts';
import { visible } from './text.ts';

export type Mark = 'done' | 'now' | 'waiting' | 'failed';

export interface Step {
  readonly name: string;
  readonly mark: Mark;
}

const FORWARD = ['issue', 'store', 'verify', 'promote', 'drain', 'cover', 'confirm', 'revoke', 'prove', 'sweep'];
const SWAP = ['hold', 'replace', 'verify', 'promote', 'cover', 'prove'];
const UNDO = ['demote', 'drain', 'revoke', 'prove', 'sweep'];

function marked(names: readonly string[], at: number, now: Mark): Step[] {
  return names.map((name, i) => ({ name, mark: i < at ? 'done' : i === at ? now : 'waiting' }));
}

/** The steps of a rotation. While it is undone, only the way back is shown. */
export function rotationSteps(row: Rotation): Step[] {
  const { state } = row;
  if (state.protocol === 'swap/1') return swapSteps(state);
  const forward = state.means.issue === 'person' ? ['await', ...FORWARD.slice(1)] : FORWARD;
  if (state.end === 'rotated') return marked(forward, forward.length, 'done');
  const isUndoing = state.undoing !== null;
  const names = isUndoing ? (state.promoted || state.step === 'demote' ? UNDO : UNDO.slice(2)) : forward;
  if (state.end === 'aborted') return marked(names, names.length, 'done');
  const name = state.step === 'reconcile' ? (isUndoing ? 'sweep' : forward[0]!) : state.step;
  return marked(names, Math.max(0, names.indexOf(name)), state.end === 'blocked' ? 'failed' : 'now');
}

function swapSteps(state: Extract<Rotation['state'], { protocol: 'swap/1' }>): Step[] {
  const names = state.source === 'ours' ? ['prepare', ...SWAP] : SWAP;
  if (state.end === 'rotated') return marked(names, names.length, 'done');
  const name = state.step === 'resolve' ? 'replace' : state.step;
  return marked(names, Math.max(0, names.indexOf(name)), state.end === null ? 'now' : 'failed');
}

export function revocationSteps(row: Revocation): Step[] {
  const names = ['suspend', 'revoke', 'prove'];
  const { end, step } = row.state;
  if (end === 'proven') return marked(names, names.length, 'done');
  return marked(names, names.indexOf(step), end === null ? 'now' : 'failed');
}

const SIGNS: Readonly<Record<Mark, readonly [string, Parameters<Paint>[0]]>> = {
  done: ['✓', 'green'],
  now: ['…', 'cyan'],
  failed: ['✗', 'red'],
  waiting: ['', 'dim'],
};

/** `issue ✓ store ✓ verify … promote drain`: one line. */
export function renderSteps(steps: readonly Step[], paint: Paint): string {
  return steps
    .map(({ name, mark }) => {
      const [sign, ink] = SIGNS[mark];
      return mark === 'waiting' ? paint(ink, name) : `${name} ${paint(ink, sign)}`;
    })
    .join('  ');
}

/** What the present step waits for, or what its last problem was; null where there is nothing to say. */
export function rotationNote(row: Rotation): string | null {
  const { state } = row;
  if (state.end === 'blocked' || state.end === 'lost')
    return visible(state.reason ?? row.lastProblem ?? 'it asks for a person');
  if (state.protocol === 'swap/1') return swapNote(row, state);
  if (state.undoing !== null) return `being undone: ${visible(state.undoing)}`;
  if (state.overdue) return 'the old version is still in use, longer than allowed';
  if (state.failures > 0 && row.lastProblem !== null) return visible(row.lastProblem);
  if (state.step === 'await') return 'waits for the new key, which a person makes: claviger rotation bring';
  if (state.step === 'prove' && state.means.revoke === 'person' && state.death.refusals === 0) {
    return 'waits until the provider refuses the old key: a person deletes it where the new one did not end it';
  }
  if (state.step === 'drain') return 'waits until nobody uses the old version';
  if (state.step === 'prove') return `${state.death.refusals} of ${row.policy.death.refusals} refusals seen`;
  return null;
}

function swapNote(row: Rotation, state: Extract<Rotation['state'], { protocol: 'swap/1' }>): string | null {
  if (state.step === 'resolve') return 'the answer was lost: finds out whether the key was replaced';
  if (state.failures > 0 && row.lastProblem !== null) return visible(row.lastProblem);
  if (state.heldSince !== null) return 'the traffic of this credential is held';
  if (state.step === 'prove') return `${state.death.refusals} of ${row.policy.death.refusals} refusals seen`;
  return null;
}

export function revocationNote(row: Revocation): string | null {
  const { state } = row;
  if (state.end !== null && state.end !== 'proven') return visible(state.reason ?? state.end);
  if (state.step === 'prove') return `${state.death.refusals} of ${row.policy.refusals} refusals seen`;
  return null;
}
