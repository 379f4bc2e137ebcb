// Resend at the family's conformance suite, and what is particular to it: words that tell what statuses do not, and a permission that is always
// asked for.
import assert from 'node:assert/strict';
import test from 'node:test';
import { providerConformance } from '../../test/conformance/provider.ts';
import { declaredTwinOf } from '../../test/support/declared-twin.ts';
import type { Json } from '../model/json.ts';
import { resend } from './resend.ts';

providerConformance(resend, declaredTwinOf(resend));

const [sending, full] = resend.kinds;

test('an ended key is told by its words, whatever the status; one that may only send lives', () => {
  const read = (status: number, json: Json) =>
    sending!.probe.read({ status, headers: {}, json, text: JSON.stringify(json) }, { settings: {} }).is;
  const invalid = { message: 'API key is invalid', name: 'validation_error' };
  const restricted = { message: 'This API key is restricted to only send emails', name: 'restricted_api_key' };
  for (const status of [400, 401, 403]) assert.equal(read(status, { statusCode: status, ...invalid }), 'dead');
  assert.equal(read(403, { message: 'API key is invalid.', name: 'invalid_api_key' }), 'dead');
  assert.equal(read(401, restricted), 'alive');
  assert.equal(read(200, { object: 'list', has_more: false, data: [] }), 'alive');
  assert.equal(
    read(401, { message: 'Missing API key in the authorization header', name: 'missing_api_key' }),
    'unknown',
  );
  assert.equal(read(400, { message: 'Invalid limit', name: 'validation_error' }), 'unknown');
  for (const status of [404, 429, 500]) assert.equal(read(status, invalid), 'unknown');
});

test('a key is asked for with its permission, and for one domain where one is set', () => {
  const asked = (kind: typeof sending, settings: Record<string, string>) =>
    kind!.issue!.request({ settings, label: 'clv/1' }).json;
  const domainId = 'd91cd9bd-1176-453e-8fc1-35364d380206';
  assert.deepEqual(asked(sending, {}), { name: 'clv/1', permission: 'sending_access' });
  assert.deepEqual(asked(sending, { domainId }), { name: 'clv/1', permission: 'sending_access', domain_id: domainId });
  assert.deepEqual(asked(full, {}), { name: 'clv/1', permission: 'full_access' });
});
