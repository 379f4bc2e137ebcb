// GitLab at the family's conformance suite, checked against the types of GitLab's own Go client, and what is particular to it: paths as ids, ends
// that are dates, roles, the trap of rotating, and which 401 and which 404 say what.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { type ProviderTwin, providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { type Observation, observedTwin } from '../../test/support/observed-twin.ts';
import type { Exchange } from '../../test/support/openapi.ts';
import { answer } from '../../test/support/provider-answer.ts';
import { gitlabTwin, newGitlabToken } from '../../twins/gitlab.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { prng } from '../../twins/prng.ts';
import { compileCatalogue, matchAction } from '../access/action.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { gitlab } from './gitlab.ts';

const random = prng(7);
const DAY_MS = 86_400_000;
const PROJECT = { project: 'group/twin', accessLevel: '30' };
const GROUP = { group: '7', accessLevel: '20' };

function freshKey(name: string, user = 1) {
  const parts = { key: newGitlabToken(random) };
  return { kind: 'personal-token', name, account: 'person', scopes: ['api'], parts, more: { user } };
}

// GitLab publishes no OpenAPI document of these: its Go client has their types.

const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');
const CLIENT = 'specs/more/gitlab';

interface Member {
  readonly type: string;
  readonly isOptional: boolean;
}

/** The members of a struct by their names in JSON, those of the structs that it embeds included. */
function structOf(source: string, name: string): Map<string, Member> {
  const body = new RegExp(`\\b${name} struct \\{([^}]*)\\}`).exec(source)?.[1];
  assert(body !== undefined, `${name} is not in the client`);
  const members = new Map<string, Member>();
  for (const line of body.split('\n')) {
    const embedded = /^\s*(\w+)\s*$/.exec(line)?.[1];
    if (embedded !== undefined) for (const [key, value] of structOf(source, embedded)) members.set(key, value);
    const field = /^\s*\w+\s+(\S+)\s+`.*json:"(\w+)(,omitempty)?"`/.exec(line);
    if (field !== null)
      members.set(field[2]!, { type: field[1]!.replace('*', ''), isOptional: field[3] !== undefined });
  }
  assert(members.size > 0, `${name} has no members`);
  return members;
}

const FORMS: Readonly<Record<string, (value: Json) => boolean>> = {
  int64: Number.isSafeInteger,
  AccessLevelValue: Number.isSafeInteger,
  string: (value) => typeof value === 'string',
  bool: (value) => typeof value === 'boolean',
  '[]string': (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
  'time.Time': (value) => value === null || (typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)),
  ISOTime: (value) => value === null || (typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value)),
};

function against(members: Map<string, Member>, json: Json | undefined, at: string): string[] {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return [`${at} is no object`];
  const problems: string[] = [];
  for (const [name, value] of Object.entries(json)) {
    const known = members.get(name);
    if (known === undefined) problems.push(`${at}/${name} is not in the client`);
    else if (FORMS[known.type]?.(value) !== true) problems.push(`${at}/${name} is no ${known.type}`);
  }
  for (const [name, { isOptional }] of members)
    if (!isOptional && !Object.hasOwn(json, name)) problems.push(`${at}/${name} is missing`);
  return problems;
}

function checkByClient(): Observation['check'] {
  const files = ['personal', 'project', 'group'].map((one) => path.join(shared, CLIENT, `${one}_access_tokens.go`));
  if (!files.every((file) => existsSync(file))) return null;
  const source = files.map((file) => readFileSync(file, 'utf8')).join('\n');
  const token = structOf(source, 'resourceAccessToken');
  const self = structOf(source, 'PersonalAccessToken');
  const lists = new Set([...source.matchAll(/url:"(\w+),omitempty"/g)].map((match) => match[1]!)).add('page');
  return ({ method, path: target, requestBody, status, responseBody }: Exchange) => {
    const url = new URL(target, 'http://document');
    const at = `${method} ${url.pathname} ${status}`;
    if (status >= 500 || status === 429) return [];
    const known = new Set(['page', 'per_page', ...lists]);
    const queries = [...url.searchParams.keys()]
      .filter((name) => !known.has(name))
      .map((name) => `${at}: query ${name}`);
    if (status >= 400) {
      const { message, error } = (responseBody ?? {}) as Readonly<Record<string, Json>>;
      return typeof message === 'string' || typeof error === 'string' ? [] : [`${at} has no message`];
    }
    if (url.pathname === '/api/v4/personal_access_tokens/self') return against(self, responseBody, at);
    const resource = /^\/api\/v4\/(project|group)s\/[^/]+\/access_tokens(?:\/\d+)?$/.exec(url.pathname)?.[1];
    if (resource === undefined) return [`${at}: the client has no such call`];
    if (method === 'POST') {
      const options = structOf(source, `Create${resource === 'project' ? 'Project' : 'Group'}AccessTokenOptions`);
      return [...against(options, requestBody, `${at} request`), ...against(token, responseBody, at)];
    }
    if (method === 'DELETE') return status === 204 && responseBody === null ? [] : [`${at} has a body`];
    const items = Array.isArray(responseBody) ? responseBody : [null];
    return [...queries, ...items.flatMap((item: Json) => against(token, item, at))];
  };
}

async function makeTwin(): Promise<ProviderTwin> {
  const twin = await kitTwin({
    definition: gitlabTwin,
    documents: [],
    issuer(kind, control) {
      const [known] = control.keys.all();
      const person = known ?? control.mint(freshKey('person'));
      const settings = kind.name === 'project-token' ? PROJECT : kind.name === 'group-token' ? GROUP : {};
      return { acting: { parts: secretParts(person), places: kind.places }, settings };
    },
    byHand: (_kind, control) => control.mint(freshKey('by hand')),
  });
  return observedTwin(twin, {
    check: checkByClient(),
    documentAbsent: `NOT CHECKED: ${CLIENT} not in the shared folder`,
    omitted: [],
  });
}

providerConformance(gitlab, makeTwin);

const [project, group, personal] = gitlab.kinds as [
  (typeof gitlab.kinds)[0],
  (typeof gitlab.kinds)[0],
  (typeof gitlab.kinds)[0],
];
const isInvalid = (error: unknown) => Failure.is(error, 'invalid');
const INPUT = { settings: PROJECT, label: 'clv/1', scopes: ['read_api'] };

test('a death is one of GitLab’s own words for it; who lacks a scope is alive', () => {
  const read = (status: number, json: Json) => project.probe.read(answer(status, json), { settings: PROJECT }).is;
  const revoked = 'Token was revoked. You have to re-authorize from the user.';
  const expired = 'Token is expired. You can either do re-authorization or token refresh.';
  assert.equal(read(401, { message: '401 Unauthorized' }), 'dead');
  assert.equal(read(401, { error: 'invalid_token', error_description: revoked }), 'dead');
  assert.equal(read(401, { error: 'invalid_token', error_description: expired }), 'dead');
  assert.equal(read(401, { error: 'invalid_token', error_description: 'Impersonation is disabled' }), 'unknown');
  assert.equal(read(401, { message: 'Unauthorized' }), 'unknown');
  assert.equal(read(401, null), 'unknown');
  assert.equal(read(403, { error: 'insufficient_scope', scope: 'api' }), 'alive');
  assert.equal(read(403, { message: '403 Forbidden' }), 'unknown');
  const self = { id: 5, user_id: 9, scopes: ['api'], active: true, revoked: false };
  assert.equal(read(200, self), 'alive');
  // Let in all the same, by a server that had not heard of it: no death.
  assert.equal(read(200, { ...self, active: false, revoked: true }), 'alive');
  assert.equal(read(200, {}), 'unknown');
  for (const status of [404, 429, 500, 502, 503])
    assert.equal(read(status, { message: '401 Unauthorized' }), 'unknown', String(status));
});

test('a project is its number or its path, in one segment of the address', () => {
  const request = project.issue!.request({ ...INPUT, settings: { project: 'a/b.c/d_e', accessLevel: '30' } });
  assert.equal(request.path, '/api/v4/projects/a%2Fb.c%2Fd_e/access_tokens');
  const list = group.list!.request({ settings: GROUP, cursor: '2' });
  assert.equal(list.path, '/api/v4/groups/7/access_tokens?per_page=100&page=2');
  for (const wrong of ['..', 'a/../b', '.git/a', 'a//b', '/a', 'a/', 'a b', ''])
    assert.throws(
      () => project.issue!.request({ ...INPUT, settings: { ...PROJECT, project: wrong } }),
      isInvalid,
      wrong,
    );
});

test('scopes, role and end are always what was asked for, the role as a number, the end as a day that is not later', () => {
  const expiresAt = Date.parse('2026-12-24T18:30:00Z');
  const { json } = project.issue!.request({ ...INPUT, expiresAt });
  assert.deepEqual(json, { name: 'clv/1', scopes: ['read_api'], access_level: 30, expires_at: '2026-12-24' });
  assert.throws(() => project.issue!.request({ settings: PROJECT, label: 'l' }), isInvalid, 'without scopes');
  assert.throws(() => project.issue!.request({ ...INPUT, settings: { project: '42' } }), isInvalid, 'without a role');
  for (const accessLevel of ['0', '60', '40 ', '5'])
    assert.throws(() => project.issue!.request({ ...INPUT, settings: { project: '42', accessLevel } }), isInvalid);
  // GitLab gives one that is asked for without an end the longest life that it allows.
  assert(!Object.hasOwn(project.issue!.request(INPUT).json as object, 'expires_at'));
});

test('a token that may do more, or lives longer, than was asked for is not the one that was asked for', () => {
  const made = {
    id: 5,
    token: newGitlabToken(random),
    scopes: ['read_api'],
    access_level: 30,
    expires_at: '2026-12-24',
  };
  const expiresAt = Date.parse('2026-12-24T18:30:00Z');
  const read = (json: Json) => project.issue!.read(answer(201, json), { ...INPUT, expiresAt });
  const issued = read(made);
  assert(issued.is === 'issued');
  assert.equal(issued.expiresAt, Date.parse('2026-12-24'));
  const others: readonly (readonly [Json, string])[] = [
    [{ ...made, scopes: ['read_api', 'api'] }, 'gitlab.201.other-scopes'],
    [{ ...made, access_level: 40 }, 'gitlab.201.other-than-asked'],
    [{ ...made, expires_at: '2026-12-25' }, 'gitlab.201.other-end'],
    [{ ...made, expires_at: null }, 'gitlab.201.other-end'],
  ];
  for (const [other, signature] of others) {
    const outcome = read(other);
    assert(outcome.is === 'ambiguous', JSON.stringify(other));
    assert.equal(outcome.evidence.signature, signature);
  }
  assert.equal(read({ ...made, token: null }).is, 'ambiguous');
  assert.equal(project.issue!.read(answer(502, null), INPUT).is, 'ambiguous');
  const refused = project.issue!.read(answer(400, { message: '400 Bad request' }), INPUT);
  assert(refused.is === 'refused' && refused.final);
});

test('404 is absence where it is said of the token, not of its project', () => {
  const input = { settings: PROJECT, providerKeyId: '5' };
  const read = (status: number, json: Json) => project.revoke!.read(answer(status, json), input).is;
  assert.equal(read(404, { message: '404 Could not find project access token with token_id: 5 Not Found' }), 'absent');
  assert.equal(read(404, { message: '404 Project Not Found' }), 'ambiguous');
  assert.equal(read(404, { error: '404 Not Found' }), 'ambiguous');
  assert.equal(read(400, { message: '400 Bad request' }), 'refused');
});

test('nothing is ever rotated in place: rotating twice with the old token ends the new one', async () => {
  const input = { ...INPUT, providerKeyId: '5', expiresAt: 2_000_000_000_000 };
  for (const kind of gitlab.kinds) {
    assert.equal(kind.replace, undefined);
    for (const operation of [kind.issue, kind.list, kind.revoke, kind.probe, kind.identity])
      assert(
        !(operation?.request(kind === group ? { ...input, settings: GROUP } : input).path ?? '').includes('rotate'),
      );
  }
  // The trap, as the twin has it.
  const twin = await startTwin(gitlabTwin);
  try {
    const person = twin.control.mint(freshKey('person'));
    const acting = { parts: secretParts(person), places: personal.places };
    const call = directCall(twin.origin);
    const issued = project.issue!.read(await call(project.issue!.request(INPUT), acting), INPUT);
    assert(issued.is === 'issued');
    const rotate = () =>
      call({ method: 'POST', path: `/api/v4/projects/42/access_tokens/${issued.providerKeyId}/rotate` }, acting);
    const { json } = await rotate();
    const next = String((json as { id: number }).id);
    assert.equal(twin.control.isAlive(issued.providerKeyId), false);
    assert.equal(twin.control.isAlive(next), true);
    assert.equal((await rotate()).status, 401, 'once more, as after a lost answer');
    assert.equal(twin.control.isAlive(next), false);
  } finally {
    await twin.close();
  }
});

test('a list of many pages is read to its end, and what has ended is passed over', async () => {
  const twin = await startTwin(gitlabTwin);
  try {
    const person = twin.control.mint(freshKey('person'));
    const acting = { parts: secretParts(person), places: personal.places };
    const call = directCall(twin.origin);
    for (let i = 0; i < 205; i++) {
      const made = twin.control.mint({
        ...freshKey(`token ${i}`),
        account: 'project:42',
        more: { level: 30, user: i },
      });
      if (i % 50 === 0) twin.control.endByHand(made.id);
    }
    const names: string[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 5; page++) {
      const input = cursor === undefined ? { settings: PROJECT } : { settings: PROJECT, cursor };
      const listed = project.list!.read(await call(project.list!.request(input), acting), input);
      assert(listed.is === 'listed');
      names.push(...listed.keys.map((key) => key.name));
      cursor = listed.next;
      if (cursor === undefined) break;
    }
    assert.equal(cursor, undefined);
    assert.equal(new Set(names).size, 200);
    assert(!names.includes('token 50'));
  } finally {
    await twin.close();
  }
});

test('a token ends on the day that was asked for, and its death is told', async () => {
  let now = Date.parse('2026-11-21T12:00:00Z');
  const twin = await startTwin(gitlabTwin, { clock: { now: () => now } });
  try {
    const acting = { parts: secretParts(twin.control.mint(freshKey('person'))), places: personal.places };
    const call = directCall(twin.origin);
    const input = { ...INPUT, expiresAt: now + 2 * DAY_MS };
    const issued = project.issue!.read(await call(project.issue!.request(input), acting), input);
    assert(issued.is === 'issued');
    const own = { parts: issued.parts, places: project.places };
    const probe = async () => project.probe.read(await call(project.probe.request(input), own), input).is;
    assert.equal(await probe(), 'alive');
    now += 2 * DAY_MS;
    assert.equal(await probe(), 'dead');
  } finally {
    await twin.close();
  }
});

test('a path in an id is one parameter, and what mints or reveals is reached by its own name alone', () => {
  const catalogue = compileCatalogue(gitlab.actions);
  const match = (method: string, target: string) => matchAction(catalogue, method, target);
  const issue = match('GET', '/api/v4/projects/group%2Ftwin/issues/3');
  assert.equal(issue?.action.name, 'issue.get');
  assert.equal(issue?.parameters['project_id'], 'group/twin');
  const file = match('GET', '/api/v4/projects/42/repository/files/src%2Fmain.ts/raw');
  assert.equal(file?.parameters['file_path'], 'src/main.ts');
  assert.equal(match('GET', '/api/v4/users/a%2Fb'), null);
  assert.equal(match('GET', '/api/v4/personal_access_tokens/self')?.action.name, 'personal-access-token.get-self');
  assert.equal(
    match('POST', '/api/v4/personal_access_tokens/self/rotate')?.action.name,
    'personal-access-token.rotate-self',
  );
  assert.equal(match('GET', '/api/v4/projects/42/variables')?.action.mints, true);
  assert.equal(match('GET', '/api/v4/projects/42')?.action.mints, true);
  // Below a project only what has a name.
  assert.equal(match('GET', '/api/v4/projects/42/wikis'), null);
  assert.equal(match('GET', '/api/v4/todos')?.action.name, 'api.read');
});
