// The Neon twin's routes around people and keys: authentication, users, organizations and the three kinds of API key. State is kept in
// neon.world.ts and neon.keys.ts; projects and what is in them are neon.routes.project.ts.
import type { Json } from '../src/model/json.ts';
import { invalid, isRefusal, notFound, type Refusal, reachOrganization } from './neon.access.ts';
import { createdJson, endKey, isListedAt, type KeyKind, listedJson, revokedJson, type TwinKey } from './neon.keys.ts';
import { type Answer, type Context, type Route, route } from './neon.router.ts';
import { type Body, instant, type Organization, type User } from './neon.world.ts';

const NAME_MAX = 64;

export function ok(body: Json): Answer {
  return { status: 200, body };
}

/** A member of a JSON body; undefined where the body is no object or lacks it. */
export function field(body: Json | undefined, name: string): Json | undefined {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  return isObject ? (body as Readonly<Record<string, Json>>)[name] : undefined;
}

export function text(body: Json | undefined, name: string): string | null {
  const value = field(body, name);
  return typeof value === 'string' ? value : null;
}

function userOf(context: Context): User {
  return context.maker.world.users.get(context.key.userId)!;
}

function organizationOf(context: Context): Organization {
  return context.maker.world.organizations.get(context.params['org_id'] ?? '')!;
}

interface Owner {
  readonly kind: KeyKind;
  readonly orgId: string | null;
  readonly projectId: string | null;
}

function makeKey(context: Context, owner: Owner): Answer | Refusal {
  const name = text(context.body, 'key_name');
  if (name === null || name === '') return invalid('key_name is required');
  if (name.length > NAME_MAX) return invalid(`key_name must not be longer than ${NAME_MAX} characters`);
  const { faults, keys, now } = context;
  // Neon documents no limit for keys; the code is made after the one that it answers for branches.
  if (faults.strike('quota-full', 'create-key') !== null) {
    return { status: 422, code: 'API_KEYS_LIMIT_EXCEEDED', message: 'API keys limit exceeded' };
  }
  const isDeadOnArrival = faults.strike('dead-on-arrival', 'create-key') !== null;
  const spreadMs = faults.strike('create-propagates-late', 'create-key')?.ms ?? 0;
  const make = (at: number) => keys.make({ ...owner, name, userId: context.key.userId, isDeadOnArrival, spreadMs }, at);

  const later = faults.strike('create-arrives-later', 'create-key');
  if (later !== null) {
    context.later(now + later.ms, make);
    return { status: 200, body: null, isCut: true };
  }
  const answer = ok(createdJson(make(now)));
  const lost = faults.strike('create-lost', 'create-key');
  if (lost !== null) return { ...answer, delayMs: lost.ms, isCut: true };
  const slow = faults.strike('create-slow', 'create-key');
  return slow === null ? answer : { ...answer, delayMs: slow.ms };
}

function listKeys(context: Context, isShown: (key: TwinKey) => boolean): Answer {
  const lag = context.faults.strike('list-lags', 'list-keys');
  const at = context.now - (lag?.ms ?? 0);
  const shown: Json[] = [];
  for (const key of context.keys.all()) {
    if (!isShown(key) || !isListedAt(key, at)) continue;
    shown.push(listedJson(key, context.maker.world.users.get(key.userId)?.name ?? ''));
  }
  return ok(shown);
}

function revokeKey(context: Context, isOwn: (key: TwinKey) => boolean): Answer | Refusal {
  const key = context.keys.byId(Number(context.params['key_id']));
  if (key === null || !isOwn(key) || key.revokedAt !== null) return notFound('api key');
  if (context.faults.strike('revoke-ignored', 'revoke-key') === null) {
    const late = context.faults.strike('revoke-late', 'revoke-key');
    endKey(key, context.now, context.now + (late?.ms ?? 0));
  }
  return ok(revokedJson(key));
}

function createOrganizationKey(context: Context): Answer | Refusal {
  const orgId = context.params['org_id'] ?? '';
  const projectId = text(context.body, 'project_id');
  if (projectId === null) return makeKey(context, { kind: 'organization', orgId, projectId: null });
  if (context.maker.world.projects.get(projectId)?.orgId !== orgId) return notFound('project');
  return makeKey(context, { kind: 'project', orgId, projectId });
}

function isPersonalOf(context: Context): (key: TwinKey) => boolean {
  return (key) => key.kind === 'personal' && key.userId === context.key.userId;
}

function isOfOrganization(context: Context): (key: TwinKey) => boolean {
  return (key) => key.kind !== 'personal' && key.orgId === context.params['org_id'];
}

function authentication({ key }: Context): Answer {
  const isPersonal = key.kind === 'personal';
  return ok({
    account_id: isPersonal ? key.userId : (key.orgId ?? ''),
    auth_method: isPersonal ? 'api_key_user' : 'api_key_org',
    auth_data: String(key.id),
  });
}

function user(context: Context): Answer {
  const { id, name, email } = userOf(context);
  const login = name.toLowerCase();
  const account = { email, image: 'https://example.com/face.png', login, name };
  return ok({
    ...account,
    id,
    last_name: 'Example',
    active_seconds_limit: 0,
    auth_accounts: [{ ...account, provider: 'github' }],
    projects_limit: 100,
    branches_limit: 500,
    max_autoscaling_limit: 8,
    plan: 'scale',
  });
}

function organizations({ key, maker }: Context): Answer {
  const mine = [...maker.world.organizations.values()].filter((one) =>
    key.kind === 'personal' ? one.members.has(key.userId) : one.json['id'] === key.orgId,
  );
  return ok({ organizations: mine.map((one) => one.json) });
}

function member(organization: Organization, userId: string): Body {
  const { memberId, role, joinedAt } = organization.members.get(userId)!;
  return { id: memberId, user_id: userId, org_id: organization.json['id'] ?? '', role, joined_at: joinedAt };
}

function findMember(context: Context): string | null {
  for (const [userId, { memberId }] of organizationOf(context).members) {
    if (memberId === context.params['member_id']) return userId;
  }
  return null;
}

function members(context: Context): Answer {
  const organization = organizationOf(context);
  const listed = [...organization.members.keys()].map((userId) => ({
    member: member(organization, userId),
    user: { email: context.maker.world.users.get(userId)?.email ?? 'gone@example.com' },
  }));
  return ok({ members: listed });
}

function getMember(context: Context): Answer | Refusal {
  const userId = findMember(context);
  return userId === null ? notFound('member') : ok(member(organizationOf(context), userId));
}

function updateMember(context: Context): Answer | Refusal {
  const userId = findMember(context);
  const role = text(context.body, 'role');
  if (userId === null) return notFound('member');
  if (role === null) return invalid('role is required');
  const organization = organizationOf(context);
  organization.members.get(userId)!.role = role;
  return ok(member(organization, userId));
}

function removeMember(context: Context): Answer | Refusal {
  const userId = findMember(context);
  if (userId === null) return notFound('member');
  organizationOf(context).members.delete(userId);
  return ok({});
}

function invite(context: Context): Answer | Refusal {
  const asked = field(context.body, 'invitations');
  if (!Array.isArray(asked)) return invalid('invitations is required');
  const made = asked.map((one: Json) => ({
    id: context.maker.uuid(),
    email: text(one, 'email') ?? 'nobody@example.com',
    org_id: context.params['org_id'] ?? '',
    invited_by: context.key.userId,
    invited_at: instant(context.now),
    role: text(one, 'role') ?? 'member',
  }));
  organizationOf(context).invitations.push(...made);
  return ok({ invitations: made });
}

/** Moves projects to another organization; the project keys of the one they leave stop working. */
function transfer(context: Context): Answer | Refusal {
  const asked = field(context.body, 'project_ids');
  const target = text(context.body, 'destination_org_id') ?? '';
  if (!Array.isArray(asked)) return invalid('project_ids is required');
  const organization = reachOrganization(context.maker.world, context.key, target);
  if (isRefusal(organization)) return organization;
  for (const id of asked) {
    const project = context.maker.world.projects.get(String(id));
    if (project === undefined || project.orgId !== context.params['source_org_id']) return notFound('project');
    if (project.orgId === target) continue;
    project.orgId = target;
    project.json['org_id'] = target;
    for (const key of context.keys.all()) if (key.projectId === id) endKey(key, context.now, context.now);
  }
  return ok({});
}

const REGIONS = {
  regions: [{ region_id: 'aws-us-east-2', name: 'Ohio', default: true, geo_lat: '39.96', geo_long: '-83' }],
};

export const accountRoutes: readonly Route[] = [
  route('GET /auth', 'anyone', authentication),
  route('GET /users/me', 'person', user),
  route('GET /users/me/organizations', 'anyone', organizations),
  route('GET /regions', 'person', () => ok(REGIONS)),

  route('GET /api_keys', 'person', (context) => listKeys(context, isPersonalOf(context))),
  route('POST /api_keys', 'person', (context) => makeKey(context, { kind: 'personal', orgId: null, projectId: null })),
  route('DELETE /api_keys/{key_id}', 'person', (context) => revokeKey(context, isPersonalOf(context))),

  route('GET /organizations/{org_id}/api_keys', 'admin', (context) => listKeys(context, isOfOrganization(context))),
  route('POST /organizations/{org_id}/api_keys', 'admin-person', createOrganizationKey),
  route('DELETE /organizations/{org_id}/api_keys/{key_id}', 'admin', (context) =>
    revokeKey(context, isOfOrganization(context)),
  ),

  route('GET /organizations/{org_id}', 'organization', (context) => ok(organizationOf(context).json)),
  route('GET /organizations/{org_id}/members', 'organization', members),
  route('GET /organizations/{org_id}/members/{member_id}', 'organization', getMember),
  route('PATCH /organizations/{org_id}/members/{member_id}', 'admin', updateMember),
  route('DELETE /organizations/{org_id}/members/{member_id}', 'admin-person', removeMember),
  route('GET /organizations/{org_id}/invitations', 'organization', (context) =>
    ok({ invitations: organizationOf(context).invitations }),
  ),
  route('POST /organizations/{org_id}/invitations', 'admin-person', invite),
  route('POST /organizations/{source_org_id}/projects/transfer', 'admin', transfer),
];
