// Rotations: starting one and following its steps, looking, cancelling, resuming; and retiring a version, which is a rotation without a
// new key. What runs, runs on the server: leaving off here stops nothing.
import { idSegment } from '../api.ts';
import type { Command } from '../command.ts';
import { credentialName, type Rotation } from '../rows.ts';
import { bring } from './rotation-bring.ts';
import {
  FOLLOW_OPTIONS,
  followed,
  ROTATION,
  type RotationDetail,
  stepsLine,
  todoLines,
  waitOf,
  watchRotation,
} from './rotation-watch.ts';

export { watchRotation } from './rotation-watch.ts';

const rotate: Command = {
  name: 'rotate',
  about: 'replace the key of a credential without an outage, and follow the steps',
  more:
    'issue, store, verify, promote, drain, cover, confirm, revoke, prove, sweep. The old key is revoked when nobody uses it any ' +
    'more, and is called dead when the provider has refused it several times. Leaving off with Ctrl-C stops only the watching. Where a ' +
    'person makes the new key, it says what to do and waits for `rotation bring`.',
  arguments: [{ name: '<credential>', about: 'id, or `name`, `provider/name` or `environment/provider/name`' }],
  options: [
    {
      flags: '--reason <reason>',
      about: 'for the certificate of the old version; superseded where it is left out',
      choices: ['superseded', 'compromised', 'unused', 'owner-left', 'decommissioned'],
    },
    { flags: '--by-hand', about: 'a person makes the new key and brings it, whatever the provider’s API could do' },
    {
      flags: '--unseen',
      about: 'also a key that nothing has used through the broker yet: whoever holds it outside will be refused',
    },
    ...FOLLOW_OPTIONS,
  ],
  examples: [
    { line: 'claviger rotate prod/neon/billing', about: 'shows each step as it happens' },
    { line: 'claviger rotate billing --no-wait --quiet', about: 'prints the id of the rotation' },
    { line: 'claviger rotate statuspage --by-hand', about: 'says what to do at the provider, and then which command' },
  ],
  async run(context, input) {
    const seconds = waitOf(input);
    const api = await context.api();
    const credential = await api.credential(input.argument(0));
    const reason = input.text('reason');
    const row = await api.post<Rotation>('/v1/rotations', {
      credential: credential.id,
      ...(reason === null ? {} : { reason }),
      ...(input.isOn('byHand') ? { byHand: true } : {}),
      ...(input.isOn('unseen') ? { unseen: true } : {}),
    });
    context.note(`Rotation ${row.id} of ${credentialName(credential)}`);
    return followed(context, row, { seconds, begun: 'Requested' });
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

const show: Command = {
  name: 'rotation show',
  about: 'a rotation, its steps, its journal, and what a person must do for it now',
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
      return watchRotation(context, detail.rotation, 86_400, true);
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
    const todo = todoLines(context, detail);
    const parts = [fields, stepsLine(context, row), ...(todo === null ? [] : [todo.join('\n')]), journal];
    return {
      data: detail,
      text: parts.join('\n\n'),
      brief: row.state.end ?? 'running',
    };
  },
};

const cancel: Command = {
  name: 'rotation cancel',
  about: 'undo a rotation; possible until the old key is being revoked',
  more:
    'With --abandon it ends where it stands, also past that point, and nothing is undone: `credential show` and `inventory list` show what is ' +
    'left of it, `version retire` ends it.',
  arguments: [ROTATION],
  options: [
    { flags: '--reason <text>', about: 'why; kept in the ledger' },
    { flags: '--abandon', about: 'end it where it stands, and undo nothing' },
    ...FOLLOW_OPTIONS,
  ],
  examples: [
    {
      line: 'claviger rotation cancel rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4 --reason "wrong project"',
      about: 'the new key is revoked',
    },
    {
      line: 'claviger rotation cancel rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4 --reason "the account is gone" --abandon',
      about: 'for one that can neither go on nor back',
    },
  ],
  async run(context, input) {
    const seconds = waitOf(input);
    const api = await context.api();
    const id = idSegment('rotation', input.argument(0));
    const isAbandoned = input.isOn('abandon');
    const body = { reason: input.required('reason'), ...(isAbandoned ? { abandon: true } : {}) };
    const row = await api.post<Rotation>(`/v1/rotations/${id}/cancel`, body);
    if (isAbandoned) {
      const text = `Ended where it stood: ${row.id}. What is left of it: claviger credential show ${row.credentialId}`;
      return { data: row, text, brief: row.id };
    }
    const ended = await followed(context, row, { seconds, begun: 'It is being undone:' });
    if (seconds === null) return ended;
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
    const seconds = waitOf(input);
    const api = await context.api();
    const row = await api.post<Rotation>(`/v1/rotations/${idSegment('rotation', input.argument(0))}/resume`);
    return followed(context, row, { seconds, begun: 'Resumed' });
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
    const seconds = waitOf(input);
    const api = await context.api();
    const row = await api.post<Rotation>(`/v1/versions/${idSegment('version', input.argument(0))}/retire`);
    context.note(`Rotation ${row.id}, without a new key`);
    return followed(context, row, { seconds, begun: 'Requested' });
  },
};

export const rotateCommands: readonly Command[] = [rotate, list, show, bring, cancel, resume, retire];
