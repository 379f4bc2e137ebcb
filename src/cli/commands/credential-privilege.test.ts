// What `claviger credential show` says of a key's scopes, line by line, and that nothing is said where the server says nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Privilege } from '../../access/privilege.ts';
import { CREDENTIAL } from '../test-rows.ts';
import { call, recordingServer } from '../test-support.io.ts';
import { privilegeFields } from './credential-privilege.ts';

const PLAIN: Privilege = {
  of: 'key',
  verdict: 'narrow',
  why: 'it holds what its grants need, and nothing else',
  held: ['a'],
  needed: ['a'],
  neededOneOf: [],
  everything: [],
  reveals: [],
  unused: [],
  broader: [],
  missing: [],
  missingOneOf: [],
  unknownActions: { count: 0, names: [] },
  suggested: ['a'],
};

function shown(change: Partial<Privilege>): Record<string, string> {
  const fields = privilegeFields({ ...PLAIN, ...change });
  return Object.fromEntries(fields.filter((field): field is readonly [string, string] => field[1] !== null));
}

test('a narrow key needs three lines; every difference has its own', () => {
  const head = { privilege: 'narrow: it holds what its grants need, and nothing else', 'scopes held': 'a' };
  assert.deepEqual(shown({}), { ...head, 'scopes needed': 'a' });
  const wide = shown({
    verdict: 'wider',
    why: 'more',
    held: ['a', 'b', 'c'],
    neededOneOf: [['x', 'y']],
    unused: ['b'],
    broader: [{ scope: 'c', neededOf: ['d', 'e'] }],
    everything: ['*'],
    reveals: ['c'],
    missing: ['m'],
    missingOneOf: [['x', 'y']],
    unknownActions: { count: 3, names: ['p.q', 'r.s'] },
  });
  assert.deepEqual(wide, {
    privilege: 'wider: more',
    'scopes held': 'a b c',
    'scopes needed': 'a (x or y)',
    everything: '*',
    'opens secrets': 'c',
    missing: 'm (x or y)',
    unused: 'b',
    broader: 'c, for d e',
    'not known': 'p.q r.s and 1 more',
    'for the next key': 'scopes=a',
  });
  assert.equal(shown({ held: null })['scopes held'], undefined);
  assert.equal(shown({ suggested: null, held: ['a', 'b'] })['for the next key'], undefined);
  assert.deepEqual(privilegeFields(null), []);
});

test('the command shows it, and --json has it as the server gave it', async (t) => {
  const detail = { credential: { ...CREDENTIAL, privilege: undefined }, versions: [], protected: false, grants: 1 };
  let privilege: Privilege | undefined = {
    ...PLAIN,
    verdict: 'overprivileged',
    why: 'too much',
    held: ['*'],
    everything: ['*'],
  };
  const { env } = await recordingServer(t, {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    [`GET /v1/credentials/${CREDENTIAL.id}`]: () => ({ json: { ...detail, ...(privilege && { privilege }) } }),
  });
  const { out, exit } = await call(['credential', 'show', 'billing'], { env });
  assert.equal(exit, 0);
  assert.match(out, /\nprivilege +overprivileged: too much\n/);
  assert.match(out, /\nfor the next key +scopes=a\n/);
  const json = await call(['credential', 'show', 'billing', '--json'], { env });
  assert.deepEqual((JSON.parse(json.out) as { privilege: unknown }).privilege, privilege);
  privilege = undefined;
  assert.doesNotMatch((await call(['credential', 'show', 'billing'], { env })).out, /privilege/);
});
