// What exactly the broker sends on: which headers, with the key in its place and nothing of the caller's token, and from whom it says that
// it came. Who may: plan.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Asked,
  forwarded,
  GET_PROJECT,
  KEY,
  planned,
  said,
  sent,
  snapshotWith,
  TOKEN,
} from '../../test/support/plans.ts';
import { NOW } from '../../test/support/rows.ts';
import type { Place } from '../providers/provider.ts';

test('what belongs to this connection, and every claim about who came before, ends here; the rest travels in order', () => {
  const dropped = [
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Proxy-Authorization',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'Accept-Encoding',
    'Range',
    'If-Range',
    'Cookie',
    'Forwarded',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'X-Forwarded-Port',
    'X-Real-IP',
    'Via',
  ];
  const headers = dropped.flatMap((name) => [name, 'x']).concat('X-One', '1', 'Content-Type', 'a/b', 'x-one', '2');
  const one = forwarded(snapshotWith(), { headers });
  assert.deepEqual(one.headers, [
    'x-one',
    '1',
    'content-type',
    'a/b',
    'x-one',
    '2',
    'accept-encoding',
    'identity',
    'authorization',
    `Bearer ${KEY}`,
  ]);
});

test('a header that any Connection line names ends here, but not the length of the body', () => {
  const headers = [
    'Connection',
    'X-A, Content-Length',
    'X-A',
    '1',
    'X-B',
    '2',
    'connection',
    'close ,x-b',
    'Content-Length',
    '3',
    'X-C',
    '4',
  ];
  const one = forwarded(snapshotWith(), { headers });
  assert.deepEqual(one.headers.slice(0, 4), ['content-length', '3', 'x-c', '4']);
  assert.deepEqual(sent(one, 'x-a').concat(sent(one, 'x-b')), []);
  const named = forwarded(snapshotWith(), { headers: ['Connection', 'authorization, accept-encoding'] });
  assert.deepEqual([sent(named, 'authorization'), sent(named, 'accept-encoding')], [[`Bearer ${KEY}`], ['identity']]);
});

const ALL_PLACES: readonly Place[] = [
  { in: 'query', name: 'api_key' },
  { in: 'header', name: 'X-Api-Key', scheme: null },
  { in: 'basic', user: 'api' },
];

test('every place where the kind has its key is emptied, in whatever spelling, and the key stands in the first one alone', () => {
  const snapshot = snapshotWith({ credential: { places: ALL_PLACES } });
  const veiled = [
    'api_key=x',
    '%61pi_key=x',
    'API_KEY=x',
    'api_key[]=x',
    'api.key=x',
    'api_key',
    'api%5Fkey=x',
    '+api_key=x',
    'a;api_key=x',
    'api_key=x;a',
  ];
  const query = `a=1&${veiled.join('&')}&b=2`;
  const one = forwarded(snapshot, {
    target: `/neon/prod${GET_PROJECT}?${query}`,
    headers: ['X-API-KEY', 'theirs', 'x-api-key', 'again'],
  });
  assert.equal(one.target, `${GET_PROJECT}?a=1&b=2&api_key=${KEY}`);
  assert.deepEqual([sent(one, 'x-api-key'), sent(one, 'authorization')], [[], []]);
  const bare = forwarded(snapshot, { target: `/neon/prod${GET_PROJECT}` });
  assert.equal(bare.target, `${GET_PROJECT}?api_key=${KEY}`);
});

test('the caller’s token may stand in any place of the kind, and only there', () => {
  const snapshot = snapshotWith({ credential: { places: ALL_PLACES } });
  const accepted: Asked[] = [
    { headers: [] },
    { token: null, headers: ['X-Api-Key', TOKEN] },
    { token: null, target: `/neon/prod${GET_PROJECT}?api_key=${TOKEN}` },
    { token: null, headers: ['Authorization', `Basic ${Buffer.from(`api:${TOKEN}`).toString('base64')}`] },
  ];
  for (const asked of accepted) {
    const one = forwarded(snapshot, asked);
    assert.equal(one.target, `${GET_PROJECT}?api_key=${KEY}`);
    assert.deepEqual(one.headers, ['accept-encoding', 'identity']);
  }
  for (const asked of [
    { token: null, headers: ['X-Other', TOKEN] },
    { token: null, target: `/neon/prod${GET_PROJECT}?other=${TOKEN}` },
  ]) {
    assert.equal(said(planned(snapshot, asked)), '400 token-place');
  }
});

test('nothing of the caller’s token is in what is sent on, wherever it stood and whatever stood around it', () => {
  const snapshots = [snapshotWith(), snapshotWith({ credential: { places: ALL_PLACES } })];
  const glue = fc.stringMatching(/^[!-$&-~]{0,4}$/);
  const carried = fc.tuple(glue, fc.constantFrom(TOKEN, `secret-token:${TOKEN}`), glue).map((parts) => parts.join(''));
  const encoded = carried.map((text) => Buffer.from(text).toString('base64'));
  const value = fc.oneof(
    carried,
    encoded.map((text) => `Basic ${text}`),
    carried.map((text) => `Bearer ${text}`),
    { weight: 6, arbitrary: glue },
  );
  const name = fc.constantFrom(
    'Authorization',
    'X-Api-Key',
    'X-Other',
    'Cookie',
    'Referer',
    'Proxy-Authorization',
    'User-Agent',
    'X-Forwarded-For',
  );
  const query = fc.oneof(
    carried,
    carried.map((text) => `api_key=${text}`),
    carried.map((text) => `x=1&${text}=2`),
    { weight: 3, arbitrary: fc.constant('') },
  );
  const last = fc.oneof({ weight: 3, arbitrary: fc.constant('p1') }, carried);
  let seen = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value), { maxLength: 3 }),
      query,
      last,
      fc.boolean(),
      fc.constantFrom(0, 1),
      (lines, asked, id, isSent, which) => {
        const one = planned(snapshots[which]!, {
          token: isSent ? TOKEN : null,
          headers: lines.flat(),
          target: `/neon/prod/api/v2/projects/${id}?${asked}`,
        });
        if (one.kind === 'refuse') return;
        seen++;
        const all = JSON.stringify([one.target, one.headers, one.injection.query, one.injection.headerLines]);
        assert(!all.includes(TOKEN), all);
        for (const text of all.matchAll(/[A-Za-z0-9+/]{20,}/g)) {
          assert(!Buffer.from(text[0], 'base64').toString('latin1').includes(TOKEN), 'the token travels on in base64');
        }
      },
    ),
    { numRuns: 4_000 },
  );
  assert(seen > 200, `only ${seen} requests were sent on: the property says little`);
});

test('access ends with the token or the grant, whichever is first', () => {
  const ends = (token: number | null, grant: number | null) =>
    forwarded(snapshotWith({ token: { expiresAt: token }, grants: [{ expiresAt: grant }] })).endsAt;
  assert.equal(ends(null, null), Number.POSITIVE_INFINITY);
  assert.equal(ends(NOW + 5, null), NOW + 5);
  assert.equal(ends(null, NOW + 6), NOW + 6);
  assert.equal(ends(NOW + 9, NOW + 6), NOW + 6);
});

test('X-Forwarded-For is believed from trusted proxies only, and read from its end', () => {
  const trustedProxies = ['10.0.0.0/8', 'fd00::/8'];
  const ip = (remote: string, claims: readonly string[], trusted: readonly string[] = trustedProxies) =>
    planned(snapshotWith({ trustedProxies: trusted }), {
      remote,
      headers: claims.flatMap((claim) => ['X-Forwarded-For', claim]),
    }).ip;
  const table: [string, string[], string][] = [
    ['203.0.113.7', ['198.51.100.1'], '203.0.113.7'],
    ['10.0.0.1', [], '10.0.0.1'],
    ['10.0.0.1', ['198.51.100.1'], '198.51.100.1'],
    ['::ffff:10.0.0.1', ['198.51.100.1'], '198.51.100.1'],
    ['10.0.0.1', ['198.51.100.1, 203.0.113.9'], '203.0.113.9'],
    ['10.0.0.1', ['198.51.100.1, 203.0.113.9, 10.9.9.9'], '203.0.113.9'],
    ['10.0.0.1', ['198.51.100.1', '203.0.113.9'], '203.0.113.9'],
    ['10.0.0.1', ['198.51.100.1 ,fd00::1,10.2.2.2'], '198.51.100.1'],
    ['10.0.0.1', ['10.3.3.3, 10.2.2.2'], '10.0.0.1'],
    ['10.0.0.1', ['198.51.100.1, nonsense'], '10.0.0.1'],
    ['10.0.0.1', ['nonsense, 198.51.100.1'], '198.51.100.1'],
    ['10.0.0.1', ['198.51.100.1:443'], '10.0.0.1'],
    ['10.0.0.1', [''], '10.0.0.1'],
    ['10.0.0.1', ['2001:DB8::0001'], '2001:db8::1'],
  ];
  for (const [remote, claims, expected] of table) assert.equal(ip(remote, claims), expected, `${remote} ${claims}`);
  assert.equal(ip('10.0.0.1', ['198.51.100.1'], []), '10.0.0.1');
  const bound = snapshotWith({ trustedProxies, token: { networks: ['198.51.100.0/24'] } });
  assert.equal(said(planned(bound, { remote: '10.0.0.1', headers: ['X-Forwarded-For', '198.51.100.9'] })), 'forward');
  assert.equal(
    said(planned(bound, { remote: '203.0.113.7', headers: ['X-Forwarded-For', '198.51.100.9'] })),
    '401 token-network',
  );
});

test('what was matched before is matched again, and not after the catalogue has changed', () => {
  const snapshot = snapshotWith();
  for (let i = 0; i < 3; i++) assert.equal(forwarded(snapshot).identity.action.name, 'project.get');
  for (let i = 0; i < 5_000; i++) planned(snapshot, { target: `/neon/prod/api/v2/projects/p${i}` });
  const { recent } = snapshot.policy.catalogues.get('neon')!;
  assert(recent.size <= 4_096, `${recent.size} paths are remembered`);
  planned(snapshot, { target: `/neon/prod/api/v2/projects/${'p'.repeat(400)}` });
  assert(![...recent.keys()].some((key) => key.length > 300), 'a long path is not remembered');
});
