// Rotations: starting one and following its steps, looking, cancelling, resuming; and retiring a version, which is a rotation without a
// new key. What runs, runs on the server: leaving off here stops nothing.
import { idSegment } from '../api.ts';
import { follow } from '../await.ts';
import type { Command, Outcome } from '../command.ts';
import type { Context } from '../context.ts';
import { credentialName, type Rotation } from '../rows.ts';
import { renderSteps, rotationNote, rotationSteps } from '../steps.ts';
import { visible } from '../text.ts';

interface JournalEvent {
  readonly at: string;
  readonly type: string;
  readonly detail?: unknown;
}

interface RotationDetail {
  readonly rotation: Rotation;
  readonly steps: readonly JournalEvent[];
}

const FOLLOW_OPTIONS = [
  { flags: '--no-wait', about: 'start it and return at once' },
  { flags: '--wait <duration>', about: 'follow it this long; 15m where it is left out' },
];
const WAIT_SECONDS = 900;

function line(context: Context, row: Rotation): string {
  const note = rotationNote(row);
  return `${renderSteps(rotationSteps(row), context.view.paint)}${note === null ? '' : context.view.paint('dim', `  (${note})`)}`;
}

function outcome(context: Context, row: Rotation): Outcome {
  const { end, reason } = row.state;
  const texts = {
    rotated: 'Rotated: the old version is proven dead.',
    aborted: `Aborted, and undone: ${visible(reason ?? row.state.undoing ?? 'no reason is given')}`,
    blocked: `Blocked: ${rotationNote(row) ?? ''}\nWhen it is put right: claviger rotation resume ${row.id}`,
  };
  const text = end === null ? `It goes on: claviger rotation show ${row.id}` : texts[end];
  if (end === null) context.note(line(context, row));
  return { data: row, text, brief: row.id, exit: end === null || end === 'rotated' ? 0 : 1 };
}

/** Follows a rotation to its end, or for so many seconds. */
export async function watchRotation(context: Context, row: Rotation, seconds: number): Promise<Outcome> {
  const api = await context.api();
  const last = await follow<Rotation>(context, {
    read: async () => (await api.get<RotationDetail>(`/v1/rotations/${row.id}`)).rotation,
    isOver: (state) => state.state.end !== null,
    show: (state) => line(context, state),
    seconds,
  });
  return outcome(context, last);
}

const rotate: Command = {
  name: 'rotate',
  about: 'replace the key of a credential without an outage, and follow the steps',
  more:
    'issue, store, verify, promote, drain, cover, confirm, revoke, prove, sweep. The old key is revoked when nobody uses it any ' +
    'more, and is called dead when the provider has refused it several times. Leaving off with Ctrl-C stops only the watching.',
  arguments: [{ name: '<credential>', about: 'id, or `name`, `provider/name` or `environment/provider/name`' }],
  options: [
    {
      flags: '--reason <reason>',
      about: 'for the certificate of the old version; superseded where it is left out',
      choices: ['superseded', 'compromised', 'unused', 'owner-left', 'decommissioned'],
    },
    ...FOLLOW_OPTIONS,
  ],
  examples: [
    { line: 'claviger rotate prod/neon/billing', about: 'shows each step as it happens' },
    { line: 'claviger rotate billing --no-wait --quiet', about: 'prints the id of the rotation' },
  ],
  async run(context, input) {
    const api = await context.api();
    const seconds = input.seconds('wait') ?? WAIT_SECONDS;
    const credential = await api.credential(input.argument(0));
    const reason = input.text('reason');
    const row = await api.post<Rotation>('/v1/rotations', {
      credential: credential.id,
      ...(reason === null ? {} : { reason }),
    });
    context.note(`Rotation ${row.id} of ${credentialName(credential)}`);
    return !input.isOff('wait')
      ? watchRotation(context, row, seconds)
      : { data: row, text: `Requested ${row.id}.`, brief: row.id };
  },
};

const list: Command = {
  name: 'rotation list',
  about: 'rotations, the newest first',
  options: [
    { flags: '--credential <credential>', about: 'only of this credential' },
    { flags: '--running', about: 'only those that have not ended' },
    { flags: '--limit <count>', about: 'how many; 50 where it is left out' },
  ],
  examples: [{ line: 'claviger rotation list --running', about: 'what is under way, and where it stands' }],
  async run(context, input) {
    const api = await context.api();
    const credential = input.text('credential');
    const limit = input.count('limit', { min: 1, max: 10_000 }) ?? 50;
    const query = {
      credential: credential === null ? null : (await api.credential(credential)).id,
      running: input.isOn('running') ? 'true' : null,
    };
    const { items } = await api.list<Rotation>('/v1/rotations', query, limit);
    const text = context.view.table(
      [
        { title: 'requested', least: 20 },
        { title: 'credential' },
        { title: 'trigger' },
        { title: 'state' },
        { title: 'step' },
        { title: 'problem', least: 10 },
        { title: 'id' },
      ],
      items.map((row) => [
        context.view.when(row.requestedAt),
        row.credentialId,
        row.trigger,
        row.state.end ?? 'running',
        row.state.end === 'rotated' ? '–' : row.state.step,
        row.state.end === 'rotated' ? '–' : (row.lastProblem ?? '–'),
        row.id,
      ]),
      'There are no rotations.',
    );
    return { data: { items }, text, brief: items.map((row) => row.id).join('\n') };
  },
};

const ROTATION = { name: '<rotation-id>', about: 'id of the rotation: `claviger rotation list`' };

const show: Command = {
  name: 'rotation show',
  about: 'a rotation, its steps and its journal',
  arguments: [ROTATION],
  options: [{ flags: '--follow', about: 'until it has ended' }],
  examples: [
    {
      line: 'claviger rotation show rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4 --follow',
      about: 'look again at one that runs',
    },
  ],
  async run(context, input) {
    const api = await context.api();
    const id = idSegment('rotation', input.argument(0));
    const detail = await api.get<RotationDetail>(`/v1/rotations/${id}`);
    if (input.isOn('follow') && detail.rotation.state.end === null)
      return watchRotation(context, detail.rotation, 86_400);
    const { view } = context;
    const row = detail.rotation;
    const fields = view.fields([
      ['rotation', row.id],
      ['credential', row.credentialId],
      ['state', row.state.end ?? 'running'],
      ['trigger', `${row.trigger}, ${row.reason}`],
      ['requested', view.when(row.requestedAt)],
      ['ended', view.when(row.endedAt)],
      ['problem', row.lastProblem],
    ]);
    const journal = view.table(
      [{ title: 'at', least: 20 }, { title: 'event' }, { title: 'detail', least: 16 }],
      detail.steps.map((event) => [
        view.when(event.at),
        event.type,
        event.detail === undefined ? '' : JSON.stringify(event.detail),
      ]),
      'Nothing is in its journal yet.',
    );
    return {
      data: detail,
      text: `${fields}\n\n${line(context, row)}\n\n${journal}`,
      brief: row.state.end ?? 'running',
    };
  },
};

const cancel: Command = {
  name: 'rotation cancel',
  about: 'undo a rotation; possible until the old key is being revoked',
  arguments: [ROTATION],
  options: [{ flags: '--reason <text>', about: 'why; kept in the ledger' }, ...FOLLOW_OPTIONS],
  examples: [
    {
      line: 'claviger rotation cancel rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4 --reason "wrong project"',
      about: 'the new key is revoked',
    },
  ],
  async run(context, input) {
    const api = await context.api();
    const id = idSegment('rotation', input.argument(0));
    const row = await api.post<Rotation>(`/v1/rotations/${id}/cancel`, { reason: input.required('reason') });
    if (input.isOff('wait')) return { data: row, text: `It is being undone: ${row.id}`, brief: row.id };
    const seconds = input.seconds('wait') ?? WAIT_SECONDS;
    const ended = await watchRotation(context, row, seconds);
    // Being undone is what was asked for here.
    return (ended.data as Rotation).state.end === 'aborted' ? { ...ended, exit: 0 } : ended;
  },
};

const resume: Command = {
  name: 'rotation resume',
  about: 'go on with a rotation that is blocked, once its cause is put right',
  arguments: [ROTATION],
  options: FOLLOW_OPTIONS,
  examples: [{ line: 'claviger rotation resume rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4', about: 'tries the step again' }],
  async run(context, input) {
    const api = await context.api();
    const row = await api.post<Rotation>(`/v1/rotations/${idSegment('rotation', input.argument(0))}/resume`);
    const seconds = input.seconds('wait') ?? WAIT_SECONDS;
    return !input.isOff('wait')
      ? watchRotation(context, row, seconds)
      : { data: row, text: `Resumed ${row.id}.`, brief: row.id };
  },
};

const retire: Command = {
  name: 'version retire',
  about: 'end a version that another one has replaced: wait until nobody uses it, revoke it, prove it dead',
  more: 'For the key before one that was stored by hand. To end a version at once, whoever uses it: `revoke --version-id`.',
  arguments: [{ name: '<version-id>', about: 'id of the version: `claviger credential show`' }],
  options: FOLLOW_OPTIONS,
  examples: [
    {
      line: 'claviger version retire ver_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
      about: 'after `credential put`: the old key',
    },
  ],
  async run(context, input) {
    const api = await context.api();
    const seconds = input.seconds('wait') ?? WAIT_SECONDS;
    const row = await api.post<Rotation>(`/v1/versions/${idSegment('version', input.argument(0))}/retire`);
    context.note(`Rotation ${row.id}, without a new key`);
    return !input.isOff('wait')
      ? watchRotation(context, row, seconds)
      : { data: row, text: `Requested ${row.id}.`, brief: row.id };
  },
};

export const rotateCommands: readonly Command[] = [rotate, list, show, cancel, resume, retire];
