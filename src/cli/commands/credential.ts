// Credentials: adding, looking, changing, suspending. Not here: importing from a .env file (import.ts), rotating and revoking.

import type { Privilege } from '../../access/privilege.ts';
import { Failure } from '../../model/failure.ts';
import type { Command, Outcome } from '../command.ts';
import type { Context } from '../context.ts';
import { namesParts, PART_OPTIONS, readParts } from '../parts-input.ts';
import { type Credential, credentialName, type Version } from '../rows.ts';
import { visible } from '../text.ts';
import {
  BROUGHT_ISSUER,
  IDENTITY_OPTIONS,
  issuerNamed,
  kindOf,
  newCredential,
  POLICY_OPTIONS,
  policyOf,
  SET_OPTION,
  settingsChange,
} from './credential-input.ts';
import { privilegeFields } from './credential-privilege.ts';

export interface CredentialDetail {
  readonly credential: Credential;
  readonly versions: readonly Version[];
  readonly protected: boolean;
  readonly grants: number;
  /** Where one credential is shown; null: the server does not know its kind. */
  readonly privilege?: Privilege | null;
}

const REFERENCE = {
  name: '<credential>',
  about: 'id, or `name`, `provider/name` or `environment/provider/name`',
};

/** What storing bytes answers; `identified` is null where the provider was not asked. */
export interface BroughtDetail extends CredentialDetail {
  readonly identified: { readonly providerKeyId: string | null; readonly why: string } | null;
}

function broughtOutcome(made: BroughtDetail, text: string): Outcome {
  const { identified } = made;
  const isOpen = identified !== null && identified.providerKeyId === null;
  const more = isOpen
    ? `\nNot identified at the provider: ${visible(identified.why)}. Its revocation will need a person.`
    : '';
  return { data: made, text: `${text}${more}`, brief: made.credential.id };
}

export function credentialOutcome(row: Credential, what: string): Outcome {
  return { data: row, text: `${what} ${visible(credentialName(row))} (${row.id}).`, brief: row.id };
}

const NO_RESOLVE = {
  flags: '--no-resolve',
  about: 'do not ask the provider: neither whether it accepts the key, nor for its id',
};

const add: Command = {
  name: 'credential add',
  about: 'add a credential, with its bytes or without',
  more:
    'The bytes come from standard input, a file, a .env file or a prompt, never from an argument. Of a kind with several parts each is ' +
    'given by its name, or asked for; those that are no secrets may be arguments.',
  arguments: [{ name: '<name>', about: 'lower-case letters, digits and dashes' }],
  options: [
    ...IDENTITY_OPTIONS,
    ...POLICY_OPTIONS,
    ...PART_OPTIONS,
    { flags: '--no-bytes', about: 'add it without a version; the bytes follow with `credential put`' },
    NO_RESOLVE,
  ],
  examples: [
    {
      line: 'claviger credential add billing --provider neon --kind organization-key --set orgId=org-example',
      about: 'asks for the key and does not show it',
    },
    {
      line: 'pass show neon/billing | claviger credential add billing --provider neon --kind organization-key --from-stdin',
      about: 'from a password manager',
    },
    {
      line: 'claviger credential add bank --provider plaid --kind client --part clientId=0123456789abcdef01234567 --from-file secret',
      about: 'a kind of two parts: the public one may be given as it is',
    },
  ],
  async run(context, input) {
    const api = await context.api();
    const kind = await kindOf(context, input.required('provider'), input.text('kind'));
    const body = await newCredential(context, input, input.argument(0), kind.name);
    if (!input.isOff('bytes')) body['parts'] = await readParts(context, input, kind);
    else if (namesParts(input)) throw new Failure('invalid', '--no-bytes goes with no source of bytes');
    const query: Record<string, string> = input.isOff('resolve') ? { resolve: 'false' } : {};
    const made = await api.post<BroughtDetail>('/v1/credentials', body, query);
    const row = made.credential;
    if (row.purpose === 'lend') {
      context.note(`Grant its use: claviger grant add <principal> ${credentialName(row)} --action <action>`);
    }
    return broughtOutcome(made, `Added ${visible(credentialName(row))} (${row.id}).`);
  },
};

const list: Command = {
  name: 'credential list',
  about: 'the credentials and how they are',
  options: [
    { flags: '--provider <name>', about: 'only of this provider' },
    { flags: '--environment <name>', about: 'only of this environment' },
  ],
  examples: [{ line: 'claviger credential list --provider neon', about: 'all of one provider' }],
  async run(context, input) {
    const api = await context.api();
    const { items } = await api.list<Credential>('/v1/credentials');
    const rows = items.filter(
      (row) =>
        [null, row.provider].includes(input.text('provider')) &&
        [null, row.environment].includes(input.text('environment')),
    );
    const text = context.view.table(
      [
        { title: 'credential', least: 16 },
        { title: 'kind', least: 8 },
        { title: 'purpose' },
        { title: 'state' },
        { title: 'owner', least: 6 },
        { title: 'added', least: 20 },
        { title: 'id' },
      ],
      rows.map((row) => [
        credentialName(row),
        row.kind,
        row.purpose,
        stateOf(row),
        row.owner,
        context.view.when(row.createdAt),
        row.id,
      ]),
      'There are no credentials. `claviger credential add` or `credential import` adds one.',
    );
    return { data: { items: rows }, text, brief: rows.map((row) => row.id).join('\n') };
  },
};

function stateOf(row: Credential): string {
  if (row.retiredAt !== null) return 'retired';
  return row.suspendedAt === null ? 'live' : 'suspended';
}

const show: Command = {
  name: 'credential show',
  about: 'a credential, what its key may do against what its grants need, and its versions; never its bytes',
  more:
    'Where the provider has scopes, `privilege` says what the key holds, what the actions of its grants need, what is unused, and with which scopes ' +
    'the next key would do. Where it has none, the grants narrow the key at the broker. What cannot be told is `unknown`, never fine.',
  arguments: [REFERENCE],
  examples: [{ line: 'claviger credential show prod/neon/billing', about: 'which version is current, and since when' }],
  async run(context, input) {
    const api = await context.api();
    const { id } = await api.credential(input.argument(0));
    const detail = await api.get<CredentialDetail>(`/v1/credentials/${id}`);
    return { data: detail, text: detailText(context, detail), brief: id };
  },
};

/** When the provider ends the current key by itself; null where nobody knows of an end. */
function endOf({ versions }: CredentialDetail): string | null {
  return versions.find((version) => version.state === 'current')?.expiresAt ?? null;
}

function detailText(context: Context, detail: CredentialDetail): string {
  const { view } = context;
  const row = detail.credential;
  const { policy } = row;
  const fields = view.fields([
    ['credential', credentialName(row)],
    ['id', row.id],
    [
      'state',
      row.suspendedAt === null ? stateOf(row) : `suspended ${view.when(row.suspendedAt)}: ${row.suspendReason ?? ''}`,
    ],
    ['kind', `${row.provider} ${row.kind}, to ${row.purpose}`],
    ['origin', row.origin],
    [
      'settings',
      Object.entries(row.settings)
        .map(([key, value]) => `${key}=${value}`)
        .join('\n') || null,
    ],
    ['issuer', row.issuerId ?? 'none: a person mints and revokes it'],
    ['owner', row.owner || '–'],
    ['note', row.note || null],
    ['rotation', policy.everyDays === null ? 'on request' : `every ${policy.everyDays} days`],
    ['compromise', policy.onCompromise],
    ['second copy', detail.protected ? 'yes' : 'none: unprotected'],
    ['grants', String(detail.grants)],
    ...privilegeFields(detail.privilege ?? null),
    ['key ends', endOf(detail) === null ? null : view.when(endOf(detail))],
    ['managed by', row.managedBy],
    ['added', view.when(row.createdAt)],
  ]);
  const versions = view.table(
    [
      { title: 'version' },
      { title: 'state' },
      { title: 'provider key id', least: 8 },
      { title: 'made', least: 20 },
      { title: 'revoked', least: 20 },
      { title: 'reason', least: 6 },
      { title: 'id' },
    ],
    detail.versions.map((version) => [
      String(version.number),
      version.state,
      version.providerKeyId ?? 'unidentified',
      view.when(version.createdAt),
      view.when(version.revokedAt),
      version.reason ?? '–',
      version.id,
    ]),
    'It has no version yet: `claviger credential put` stores its bytes.',
  );
  return `${fields}\n\n${versions}`;
}

const edit: Command = {
  name: 'credential edit',
  about: 'change name, owner, note, issuer, rotation policy or settings',
  more:
    'Settings that the next key is asked for (scopes, lifetimeDays, whatever may be left out) change here, and with `rotate` the key follows. Those ' +
    'that belong to the key itself change only with its bytes.',
  arguments: [REFERENCE],
  options: [
    { flags: '--rename <name>', about: 'its new name' },
    { flags: '--owner <text>', about: 'who answers for it' },
    { flags: '--note <text>', about: 'what it is for' },
    { flags: '--issuer <credential>', about: 'the credential with which it is minted and revoked; `none` for no one' },
    SET_OPTION,
    { flags: '--unset <key...>', about: 'a setting that goes' },
    ...POLICY_OPTIONS,
  ],
  examples: [
    { line: 'claviger credential edit billing --every-days 30', about: 'rotate it every month' },
    { line: 'claviger credential edit mailer --set scopes=mail.send', about: 'the next key may only send' },
  ],
  async run(context, input) {
    const api = await context.api();
    const policy = policyOf(input);
    const row = await api.credential(input.argument(0));
    const change: Record<string, unknown> = {};
    const texts = { rename: 'name', owner: 'owner', note: 'note' };
    for (const [key, field] of Object.entries(texts)) {
      const value = input.text(key);
      if (value !== null) change[field] = value;
    }
    const issuer = input.text('issuer');
    if (issuer !== null) change['issuer'] = issuer === 'none' ? null : (await api.credential(issuer)).id;
    if (policy !== undefined) change['policy'] = policy;
    const settings = settingsChange(input);
    if (Object.keys(settings).length > 0) change['settings'] = settings;
    if (Object.keys(change).length === 0) throw new Failure('invalid', 'say what to change');
    return credentialOutcome(
      await api.patch<Credential>(`/v1/credentials/${row.id}`, change, row.rowVersion),
      'Changed',
    );
  },
};

const put: Command = {
  name: 'credential put',
  about: 'store new bytes by hand: they become the current version, the old one stays until it is revoked',
  arguments: [REFERENCE],
  options: [
    ...PART_OPTIONS,
    { flags: '--provider-key-id <id>', about: 'the provider’s id of the key' },
    BROUGHT_ISSUER,
    NO_RESOLVE,
  ],
  examples: [
    { line: 'claviger credential put billing', about: 'a key that was made in the provider’s console; asks for it' },
  ],
  async run(context, input) {
    const api = await context.api();
    const row = await api.credential(input.argument(0));
    const kind = await kindOf(context, row.provider, row.kind);
    const parts = await readParts(context, input, kind);
    const providerKeyId = input.text('providerKeyId');
    const issuer = await issuerNamed(api, input);
    const body = { parts, ...(providerKeyId === null ? {} : { providerKeyId }), ...issuer };
    const query: Record<string, string> = input.isOff('resolve') ? { resolve: 'false' } : {};
    const made = await api.post<BroughtDetail>(`/v1/credentials/${row.id}/versions`, body, query);
    for (const { id } of made.versions.filter((version) => version.state === 'previous')) {
      context.note(`When the old key is to go: claviger version retire ${id}`);
    }
    return broughtOutcome(made, `Stored new bytes of ${visible(credentialName(row))}; they are current now.`);
  },
};

const identify: Command = {
  name: 'credential identify',
  about: 'find the provider’s id of the current version, so that it can be revoked without a person',
  arguments: [REFERENCE],
  examples: [{ line: 'claviger credential identify billing', about: 'list, probe, list: the one entry that moved' }],
  async run(context, input) {
    const api = await context.api();
    const row = await api.credential(input.argument(0));
    const found = await api.post<{ providerKeyId: string | null; why: string }>(`/v1/credentials/${row.id}/identify`);
    const isFound = found.providerKeyId !== null;
    const text = isFound
      ? `It is key ${visible(found.providerKeyId ?? '')} at the provider.`
      : `Not identified: ${visible(found.why)}`;
    return { data: found, text, brief: found.providerKeyId ?? '', exit: isFound ? 0 : 1 };
  },
};

interface Inspected {
  readonly account: string | null;
  readonly providerKeyId: string | null;
  readonly scopes: readonly string[] | null;
  readonly why: string | null;
  readonly version: Version;
}

const inspect: Command = {
  name: 'credential inspect',
  about: 'ask the provider about the current key, and note it: whose it is, its id, what it may do, when it ends',
  more:
    'What the provider does not say stays as it was. `credential show` compares what the key may do with what its grants need; a key whose end is ' +
    'near is rotated before it.',
  arguments: [REFERENCE],
  examples: [{ line: 'claviger credential inspect billing', about: 'after its role at the provider was changed' }],
  async run(context, input) {
    const api = await context.api();
    const row = await api.credential(input.argument(0));
    const seen = await api.post<Inspected>(`/v1/credentials/${row.id}/inspect`);
    const { scopes, version } = seen;
    const text = context.view.fields([
      ['credential', credentialName(row)],
      ['version', String(version.number)],
      ['account', seen.account],
      ['provider key id', version.providerKeyId ?? 'unidentified'],
      ['may do', scopes === null ? `not known: ${seen.why ?? ''}` : scopes.join(' ') || 'nothing'],
      ['ends', context.view.when(version.expiresAt)],
    ]);
    return { data: seen, text, brief: scopes === null ? '' : scopes.join('\n') };
  },
};

function stateCommand(verb: 'suspend' | 'resume' | 'retire', about: string, example: string): Command {
  const needsReason = verb === 'suspend';
  return {
    name: `credential ${verb}`,
    about,
    arguments: [REFERENCE],
    options: needsReason
      ? [{ flags: '--reason <text>', about: 'why; kept in the ledger' }]
      : verb === 'retire'
        ? [{ flags: '--yes', about: 'do not ask' }]
        : [],
    examples: [{ line: example, about: 'holds from the next request on' }],
    async run(context, input) {
      const api = await context.api();
      const row = await api.credential(input.argument(0));
      const question = `No version of ${visible(credentialName(row))} will follow. Retire it?`;
      if (verb === 'retire' && !(await context.confirm(question, input.isOn('yes')))) {
        return { data: row, text: 'Nothing was done.', brief: '' };
      }
      const body = needsReason ? { reason: input.required('reason') } : {};
      const after = await api.post<Credential>(`/v1/credentials/${row.id}/${verb}`, body);
      const past = { suspend: 'Suspended', resume: 'Resumed', retire: 'Retired' }[verb];
      return credentialOutcome(after, past);
    },
  };
}

export const credentialCommands: readonly Command[] = [
  add,
  list,
  show,
  edit,
  put,
  identify,
  inspect,
  stateCommand(
    'suspend',
    'refuse every use of a credential; nothing is revoked, and `resume` undoes it',
    'claviger credential suspend billing --reason "seen in a public log"',
  ),
  stateCommand('resume', 'lend a suspended credential again', 'claviger credential resume billing'),
  stateCommand('retire', 'decommission a credential: no version will follow', 'claviger credential retire billing'),
];
