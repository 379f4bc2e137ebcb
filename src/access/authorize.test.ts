// The decision against a reference that was written from the rules alone: which patterns cover an action is a set of texts, an address
// is looked for with the runtime's own block list, a rate is a bucket, and the reason is that of the grant that came closest.
import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { grantRow, NOW } from '../../test/support/rows.ts';
import { parseAddress } from '../model/address.ts';
import { neonActions } from '../providers/neon.actions.ts';
import type { Action } from '../providers/provider.ts';
import { type Attempt, authorize, compileGrant, compileNetworks, covers, isActionPattern } from './authorize.ts';
import type { GrantRow } from './principal.ts';

/** Every pattern that covers an action. */
function patternsFor(action: Pick<Action, 'name' | 'effect' | 'mints'>): Set<string> {
  if (action.mints === true) return new Set([action.name]);
  const [resource, verb] = action.name.split('.');
  const names = [action.name, `${resource}.*`, `*.${verb}`, '*.*', '*'];
  return new Set([...names, ...names.map((name) => `${name}:${action.effect}`)]);
}

const words = fc.constantFrom('*', 'branch', 'project', 'role', 'api-key', 'get', 'list', 'create', 'delete');
const pattern = fc
  .tuple(words, fc.constantFrom('', '.'), words, fc.constantFrom('', ':read', ':write', ':delete', ':mint', ':'))
  .map(([resource, dot, verb, effect]) => `${resource}${dot === '' ? '' : `.${verb}`}${effect}`);

test('a pattern covers an action exactly where it is one of the texts that name it', () => {
  fc.assert(
    fc.property(pattern, fc.constantFrom(...neonActions), (text, action) => {
      assert.equal(covers(text, action), patternsFor(action).has(text), `${text} on ${action.name}`);
    }),
    { numRuns: 5_000 },
  );
  for (const action of neonActions) {
    for (const text of patternsFor(action)) {
      assert(covers(text, action) && isActionPattern(text), `${text} on ${action.name}`);
    }
  }
});

test('what mints or reveals a credential is covered by its full name and by no pattern with a wildcard or an effect', () => {
  const minting = neonActions.filter((action) => action.mints === true);
  assert(minting.length > 10);
  for (const action of minting) {
    const [resource, verb] = action.name.split('.');
    const effects = ['', ':read', ':write', ':delete'];
    const wide = ['*', '*.*', `${resource}.*`, `*.${verb}`].flatMap((name) => effects.map((effect) => name + effect));
    for (const text of [...wide, `${action.name}:${action.effect}`])
      assert(!covers(text, action), `${text} on ${action.name}`);
    assert(covers(action.name, action));
  }
});

test('the grammar of patterns', () => {
  const right = [
    '*',
    '*:read',
    '*:write',
    '*:delete',
    '*.*',
    'branch.create',
    'branch.*',
    '*.create',
    'branch.*:delete',
    'a-b.c-d:read',
    '9.9',
  ];
  const wrong = [
    '',
    'branch',
    'branch:read',
    '.',
    'branch.',
    '.create',
    'a.b.c',
    'Branch.create',
    'branch.Create',
    'branch.create:mint',
  ];
  const worse = [
    'branch.cre*',
    'b*.create',
    '**',
    '* ',
    ' *',
    '*\n',
    'branch.create\n',
    '*:',
    ':read',
    '*:read:write',
    'branch/create',
    'br_anch.get',
  ];
  for (const text of right) assert(isActionPattern(text), text);
  for (const text of [...wrong, ...worse]) {
    assert(!isActionPattern(text), JSON.stringify(text));
    for (const action of neonActions) assert(!covers(text, action), JSON.stringify(text));
  }
});

function attempt(given: Partial<Attempt> = {}): Attempt {
  return { parameters: {}, address: null, at: NOW, monoMs: 0, ...given };
}
function reasonOf(row: GrantRow, given: Partial<Attempt>): string {
  const decision = authorize([compileGrant(row)], attempt(given));
  return decision.allowed ? 'allowed' : decision.reason;
}

test('without a grant nothing is allowed', () => {
  assert.deepEqual(authorize([], attempt()), { allowed: false, reason: 'no-grant', grant: null, retryAfterMs: 0 });
});

test('a grant ends at the very millisecond of its expiry', () => {
  const row = grantRow({ expiresAt: NOW });
  assert.equal(reasonOf(row, { at: NOW - 1 }), 'allowed');
  assert.equal(reasonOf(row, { at: NOW }), 'grant-expired');
  assert.equal(reasonOf(row, { at: NOW + 1 }), 'grant-expired');
  assert.equal(reasonOf(grantRow({ expiresAt: 0 }), { at: 0 }), 'grant-expired');
});

test('a revoked grant is as if it were not there, whatever else is right', () => {
  const decision = authorize([compileGrant(grantRow({ revokedAt: NOW + 1e9 }))], attempt());
  assert.deepEqual(decision, { allowed: false, reason: 'no-grant', grant: null, retryAfterMs: 0 });
});

test('a revoked or expired grant beside a valid one does no harm, in either order', () => {
  const valid = compileGrant(grantRow({ id: 'gnt_valid' }));
  for (const other of [
    { revokedAt: 1 },
    { expiresAt: 1 },
    { networks: ['10.0.0.0/8'] },
    { parameters: { a: ['1'] } },
  ]) {
    const ended = compileGrant(grantRow({ id: 'gnt_ended', ...other }));
    for (const grants of [
      [valid, ended],
      [ended, valid],
    ]) {
      const decision = authorize(grants, attempt());
      assert(decision.allowed && decision.grant.row.id === 'gnt_valid');
    }
  }
});

test('networks: an address inside, outside, unknown, and mapped into IPv6', () => {
  const from = (networks: string[], text: string | null) =>
    reasonOf(grantRow({ networks }), { address: text === null ? null : parseAddress(text) });
  const allowed: [string[], string | null][] = [
    [[], '203.0.113.9'],
    [[], null],
    [['10.0.0.0/8'], '10.255.255.255'],
    [['10.0.0.0/8'], '::ffff:10.1.2.3'],
    [['10.0.0.1/32'], '10.0.0.1'],
    [['0.0.0.0/0'], '255.255.255.255'],
    [['2001:db8::/32'], '2001:db8:ffff::1'],
    [['192.0.2.0/24', '2001:db8::/32'], '2001:db8::1'],
  ];
  const refused: [string[], string | null][] = [
    [['10.0.0.0/8'], '11.0.0.0'],
    [['10.0.0.0/8'], '9.255.255.255'],
    [['10.0.0.0/8'], null],
    [['0.0.0.0/0'], '2001:db8::1'],
    [['::/0'], '10.0.0.1'],
    [['::/0'], '::ffff:10.0.0.1'],
    [['2001:db8::/32'], '2001:db9::1'],
    // A network that is wrong, or written in the mapped form, holds nobody: it never becomes "anywhere".
    [['10.0.0.1/8'], '10.0.0.1'],
    [['nonsense'], '10.0.0.1'],
    [['::ffff:10.0.0.0/104'], '10.0.0.1'],
  ];
  for (const [networks, text] of allowed) assert.equal(from(networks, text), 'allowed', `${networks} ${text}`);
  for (const [networks, text] of refused) assert.equal(from(networks, text), 'network', `${networks} ${text}`);
});

test('parameters: every constrained one must be there with one of its values; what is not there is a denial', () => {
  const row = grantRow({ parameters: { project_id: ['p1', 'p2'], branch_id: ['b1'] } });
  const reason = (parameters: Record<string, unknown>) =>
    reasonOf(row, { parameters: parameters as Attempt['parameters'] });
  assert.equal(reason({ project_id: 'p1', branch_id: 'b1' }), 'allowed');
  assert.equal(reason({ project_id: 'p2', branch_id: 'b1', other: 'x' }), 'allowed');
  const wrong: Record<string, unknown>[] = [
    {},
    { project_id: 'p1' },
    { branch_id: 'b1' },
    { project_id: 'p3', branch_id: 'b1' },
  ];
  const odd = [
    '',
    'P1',
    'p1 ',
    ' p1',
    'p1,p2',
    'p1\u0000',
    ['p1'],
    { toString: () => 'p1' },
    new String('p1'),
    null,
    undefined,
  ];
  for (const parameters of [...wrong, ...odd.map((value) => ({ project_id: value, branch_id: 'b1' }))]) {
    assert.equal(reason(parameters), 'parameter', JSON.stringify(parameters));
  }
  // Names that every object has are no parameters of the request.
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    const odd = { ...grantRow(), parameters: Object.fromEntries([[name, ['x', '[object Object]']]]) };
    assert.equal(reasonOf(odd, { parameters: { project_id: 'p1' } }), 'parameter', name);
  }
  assert.equal(
    reasonOf(grantRow({ parameters: { project_id: [] } }), { parameters: { project_id: 'p1' } }),
    'parameter',
  );
});

test('a clock that is set back neither opens nor closes a rate limit: it is counted by the monotonic clock', () => {
  const grant = compileGrant(grantRow({ rate: { requests: 1, perSeconds: 10, burst: 2 } }));
  const at = (wall: number, monoMs: number) => authorize([grant], attempt({ at: wall, monoMs })).allowed;
  assert.deepEqual([at(NOW, 0), at(NOW - 1e12, 1), at(NOW + 1e12, 2)], [true, true, false]);
  assert.equal(at(0, 9_999), false);
  assert.equal(at(0, 10_000), true);
  assert.equal(at(NOW, 10_001), false);
});

test('of several grants the first that allows is used, and only its limit is spent', () => {
  const rate = { requests: 1, perSeconds: 1_000, burst: 1 };
  const grants = ['a', 'b'].map((id) => compileGrant(grantRow({ id, rate })));
  const used = [0, 1, 2].map((monoMs) => {
    const decision = authorize(grants, attempt({ monoMs }));
    return decision.allowed
      ? decision.grant.row.id
      : `${decision.reason} ${decision.grant?.row.id} ${decision.retryAfterMs}`;
  });
  assert.deepEqual(used, ['a', 'b', 'rate-limited a 999998']);
});

/** The closest denial last. */
const REASONS = ['no-grant', 'grant-expired', 'network', 'parameter', 'rate-limited'];

interface Bucket {
  parts: bigint;
  at: bigint;
}

/** The same decision, the long way round. Keeps a bucket for each grant, in `buckets`. */
function reference(rows: readonly GrantRow[], buckets: Map<string, Bucket>, one: Attempt) {
  const denials: [number, string][] = [];
  for (const row of rows) {
    const lists = row.networks.map((text) => {
      const list = new BlockList();
      const [address, prefix] = text.split('/');
      list.addSubnet(address!, Number(prefix), address!.includes(':') ? 'ipv6' : 'ipv4');
      return list;
    });
    const isInside = lists.some(
      (list) => one.address !== null && list.check(one.address.text, one.address.family === 4 ? 'ipv4' : 'ipv6'),
    );
    const isConstrained = Object.entries(row.parameters).some(([name, values]) => {
      return !Object.hasOwn(one.parameters, name) || !values.includes(one.parameters[name]!);
    });
    let rank = -1;
    if (row.revokedAt !== null) rank = 0;
    else if (row.expiresAt !== null && !(one.at < row.expiresAt)) rank = 1;
    else if (row.networks.length > 0 && !isInside) rank = 2;
    else if (isConstrained) rank = 3;
    else if (row.rate !== null) {
      const size = BigInt(row.rate.perSeconds) * 1000n;
      const full = size * BigInt(row.rate.burst);
      const before = buckets.get(row.id) ?? { parts: full, at: BigInt(one.monoMs) };
      const filled = before.parts + (BigInt(one.monoMs) - before.at) * BigInt(row.rate.requests);
      const parts = filled > full ? full : filled;
      if (parts < size) rank = 4;
      else buckets.set(row.id, { parts: parts - size, at: BigInt(one.monoMs) });
    }
    if (rank < 0) return { allowed: true, grant: row.id };
    denials.push([rank, row.id]);
  }
  const most = Math.max(0, ...denials.map(([rank]) => rank));
  const grant = most === 0 ? null : denials.find(([rank]) => rank === most)![1];
  return { allowed: false, reason: REASONS[most], grant };
}

const grantFields = fc.record({
  revokedAt: fc.constantFrom(null, null, null, NOW),
  expiresAt: fc.constantFrom(null, null, NOW, NOW + 5),
  networks: fc.subarray(['10.0.0.0/8', '10.1.0.0/16', '192.0.2.7/32', '2001:db8::/32', '::1/128'], { maxLength: 2 }),
  parameters: fc.dictionary(fc.constantFrom('a', 'b'), fc.subarray(['1', '2']), { maxKeys: 2 }),
  rate: fc.option(
    fc.record({
      requests: fc.constantFrom(1, 2, 5),
      perSeconds: fc.constantFrom(1, 2),
      burst: fc.integer({ min: 1, max: 3 }),
    }),
  ),
});
const attemptFields = fc.record({
  after: fc.constantFrom(0, 1, 100, 400, 1_500),
  at: fc.constantFrom(NOW - 1, NOW, NOW + 4, NOW + 5),
  address: fc.constantFrom(null, '10.1.2.3', '10.9.9.9', '192.0.2.7', '2001:db8::7', '::1', '::ffff:10.1.0.1'),
  parameters: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2', '3')),
});

test('random grants and requests: the same verdict, reason and grant as the reference, request after request', () => {
  let allowed = 0;
  let denied = 0;
  const sequences = fc.array(attemptFields, { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(grantFields, { maxLength: 5 }), sequences, (fields, requests) => {
      const rows = fields.map((given, i) => grantRow({ id: `gnt_${i}`, ...given }));
      const grants = rows.map(compileGrant);
      const buckets = new Map<string, Bucket>();
      let monoMs = 0;
      for (const { after, at, address, parameters } of requests) {
        monoMs += after;
        const mapped = address === '::ffff:10.1.0.1' ? '10.1.0.1' : address;
        const one = {
          at,
          monoMs,
          parameters: { ...parameters },
          address: address === null ? null : parseAddress(address),
        };
        const plain = { ...one, address: mapped === null ? null : parseAddress(mapped) };
        const decision = authorize(grants, one);
        const seen = decision.allowed
          ? { allowed: true, grant: decision.grant.row.id }
          : { allowed: false, reason: decision.reason, grant: decision.grant?.row.id ?? null };
        assert.deepEqual(seen, reference(rows, buckets, plain));
        if (decision.allowed) allowed++;
        else denied++;
        assert.equal(
          !decision.allowed && decision.retryAfterMs > 0,
          !decision.allowed && decision.reason === 'rate-limited',
        );
      }
    }),
    { numRuns: 1_500 },
  );
  assert(allowed > 500 && denied > 500, `${allowed} allowed, ${denied} denied: one side is hardly tried`);
});

test('networks are compiled one by one; one that is wrong matches nothing and spoils no other', () => {
  assert.equal(compileNetworks(['10.0.0.0/8', 'x', '10.0.0.1/8']).length, 1);
  assert.equal(reasonOf(grantRow({ networks: ['x', '10.0.0.0/8'] }), { address: parseAddress('10.0.0.1') }), 'allowed');
});
