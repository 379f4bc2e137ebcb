// Taking over a key that stands in a .env file: store it, identify it at its provider, and, where wanted, issue the token that takes
// its place in the file. The file itself is only read.
import { Failure } from '../../model/failure.ts';
import { Secret } from '../../model/secret.ts';
import { brokerOrigin, clientSentence, providerAddress } from '../broker-address.ts';
import type { Command, Input } from '../command.ts';
import type { Context } from '../context.ts';
import { showOnce } from '../disclose.ts';
import { envNames, isPublic, PART_OPTIONS, type PartNames, readParts } from '../parts-input.ts';
import { type Credential, credentialName, type Principal, type Token } from '../rows.ts';
import { visible } from '../text.ts';
import type { BroughtDetail } from './credential.ts';
import { IDENTITY_OPTIONS, kindOf, newCredential, POLICY_OPTIONS } from './credential-input.ts';

/** `NEON_BASE_URL` for `NEON_API_KEY`: how SDKs call the address beside the key. */
export function baseUrlName(keyName: string): string {
  return `${keyName.replace(/_(?:API_)?(?:KEY|TOKEN|SECRET)$/i, '')}_BASE_URL`;
}

interface Replacement {
  readonly principal: Principal;
  readonly brokerUrl: string;
  /** Name in the file whose value the token takes: that of the first secret part. */
  readonly keyName: string;
  /** Names of further secret parts: their values go too, and no second token may come, since a request carries one. */
  readonly emptied: readonly string[];
  /** Names of public parts: they stay as they are. */
  readonly kept: readonly string[];
  readonly urlName: string;
  readonly actions: readonly string[];
  /** How the provider's own client is told of the address. */
  readonly sentence: string;
}

/** Everything that could be wrong with the replacement is found before the key is stored. */
async function planReplacement(context: Context, input: Input, kind: PartNames): Promise<Replacement | null> {
  const reference = input.text('replaceWithToken');
  if (reference === null) {
    if (input.list('action').length > 0) throw new Failure('invalid', '--action goes with --replace-with-token');
    return null;
  }
  if (input.text('purpose') === 'manage') {
    throw new Failure(
      'invalid',
      '--replace-with-token is for a credential that is lent, not for one that mints others',
    );
  }
  const api = await context.api();
  const brokerUrl = await brokerOrigin(context, input.text('brokerUrl'));
  if (brokerUrl === null) throw new Failure('invalid', '--broker-url says where applications reach the broker');
  const names = envNames(kind, input);
  const namesOf = (wanted: boolean) =>
    kind.parts.filter((part) => isPublic(kind, part) === wanted).flatMap((part) => names.get(part) ?? []);
  const [keyName = 'API_KEY', ...emptied] = namesOf(false);
  return {
    principal: await api.principal(reference),
    brokerUrl,
    keyName,
    emptied,
    kept: namesOf(true),
    urlName: input.text('baseUrlName') ?? baseUrlName(keyName),
    actions: input.list('action'),
    sentence: clientSentence(brokerUrl, await providerAddress(context, input.required('provider'))),
  };
}

const importCommand: Command = {
  name: 'credential import',
  about: 'take over a key from a .env file: store it, identify it, and give out a token in its place',
  more:
    'The file is read, never changed and never expanded, and not through a link. With --replace-with-token the two lines that take ' +
    'the key’s place are printed; the token is shown this once. Remove the key from the file and from its history afterwards: ' +
    '`claviger rotate` replaces it at the provider.',
  arguments: [{ name: '<name>', about: 'name of the credential' }],
  options: [
    ...PART_OPTIONS,
    ...IDENTITY_OPTIONS,
    ...POLICY_OPTIONS,
    { flags: '--replace-with-token <principal>', about: 'issue a token for this principal, bound to the credential' },
    {
      flags: '--action <action...>',
      about: 'with --replace-with-token: grant this action of the provider to the principal',
    },
    {
      flags: '--broker-url <url>',
      about: 'where applications reach the broker (CLAVIGER_BROKER; else of the configuration)',
    },
    {
      flags: '--base-url-name <name>',
      about: 'name of the variable for the broker’s address; made from --name otherwise',
    },
  ],
  examples: [
    {
      line: 'claviger credential import billing --from-env-file .env --name NEON_API_KEY --provider neon --kind organization-key --replace-with-token billing-service --action "*:read"',
      about: 'prints the two lines for the .env file',
    },
    {
      line: 'claviger credential import bank --from-env-file .env --name PLAID_SECRET --name clientId=PLAID_CLIENT_ID --provider plaid --kind client',
      about: 'a kind of two parts, by two names',
    },
  ],
  async run(context, input) {
    const api = await context.api();
    const kind = await kindOf(context, input.required('provider'), input.text('kind'));
    const body = await newCredential(context, input, input.argument(0), kind.name);
    const replacement = await planReplacement(context, input, kind);
    const parts = await readParts(context, input, kind);
    context.note('Storing the key, and asking the provider which one it is.');
    const made = await api.post<BroughtDetail>('/v1/credentials', { ...body, parts });
    const row = made.credential;
    const identified = made.identified ?? { providerKeyId: input.text('providerKeyId'), why: 'it was given' };
    const lines = [
      `Imported ${visible(credentialName(row))} (${row.id}).`,
      identified.providerKeyId === null
        ? `Not identified at the provider: ${visible(identified.why)}. Its revocation will need a person.`
        : `It is key ${visible(identified.providerKeyId)} at the provider.`,
    ];
    if (replacement === null) return { data: { credential: row, identified }, text: lines.join('\n'), brief: row.id };
    const { token, text } = await issue(context, row, replacement);
    const { kept, emptied } = replacement;
    const env = [
      `${replacement.urlName}=${replacement.brokerUrl}`,
      `${replacement.keyName}=${showOnce(text)}`,
      // Not nothing: a client may insist on a value, and the broker puts the real one in its place.
      ...emptied.map((name) => `${name}=held-by-claviger`),
    ];
    lines.push('', 'In the place of the key, in the .env file (the token is shown this once):', '', ...env, '');
    if (kept.length > 0) lines.push(`As they are, since they are no secrets: ${kept.map(visible).join(', ')}`, '');
    lines.push(replacement.sentence);
    context.note('The key was in a file: rotate it soon, so that what others may have copied is dead.');
    return { data: { credential: row, identified, token, env }, text: lines.join('\n'), brief: env.join('\n') };
  },
};

async function issue(context: Context, row: Credential, replacement: Replacement) {
  const api = await context.api();
  const { principal, actions } = replacement;
  if (actions.length > 0) {
    await api.post('/v1/grants', { principal: principal.id, credential: row.id, actions, note: 'made by import' });
  } else {
    context.note(
      `Nothing is granted yet: claviger grant add ${principal.name} ${credentialName(row)} --action <action>`,
    );
  }
  const answer = await api.post<{ token: Token; text: string | null }>(`/v1/principals/${principal.id}/tokens`, {
    credential: row.id,
    note: `in the place of ${credentialName(row)}`,
  });
  if (answer.text === null) throw new Failure('conflict', 'the token was issued before, and is not shown again');
  return { token: answer.token, text: new Secret(answer.text) };
}

export const importCommands: readonly Command[] = [importCommand];
