// Grants: which principal may do which actions with which credential. Suggesting them from what was observed, too.
import type { Rate } from '../../access/principal.ts';
import { Failure } from '../../model/failure.ts';
import { idSegment } from '../api.ts';
import type { Command, Input } from '../command.ts';
import type { Context } from '../context.ts';
import { credentialName, type Grant } from '../rows.ts';
import { visible } from '../text.ts';
import { grantTest } from './grant-test.ts';

/** `--parameter name=value`, repeated: several values of one name are alternatives. */
function parametersOf(input: Input): Record<string, string[]> {
  const parameters: Record<string, string[]> = {};
  for (const item of input.list('parameter')) {
    const at = item.indexOf('=');
    if (at < 1) throw new Failure('invalid', '--parameter takes name=value');
    const name = item.slice(0, at);
    parameters[name] = [...(parameters[name] ?? []), item.slice(at + 1)];
  }
  return parameters;
}

/** `60/60s` or `60/60s:10`: requests, period, and how many of them at once. */
function rateOf(input: Input): Rate | null {
  const text = input.text('rate');
  if (text === null) return null;
  const match = /^([1-9][0-9]{0,6})\/([1-9][0-9]{0,6})([smhd])(?::([1-9][0-9]{0,6}))?$/.exec(text);
  if (match === null) throw new Failure('invalid', '--rate takes requests/period, such as 60/1m or 60/1m:10');
  const unit = { s: 1, m: 60, h: 3_600, d: 86_400 }[match[3] as 's' | 'm' | 'h' | 'd'];
  return { requests: Number(match[1]), perSeconds: Number(match[2]) * unit, burst: Number(match[4] ?? 1) };
}

const add: Command = {
  name: 'grant add',
  about: 'let a principal do actions with a credential; what no grant names is refused',
  arguments: [
    { name: '<principal>', about: 'id or name' },
    { name: '<credential>', about: 'id, or `name`, `provider/name` or `environment/provider/name`' },
  ],
  options: [
    {
      flags: '--action <action...>',
      about: '`branch.create`, `branch.*`, `*:read`; what mints or reveals keys only by its full name',
    },
    {
      flags: '--parameter <name=value...>',
      about: 'allow only this value of a parameter; several times for alternatives',
    },
    { flags: '--network <cidr...>', about: 'only from these networks' },
    { flags: '--rate <rate>', about: 'at most this often: requests/period, 60/1m; with a burst 60/1m:10' },
    { flags: '--expires-in <duration>', about: 'how long it holds; for ever where it is left out' },
    { flags: '--note <text>', about: 'why: for the next review' },
  ],
  examples: [
    {
      line: 'claviger grant add billing-service billing --action branch.create --parameter project_id=quiet-sea-123 --rate 60/1m',
      about: 'one action, on one project, once a second',
    },
    { line: 'claviger grant add ines billing --action "*:read" --expires-in 8h', about: 'reading, for a day’s work' },
  ],
  async run(context, input) {
    const api = await context.api();
    const actions = input.list('action');
    if (actions.length === 0) throw new Failure('invalid', '--action is needed here: nothing is granted by default');
    const rate = rateOf(input);
    const expiresInSeconds = input.seconds('expiresIn');
    const parameters = parametersOf(input);
    const principal = await api.principal(input.argument(0));
    const credential = await api.credential(input.argument(1));
    const row = await api.post<Grant>('/v1/grants', {
      principal: principal.id,
      credential: credential.id,
      actions,
      ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
      ...(input.list('network').length === 0 ? {} : { networks: input.list('network') }),
      ...(rate === null ? {} : { rate }),
      ...(expiresInSeconds === null ? {} : { expiresInSeconds }),
      ...(input.text('note') === null ? {} : { note: input.text('note') }),
    });
    const text = `Granted ${visible(row.actions.join(', '))} on ${visible(credentialName(credential))} to ${visible(principal.name)} (${row.id}).`;
    return { data: row, text, brief: row.id };
  },
};

function stateOf(grant: Grant, now: number): string {
  if (grant.revokedAt !== null) return 'revoked';
  if (grant.expiresAt !== null && Date.parse(grant.expiresAt) <= now) return 'expired';
  return 'live';
}

/** When it ended; null while it holds. What was revoked after it had expired ended with its expiry. */
function endOf(grant: Grant, now: number): string | null {
  const ends = [grant.revokedAt, grant.expiresAt].filter((end) => end !== null && Date.parse(end) <= now);
  return ends.sort()[0] ?? null;
}

function limitsOf(context: Context, grant: Grant): string {
  const limits = [
    ...Object.entries(grant.parameters).map(([name, values]) => `${name}=${values.join('|')}`),
    ...grant.networks,
    ...(grant.rate === null ? [] : [`${grant.rate.requests}/${grant.rate.perSeconds}s`]),
    ...(grant.expiresAt === null ? [] : [`until ${context.view.when(grant.expiresAt)}`]),
  ];
  return limits.join(' ') || '–';
}

const list: Command = {
  name: 'grant list',
  about: 'who may do what',
  options: [
    { flags: '--principal <principal>', about: 'only of this principal' },
    { flags: '--credential <credential>', about: 'only on this credential' },
    { flags: '--all', about: 'revoked and expired ones too, with their end' },
  ],
  examples: [{ line: 'claviger grant list --credential billing', about: 'everybody who may use a key' }],
  async run(context, input) {
    const api = await context.api();
    const principal = input.text('principal');
    const credential = input.text('credential');
    const { items: found } = await api.list<Grant>('/v1/grants', {
      principal: principal === null ? null : (await api.principal(principal)).id,
      credential: credential === null ? null : (await api.credential(credential)).id,
      revoked: input.isOn('all') ? 'true' : null,
    });
    const now = context.machine.now();
    const isWhole = input.isOn('all');
    const items = found.filter((grant) => isWhole || stateOf(grant, now) === 'live');
    const names = await namesFor(context, items.length > 0);
    const text = context.view.table(
      [
        { title: 'principal', least: 12 },
        { title: 'credential', least: 12 },
        { title: 'actions', least: 12 },
        { title: 'limits', least: 8 },
        { title: 'state' },
        ...(isWhole ? [{ title: 'ended', least: 20 }] : []),
        { title: 'id' },
      ],
      items.map((grant) => [
        names.get(grant.principalId) ?? grant.principalId,
        names.get(grant.credentialId) ?? grant.credentialId,
        grant.actions.join(' '),
        limitsOf(context, grant),
        stateOf(grant, now),
        ...(isWhole ? [context.view.when(endOf(grant, now))] : []),
        grant.id,
      ]),
      'Nothing is granted.',
    );
    return { data: { items }, text, brief: items.map((grant) => grant.id).join('\n') };
  },
};

/** What people call principals and credentials, by their ids; none where the caller may not see names. */
async function namesFor(context: Context, isNeeded: boolean): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  if (!isNeeded || context.isJson || context.isQuiet) return names;
  const api = await context.api();
  try {
    const { items } = await api.list<Parameters<typeof credentialName>[0] & { id: string }>('/v1/credentials');
    for (const row of items) names.set(row.id, credentialName(row));
    const principals = await api.list<{ id: string; name: string }>('/v1/principals');
    for (const row of principals.items) names.set(row.id, row.name);
  } catch (error) {
    if (!Failure.is(error, 'denied')) throw error;
  }
  return names;
}

const revoke: Command = {
  name: 'grant revoke',
  about: 'end a grant now',
  arguments: [{ name: '<grant-id>', about: 'id of the grant: `claviger grant list`' }],
  examples: [
    { line: 'claviger grant revoke gnt_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4', about: 'holds from the next request on' },
  ],
  async run(context, input) {
    const api = await context.api();
    const row = await api.post<Grant>(`/v1/grants/${idSegment('grant', input.argument(0))}/revoke`);
    return { data: row, text: `Revoked ${row.id}.`, brief: row.id };
  },
};

interface Suggestion {
  readonly principal: string;
  readonly actions: readonly string[];
  readonly parameters: Readonly<Record<string, readonly string[]>>;
  readonly uses: number;
  readonly wouldDeny: number;
}

const suggest: Command = {
  name: 'grant suggest',
  about: 'the smallest grants that would have served what was observed',
  arguments: [{ name: '<credential>', about: 'id, or `name`, `provider/name` or `environment/provider/name`' }],
  options: [
    { flags: '--principal <principal>', about: 'only for this principal' },
    { flags: '--since <duration>', about: 'how far back to look; 30d where it is left out' },
  ],
  examples: [{ line: 'claviger grant suggest billing --since 90d', about: 'right-size a grant that is too wide' }],
  async run(context, input) {
    const api = await context.api();
    const credential = await api.credential(input.argument(0));
    const principal = input.text('principal');
    const { items } = await api.post<{ items: readonly Suggestion[] }>('/v1/grants/suggest', {
      credential: credential.id,
      ...(principal === null ? {} : { principal: (await api.principal(principal)).id }),
      sinceSeconds: input.seconds('since') ?? 30 * 86_400,
    });
    const names = await namesFor(context, items.length > 0);
    const blocks = items.map((one) =>
      suggestionText(
        context,
        { ...one, principal: names.get(one.principal) ?? one.principal },
        credentialName(credential),
      ),
    );
    const text = blocks.length === 0 ? 'Nothing was observed in this time.' : blocks.join('\n\n');
    return { data: { items }, text };
  },
};

function suggestionText(context: Context, one: Suggestion, credential: string): string {
  const parameters = Object.entries(one.parameters).flatMap(([name, values]) =>
    values.map((value) => `${name}=${value}`),
  );
  const words = [
    ...one.actions.map((action) => `--action ${quoted(action)}`),
    ...parameters.map((parameter) => `--parameter ${quoted(parameter)}`),
  ];
  return [
    context.view.heading(one.principal),
    context.view.fields([
      ['actions', one.actions.join('\n')],
      ['parameters', parameters.join('\n') || null],
      ['served', `${one.uses} uses; ${one.wouldDeny} of them would be refused`],
      ['grant it', `claviger grant add ${one.principal} ${credential} ${words.join(' ')}`],
    ]),
  ].join('\n');
}

/** For pasting into a shell: what somebody else wrote in a request may stand here. */
export function quoted(text: string): string {
  return /^[\w.:=/@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export const grantCommands: readonly Command[] = [add, list, revoke, suggest, grantTest];
