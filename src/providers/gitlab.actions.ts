// GitLab's operations as actions: all that manage access tokens, those that mint or reveal something, and what applications use most of
// projects and groups. Access tokens and CI/CD variables follow GitLab's API pages (read 2026-11-21), the others its REST API reference.
//
// Who maintains a project reads the registration token of its runners in the project itself, so `project.get` reveals, and no action that takes
// a rest leads below a project or a group: what is not named here is refused there. Elsewhere it is `api.*`. GraphQL has no name.
import type { Action } from './provider.ts';

type Method = Action['method'];
type More = Pick<Action, 'query'>;

const ENCODED = ['project_id', 'group_id', 'file_path', 'branch', 'tag_name', 'ref'];

/** Ids of projects and groups may be their paths, and branches, tags and files have slashes: `group%2Fproject`. */
function action(effect: Action['effect'], name: string, method: Method, path: string, more: More): Action {
  const slashes = ENCODED.filter((parameter) => path.includes(`{${parameter}}`));
  return { name, method, path: `/api/v4${path}`, effect, ...more, ...(slashes.length === 0 ? {} : { slashes }) };
}

function read(name: string, path: string, more: More = {}): Action {
  return action('read', name, 'GET', path, more);
}

function write(name: string, method: Method, path: string): Action {
  return action('write', name, method, path, {});
}

function remove(name: string, path: string): Action {
  return action('delete', name, 'DELETE', path, {});
}

/** Mints or reveals a credential: no wildcard matches it. */
function reveals(marked: Action): Action {
  return { ...marked, mints: true };
}

/** list, get, create, update and delete, as most things have them. */
function five(name: string, path: string, id: string, more: More = {}): Action[] {
  return [
    read(`${name}.list`, path, more),
    write(`${name}.create`, 'POST', path),
    read(`${name}.get`, `${path}/{${id}}`),
    write(`${name}.update`, 'PUT', `${path}/{${id}}`),
    remove(`${name}.delete`, `${path}/{${id}}`),
  ];
}

const PERSONAL = '/personal_access_tokens';
const PROJECT = '/projects/{project_id}';
const GROUP = '/groups/{group_id}';

function resourceTokens(name: string, path: string): Action[] {
  return [
    read(`${name}.list`, path, { query: ['state'] }),
    reveals(write(`${name}.create`, 'POST', path)),
    read(`${name}.get`, `${path}/{token_id}`),
    remove(`${name}.delete`, `${path}/{token_id}`),
    // Ends the token in the same moment, and a whole family where it had ended before.
    reveals(write(`${name}.rotate`, 'POST', `${path}/{token_id}/rotate`)),
    reveals(write(`${name}.rotate-self`, 'POST', `${path}/self/rotate`)),
  ];
}

const TOKENS: readonly Action[] = [
  read('personal-access-token.list', PERSONAL, { query: ['user_id', 'state'] }),
  read('personal-access-token.get-self', `${PERSONAL}/self`),
  read('personal-access-token.list-associations', `${PERSONAL}/self/associations`),
  remove('personal-access-token.delete-self', `${PERSONAL}/self`),
  reveals(write('personal-access-token.rotate-self', 'POST', `${PERSONAL}/self/rotate`)),
  read('personal-access-token.get', `${PERSONAL}/{token_id}`),
  remove('personal-access-token.delete', `${PERSONAL}/{token_id}`),
  reveals(write('personal-access-token.rotate', 'POST', `${PERSONAL}/{token_id}/rotate`)),
  reveals(write('personal-access-token.create', 'POST', '/user/personal_access_tokens')),
  reveals(write('personal-access-token.create-for-user', 'POST', '/users/{user_id}/personal_access_tokens')),
  reveals(write('impersonation-token.create', 'POST', '/users/{user_id}/impersonation_tokens')),
  ...resourceTokens('project-access-token', `${PROJECT}/access_tokens`),
  ...resourceTokens('group-access-token', `${GROUP}/access_tokens`),
];

/** CI/CD variables are shown with their values. */
function variables(name: string, path: string): Action[] {
  const [list, create, get, update, del] = five(name, path, 'key');
  return [reveals(list!), reveals(create!), reveals(get!), reveals(update!), del!];
}

const SECRETS: readonly Action[] = [
  ...variables('project-variable', `${PROJECT}/variables`),
  ...variables('group-variable', `${GROUP}/variables`),
  ...variables('instance-variable', '/admin/ci/variables'),
  reveals(read('pipeline.list-variables', `${PROJECT}/pipelines/{pipeline_id}/variables`)),
  reveals(write('project-deploy-token.create', 'POST', `${PROJECT}/deploy_tokens`)),
  reveals(write('group-deploy-token.create', 'POST', `${GROUP}/deploy_tokens`)),
  reveals(read('trigger.list', `${PROJECT}/triggers`)),
  reveals(write('trigger.create', 'POST', `${PROJECT}/triggers`)),
  reveals(read('trigger.get', `${PROJECT}/triggers/{trigger_id}`)),
  reveals(read('secure-file.download', `${PROJECT}/secure_files/{secure_file_id}/download`)),
  reveals(write('cluster-agent-token.create', 'POST', `${PROJECT}/cluster_agents/{agent_id}/tokens`)),
  reveals(write('runner.create', 'POST', '/user/runners')),
  reveals(write('runner.register', 'POST', '/runners')),
  reveals(write('runner.reset-token', 'POST', '/runners/{runner_id}/reset_authentication_token')),
  reveals(write('project-runner.reset-token', 'POST', `${PROJECT}/runners/reset_registration_token`)),
  reveals(write('group-runner.reset-token', 'POST', `${GROUP}/runners/reset_registration_token`)),
  reveals(write('application.create', 'POST', '/applications')),
  reveals(write('application.renew-secret', 'POST', '/applications/{application_id}/renew-secret')),
];

const REPOSITORY = `${PROJECT}/repository`;
const FILE = `${REPOSITORY}/files/{file_path}`;
const MERGE_REQUEST = `${PROJECT}/merge_requests/{merge_request_iid}`;
const ISSUE = `${PROJECT}/issues/{issue_iid}`;
const PIPELINE = `${PROJECT}/pipelines/{pipeline_id}`;
const JOB = `${PROJECT}/jobs/{job_id}`;

const PROJECTS: readonly Action[] = [
  read('project.list', '/projects', { query: ['search', 'membership'] }),
  reveals(write('project.create', 'POST', '/projects')),
  reveals(read('project.get', PROJECT)),
  reveals(write('project.update', 'PUT', PROJECT)),
  remove('project.delete', PROJECT),
  read('project-member.list', `${PROJECT}/members/all`),
  read('project-hook.list', `${PROJECT}/hooks`),
  read('label.list', `${PROJECT}/labels`),
  ...five('milestone', `${PROJECT}/milestones`, 'milestone_id'),
  ...five('environment', `${PROJECT}/environments`, 'environment_id'),

  read('tree.list', `${REPOSITORY}/tree`, { query: ['path', 'ref'] }),
  read('file.get', FILE, { query: ['ref'] }),
  read('file.get-raw', `${FILE}/raw`, { query: ['ref'] }),
  write('file.create', 'POST', FILE),
  write('file.update', 'PUT', FILE),
  remove('file.delete', FILE),
  read('archive.get', `${REPOSITORY}/archive`, { query: ['sha'] }),
  read('branch.list', `${REPOSITORY}/branches`),
  write('branch.create', 'POST', `${REPOSITORY}/branches`),
  read('branch.get', `${REPOSITORY}/branches/{branch}`),
  remove('branch.delete', `${REPOSITORY}/branches/{branch}`),
  read('tag.list', `${REPOSITORY}/tags`),
  write('tag.create', 'POST', `${REPOSITORY}/tags`),
  read('tag.get', `${REPOSITORY}/tags/{tag_name}`),
  remove('tag.delete', `${REPOSITORY}/tags/{tag_name}`),
  read('commit.list', `${REPOSITORY}/commits`, { query: ['ref_name', 'path'] }),
  write('commit.create', 'POST', `${REPOSITORY}/commits`),
  read('commit.get', `${REPOSITORY}/commits/{sha}`),
  read('commit.compare', `${REPOSITORY}/compare`, { query: ['from', 'to'] }),
  write('commit-status.set', 'POST', `${PROJECT}/statuses/{sha}`),
  ...five('release', `${PROJECT}/releases`, 'tag_name'),

  ...five('merge-request', `${PROJECT}/merge_requests`, 'merge_request_iid', { query: ['state'] }),
  read('merge-request.list-changes', `${MERGE_REQUEST}/diffs`),
  write('merge-request.approve', 'POST', `${MERGE_REQUEST}/approve`),
  write('merge-request.merge', 'PUT', `${MERGE_REQUEST}/merge`),
  read('merge-request-note.list', `${MERGE_REQUEST}/notes`),
  write('merge-request-note.create', 'POST', `${MERGE_REQUEST}/notes`),
  ...five('issue', `${PROJECT}/issues`, 'issue_iid', { query: ['state'] }),
  read('issue-note.list', `${ISSUE}/notes`),
  write('issue-note.create', 'POST', `${ISSUE}/notes`),

  read('pipeline.list', `${PROJECT}/pipelines`, { query: ['ref', 'status'] }),
  write('pipeline.create', 'POST', `${PROJECT}/pipeline`),
  read('pipeline.get', PIPELINE),
  remove('pipeline.delete', PIPELINE),
  write('pipeline.retry', 'POST', `${PIPELINE}/retry`),
  write('pipeline.cancel', 'POST', `${PIPELINE}/cancel`),
  write('pipeline.trigger', 'POST', `${PROJECT}/trigger/pipeline`),
  read('job.list', `${PIPELINE}/jobs`),
  read('job.get', JOB),
  read('job.get-log', `${JOB}/trace`),
  // Sent on to where artifacts are kept.
  { ...read('job.get-artifacts', `${JOB}/artifacts`), foreignRedirect: 'pass' },
  write('job.play', 'POST', `${JOB}/play`),
  write('job.retry', 'POST', `${JOB}/retry`),
  write('job.cancel', 'POST', `${JOB}/cancel`),
  read('package.list', `${PROJECT}/packages`),
  read('package.get', `${PROJECT}/packages/{package_id}`),
  remove('package.delete', `${PROJECT}/packages/{package_id}`),
  read('registry-repository.list', `${PROJECT}/registry/repositories`),
];

const GROUPS: readonly Action[] = [
  read('group.list', '/groups'),
  reveals(write('group.create', 'POST', '/groups')),
  reveals(read('group.get', GROUP)),
  reveals(write('group.update', 'PUT', GROUP)),
  remove('group.delete', GROUP),
  read('group.list-projects', `${GROUP}/projects`),
  read('group.list-subgroups', `${GROUP}/subgroups`),
  read('group.list-issues', `${GROUP}/issues`, { query: ['state'] }),
  read('group.list-merge-requests', `${GROUP}/merge_requests`, { query: ['state'] }),
  read('group-member.list', `${GROUP}/members/all`),
];

export const gitlabActions: readonly Action[] = [
  ...TOKENS,
  ...SECRETS,
  ...PROJECTS,
  ...GROUPS,
  read('version.get', '/version'),
  read('user.get-self', '/user'),
  { name: 'api.read', method: 'GET', path: '/api/v4/{rest*}', effect: 'read' },
  { name: 'api.create', method: 'POST', path: '/api/v4/{rest*}', effect: 'write' },
  { name: 'api.replace', method: 'PUT', path: '/api/v4/{rest*}', effect: 'write' },
  { name: 'api.change', method: 'PATCH', path: '/api/v4/{rest*}', effect: 'write' },
  { name: 'api.delete', method: 'DELETE', path: '/api/v4/{rest*}', effect: 'delete' },
];

/** Scopes of project and group tokens; the first is the least that asks the API anything. */
export const gitlabScopes = [
  'read_api',
  'api',
  'read_repository',
  'write_repository',
  'read_registry',
  'write_registry',
  'read_virtual_registry',
  'write_virtual_registry',
  'create_runner',
  'manage_runner',
  'ai_features',
  'k8s_proxy',
  'self_rotate',
] as const;
