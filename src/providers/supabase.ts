// Supabase: secret keys of projects, minted, listed and deleted through its Management API with a personal access token, and probed at the
// project itself. A declaration, but for names (supabase.label.ts). Follows
// Supabase's OpenAPI document (Management API 1.0.0, read 2026-11-21); docs/providers/supabase.md says what was never seen live.
//
// A project has an origin of its own, https://⟨ref⟩.supabase.co, and the Management API another: a key is used and probed at the first,
// minted and deleted at the second.
import { declared } from './declared.ts';
import type { Kind, ListOutcome, Provider } from './provider.ts';
import { supabaseActions } from './supabase.actions.ts';
import { labelOfName, nameOfLabel } from './supabase.label.ts';

/** The Management API's own form of an error; a proxy's page is not its word. */
const ERROR = { json: { '/message': { is: 'string' } } } as const;
const KEYS = '/v1/projects/{ref}/api-keys';

const base = declared({
  name: 'supabase',
  title: 'Supabase',
  origin: 'https://api.supabase.com',
  console: 'https://supabase.com/dashboard/account/tokens',
  requestIds: ['sb-request-id', 'x-request-id', 'cf-ray'],
  actions: supabaseActions,
  kinds: [
    {
      name: 'secret-key',
      title: 'Secret key of a project',
      // Enough to tell a key from a masked one: the API answers with the first characters and dots where nothing is revealed.
      parts: { key: { format: '^sb_secret_[A-Za-z0-9_-]{20,200}$' } },
      places: [
        { in: 'header', name: 'apikey' },
        // Clients send it here as well; a secret key alone in Authorization is no JWT and is refused.
        { in: 'header', name: 'Authorization', scheme: 'Bearer' },
        { in: 'query', name: 'apikey' },
      ],
      rotation: 'overlap',
      settings: {
        ref: { about: 'Reference of the project: twenty small letters', format: '^[a-z]{20}$' },
        role: {
          about: 'Postgres role that the key takes; service_role passes every row level policy',
          format: '^[a-z_][a-z0-9_]{0,62}$',
        },
      },
      issuers: ['personal-token'],
      // No figure is published. Keys are known to gateways all over the world, so this is generous.
      propagationSeconds: 60,
      issue: {
        request: {
          method: 'POST',
          // Without `reveal` the key comes back masked, and nobody would ever have it.
          path: `${KEYS}?reveal=true`,
          json: { type: 'secret', name: '{label}', secret_jwt_template: { role: '{role}' } },
        },
        answers: [
          {
            status: 201,
            name: 'created',
            when: { json: { '/type': 'secret', '/api_key': { matches: '^sb_secret_[A-Za-z0-9_-]{20,200}$' } } },
            as: 'issued',
            parts: { key: '/api_key' },
            id: '/id',
            // A key of another role is not the key that was asked for.
            asAsked: { '/secret_jwt_template/role': '{role}' },
          },
          // The name is one that only we give: a key that carries it was made by a request whose answer was lost.
          { status: 409, name: 'name-taken', as: 'ambiguous' },
        ],
      },
      list: {
        // Never with `reveal=true`: that reads every secret of the project back.
        request: { method: 'GET', path: `${KEYS}?reveal=false` },
        answers: [
          {
            status: 200,
            name: 'listed',
            as: 'listed',
            keys: '',
            id: '/id',
            keyName: '/name',
            createdAt: { at: '/inserted_at', in: 'rfc3339' },
            scope: '/secret_jwt_template/role',
            // Publishable keys and the JWTs of before, which may have no id.
            skip: { json: { '/type': { noneOf: ['secret'] } } },
          },
        ],
      },
      revoke: {
        request: { method: 'DELETE', path: `${KEYS}/{providerKeyId}?reveal=false` },
        // What a key that is not there answers is documented nowhere: it stays ambiguous, and the probe decides.
        answers: [{ status: 200, name: 'deleted', when: { json: { '/name': { is: 'string' } } }, as: 'accepted' }],
      },
      // Public to whoever has any key of the project, and empty of data: the gateway checks the key, the service tells its sign-in methods.
      probe: {
        request: { method: 'GET', path: '/auth/v1/settings' },
        answers: [
          { status: 200, name: 'settings', when: { json: { '/external': { is: 'object' } } }, as: 'alive' },
          // The gateway's word for a well-formed key that the project does not have. "Invalid API key" is said of typing errors and of
          // other projects' keys, "Forbidden use of secret API key in browser" of live ones, and an empty 401 comes from behind the gateway.
          { status: 401, name: 'unregistered', when: { json: { '/message': 'Unregistered API key' } }, as: 'dead' },
        ],
      },
    },
    {
      name: 'personal-token',
      title: 'Personal access token',
      parts: { key: { format: '^sbp_[A-Za-z0-9]{40}$' } },
      places: [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }],
      rotation: 'assisted',
      // No figure is published.
      propagationSeconds: 60,
      byHand: {
        url: 'https://supabase.com/dashboard/account/tokens',
        issue: [
          'Generate a new token, as a member who may manage the API keys of the projects concerned.',
          'Where fine-grained permissions are offered: read-write on API keys of those projects, read on projects, and nothing more.',
          'Copy the token; it is shown once.',
        ],
        revoke: ['Delete the old token in the same list.'],
      },
      probe: {
        request: { method: 'GET', path: '/v1/projects' },
        answers: [
          { status: 200, name: 'projects', when: { json: { '': { is: 'array' } } }, as: 'alive' },
          { status: 403, name: 'forbidden', when: ERROR, as: 'alive' },
          { status: 401, name: 'unauthorized', when: { json: { '/message': 'Unauthorized' } }, as: 'dead' },
        ],
      },
    },
  ],
});

function withLabels(outcome: ListOutcome): ListOutcome {
  if (outcome.is !== 'listed') return outcome;
  return { ...outcome, keys: outcome.keys.map((key) => ({ ...key, name: labelOfName(key.name) })) };
}

function named(kind: Kind): Kind {
  const { issue, list } = kind;
  if (issue === null || list === null) return kind;
  return {
    ...kind,
    issue: {
      request: (input) => issue.request({ ...input, label: nameOfLabel(input.label) }),
      read: issue.read,
    },
    list: { request: list.request, read: (answer, input) => withLabels(list.read(answer, input)) },
  };
}

export const supabase: Provider = { ...base, kinds: base.kinds.map(named) };
