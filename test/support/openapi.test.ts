// The checker itself: what it must catch, on a small document written for it. A checker that passes everything would make every test
// that relies on it worthless.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Json } from '../../src/model/json.ts';
import { type DocumentSource, type Exchange, openApiDocument } from './openapi.ts';
import { sample } from './openapi-schema.ts';

const ID = { name: 'id', in: 'path', required: true, schema: { type: 'string', pattern: '^[a-z]{1,8}$' } } as const;
const source: DocumentSource = {
  paths: {
    '/things/{id}': {
      parameters: [ID],
      get: {
        operationId: 'getThing',
        parameters: [
          { name: 'limit', in: 'query', required: true, schema: { type: 'integer' } },
          { name: 'tags', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
        ],
        responses: {
          '200': { content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } } },
          '204': {},
          default: { $ref: '#/components/responses/Error' },
        },
      },
    },
    '/things/special': {
      post: {
        operationId: 'special',
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Shape' } } },
        },
        responses: { '201': {} },
      },
    },
    '/things/{id}/file': { parameters: [ID], get: { responses: { '200': { content: { 'text/plain': {} } } } } },
  },
  components: {
    responses: { Error: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } } },
    schemas: {
      Error: { type: 'object', required: ['message'], properties: { message: { type: 'string' } } },
      Thing: {
        allOf: [
          { type: 'object', required: ['id'], properties: { id: { type: 'integer', format: 'int64' } } },
          {
            type: 'object',
            properties: {
              at: { type: 'string', format: 'date-time', nullable: true },
              error: { $ref: '#/components/schemas/Error' },
              labels: { type: 'object', additionalProperties: { type: 'string' } },
            },
          },
        ],
      },
      Shape: {
        type: 'object',
        discriminator: {
          propertyName: 'type',
          mapping: { round: '#/components/schemas/Round', flat: '#/components/schemas/Flat' },
        },
        oneOf: [{ $ref: '#/components/schemas/Round' }, { $ref: '#/components/schemas/Flat' }],
      },
      Round: { type: 'object', required: ['radius'], properties: { radius: { type: 'number' } } },
      Flat: { type: 'object', properties: { width: { type: 'number' } } },
    },
  },
};
const document = openApiDocument(source, '/v1');

function get(body: Json | undefined, more: Partial<Exchange> = {}): string[] {
  const line = { method: 'GET', path: '/v1/things/abc?limit=1', requestBody: null, status: 200 };
  return document.validateExchange({ ...line, responseBody: body, ...more });
}

function post(body: Json | undefined): string[] {
  const line = { method: 'POST', path: '/v1/things/special', status: 201, responseBody: null };
  return document.validateExchange({ ...line, requestBody: body });
}

test('what the document allows passes', () => {
  const whole = { id: 1, at: null, error: { message: 'm' }, labels: { any: 'thing' } };
  for (const body of [{ id: 1 }, whole, { id: 1, at: '2026-01-01T00:00:00Z' }]) assert.deepEqual(get(body), []);
  assert.deepEqual(get(null, { status: 204 }), []);
  assert.deepEqual(get({ message: 'no' }, { status: 404 }), []);
  assert.deepEqual(get({ id: 1 }, { path: '/v1/things/abc?limit=1&tags=a,b&tags=c' }), []);
  assert.deepEqual(get(undefined, { path: '/v1/things/abc/file' }), []);
  assert.deepEqual(post({ type: 'round', radius: 1 }), []);
  assert.deepEqual(post({ type: 'flat', width: 1 }), []);
});

test('what the document does not allow is a problem, with its place', () => {
  const wrong: [string[], RegExp][] = [
    [get({}), /response {2}must have required property 'id'/],
    [get({ id: '1' }), /response \/id must be integer/],
    [get({ id: 1, at: 'yesterday' }), /\/at must match format/],
    [get({ id: 1, error: { message: null } }), /\/error\/message must be string/],
    [get({ id: 1, labels: { a: 1 } }), /\/labels\/a must be string/],
    [get({ id: 1, extra: true }), /\/extra is not documented/],
    [get({ id: 1, error: { message: 'm', more: 1 } }), /\/error\/more is not documented/],
    [get(null), /must be object/],
    [get({ id: 1 }, { status: 204 }), /response body is not documented/],
    [get({ id: 1 }, { status: 202 }), /status 202 is not documented/],
    [get({ code: 1 }, { status: 500 }), /required property 'message'/],
    [get({ id: 1 }, { path: '/v1/things/ABC?limit=1' }), /path id must match pattern/],
    [get({ id: 1 }, { path: '/v1/things/abc' }), /query limit is missing/],
    [get({ id: 1 }, { path: '/v1/things/abc?limit=many' }), /query limit must be integer/],
    [get({ id: 1 }, { path: '/v1/things/abc?limit=1&depth=2' }), /query depth is not documented/],
    [get({ id: 1 }, { requestBody: {} }), /request body is not documented/],
    [get({ id: 1 }, { method: 'PUT' }), /no such operation/],
    [post(null), /request body is missing/],
    [post({ type: 'round' }), /required property 'radius'/],
    [post({ type: 'square' }), /must be equal to one of the allowed values/],
    [post({ radius: 1 }), /required property 'type'/],
    [post({ type: 'flat', depth: 1 }), /\/depth is not documented/],
  ];
  for (const [problems, expected] of wrong) assert.match(problems.join('\n'), expected);
});

test('a literal segment beats a parameter', () => {
  assert.equal(document.find('POST', '/v1/things/special')?.id, 'special');
  assert.equal(document.find('GET', '/v1/things/special')?.id, 'getThing');
  assert.equal(document.find('GET', '/v1/things/'), null);
});

test('the sample of a schema is valid by it', () => {
  assert.deepEqual(sample(source, { $ref: '#/components/schemas/Thing' }, {}), { id: 1 });
  assert.deepEqual(sample(source, { $ref: '#/components/schemas/Thing' }, { id: 7 }), { id: 7 });
  assert.deepEqual(post(sample(source, { $ref: '#/components/schemas/Shape' }, {})), []);
});
