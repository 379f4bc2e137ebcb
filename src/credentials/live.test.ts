// What is open: counted in and out exactly once, idle times that claim no more than is certain, and cuts that reach what they name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLive, type OpenUse } from './live.ts';

function use(given: Partial<OpenUse> & { cuts?: string[] } = {}): OpenUse {
  return {
    versionId: 'ver_1',
    credentialId: 'crd_1',
    grantId: 'gnt_1',
    principalId: 'prn_1',
    tokenId: 'tok_1',
    endsAt: Number.POSITIVE_INFINITY,
    cut: (why) => given.cuts?.push(why),
    ...given,
  };
}

test('a version that was never used has been idle since the start, and nobody can say more', () => {
  const live = createLive();
  assert.deepEqual(live.activity('ver_1', 500), { inFlight: 0, idleMs: 500, lastUseAt: null });
  assert.deepEqual([live.users('ver_1'), live.openUses], [[], 0]);
});

test('begin and end of a use both count as use; counting out twice does nothing', () => {
  const live = createLive();
  const close = live.open(use(), 100, 1_100);
  assert.deepEqual(live.activity('ver_1', 150), { inFlight: 1, idleMs: 50, lastUseAt: 1_100 });
  const other = live.open(use(), 200, 1_200);
  close(300, 1_300);
  close(999, 9_999);
  assert.deepEqual(live.activity('ver_1', 310), { inFlight: 1, idleMs: 10, lastUseAt: 1_300 });
  other(400, 1_400);
  assert.deepEqual(live.activity('ver_1', 1_000), { inFlight: 0, idleMs: 600, lastUseAt: 1_400 });
  assert.equal(live.openUses, 0);
});

test('versions are counted apart, and who uses one is known while it is used', () => {
  const live = createLive();
  const first = live.open(use({ principalId: 'prn_a' }), 0, 0);
  live.open(use({ principalId: 'prn_b' }), 0, 0);
  live.open(use({ principalId: 'prn_b' }), 0, 0);
  live.open(use({ versionId: 'ver_2', principalId: 'prn_c' }), 0, 0);
  assert.deepEqual(live.users('ver_1').sort(), ['prn_a', 'prn_b']);
  first(1, 1);
  assert.deepEqual([live.users('ver_1'), live.users('ver_2')], [['prn_b'], ['prn_c']]);
  assert.deepEqual([live.activity('ver_1', 1).inFlight, live.activity('ver_2', 1).inFlight], [2, 1]);
});

test('a cut reaches every use that touches one of the ids, whichever of the five it is, and no other', () => {
  const fields = { versionId: 'ver', credentialId: 'crd', grantId: 'gnt', principalId: 'prn', tokenId: 'tok' };
  for (const field of Object.keys(fields)) {
    const live = createLive();
    const [hit, missed]: [string[], string[]] = [[], []];
    live.open(use({ [field]: 'x', cuts: hit }), 0, 0);
    live.open(use({ cuts: missed }), 0, 0);
    assert.equal(live.cut(new Set(['x', 'nobody']), 'why'), 1, field);
    assert.deepEqual([hit, missed], [['why'], []], field);
  }
});

test('a use that counts itself out while it is cut does not disturb the others', () => {
  const live = createLive();
  const cut: number[] = [];
  const closes: ((mono: number, at: number) => void)[] = [];
  for (let i = 0; i < 5; i++) {
    const one = use({
      cut() {
        cut.push(i);
        closes[i]!(7, 7);
      },
    });
    closes.push(live.open(one, 0, 0));
  }
  assert.equal(live.cut(new Set(['crd_1']), 'why'), 5);
  assert.deepEqual([cut, live.openUses, live.activity('ver_1', 7).inFlight], [[0, 1, 2, 3, 4], 0, 0]);
  assert.equal(live.cut(new Set(['crd_1']), 'why'), 0);
});

test('a version that retires asks its connections to end, and leaves its requests and other versions alone', () => {
  const live = createLive();
  const asked: string[] = [];
  const connection = (name: string, given: Partial<OpenUse> = {}) =>
    live.open(use({ retire: () => void asked.push(name), ...given }), 0, 0);
  const end = connection('first');
  connection('other', { versionId: 'ver_2' });
  live.open(use(), 0, 0);
  connection('second');
  assert.equal(live.retire('ver_1'), 2);
  assert.deepEqual(asked, ['first', 'second']);
  assert.equal(live.activity('ver_1', 0).inFlight, 3, 'they are in flight until they have ended');
  end(1, 1);
  assert.deepEqual([live.retire('ver_1'), live.retire('ver_3')], [1, 0]);
});

test('a connection that ends while it is asked to does not hide the next one', () => {
  const live = createLive();
  const asked: number[] = [];
  const closes: ((mono: number, at: number) => void)[] = [];
  for (let i = 0; i < 4; i++) {
    const retire = () => {
      asked.push(i);
      closes[i]!(1, 1);
    };
    closes.push(live.open(use({ retire }), 0, 0));
  }
  assert.equal(live.retire('ver_1'), 4);
  assert.deepEqual([asked, live.openUses], [[0, 1, 2, 3], 0]);
});

test('everything is cut where the keys are forgotten', () => {
  const live = createLive();
  const cuts: string[] = [];
  live.open(use({ cuts }), 0, 0);
  live.open(use({ cuts, versionId: 'ver_2', credentialId: 'crd_2' }), 0, 0);
  assert.equal(live.cutAll('sealed'), 2);
  assert.deepEqual(cuts, ['sealed', 'sealed']);
});

test('access ends at the very millisecond', () => {
  const live = createLive();
  const cuts: string[] = [];
  live.open(use({ endsAt: 1_000, cuts }), 0, 0);
  live.open(use(), 0, 0);
  assert.equal(live.cutExpired(999), 0);
  assert.equal(live.cutExpired(1_000), 1);
  assert.equal(cuts.length, 1);
});

test('whatever opens and closes in whatever order, the counts are those of a list', () => {
  const step = fc.record({ close: fc.boolean(), pick: fc.nat(), version: fc.constantFrom('a', 'b', 'c') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const live = createLive();
      const open: { version: string; close: (mono: number, at: number) => void }[] = [];
      for (const [now, { close, pick, version }] of steps.entries()) {
        if (close && open.length > 0) open.splice(pick % open.length, 1)[0]!.close(now, now);
        else open.push({ version, close: live.open(use({ versionId: version }), now, now) });
        assert.equal(live.openUses, open.length);
        for (const one of ['a', 'b', 'c']) {
          const { inFlight, idleMs } = live.activity(one, now);
          assert.equal(inFlight, open.filter((opened) => opened.version === one).length);
          assert(idleMs >= 0 && idleMs <= now);
        }
      }
    }),
  );
});

test('a use that cannot be ended does not keep the others open', () => {
  const live = createLive();
  const hit: string[] = [];
  const stuck = { ...use(), cut: () => assert.fail('stuck') };
  live.open(stuck, 0, 0);
  live.open(use({ cuts: hit }), 0, 0);
  assert.throws(() => live.cutAll('why'), /stuck/);
  assert.deepEqual(hit, ['why']);
});
