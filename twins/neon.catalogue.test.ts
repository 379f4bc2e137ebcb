// Every operation of Neon's catalogue, once, against the twin over HTTP, each exchange checked against Neon's OpenAPI document; and Neon's
// own client, unmodified, talking to the twin.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createApiClient } from '@neondatabase/api-client';
import type { Json } from '../src/model/json.ts';
import { revealSecretText } from '../src/model/secret.ts';
import { neonActions } from '../src/providers/neon.actions.ts';
import type { Action } from '../src/providers/provider.ts';
import {
  type ApiOperation,
  NEON_DOCUMENT_ABSENT,
  neonDocument,
  type OpenApiDocument,
} from '../test/support/openapi.ts';
import { sample } from '../test/support/openapi-schema.ts';
import { type RunningNeonTwin, startNeonTwin, type TwinExchange } from './neon.io.ts';

type Known = Readonly<Record<string, Json>>;

function bearer(twin: RunningNeonTwin): Record<string, string> {
  return { authorization: `Bearer ${revealSecretText(twin.control.seeds.adminKey)}` };
}

/** Values by parameter and property name that exist in a fresh twin. */
async function known(twin: RunningNeonTwin, action: Action): Promise<Known> {
  const { seeds, mint } = twin.control;
  const base = `${twin.origin}/api/v2`;
  const options = { headers: bearer(twin) };
  const members = (await (await fetch(`${base}/organizations/${seeds.orgId}/members`, options)).json()) as {
    members: { member: { id: string } }[];
  };
  const started = await fetch(`${base}/projects/${seeds.projectId}/endpoints/${seeds.endpointId}/start`, {
    ...options,
    method: 'POST',
  });
  const { operations } = (await started.json()) as { operations: { id: string }[] };
  return {
    project_id: seeds.projectId,
    project_ids: [seeds.projectId],
    branch_id: seeds.branchId,
    source_branch_id: seeds.branchId,
    base_branch_id: seeds.branchId,
    endpoint_id: seeds.endpointId,
    org_id: seeds.orgId,
    source_org_id: seeds.orgId,
    destination_org_id: seeds.orgId,
    member_id: members.members[0]!.member.id,
    operation_id: operations[0]!.id,
    key_id: mint({ kind: action.name.startsWith('organization') ? 'organization' : 'personal' }).id,
    database_name: 'neondb',
    db_name: 'neondb',
    role_name: 'neondb_owner',
    owner_name: 'neondb_owner',
    object_key: 'folder/object',
    auth_provider: 'better_auth',
    oauth_provider_id: 'google',
    metrics: ['compute_unit_seconds'],
  };
}

function targetOf(document: OpenApiDocument, operation: ApiOperation, values: Known): string {
  let target = operation.path;
  const query = new URLSearchParams();
  for (const parameter of operation.parameters) {
    const value = values[parameter.name] ?? sample(document.root, parameter.schema ?? {}, values);
    if (parameter.in === 'path') {
      target = target.replace(`{${parameter.name}}`, encodeURIComponent(String(value)));
    } else if (parameter.in === 'query' && (parameter.required === true || parameter.name === 'org_id')) {
      query.set(parameter.name, String(value));
    }
  }
  return query.size > 0 ? `${target}?${query}` : target;
}

/** The document's `project` for a new project does not ask for the organization; the service does. */
function bodyOf(document: OpenApiDocument, operation: ApiOperation, values: Known): Json {
  if (operation.requestSchema === null) return null;
  const body = sample(document.root, operation.requestSchema, values);
  return operation.id === 'createProject' ? { project: { org_id: values['org_id'] ?? '' } } : body;
}

test('the whole catalogue is served, and every exchange is as the document says', async (t) => {
  const document = neonDocument();
  if (document === null) return t.skip(NEON_DOCUMENT_ABSENT);
  for (const action of neonActions) {
    const exchanges: TwinExchange[] = [];
    const twin = await startNeonTwin({ onExchange: (exchange) => exchanges.push(exchange) });
    try {
      const values = await known(twin, action);
      const operation: ApiOperation = document.find(action.method, action.path)!;
      const body = bodyOf(document, operation, values);
      const isForm = operation.id === 'createProjectBranchFunctionDeployment';
      const form = new FormData();
      form.set('zip', new Blob(['zip']), 'function.zip');
      const response = await fetch(twin.origin + targetOf(document, operation, values), {
        method: action.method,
        headers: bearer(twin),
        ...(isForm ? { body: form } : body === null ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      assert(response.ok, `${action.name}: ${response.status} ${text}`);
      const last = exchanges.at(-1)!;
      assert.equal(document.find(last.method, new URL(last.path, twin.origin).pathname)?.id, operation.id);
      for (const exchange of exchanges) assert.deepEqual(document.validateExchange(exchange), [], action.name);
    } finally {
      await twin.close();
    }
  }
});

test('Neon’s own client, unmodified, works with the twin', async (t) => {
  const document = neonDocument();
  if (document === null) t.diagnostic(NEON_DOCUMENT_ABSENT);
  const problems: string[] = [];
  const twin = await startNeonTwin({
    onExchange: (exchange) => problems.push(...(document?.validateExchange(exchange) ?? [])),
  });
  try {
    const { seeds } = twin.control;
    const clientFor = (apiKey: string) => createApiClient({ apiKey, baseURL: `${twin.origin}/api/v2` });
    const admin = clientFor(revealSecretText(seeds.adminKey));
    const { data: listed } = await admin.listProjects({ org_id: seeds.orgId, limit: 10 });
    assert.deepEqual(
      listed.projects.map((project) => project.id),
      [seeds.projectId, seeds.siblingProjectId],
    );

    const { data: made } = await admin.createOrgApiKey(seeds.orgId, {
      key_name: 'worker',
      project_id: seeds.projectId,
    });
    const worker = clientFor(made.key);
    const { data: branch } = await worker.createProjectBranch(seeds.projectId, { branch: { name: 'feature' } });
    const { data: branches } = await worker.listProjectBranches({ projectId: seeds.projectId });
    assert(branches.branches.some((one) => one.id === branch.branch.id));
    await worker.deleteProjectBranch({ projectId: seeds.projectId, branchId: branch.branch.id });
    await assert.rejects(worker.getProject(seeds.siblingProjectId), { status: 404 });

    await admin.revokeOrgApiKey(seeds.orgId, made.id);
    await assert.rejects(worker.getAuthDetails(), { status: 401 });
    assert.deepEqual(problems, []);
  } finally {
    await twin.close();
  }
});
