// The judge of the corpus must see a leak where there is one: brokers that are careless in one way each.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bench, leaksAsTarget, leaksAsText } from './ssrf-crlf-broker.ts';

const STRING = '/%0d%0aSet-Cookie:crlf=injection';
const TARGET = 'http://169.254.169.254/latest/meta-data/';

const decoded = (text: string) => text.replaceAll(/%0d/gi, '\r').replaceAll(/%0a/gi, '\n');

/** Forwards the head with the host of the upstream, and answers what the upstream does. */
function carefulWith(change: { up?: (text: string) => string; down?: (text: string) => string }): Bench {
  return {
    async exchange(request, answer) {
      if (!/^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(request)) return { up: [], down: 'HTTP/1.1 400 Bad Request\r\n\r\n' };
      const head = request.replace(/ http:\/\/[^/ ]*/, ' ').replace(/\r\nHost: [^\r\n]*/, '\r\nhost: 127.0.0.1:1');
      const passed = /\r\nLocation: (?:https?:)?\/\//.test(answer)
        ? 'HTTP/1.1 502 Bad Gateway\r\nDate: x\r\n\r\n'
        : answer;
      return { up: [change.up?.(head) ?? head], down: change.down?.(answer) ?? passed };
    },
  };
}

test('a careful broker leaks nothing', async () => {
  assert.deepEqual(await leaksAsText(carefulWith({}), '/harmless%20text'), []);
  assert.deepEqual(await leaksAsTarget(carefulWith({}), TARGET), []);
});

test('a broker that decodes what it forwards leaks', async () => {
  const leaks = await leaksAsText(carefulWith({ up: decoded }), STRING);
  assert.ok(leaks.some((leak) => leak.startsWith('header value') && leak.endsWith('set-cookie upstream')));
  assert.ok(leaks.some((leak) => leak.startsWith('encoded query')));
});

test('a broker that decodes what it answers leaks', async () => {
  const leaks = await leaksAsText(carefulWith({ down: decoded }), STRING);
  assert.ok(leaks.some((leak) => leak.startsWith('location') && leak.endsWith('set-cookie downstream')));
});

test('a broker that passes redirects on leads its callers away', async () => {
  const leaks = await leaksAsTarget(carefulWith({ down: (answer) => answer }), TARGET);
  assert.ok(leaks.includes(`the caller was led to ${TARGET}`));
});

test('a broker that believes the target goes where it says', async () => {
  const leaks = await leaksAsTarget(
    carefulWith({ up: (head) => head.replace('127.0.0.1:1', '169.254.169.254') }),
    TARGET,
  );
  assert.ok(leaks.some((leak) => leak.startsWith('forwarded')));
});

test('no answer is no pass', async () => {
  const mute: Bench = { exchange: async () => ({ up: [], down: '' }) };
  assert.ok((await leaksAsText(mute, STRING)).length > 0);
  assert.ok((await leaksAsTarget(mute, TARGET)).length > 0);
});
