// GitLab, by declaration: access tokens of projects and groups, minted, listed, revoked and probed through the REST API (v4) of any instance, with
// a personal access token as their issuer. Follows GitLab's pages on personal and project access tokens and the
// types of its own Go client (v1.46.0, read 2026-11-21); docs/providers/gitlab.md says what was never seen live.
//
// Never by rotate: it ends the old token in the same moment, and asked once more with the old token (as after a lost answer) it takes the
// whole family for stolen and ends the new one too (GitLab's page on personal access tokens, "Automatic reuse detection").
import { declared } from './declared.ts';
import { gitlabActions, gitlabScopes } from './gitlab.actions.ts';

/** `glpat-` and 20 characters, or the routable form; an instance may have another prefix, of at most 20 characters, or none. */
const KEY = { format: '^(?:[A-Za-z0-9_-]{20,40}|[A-Za-z0-9_-]{27,320}\\.[0-9a-z]{2}\\.[0-9a-z]{9})$' };
const PLACES = [
  { in: 'header', name: 'PRIVATE-TOKEN' },
  { in: 'header', name: 'Authorization', scheme: 'Bearer' },
] as const;
const SCOPES = {
  of: 'key',
  all: gitlabScopes,
  includes: {
    api: ['read_api', 'read_registry', 'write_registry'],
    write_registry: ['read_registry'],
    write_repository: ['read_repository'],
  },
} as const;

/** `self` works for tokens of all kinds and needs no scope of its own; asked by id, 401 would also mean "not yours". */
const PROBE = {
  request: { method: 'GET', path: '/api/v4/personal_access_tokens/self' },
  answers: [
    // Whatever the record says of itself: who is shown it was let in.
    {
      status: 200,
      name: 'self',
      when: { json: { '/user_id': { exists: true }, '/scopes': { is: 'array' } } },
      as: 'alive',
    },
    { status: 403, name: 'insufficient-scope', when: { json: { '/error': 'insufficient_scope' } }, as: 'alive' },
    // GitLab's word for a token that it never had, or has forgotten.
    { status: 401, name: 'unauthorized', when: { json: { '/message': '401 Unauthorized' } }, as: 'dead' },
    {
      status: 401,
      name: 'invalid-token',
      when: {
        json: {
          '/error': 'invalid_token',
          '/error_description': { matches: '^Token (?:was revoked|is expired)\\b.*$' },
        },
      },
      as: 'dead',
    },
  ],
} as const;

/** What `self` says of a token of any kind. Whose it is, it says of a user's own alone: each token of a project or a group has a bot of its own. */
const SELF = {
  status: 200,
  name: 'self',
  as: 'known',
  id: '/id',
  scopes: '/scopes',
  expiresAt: { at: '/expires_at', in: 'rfc3339' },
} as const;

const SHARED = {
  parts: { key: KEY },
  places: PLACES,
  scopes: SCOPES,
  // "This immediately revokes the previous token"; read replicas may lag behind, by how much no page says.
  propagationSeconds: 15,
  probe: PROBE,
} as const;

/** Path segments begin with a letter, a digit or `_`, so that none can be `.` or `..`; the slashes between them are sent as %2F. */
const NAMESPACED = '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}(?:/[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}){0,20}$';
const ROLES = '10 guest, 15 planner, 20 reporter, 30 developer, 40 maintainer, 50 owner';

/** Tokens of projects and of groups differ in their paths alone. */
function resourceToken(resource: 'project' | 'group') {
  const tokens = `/api/v4/${resource}s/{${resource}}/access_tokens`;
  return {
    ...SHARED,
    name: `${resource}-token`,
    title: `${resource === 'project' ? 'Project' : 'Group'} access token`,
    rotation: 'overlap',
    settings: {
      [resource]: { about: `Number or full path of the ${resource}: 42, or a/b/c`, format: NAMESPACED },
      accessLevel: { about: `Role of the token: ${ROLES}`, format: '^(?:10|15|20|30|40|50)$', number: true },
    },
    issuers: ['personal-token'],
    identity: { request: PROBE.request, answers: [SELF] },
    issue: {
      request: {
        method: 'POST',
        path: tokens,
        // Left out, `access_level` would be 40, a maintainer.
        json: {
          name: '{label}',
          scopes: '{scopes}',
          access_level: '{accessLevel}',
          expires_at: '{expiresDate}',
        },
      },
      answers: [
        {
          status: 201,
          name: 'created',
          as: 'issued',
          parts: { key: '/token' },
          id: '/id',
          scopes: { at: '/scopes', must: 'no-wider' },
          expiresAt: { at: '/expires_at', in: 'rfc3339' },
          asAsked: { '/access_level': '{accessLevel}' },
        },
      ],
    },
    list: {
      request: { method: 'GET', path: `${tokens}?per_page=100`, page: 'page={cursor}' },
      answers: [
        {
          status: 200,
          name: 'listed',
          as: 'listed',
          keys: '',
          id: '/id',
          keyName: '/name',
          createdAt: { at: '/created_at', in: 'rfc3339' },
          lastUsedAt: { at: '/last_used_at', in: 'rfc3339' },
          scope: '/scopes',
          expiresAt: { at: '/expires_at', in: 'rfc3339' },
          // Revoked and expired tokens stay in the list for weeks.
          skip: { json: { '/active': false } },
          next: { size: 100 },
        },
      ],
    },
    revoke: {
      request: { method: 'DELETE', path: `${tokens}/{providerKeyId}` },
      answers: [
        { status: 204, name: 'revoked', as: 'accepted' },
        // Only this: the same status is said of a project that the issuer does not see.
        {
          status: 404,
          name: 'absent',
          when: { json: { '/message': { matches: '^404 Could not find (?:project|group) access token\\b.*$' } } },
          as: 'absent',
        },
      ],
    },
  } as const;
}

export const gitlab = declared({
  name: 'gitlab',
  title: 'GitLab',
  origin: 'https://gitlab.com',
  console: 'https://gitlab.com/-/user_settings/personal_access_tokens',
  actions: gitlabActions,
  kinds: [
    resourceToken('project'),
    resourceToken('group'),
    {
      ...SHARED,
      name: 'personal-token',
      title: 'Personal access token',
      rotation: 'assisted',
      identity: { request: PROBE.request, answers: [{ ...SELF, account: '/user_id' }] },
      byHand: {
        url: 'https://gitlab.com/-/user_settings/personal_access_tokens',
        issue: [
          'Sign in as a user with the role Maintainer in each project, or Owner in each group, whose tokens are to be managed.',
          'Add a new token with the scope api and the latest expiration date that is allowed.',
          'Copy the token; it is shown once.',
        ],
        revoke: ['Revoke the old token in the list of active tokens. Do not press Rotate: it ends the token at once.'],
      },
    },
  ],
});
