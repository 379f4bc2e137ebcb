// Fuzzes the control API with schemathesis (https://schemathesis.readthedocs.io), a real peer that knows the API only by its OpenAPI document:
// as admin, where no answer may be an authentication failure, and as each other role, where 403 is a documented answer. A house of its
// own for each run, with rows of every noun in it, and a twin for the provider. Installed on first use into a virtual environment
// below the system's temporary directory; where Python is missing, the run is skipped and says so.
//
// usage: node tools/fuzz/schemathesis.ts [--examples N] [--seed N] [--role NAME]
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ROLE_NAMES, type RoleName } from '../../src/access/role.ts';
import { DEFAULT_BRAKE } from '../../src/http/brake.ts';
import { revealSecretText } from '../../src/model/secret.ts';
import { type House, startHouse } from '../../test/support/house.ts';
import { type RunningNeonTwin, startNeonTwin } from '../../twins/neon.io.ts';

/** The version that the results of this repository were seen with. */
const VERSION = '4.32.5';
const VENV = path.join(os.tmpdir(), `claviger-schemathesis-${VERSION}`);
const PROGRAM = path.join(VENV, 'bin', 'schemathesis');

/** Sealing would end every other operation's test. It has its own journeys. */
const EXCLUDED_PATHS = ['/v1/seal'];
/**
 * Inputs of the right form may still be refused: for rows that are not there, names that are taken. What is of the wrong form is always refused,
 * and that is checked.
 */
const EXCLUDED_CHECKS = ['positive_data_acceptance'];

export interface FuzzResult {
  readonly role: RoleName;
  readonly cases: number;
  readonly failed: boolean;
  /** What schemathesis printed; shown where it failed. */
  readonly output: string;
  /** Internal errors that the server reported meanwhile. */
  readonly errors: readonly unknown[];
}

/** Whether schemathesis can be run; installs it where it is not there. A text says why not. */
export function prepare(): string | null {
  if (existsSync(PROGRAM)) return null;
  process.stderr.write(`installing schemathesis ${VERSION} into ${VENV}…\n`);
  const steps: [string, string[]][] = [
    ['python3', ['-m', 'venv', VENV]],
    [path.join(VENV, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', `schemathesis==${VERSION}`]],
  ];
  for (const [command, args] of steps) {
    const done = spawnSync(command, args, { stdio: ['ignore', 2, 2], timeout: 300_000 });
    if (done.status !== 0) {
      rmSync(VENV, { recursive: true, force: true });
      return `${path.basename(command)} ${args[0] === '-m' ? 'cannot make a virtual environment' : 'cannot install it'}`;
    }
  }
  return null;
}

interface Rows {
  /** An id that exists, by its prefix. */
  readonly ids: Readonly<Record<string, string>>;
  /** Bodies that are accepted, by operation: what is generated begins there. */
  readonly bodies: Readonly<Record<string, object>>;
  readonly token: string;
}

/** Rows of every noun, and a principal with the role. */
async function furnish(house: House, twin: RunningNeonTwin, role: RoleName): Promise<Rows> {
  async function post(target: string, body: object): Promise<Record<string, unknown>> {
    const answer = await house.request('POST', target, { body });
    if (answer.status >= 300) throw new Error(`POST ${target}: ${answer.status} ${answer.text}`);
    return answer.json as Record<string, unknown>;
  }
  const idOf = (json: unknown) => (json as { id: string }).id;
  const { seeds } = twin.control;
  const principal = idOf(await post('/v1/principals', { name: 'fuzzer', kind: 'person', roles: [role] }));
  const text = String((await post(`/v1/principals/${principal}/tokens`, {}))['text']);
  const service = idOf(await post('/v1/principals', { name: 'service', kind: 'service' }));
  const token = (await post(`/v1/principals/${service}/tokens`, {}))['token'];
  const issuer = (
    await post('/v1/credentials', {
      provider: 'neon',
      name: 'issuer',
      kind: 'personal-key',
      purpose: 'manage',
      parts: { key: revealSecretText(seeds.adminKey) },
    })
  )['credential'];
  const credential = (
    await post('/v1/credentials', {
      provider: 'neon',
      name: 'lent',
      kind: 'organization-key',
      issuer: idOf(issuer),
      settings: { orgId: seeds.orgId },
      policy: { quietSeconds: 0 },
      parts: { key: revealSecretText(twin.control.mint({ kind: 'organization' }).key) },
    })
  )['credential'];
  const credentialId = idOf(credential);
  const grant = await post('/v1/grants', { principal: service, credential: credentialId, actions: ['*:read'] });
  // A key of nobody's, for the inventory to find.
  twin.control.mint({ kind: 'organization', name: 'somebody else' });
  await post('/v1/inventory', {});
  const finding = (await house.request('GET', '/v1/inventory')).json as { items: { id: string }[] };
  const rotation = await post('/v1/rotations', { credential: credentialId });
  const revocation = (await post('/v1/revocations', { credential: credentialId, reason: 'unused' }))['revocations'];
  const ids = {
    prn: service,
    tok: idOf(token),
    crd: credentialId,
    gnt: idOf(grant),
    rot: idOf(rotation),
    rev: idOf((revocation as unknown[])[0]),
    ...(finding.items[0] === undefined ? {} : { fnd: finding.items[0].id }),
  };
  const grantBody = { principal: service, credential: credentialId, actions: ['branch.*', 'project.get'], note: 'é' };
  const lent = { provider: 'neon', name: 'made', kind: 'organization-key', settings: { orgId: seeds.orgId } };
  const bodies = {
    'POST /v1/grants': {
      ...grantBody,
      parameters: { project_id: ['p'] },
      rate: { requests: 1, perSeconds: 1, burst: 1 },
    },
    'POST /v1/grants/suggest': { credential: credentialId, sinceSeconds: 3_600 },
    'POST /v1/credentials': { ...lent, issuer: idOf(issuer), policy: { everyDays: 30 } },
    'PATCH /v1/credentials/{id}': { owner: 'owner', issuer: idOf(issuer), policy: { openStreams: 'finish' } },
    'POST /v1/principals': { name: 'made', kind: 'service', roles: [], owner: 'o', note: 'n' },
    'POST /v1/principals/{id}/tokens': { credential: credentialId, networks: ['10.0.0.0/8'], expiresInSeconds: 60 },
    'POST /v1/inventory': { issuer: idOf(issuer) },
    'POST /v1/rotations': { credential: idOf(issuer) },
    'POST /v1/revocations': { credential: credentialId, reason: 'unused', note: 'n' },
    'POST /v1/apply': {
      dryRun: false,
      documents: {
        principals: [{ name: 'applied', kind: 'service' }],
        credentials: [{ ...lent, name: 'applied', issuer: 'neon/issuer' }],
        grants: [{ principal: 'applied', credential: 'neon/applied', actions: ['*:read'] }],
      },
    },
  };
  return { ids, bodies, token: text };
}

/** The API's own document with an example for each body that is accepted only with ids that exist. */
async function documentOf(house: House, rows: Rows): Promise<object> {
  type Body = { requestBody?: { content: { 'application/json': { example?: object } } } };
  const document = (await house.request('GET', '/openapi.json', { token: null })).json;
  const { paths } = document as { paths: Record<string, Record<string, Body>> };
  for (const [name, body] of Object.entries(rows.bodies)) {
    const [method = '', target = ''] = name.split(' ');
    const requestBody = paths[target]?.[method.toLowerCase()]?.requestBody;
    if (requestBody === undefined) throw new Error(`the document has no ${name}`);
    requestBody.content['application/json'].example = body;
  }
  return document as object;
}

interface Operation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: { pattern?: string };
  }[];
}

/** Names the ids that exist, so that operations are reached and not only their 404. */
function configOf(house: House, rows: Rows, role: RoleName): string {
  const { paths } = house.api.document as { paths: Record<string, Record<string, Operation>> };
  // Roles other than admin are refused by right.
  const lines = ['[warnings]', role === 'admin' ? 'fail-on = ["missing_auth"]' : 'fail-on = false'];
  for (const [name, operations] of Object.entries(paths)) {
    for (const [method, { parameters }] of Object.entries(operations)) {
      const pattern = parameters?.find((one) => one.in === 'path' && one.name === 'id')?.schema.pattern ?? '';
      const id = rows.ids[pattern.slice(1, 4)];
      if (id === undefined) continue;
      lines.push(
        '',
        '[[operations]]',
        `include-name = "${method.toUpperCase()} ${name}"`,
        `parameters = { id = "${id}" }`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

export async function fuzz(
  role: RoleName,
  options: { readonly examples: number; readonly seed: number },
): Promise<FuzzResult> {
  const twin = await startNeonTwin();
  const house = await startHouse({
    providers: { neon: twin.origin },
    api: { brake: { ...DEFAULT_BRAKE, burst: 1_000_000 } },
  });
  const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-fuzz-'));
  try {
    const rows = await furnish(house, twin, role);
    const config = path.join(directory, 'schemathesis.toml');
    const document = path.join(directory, 'openapi.json');
    writeFileSync(config, configOf(house, rows, role));
    writeFileSync(document, JSON.stringify(await documentOf(house, rows)));
    const args = [
      ...['--config-file', config, 'run', document, '--url', house.origin],
      ...['-H', `Authorization: Bearer ${rows.token}`],
      ...['-n', String(options.examples), '--seed', String(options.seed), '--generation-database', 'none'],
      ...['--no-color', '-w', '1', '--continue-on-failure', '--request-timeout', '30'],
      ...['--exclude-checks', EXCLUDED_CHECKS.join(',')],
      ...EXCLUDED_PATHS.flatMap((name) => ['--exclude-path', name]),
    ];
    const { status, output } = await run(PROGRAM, args, directory);
    const cases = Number(/([0-9,]+) generated/.exec(output)?.[1]?.replaceAll(',', '') ?? 0);
    return { role, cases, failed: status !== 0 || house.errors.length > 0, output, errors: [...house.errors] };
  } finally {
    await house.stop();
    await twin.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[], cwd: string): Promise<{ status: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ status: code ?? 1, output }));
  });
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      examples: { type: 'string', default: '25' },
      seed: { type: 'string', default: '1' },
      role: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const missing = prepare();
  if (missing !== null) {
    process.stdout.write(`SKIPPED schemathesis: ${missing}\n`);
    process.exit(0);
  }
  const roles = values.role === undefined ? ROLE_NAMES : ROLE_NAMES.filter((name) => name === values.role);
  let failed = roles.length === 0;
  for (const role of roles) {
    const result = await fuzz(role, { examples: Number(values.examples), seed: Number(values.seed) });
    if (result.failed || values.verbose) {
      process.stdout.write(`${result.output}\n`);
      for (const error of result.errors)
        process.stdout.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    }
    process.stdout.write(`${result.failed ? '✖' : '✔'} schemathesis as ${role}: ${result.cases} cases\n`);
    failed ||= result.failed;
  }
  process.exitCode = failed ? 1 : 0;
}
