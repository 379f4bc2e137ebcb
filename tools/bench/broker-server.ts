// The broker under measurement, with everything a real one has: tokens, 50 grants, a rate limit, the durable record in SQLite. With `--no-record`
// the record is acknowledged without being written, and nothing else changes.
// usage: broker-server.ts UPSTREAM_PORT DIRECTORY KEY [--no-record] ; prints port and token
import { hash } from 'node:crypto';
import type net from 'node:net';
import { createGuardian } from '../../src/access/guardian.io.ts';
import { createBroker, DEFAULT_LIMITS } from '../../src/broker/listener.io.ts';
import { Secret } from '../../src/model/secret.ts';
import { resolveRedirect } from '../../src/net/redirect.ts';
import { type BenchHouse, startHouse } from './house.ts';

const [upstream, directory, key] = process.argv.slice(2);
const recording = !process.argv.includes('--no-record');
const house: BenchHouse = await startHouse({
  directory: directory!,
  origin: `http://127.0.0.1:${upstream}`,
  key: new Secret(key!),
  hash: (text) => hash('sha256', text, 'hex'),
});
let index = 0;
const guardian = recording
  ? house.app.guardian
  : createGuardian({ admit: (_entry, _asOf, done) => done(index++), now: Date.now, epoch: 0, asOf: () => 0 });
const broker = createBroker({
  guardian,
  live: house.app.live,
  gate: house.app.gate,
  now: () => Date.now(),
  mono: () => performance.now(),
  redirect: resolveRedirect,
  headersTimeoutMs: 60_000,
  bodyTimeoutMs: 60_000,
  snapshot: house.app.snapshot,
  dispatcherFor: house.app.dispatcherFor,
  tls: null,
  limits: DEFAULT_LIMITS,
});
broker.server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(broker.server.address() as net.AddressInfo).port} ${house.token}\n`);
});
process.on('SIGTERM', () => {
  void broker
    .drain(1_000)
    .then(() => house.app.stop())
    .then(() => process.exit(0));
});
