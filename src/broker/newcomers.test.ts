// Newcomers of a source are counted exactly, in whatever order its connections come, are admitted and close.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sourceKey } from '../model/address.ts';
import { createNewcomers, type Source } from './newcomers.ts';

test('a source has so many newcomers and no more; another source has its own', () => {
  const newcomers = createNewcomers(2);
  const first = newcomers.arrive('a');
  assert(first !== null && newcomers.arrive('a') !== null);
  assert.equal(newcomers.arrive('a'), null);
  assert.notEqual(newcomers.arrive('b'), null);
  newcomers.leave(first);
  assert.notEqual(newcomers.arrive('a'), null);
  assert.equal(newcomers.arrive('a'), null);
});

test('who was admitted makes room for another one', () => {
  const newcomers = createNewcomers(1);
  assert(newcomers.arrive('a') !== null);
  assert.equal(newcomers.arrive('a'), null);
  assert(newcomers.admit('a') !== null);
  assert(newcomers.arrive('a') !== null);
  assert.equal(newcomers.arrive('a'), null);
  assert.equal(newcomers.admit('nobody'), null);
});

test('any order of arriving, being admitted and leaving agrees with a list of connections', () => {
  interface Known {
    readonly source: Source;
    admitted: Source | null;
    isLeft: boolean;
  }
  const step = fc.record({ what: fc.constantFrom('arrive', 'arrive', 'admit', 'close'), which: fc.nat(50) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.boolean(), (steps, leavesFirst) => {
      const newcomers = createNewcomers(3);
      const known: Known[] = [];
      for (const { what, which } of steps) {
        const open = known.filter((one) => !one.isLeft);
        if (what === 'arrive') {
          const source = newcomers.arrive('a');
          assert.equal(source === null, open.filter((one) => one.admitted === null).length >= 3);
          if (source !== null) known.push({ source, admitted: null, isLeft: false });
          continue;
        }
        const one = open[which % Math.max(1, open.length)];
        if (one === undefined) continue;
        if (what === 'admit') {
          if (one.admitted === null) one.admitted = newcomers.admit('a');
          continue;
        }
        if (leavesFirst) newcomers.leave(one.source);
        if (one.admitted !== null) newcomers.dismiss(one.admitted);
        if (!leavesFirst) newcomers.leave(one.source);
        one.isLeft = true;
      }
      for (const one of known.filter(({ isLeft }) => !isLeft)) newcomers.leave(one.source);
      assert.equal(newcomers.sources, 0, 'nobody is remembered who is not there');
    }),
  );
});

test('a mapped IPv4 address is that address; an IPv6 address is its /64', () => {
  assert.equal(sourceKey('::ffff:10.0.0.1'), sourceKey('10.0.0.1'));
  assert.notEqual(sourceKey('10.0.0.2'), sourceKey('10.0.0.1'));
  assert.equal(sourceKey('2001:db8:0:1::1'), sourceKey('2001:db8:0:1:ffff::9'));
  assert.notEqual(sourceKey('2001:db8:0:2::1'), sourceKey('2001:db8:0:1::1'));
  assert.equal(sourceKey(''), sourceKey('fe80::1%eth0'));
});
