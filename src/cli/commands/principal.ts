// Principals: who asks. Services use keys through the broker; people and pipelines use the control API.
import { ROLE_NAMES } from '../../access/role.ts';
import { Failure } from '../../model/failure.ts';
import type { Command } from '../command.ts';
import type { Principal } from '../rows.ts';
import { visible } from '../text.ts';

const REFERENCE = { name: '<principal>', about: 'id or name' };

function outcome(row: Principal, what: string) {
  return { data: row, text: `${what} ${visible(row.name)} (${row.id}).`, brief: row.id };
}

const add: Command = {
  name: 'principal add',
  about: 'add a principal: a service, or a person',
  arguments: [{ name: '<name>', about: 'lower-case letters, digits and dashes' }],
  options: [
    { flags: '--kind <kind>', about: 'service where it is left out', choices: ['service', 'person'] },
    { flags: '--role <role...>', about: 'what it may do at the control API', choices: ROLE_NAMES },
    { flags: '--owner <text>', about: 'who answers for it' },
    { flags: '--note <text>', about: 'what it is for' },
  ],
  examples: [
    { line: 'claviger principal add billing-service --owner "team billing"', about: 'a service: it uses the broker' },
    { line: 'claviger principal add ines --kind person --role operator', about: 'a person with a role' },
  ],
  async run(context, input) {
    const api = await context.api();
    const row = await api.post<Principal>('/v1/principals', {
      name: input.argument(0),
      kind: input.text('kind') ?? 'service',
      roles: input.list('role'),
      ...(input.text('owner') === null ? {} : { owner: input.text('owner') }),
      ...(input.text('note') === null ? {} : { note: input.text('note') }),
    });
    context.note(`Give it a token: claviger token issue ${row.name}`);
    return outcome(row, 'Added');
  },
};

const list: Command = {
  name: 'principal list',
  about: 'the principals and their roles',
  examples: [{ line: 'claviger principal list', about: 'all of them' }],
  async run(context) {
    const api = await context.api();
    const { items } = await api.list<Principal>('/v1/principals');
    const text = context.view.table(
      [
        { title: 'name', least: 12 },
        { title: 'kind' },
        { title: 'state' },
        { title: 'roles', least: 8 },
        { title: 'owner', least: 6 },
        { title: 'added', least: 20 },
        { title: 'id' },
      ],
      items.map((row) => [
        row.name,
        row.kind,
        row.disabledAt === null ? 'live' : 'disabled',
        row.roles.join(',') || '–',
        row.owner || '–',
        context.view.when(row.createdAt),
        row.id,
      ]),
      'There are no principals.',
    );
    return { data: { items }, text, brief: items.map((row) => row.id).join('\n') };
  },
};

const show: Command = {
  name: 'principal show',
  about: 'a principal',
  arguments: [REFERENCE],
  examples: [{ line: 'claviger principal show billing-service', about: 'roles, owner, state' }],
  async run(context, input) {
    const api = await context.api();
    const row = await api.principal(input.argument(0));
    const { view } = context;
    const text = view.fields([
      ['principal', row.name],
      ['id', row.id],
      ['kind', row.kind],
      ['state', row.disabledAt === null ? 'live' : `disabled ${view.when(row.disabledAt)}`],
      ['roles', row.roles.join(', ') || 'none'],
      ['owner', row.owner || '–'],
      ['note', row.note || null],
      ['managed by', row.managedBy],
      ['added', view.when(row.createdAt)],
    ]);
    return { data: row, text, brief: row.id };
  },
};

const edit: Command = {
  name: 'principal edit',
  about: 'change name, roles, owner or note',
  arguments: [REFERENCE],
  options: [
    { flags: '--rename <name>', about: 'its new name' },
    { flags: '--role <role...>', about: 'all its roles from now on', choices: ROLE_NAMES },
    { flags: '--no-roles', about: 'take all its roles' },
    { flags: '--owner <text>', about: 'who answers for it' },
    { flags: '--note <text>', about: 'what it is for' },
  ],
  examples: [{ line: 'claviger principal edit ines --role auditor', about: 'exactly this role, no other' }],
  async run(context, input) {
    const api = await context.api();
    const row = await api.principal(input.argument(0));
    const change: Record<string, unknown> = {};
    for (const [key, field] of [
      ['rename', 'name'],
      ['owner', 'owner'],
      ['note', 'note'],
    ] as const) {
      const value = input.text(key);
      if (value !== null) change[field] = value;
    }
    const roles = input.list('role');
    if (input.isOff('roles') && roles.length > 0) throw new Failure('invalid', 'give --role or --no-roles');
    if (roles.length > 0) change['roles'] = roles;
    if (input.isOff('roles')) change['roles'] = [];
    if (Object.keys(change).length === 0) throw new Failure('invalid', 'say what to change');
    return outcome(await api.patch<Principal>(`/v1/principals/${row.id}`, change, row.rowVersion), 'Changed');
  },
};

function stateCommand(verb: 'disable' | 'enable', about: string): Command {
  return {
    name: `principal ${verb}`,
    about,
    arguments: [REFERENCE],
    examples: [{ line: `claviger principal ${verb} billing-service`, about: 'holds from the next request on' }],
    async run(context, input) {
      const api = await context.api();
      const { id } = await api.principal(input.argument(0));
      const row = await api.post<Principal>(`/v1/principals/${id}/${verb}`);
      return outcome(row, verb === 'disable' ? 'Disabled' : 'Enabled');
    },
  };
}

export const principalCommands: readonly Command[] = [
  add,
  list,
  show,
  edit,
  stateCommand('disable', 'refuse a principal, with all its tokens'),
  stateCommand('enable', 'let a disabled principal in again'),
];
