// What the commands that add or change a credential read from their options: what it is, its rotation policy, its kind.
import type { RotationSettings } from '../../credentials/credential.ts';
import { Failure } from '../../model/failure.ts';
import * as providers from '../../providers/index.ts';
import type { Api } from '../api.ts';
import type { Input, OptionSpec } from '../command.ts';
import type { Context } from '../context.ts';
import type { PartNames } from '../parts-input.ts';
import { visible } from '../text.ts';

export const SET_OPTION: OptionSpec = {
  flags: '--set <key=value...>',
  about: 'a setting of its kind: organisation, project, …',
};

export const IDENTITY_OPTIONS: readonly OptionSpec[] = [
  { flags: '--provider <name>', about: 'who issues the key: `claviger provider list`' },
  { flags: '--kind <kind>', about: 'kind of the key at its provider; the only one where there is only one' },
  { flags: '--environment <name>', about: 'prod, staging, …; `default` where it is left out' },
  { flags: '--purpose <purpose>', about: 'lend it, or mint and revoke others with it', choices: ['lend', 'manage'] },
  { flags: '--issuer <credential>', about: 'the credential with which this one is minted and revoked' },
  { flags: '--origin <url>', about: 'where its bytes may go; the provider’s own address where it is left out' },
  SET_OPTION,
  { flags: '--owner <text>', about: 'who answers for it' },
  { flags: '--note <text>', about: 'what it is for' },
  { flags: '--provider-key-id <id>', about: 'the provider’s id of the key, where you know it' },
];

/** For a key that another credential ends than the one that issues the next. */
export const BROUGHT_ISSUER: OptionSpec = {
  flags: '--issuer <credential>',
  about: 'with which credential this key is ended, where that is not the credential’s issuer: the app it was made for',
};

/** What `--set` and `--unset` say, as a request carries it: null takes a setting away. */
export function settingsChange(input: Input): Readonly<Record<string, string | null>> {
  const set = input.pairs('set');
  const unset = input.list('unset');
  const twice = unset.find((name) => Object.hasOwn(set, name));
  if (twice !== undefined) throw new Failure('invalid', `--set and --unset both name ${visible(twice)}`);
  return { ...Object.fromEntries(unset.map((name) => [name, null])), ...set };
}

/** The member of a request that `--issuer` names; none where it is left out. */
export async function issuerNamed(api: Api, input: Input): Promise<{ readonly issuer?: string }> {
  const named = input.text('issuer');
  return named === null ? {} : { issuer: (await api.credential(named)).id };
}

export const POLICY_OPTIONS: readonly OptionSpec[] = [
  { flags: '--every-days <days>', about: 'rotate when it is this old; `none`: only on request' },
  {
    flags: '--quiet-for <duration>',
    about: 'unused for this long before the old version is revoked; `none`: what is usual',
  },
  {
    flags: '--drain-max <duration>',
    about: 'say who still uses the old version after this time; `none`: what is usual',
  },
  {
    flags: '--on-compromise <order>',
    about: 'revoke first and stand still, or replace first',
    choices: ['revoke-first', 'replace-first'],
  },
  {
    flags: '--open-streams <what>',
    about: 'what is open when its key or its lending ends; a compromise cuts always',
    choices: ['cut', 'finish'],
  },
];

/** The policy that the options name; undefined where they name none. */
export function policyOf(input: Input): Partial<RotationSettings> | undefined {
  /** `none` puts the option back to its default, which is null; undefined where it was not given. */
  const orNone = <T>(key: string, read: () => T): T | null | undefined => {
    const text = input.text(key);
    return text === null ? undefined : text === 'none' ? null : read();
  };
  const everyDays = orNone('everyDays', () => input.count('everyDays', { min: 1, max: 3_650 }));
  const quietSeconds = orNone('quietFor', () => input.seconds('quietFor'));
  const drainMaxSeconds = orNone('drainMax', () => input.seconds('drainMax'));
  const onCompromise = input.text('onCompromise');
  const openStreams = input.text('openStreams');
  const policy = {
    ...(everyDays === undefined ? {} : { everyDays }),
    ...(quietSeconds === undefined ? {} : { quietSeconds }),
    ...(drainMaxSeconds === undefined ? {} : { drainMaxSeconds }),
    ...(onCompromise === null ? {} : { onCompromise: onCompromise as RotationSettings['onCompromise'] }),
    ...(openStreams === null ? {} : { openStreams: openStreams as RotationSettings['openStreams'] }),
  };
  return Object.keys(policy).length === 0 ? undefined : policy;
}

interface ListedKind {
  readonly name: string;
  readonly title?: string;
  readonly parts: readonly string[];
  readonly publicParts?: readonly string[];
}

/** Parts of a kind that are no secrets, as far as this program knows it; what it does not know is a secret. */
function knownPublicParts(provider: string, kind: string): readonly string[] {
  const known = Object.values(providers).find((one) => one.name === provider);
  return known?.kinds.find((one) => one.name === kind)?.publicParts ?? [];
}

/** The kind that is meant, with its parts: asked of the server, which knows what it can do. */
export async function kindOf(
  context: Context,
  provider: string,
  kind: string | null,
): Promise<{ readonly name: string } & PartNames> {
  const api = await context.api();
  const items = await api.whole<{ name: string; kinds: readonly ListedKind[] }>('/v1/providers');
  const kinds = items.find((one) => one.name === provider)?.kinds;
  if (kinds === undefined) {
    throw new Failure('invalid', `this server knows the providers ${items.map((one) => one.name).join(', ')}`, {
      errors: [{ pointer: '--provider', detail: 'no such provider' }],
    });
  }
  const found = kind === null ? (kinds.length === 1 ? kinds[0] : undefined) : kinds.find((one) => one.name === kind);
  if (found === undefined) {
    const names = kinds.map((one) => one.name).join(', ');
    throw new Failure('invalid', `the provider has the kinds ${names}`, {
      errors: [{ pointer: '--kind', detail: kind === null ? 'say which one' : 'no such kind' }],
    });
  }
  const { name, parts } = found;
  return { name, parts, publicParts: found.publicParts ?? knownPublicParts(provider, name) };
}

/** The body of a new credential without its bytes. */
export async function newCredential(
  context: Context,
  input: Input,
  name: string,
  kind: string,
): Promise<Record<string, unknown>> {
  const api = await context.api();
  const body: Record<string, unknown> = { provider: input.required('provider'), name, kind };
  for (const key of ['environment', 'purpose', 'origin', 'owner', 'note', 'providerKeyId']) {
    const value = input.text(key);
    if (value !== null) body[key] = value;
  }
  const issuer = input.text('issuer');
  if (issuer !== null) body['issuer'] = (await api.credential(issuer)).id;
  const settings = input.pairs('set');
  if (Object.keys(settings).length > 0) body['settings'] = settings;
  const policy = policyOf(input);
  if (policy !== undefined) body['policy'] = policy;
  return body;
}
