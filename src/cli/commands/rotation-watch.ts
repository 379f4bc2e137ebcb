// Following a rotation, and what a person must do for it: the lines of its steps, the provider's words with the command that comes after them,
// and how it ended. What runs, runs on the server: leaving off here stops nothing. Not here: the commands (rotate.ts, rotation-bring.ts).
import { follow } from '../await.ts';
import type { Input, OptionSpec, Outcome } from '../command.ts';
import type { Context } from '../context.ts';
import type { Rotation, Todo } from '../rows.ts';
import { renderSteps, rotationNote, rotationSteps } from '../steps.ts';
import { visible } from '../text.ts';

export interface JournalEvent {
  readonly at: string;
  readonly type: string;
  readonly detail?: unknown;
}

export interface RotationDetail {
  readonly rotation: Rotation;
  readonly steps: readonly JournalEvent[];
  /** Null, or left out by an older server: nobody has to do anything. */
  readonly todo?: Todo | null;
}

export const FOLLOW_OPTIONS: readonly OptionSpec[] = [
  { flags: '--no-wait', about: 'start it and return at once' },
  { flags: '--wait <duration>', about: 'follow it this long; 15m where it is left out' },
];
export const ROTATION = { name: '<rotation-id>', about: 'id of the rotation: `claviger rotation list`' };
const WAIT_SECONDS = 900;

/** The steps of a rotation on one line. */
export function stepsLine(context: Context, row: Rotation): string {
  const note = rotationNote(row);
  return `${renderSteps(rotationSteps(row), context.view.paint)}${note === null ? '' : context.view.paint('dim', `  (${note})`)}`;
}

function isAwaiting({ state }: Rotation): boolean {
  return state.end === null && state.step === 'await';
}

/** What a person must do, a numbered step a line, and the command that comes after it; null where nobody has to. */
export function todoLines(context: Context, { rotation, todo = null }: RotationDetail): readonly string[] | null {
  if (todo === null) return null;
  const until = todo.until === null ? '' : `, until ${context.view.when(todo.until)}`;
  const steps = todo.steps.map((step, index) => `  ${index + 1}. ${visible(step)}`);
  const next = nextCommand(rotation);
  return [`At ${visible(todo.url)}${until}:`, ...steps, ...(next === null ? [] : [`Then: ${next}`])];
}

function nextCommand(row: Rotation): string | null {
  if (isAwaiting(row)) return `claviger rotation bring ${row.id}`;
  return row.state.end === 'blocked' ? `claviger rotation resume ${row.id}` : null;
}

function outcome(context: Context, detail: RotationDetail): Outcome {
  const { rotation: row } = detail;
  const { end, reason } = row.state;
  const todo = todoLines(context, detail)?.join('\n') ?? null;
  const texts = {
    rotated: 'Rotated: the old version is proven dead.',
    aborted: `Aborted, and undone: ${visible(reason ?? 'no reason is given')}`,
    lost: `Lost: ${visible(reason ?? '')}\n${todo ?? `Make a new key at the provider, then: claviger rotate ${row.credentialId} --by-hand`}`,
    blocked: `Blocked: ${rotationNote(row) ?? ''}\n${todo ?? `When it is put right: claviger rotation resume ${row.id}`}`,
  };
  const open = todo === null ? `It goes on: claviger rotation show ${row.id}` : `It waits for you.\n${todo}`;
  const text = end === null ? open : texts[end];
  if (end === null) context.note(stepsLine(context, row));
  return { data: row, text, brief: row.id, exit: end === null || end === 'rotated' ? 0 : 1 };
}

/**
 * Follows a rotation to its end, or for so many seconds. While it waits for a key nothing moves: it is left there and said what to do, unless
 * it is to be followed `throughout`.
 */
export async function watchRotation(
  context: Context,
  row: Rotation,
  seconds: number,
  throughout = false,
): Promise<Outcome> {
  const api = await context.api();
  const isLeft = ({ rotation }: RotationDetail) => rotation.state.end !== null || (!throughout && isAwaiting(rotation));
  let told = '';
  const last = await follow<RotationDetail>(context, {
    async read() {
      const detail = await api.get<RotationDetail>(`/v1/rotations/${row.id}`);
      // Where it is left, the outcome says it.
      const lines = isLeft(detail) ? [] : (todoLines(context, detail) ?? []);
      if (lines.join() !== told) for (const line of lines) context.note(line);
      told = lines.join();
      return detail;
    },
    isOver: isLeft,
    show: ({ rotation }) => stepsLine(context, rotation),
    seconds,
  });
  return outcome(context, last);
}

/** Seconds that a rotation is followed; null: not at all. Read before anything is begun, so that a slip begins nothing. */
export function waitOf(input: Input): number | null {
  const seconds = input.seconds('wait') ?? WAIT_SECONDS;
  return input.isOff('wait') ? null : seconds;
}

/** Follows a rotation that was begun just now, or only says that it was. */
export async function followed(
  context: Context,
  row: Rotation,
  how: { readonly seconds: number | null; readonly begun: string },
): Promise<Outcome> {
  if (how.seconds === null) return { data: row, text: `${how.begun} ${row.id}.`, brief: row.id };
  return watchRotation(context, row, how.seconds);
}
