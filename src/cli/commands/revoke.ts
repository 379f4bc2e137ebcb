// Revocations: ending versions of a credential, with proof. The broker refuses from the next request on; the proof takes as long as
// the provider needs.
import { Failure } from '../../model/failure.ts';
import { idSegment } from '../api.ts';
import { follow } from '../await.ts';
import type { Command, Outcome } from '../command.ts';
import type { Context } from '../context.ts';
import { credentialName, type Revocation, type Rotation } from '../rows.ts';
import { renderSteps, revocationNote, revocationSteps } from '../steps.ts';
import { visible } from '../text.ts';
import { watchRotation } from './rotate.ts';

const WAIT_SECONDS = 900;

function line(context: Context, rows: readonly Revocation[]): string {
  return rows
    .map((row) => {
      const note = revocationNote(row);
      const steps = renderSteps(revocationSteps(row), context.view.paint);
      return `${steps}${note === null ? '' : context.view.paint('dim', `  (${note})`)}`;
    })
    .join('  |  ');
}

/** What the request to revoke answers: what runs now, or the rotation that replaces first and then revokes. */
interface Ordered {
  readonly revocations: readonly Revocation[];
  readonly rotationId: string | null;
  /** Open requests that were cut. */
  readonly cut: number;
}

function outcome(context: Context, rows: readonly Revocation[]): Outcome {
  const texts = rows.map((row) => {
    const { end, reason } = row.state;
    if (end === null) return `It goes on: claviger revocation show ${row.id}`;
    if (end === 'proven') return `Revoked and proven dead: claviger certificate show ${row.certificateId ?? ''}`;
    if (end === 'unproven') return `Revoked, not proven: ${visible(reason ?? 'there is no live key to compare with')}`;
    return `Blocked: ${visible(reason ?? 'it asks for a person')}\nWhen it is put right: claviger revocation resume ${row.id}`;
  });
  if (rows.some((row) => row.state.end === null)) context.note(line(context, rows));
  const isFine = rows.every((row) => row.state.end === null || row.state.end === 'proven');
  return {
    data: { items: rows },
    text: texts.join('\n'),
    brief: rows.map((row) => row.id).join('\n'),
    exit: isFine ? 0 : 1,
  };
}

async function watch(context: Context, rows: readonly Revocation[], seconds: number): Promise<Outcome> {
  const api = await context.api();
  const last = await follow<readonly Revocation[]>(context, {
    read: () => Promise.all(rows.map((row) => api.get<Revocation>(`/v1/revocations/${row.id}`))),
    isOver: (states) => states.every((state) => state.state.end !== null),
    show: (states) => line(context, states),
    seconds,
  });
  return outcome(context, last);
}

const FOLLOW_OPTIONS = [
  { flags: '--no-wait', about: 'start it and return at once' },
  { flags: '--wait <duration>', about: 'follow it this long; 15m where it is left out' },
];

const revoke: Command = {
  name: 'revoke',
  about: 'end a credential’s versions at the provider, and prove that they are dead',
  more: 'The broker refuses them from the next request on. An outage of what uses them is the price; `rotate` has none.',
  arguments: [{ name: '<credential>', about: 'id, or `name`, `provider/name` or `environment/provider/name`' }],
  options: [
    {
      flags: '--reason <reason>',
      about: 'for the certificate and the ledger',
      choices: ['compromised', 'unused', 'owner-left', 'decommissioned', 'superseded'],
    },
    { flags: '--version-id <id...>', about: 'only these versions; all that are not dead where it is left out' },
    { flags: '--order <order>', about: 'revoke first, or replace first', choices: ['revoke-first', 'replace-first'] },
    { flags: '--note <text>', about: 'what happened' },
    { flags: '--yes', about: 'do not ask' },
    ...FOLLOW_OPTIONS,
  ],
  examples: [
    {
      line: 'claviger revoke billing --reason compromised --note "seen in a public repository"',
      about: 'asks once, then acts',
    },
    { line: 'claviger revoke billing --reason decommissioned --yes --no-wait', about: 'from a script' },
  ],
  async run(context, input) {
    const api = await context.api();
    const reason = input.required('reason');
    const seconds = input.seconds('wait') ?? WAIT_SECONDS;
    const versions = input.list('versionId').map((id) => idSegment('version', id));
    const credential = await api.credential(input.argument(0));
    const question = `What uses ${visible(credentialName(credential))} stops working, and this cannot be undone. Revoke it?`;
    if (!(await context.confirm(question, input.isOn('yes')))) {
      return { data: { items: [] }, text: 'Nothing was done.', brief: '' };
    }
    const ordered = await api.post<Ordered>('/v1/revocations', {
      credential: credential.id,
      reason,
      ...(versions.length === 0 ? {} : { versions }),
      ...(input.text('order') === null ? {} : { order: input.text('order') }),
      ...(input.text('note') === null ? {} : { note: input.text('note') }),
    });
    if (ordered.rotationId !== null) return replacing(context, ordered, { seconds, isWatched: !input.isOff('wait') });
    const rows = ordered.revocations;
    if (rows.length === 0) throw new Failure('conflict', 'there is no version left to revoke');
    context.note(`Refused from now on: ${credentialName(credential)}; ${ordered.cut} open requests were cut.`);
    if (!input.isOff('wait')) return watch(context, rows, seconds);
    const ids = rows.map((row) => row.id).join('\n');
    return { data: { items: rows }, text: `Requested ${ids.replaceAll('\n', ', ')}.`, brief: ids };
  },
};

/** Replace first: a rotation revokes the old key once nobody uses it any more. */
async function replacing(
  context: Context,
  ordered: Ordered,
  how: { readonly seconds: number; readonly isWatched: boolean },
): Promise<Outcome> {
  const id = idSegment('rotation', ordered.rotationId ?? '');
  context.note(`It is replaced first, by rotation ${id}.`);
  if (!how.isWatched) return { data: ordered, text: `Requested ${id}.`, brief: id };
  const api = await context.api();
  const { rotation } = await api.get<{ rotation: Rotation }>(`/v1/rotations/${id}`);
  return watchRotation(context, rotation, how.seconds);
}

const list: Command = {
  name: 'revocation list',
  about: 'revocations, the newest first',
  options: [
    { flags: '--credential <credential>', about: 'only of this credential' },
    { flags: '--limit <count>', about: 'how many; 50 where it is left out' },
  ],
  examples: [{ line: 'claviger revocation list', about: 'what was revoked, why, and how it ended' }],
  async run(context, input) {
    const api = await context.api();
    const credential = input.text('credential');
    const limit = input.count('limit', { min: 1, max: 10_000 }) ?? 50;
    const query = { credential: credential === null ? null : (await api.credential(credential)).id };
    const { items } = await api.list<Revocation>('/v1/revocations', query, limit);
    const text = context.view.table(
      [
        { title: 'requested', least: 20 },
        { title: 'credential' },
        { title: 'reason' },
        { title: 'state' },
        { title: 'note', least: 8 },
        { title: 'id' },
      ],
      items.map((row) => [
        context.view.when(row.requestedAt),
        row.credentialId,
        row.reason,
        row.state.end ?? 'running',
        row.note || '–',
        row.id,
      ]),
      'There are no revocations.',
    );
    return { data: { items }, text, brief: items.map((row) => row.id).join('\n') };
  },
};

const REVOCATION = { name: '<revocation-id>', about: 'id of the revocation: `claviger revocation list`' };

const show: Command = {
  name: 'revocation show',
  about: 'a revocation and how far it has come',
  arguments: [REVOCATION],
  options: [{ flags: '--follow', about: 'until it has ended' }],
  examples: [
    { line: 'claviger revocation show rev_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4', about: 'with the refusals seen so far' },
  ],
  async run(context, input) {
    const api = await context.api();
    const row = await api.get<Revocation>(`/v1/revocations/${idSegment('revocation', input.argument(0))}`);
    if (input.isOn('follow') && row.state.end === null) return watch(context, [row], 86_400);
    const { view } = context;
    const fields = view.fields([
      ['revocation', row.id],
      ['credential', row.credentialId],
      ['version', row.versionId],
      ['state', row.state.end ?? 'running'],
      ['reason', `${row.reason}${row.note === '' ? '' : `: ${row.note}`}`],
      ['requested', view.when(row.requestedAt)],
      ['provider asked', view.when(row.revokeCalledAt)],
      ['ended', view.when(row.endedAt)],
      ['refusals', `${row.state.death.refusals} of ${row.policy.refusals}`],
      ['certificate', row.certificateId],
    ]);
    return { data: row, text: `${fields}\n\n${line(context, [row])}`, brief: row.state.end ?? 'running' };
  },
};

const resume: Command = {
  name: 'revocation resume',
  about: 'go on with a revocation that is blocked, once its cause is put right',
  arguments: [REVOCATION],
  options: FOLLOW_OPTIONS,
  examples: [
    {
      line: 'claviger revocation resume rev_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
      about: 'after a person revoked it at the provider',
    },
  ],
  async run(context, input) {
    const api = await context.api();
    const seconds = input.seconds('wait') ?? WAIT_SECONDS;
    const row = await api.post<Revocation>(`/v1/revocations/${idSegment('revocation', input.argument(0))}/resume`);
    return !input.isOff('wait')
      ? watch(context, [row], seconds)
      : { data: row, text: `Resumed ${row.id}.`, brief: row.id };
  },
};

export const revokeCommands: readonly Command[] = [revoke, list, show, resume];
