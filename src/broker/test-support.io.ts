// A served broker for tests of the port: real tokens and grants, everything of the product but the provider, which is whatever listens on
// the given port of loopback: a raw upstream, say. Records are acknowledged from memory.
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { after, beforeEach, type TestContext } from 'node:test';
import { Pool } from 'undici';
import { GET_PROJECT, type Given, snapshotWith, TOKEN } from '../../test/support/plans.ts';
import { isWhole, OK, type RawUpstream, startUpstream } from '../../tools/foreign/raw.ts';
import { type Admit, createGuardian } from '../access/guardian.io.ts';
import type { Policy } from '../access/policy.ts';
import { createGate, type Gate } from '../credentials/gate.ts';
import { createLive, type Live } from '../credentials/live.ts';
import { resolveRedirect } from '../net/redirect.ts';
import type { Injection } from './inject.ts';
import { type BrokerLimits, createBroker, DEFAULT_LIMITS } from './listener.io.ts';

export interface Served {
  readonly port: number;
  readonly live: Live;
  /** What is decided on: a test may move it on. */
  readonly policy: Policy;
  readonly injections: Map<string, Injection>;
  readonly gate: Gate;
  /** Entries of the use log, with the strangers and outcomes that have gathered. */
  entries(): Record<string, unknown>[];
  connections(): Promise<number>;
  /** Begins to stop: answers what is open, and takes nothing more. */
  drain(timeoutMs: number): Promise<void>;
}

export interface Setting extends Given {
  readonly limits?: Partial<BrokerLimits>;
  readonly certificate?: { key: string; cert: string };
  readonly host?: string;
  readonly upstreamPort: number;
  /** In the place of a writer that acknowledges at once. */
  readonly admit?: Admit;
}

/** Starts it on a free port; it ends with its test. The one caller may do whatever no wildcard excludes, unless the setting says otherwise. */
export async function serveBroker(t: TestContext, setting: Setting): Promise<Served> {
  const entries: string[] = [];
  const guardian = createGuardian({
    admit: (entry, asOf, done) => {
      if (setting.admit === undefined) done(entries.push(entry) - 1);
      else setting.admit(entry, asOf, (index) => done(index < 0 ? index : entries.push(entry) - 1));
    },
    now: Date.now,
    epoch: 0,
    asOf: () => 0,
  });
  const live = createLive();
  const gate = createGate((ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  });
  const snapshot = snapshotWith({ grants: [{ actions: ['*'] }], ...setting });
  const pool = new Pool(`http://127.0.0.1:${setting.upstreamPort}`, { pipelining: 0 });
  const broker = createBroker({
    guardian,
    live,
    gate,
    now: Date.now,
    mono: () => performance.now(),
    redirect: resolveRedirect,
    headersTimeoutMs: 10_000,
    bodyTimeoutMs: 10_000,
    snapshot: () => snapshot,
    dispatcherFor: () => pool,
    tls: setting.certificate ?? null,
    limits: { ...DEFAULT_LIMITS, ...setting.limits },
  });
  await new Promise<void>((resolve) => broker.server.listen(0, setting.host ?? '127.0.0.1', resolve));
  t.after(async () => {
    await broker.drain(0);
    guardian.stop();
    await pool.destroy();
  });
  return {
    port: (broker.server.address() as AddressInfo).port,
    live,
    policy: snapshot.policy,
    injections: snapshot.injections as Map<string, Injection>,
    gate,
    entries() {
      guardian.flush();
      return entries.map((entry) => JSON.parse(entry) as Record<string, unknown>);
    },
    drain: (timeoutMs) => broker.drain(timeoutMs),
    connections: () =>
      new Promise((resolve, reject) => {
        broker.server.getConnections((error, open) => (error === null ? resolve(open) : reject(error)));
      }),
  };
}

export interface SharedUpstream extends Omit<RawUpstream, 'close'> {
  /** As `startUpstream` takes it. A test may set another one. */
  answer: Parameters<typeof startUpstream>[0];
}

function answerWhole(received: string): string | null {
  return isWhole(received) || received.endsWith('0\r\n\r\n') ? OK : null;
}

/** A raw upstream for all tests of the file that awaits this. Before each of them it has heard nothing, and answers as usual. */
export async function shareUpstream(usual: SharedUpstream['answer'] = answerWhole): Promise<SharedUpstream> {
  const { close, ...running } = await startUpstream((received) => shared.answer(received));
  const shared: SharedUpstream = { ...running, answer: usual };
  beforeEach(() => {
    shared.answer = usual;
    shared.received.length = 0;
  });
  after(close);
  return shared;
}

/** Waits for something that must come about; the deadline is for a test that fails. */
export async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail('did not come about');
}

export const PROJECT = `/neon/prod${GET_PROJECT}`;
export const RECOVER = `${PROJECT}/recover`;
export const AUTHORIZED = `Host: a\r\nAuthorization: Bearer ${TOKEN}\r\n`;
export const GET = `GET ${PROJECT} HTTP/1.1\r\n${AUTHORIZED}`;
export const CLOSE = 'Connection: close\r\n';
export const WEBSOCKET = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
export const codeOf = (received: string) => /"code":"([a-z0-9-]+)"/.exec(received)?.[1];
