// The twin of a declaration: the worked example of the documentation at the family's suite, by nothing but its declaration, and what such a twin
// finds out and what it refuses.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { readDeclaration } from '../src/config/declarations.ts';
import { Secret } from '../src/model/secret.ts';
import type { DeclarationInput } from '../src/providers/declaration.ts';
import { declared, parseDeclaration } from '../src/providers/declared.ts';
import { providerConformance } from '../test/conformance/provider.ts';
import { type DeclaredKindInput, declarationWith as exampleWith } from '../test/support/declaration.ts';
import { declaredTwinOf } from '../test/support/declared-twin.ts';
import { kitRequestOf } from '../test/support/kit-request.ts';
import { declaredTwin } from './declared.ts';
import { createTwin } from './kit.ts';

const page = readFileSync(path.resolve(import.meta.dirname, '../docs/providers/declared.md'), 'utf8');
const [, example = ''] = /^```yaml\n((?:(?!```)[\s\S])*?^kinds:[\s\S]*?)^```$/m.exec(page) ?? [];
const reading = readDeclaration(example);
assert(reading.is === 'read', JSON.stringify(reading));
providerConformance(reading.provider, declaredTwinOf(reading.provider));

type Probe = DeclaredKindInput['probe'];

const PROBE: Probe = {
  request: { method: 'GET', path: '/me' },
  answers: [
    { status: 200, name: 'me', as: 'alive' },
    { status: 401, name: 'gone', when: { json: { '/error': 'gone' } }, as: 'dead' },
  ],
};

function declarationWith(more: Partial<DeclaredKindInput> = {}): DeclarationInput {
  return exampleWith({ probe: PROBE, ...more });
}

test('a rule that one before it swallows is found out: no answer of the twin would ever be read by it', () => {
  const probe: Probe = {
    ...PROBE,
    answers: [
      { status: [200, 401], name: 'any', as: 'unknown' },
      { status: 200, name: 'me', as: 'alive' },
      { status: 401, name: 'gone', when: { json: { '/error': 'gone' } }, as: 'dead' },
    ],
  };
  const twin = createTwin(declaredTwin(parseDeclaration(declarationWith({ probe }))), {
    seed: 1,
    clock: { now: () => 0 },
  });
  const provider = declared(declarationWith({ probe }));
  const parts = { key: new Secret('canary-1234567890') };
  const request = kitRequestOf(provider.kinds[0]!.probe.request({ settings: {} }), {
    parts,
    places: provider.kinds[0]!.places,
  });
  assert.throws(() => twin.handle(request, 0), /the rule gone is swallowed/);
});

test('a key is let in from its own place alone', () => {
  const twin = createTwin(declaredTwin(parseDeclaration(declarationWith())), { seed: 1, clock: { now: () => 0 } });
  const text = 'canary-1234567890';
  twin.control.mint({ kind: 'key', name: 'k', account: 'a', parts: { key: text } });
  const parts = { key: new Secret(text) };
  const statusAt = (place: Parameters<typeof kitRequestOf>[1]['places'][number]) =>
    twin.handle(kitRequestOf({ method: 'GET', path: '/me' }, { parts, places: [place] }), 0).status;
  assert.equal(statusAt({ in: 'header', name: 'x-key', scheme: null }), 200);
  assert.equal(statusAt({ in: 'header', name: 'x-key', scheme: 'Bearer' }), 401);
  assert.equal(statusAt({ in: 'header', name: 'authorization', scheme: null }), 401);
  assert.equal(statusAt({ in: 'query', name: 'X-Key' }), 401);
});

test('kinds that are made at one address are told apart by what is asked for, and listed together where one list has both', () => {
  const kindNamed = (name: string, power: string): DeclaredKindInput => ({
    ...declarationWith().kinds[0]!,
    name,
    rotation: 'overlap',
    issuers: ['full'],
    issue: {
      request: { method: 'POST', path: '/keys', json: { name: '{label}', power } },
      answers: [{ status: 201, name: 'made', as: 'issued', parts: { key: '/key' }, id: '/id' }],
    },
    list: {
      request: { method: 'GET', path: '/keys' },
      answers: [{ status: 200, name: 'listed', as: 'listed', keys: '', id: '/id', keyName: '/name' }],
    },
    revoke: {
      request: { method: 'DELETE', path: '/keys/{providerKeyId}' },
      answers: [{ status: 204, name: 'gone', as: 'accepted' }],
    },
  });
  const declaration = { ...declarationWith(), kinds: [kindNamed('full', 'all'), kindNamed('small', 'some')] };
  const twin = createTwin(declaredTwin(parseDeclaration(declaration)), { seed: 1, clock: { now: () => 0 } });
  const text = 'canary-1234567890';
  twin.control.mint({ kind: 'full', name: 'first', account: 'a', parts: { key: text } });
  const provider = declared(declaration);
  const acting = { parts: { key: new Secret(text) }, places: provider.kinds[0]!.places };
  for (const kind of provider.kinds)
    twin.handle(kitRequestOf(kind.issue!.request({ settings: {}, label: `a ${kind.name} one` }), acting), 0);
  assert.deepEqual(
    twin.control.keys.all().map(({ kind, name }) => [kind, name]),
    [
      ['full', 'first'],
      ['full', 'a full one'],
      ['small', 'a small one'],
    ],
  );
  const { body } = twin.handle(kitRequestOf(provider.kinds[1]!.list!.request({ settings: {} }), acting), 0);
  assert.equal((body as unknown[]).length, 3);
});

test('what it cannot stand for it refuses to be made of', () => {
  const answers = [{ status: 401, name: 'refused', when: { json: { '/error': 'gone' } }, as: 'sound' as const }];
  const wrong = [
    declarationWith({ preflight: { request: { method: 'GET', path: '/me' }, answers } }),
    declarationWith({ asks: 'issuer' }),
    // A probe and a list at one address.
    declarationWith({
      list: {
        request: { method: 'GET', path: '/me' },
        answers: [{ status: 200, name: 'listed', as: 'listed', keys: '', id: '/id', keyName: '/name' }],
      },
    }),
    declarationWith({
      probe: { ...PROBE, request: { ...PROBE.request, secrets: [{ of: 'acting', in: 'form', name: 'k' }] } },
    }),
  ];
  for (const one of wrong) assert.throws(() => declaredTwin(parseDeclaration(one)));
});
