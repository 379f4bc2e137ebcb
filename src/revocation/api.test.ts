// Who may order a revocation, and of what: replacing makes a new key, and versions are the credential's own.
import assert from 'node:assert/strict';
import test from 'node:test';
import { callerOf, memoryDesk } from '../../test/support/desk.ts';
import { credentialRow, versionRow } from '../../test/support/rows.ts';
import { DEFAULT_ROTATION } from '../credentials/credential.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import { revocationRoutes } from './api.ts';
import type { RevocationRequest } from './revoker.ts';

const ID = `crd_${'a'.repeat(32)}`;
const VERSION = `ver_${'b'.repeat(32)}`;
const OTHER = `ver_${'c'.repeat(32)}`;

function asked(permissions: string[], body: object, onCompromise: 'revoke-first' | 'replace-first' = 'revoke-first') {
  const desk = memoryDesk();
  desk.furnish('credential', credentialRow({ id: ID, policy: { ...DEFAULT_ROTATION, onCompromise } }));
  desk.furnish('version', versionRow({ id: VERSION, credentialId: ID }));
  desk.furnish('version', versionRow({ id: OTHER, credentialId: `crd_${'d'.repeat(32)}`, number: 9 }));
  const requests: RevocationRequest[] = [];
  const revoker = {
    request: async (request: RevocationRequest) => {
      requests.push(request);
      return { revocations: [], rotationId: null, cut: 0 };
    },
    resume: () => Promise.reject(new Error('not asked')),
  };
  const records = { page: () => Promise.reject(new Error('none')), find: () => Promise.resolve(null) };
  const routes = revocationRoutes({ revoker, records });
  const post = routes.find(({ method, path }) => method === 'POST' && path === '/v1/revocations')!;
  const context = { desk, caller: callerOf('prn_1', permissions), type: 'application/json' };
  const whole = { credential: ID, versions: null, reason: 'compromised', order: null, note: '', ...body };
  return { requests, run: async () => post.handler(context, { params: {}, query: {}, body: whole }) };
}

function failsAs(code: FailureCode, pointer: string | null) {
  return (error: unknown) => Failure.is(error, code) && (error.errors[0]?.pointer ?? null) === pointer;
}

test('replacing first needs the right to make a key, whoever says so: the caller or the policy', async () => {
  const revoke = ['credential:revoke'];
  await assert.rejects(asked(revoke, { order: 'replace-first' }).run, failsAs('denied', null));
  await assert.rejects(asked(revoke, {}, 'replace-first').run, failsAs('denied', null));
  for (const plain of [asked(revoke, {}), asked(revoke, { order: 'revoke-first' }, 'replace-first')]) {
    await plain.run();
    assert.equal(plain.requests.length, 1);
  }
  const both = asked([...revoke, 'credential:rotate'], { order: 'replace-first' });
  await both.run();
  assert.equal(both.requests[0]?.order, 'replace-first');
});

test('versions of another credential, and credentials that are not there, are named', async () => {
  const wrong = asked(['credential:revoke'], { versions: [VERSION, OTHER] });
  await assert.rejects(wrong.run, failsAs('invalid', '/versions/1'));
  const none = asked(['credential:revoke'], { credential: `crd_${'0'.repeat(32)}` });
  await assert.rejects(none.run, failsAs('invalid', '/credential'));
  assert.equal(wrong.requests.length + none.requests.length, 0);
});
