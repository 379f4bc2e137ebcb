// A server that cannot listen says which listener it is, where, and what to do; each listener in a process of its own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import type { ListenerConfig } from '../config/config.ts';
import { Failure } from '../model/failure.ts';
import { listenFailure } from './listening.ts';
import { call, temporaryFolder } from './test-support.io.ts';

const MAIN = path.resolve(import.meta.dirname, '../main.ts');

function listener(host: string, port: number): ListenerConfig {
  return { host, port, tls: null, terminatedBy: null };
}
const config = { broker: listener('127.0.0.1', 8200), api: listener('::1', 443) };

function refused(code: string, pointer: string | null): Failure {
  const cause = Object.assign(new Error(`listen ${code}`), { code, syscall: 'listen' });
  const errors = pointer === null ? [] : [{ pointer, detail: '' }];
  return new Failure('unavailable', 'raw', { cause, errors });
}

test('each cause is named with the listener, its address and what to do', () => {
  const table: [Failure, RegExp, string, RegExp][] = [
    [
      refused('EADDRINUSE', null),
      /^the broker cannot listen on 127\.0\.0\.1:8200: the address is in use/,
      '/broker/listen',
      /another port in broker\.listen/,
    ],
    [
      refused('EADDRINUSE', '/api/listen'),
      /^the control API cannot listen on \[::1\]:443: the address is in use/,
      '/api/listen',
      /another port in api\.listen/,
    ],
    [refused('EADDRNOTAVAIL', null), /no such address/, '/broker/listen', /an address of this machine/],
    [refused('EACCES', '/api/listen'), /not allowed/, '/api/listen', /below 1024/],
    [refused('EMFILE', null), /the system says EMFILE/, '/broker/listen', /broker\.listen/],
  ];
  for (const [error, message, pointer, what] of table) {
    const found = listenFailure(error, config);
    assert.ok(Failure.is(found, 'unavailable'), error.message);
    assert.match(found.message, message);
    assert.deepEqual([found.errors.length, found.errors[0]?.pointer], [1, pointer]);
    assert.match(found.errors[0]!.detail, what);
  }
});

test('what is not about listening is left as it is', () => {
  const reset = Object.assign(new Error('read'), { code: 'ECONNRESET', syscall: 'read' });
  for (const error of [
    new Error('x'),
    null,
    new Failure('unavailable', 'x'),
    new Failure('unavailable', 'x', { cause: reset }),
    new Failure('invalid', 'x', { cause: refused('EADDRINUSE', null).cause }),
  ]) {
    assert.equal(listenFailure(error, config), null);
  }
});

test('serve ends with 6 where the port of either listener is taken, and names it', async (t) => {
  const folder = temporaryFolder(t);
  const other = http.createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`;
  const cases = [
    ['broker', taken, '127.0.0.1:0', 'broker'],
    ['api', '127.0.0.1:0', taken, 'control API'],
  ] as const;
  for (const [name, brokerListen, apiListen, title] of cases) {
    const file = path.join(folder, name, 'claviger.yaml');
    const where = ['--config', file, '--broker-listen', brokerListen, '--api-listen', apiListen];
    const paths = ['--data-directory', path.join(folder, name, 'data'), '--kek-file', path.join(folder, name, 'kek')];
    const begun = await call(['init', '--yes', ...where, ...paths], { now: Date.now() });
    assert.equal(begun.exit, 0, begun.err);
    const child = spawn(process.execPath, [MAIN, 'serve', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const exit = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(exit, 6, said);
    assert.ok(said.includes(`error: the ${title} cannot listen on ${taken}: the address is in use`), said);
    assert.match(said, new RegExp(`/${name}/listen {2}end what listens there`));
  }
});
