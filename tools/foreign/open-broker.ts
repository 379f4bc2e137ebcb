// A broker of the real parts for the corpora that speak raw HTTP: listener, plan, exchange, guardian and outbound pool are the
// product's own. Two things differ from a server: an identity admits every caller, and its catalogue knows every path, so that
// no refusal of a person hides how the form of a request was judged; and records are acknowledged at once, in memory.
import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { formatAction } from '../../src/access/catalogue.ts';
import { type Admit, createGuardian } from '../../src/access/guardian.io.ts';
import { policyOf } from '../../src/access/policy.ts';
import { newTokenText } from '../../src/access/token.ts';
import { compileInjection } from '../../src/broker/inject.ts';
import { type BrokerLimits, createBroker, DEFAULT_LIMITS } from '../../src/broker/listener.io.ts';
import { createGate } from '../../src/credentials/gate.ts';
import { createLive, type Live } from '../../src/credentials/live.ts';
import type { Rows } from '../../src/model/change.ts';
import { Secret } from '../../src/model/secret.ts';
import { createDialer } from '../../src/net/dial.io.ts';
import { resolveRedirect } from '../../src/net/redirect.ts';
import { createGuard, createResolver } from '../../src/net/resolve.io.ts';
import type { Action, Place } from '../../src/providers/provider.ts';
import { machineRandom } from '../../src/vault/cipher.io.ts';
import {
  catalogueRow,
  credentialRow,
  grantRow,
  principalRow,
  rowsOf,
  tokenRow,
  versionRow,
} from '../../test/support/rows.ts';

/** What the broker injects; it must never be seen by a caller. */
export const CANARY_KEY = 'canary-key-of-the-open-broker';

/** Deep enough for every path of the corpora. */
const DEPTH_MAX = 16;
const EFFECTS = {
  GET: 'read',
  HEAD: 'read',
  OPTIONS: 'read',
  POST: 'write',
  PUT: 'write',
  PATCH: 'write',
  DELETE: 'delete',
} as const;

const BEARER: readonly Place[] = [{ in: 'header', name: 'authorization', scheme: 'Bearer' }];

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

export interface OpenBroker {
  readonly port: number;
  readonly origin: string;
  /** A token of the one principal, for callers that name themselves. */
  readonly token: string;
  readonly live: Live;
  /** The entries of the use log, in order. */
  readonly entries: readonly string[];
  /** How many connections callers hold open. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

export interface OpenBrokerOptions {
  /** Where requests go: `127.0.0.1` at this port. */
  readonly upstreamPort: number;
  /** Where the key stands; bearer without it. */
  readonly places?: readonly Place[];
  readonly limits?: Partial<BrokerLimits>;
  /** Takes the place of a writer that acknowledges at once. */
  readonly admit?: Admit;
}

/** Actions for each method and number of segments, with and without a slash at the end: what has the form of a path is allowed. */
function everyAction(): Action[] {
  const actions: Action[] = [];
  for (const [method, effect] of Object.entries(EFFECTS) as [keyof typeof EFFECTS, Action['effect']][]) {
    const verb = method.toLowerCase();
    actions.push({ name: `any.${verb}-0`, method, path: '/', effect });
    for (let depth = 1; depth <= DEPTH_MAX; depth++) {
      const names = Array.from({ length: depth }, (_, index) => `segment${index}`);
      const path = names.map((name) => `/{${name}}`).join('');
      actions.push({ name: `any.${verb}-${depth}`, method, path, effect, slashes: names });
      actions.push({ name: `any.${verb}-${depth}-slash`, method, path: `${path}/`, effect, slashes: names });
    }
  }
  return actions;
}

/** One row of each noun: whoever comes is `anybody`, who holds a grant of everything on the one credential. */
function openRows(origin: string, places: readonly Place[], text: string): Rows {
  const principalId = 'prn_open';
  const credentialId = 'crd_open';
  const token = { id: 'tok_open', principalId, hash: hash(text), hint: text.slice(-4), credentialId };
  const credential = { id: credentialId, provider: 'open', name: 'open', kind: 'key', origin, places, settings: {} };
  const version = { id: 'ver_open', credentialId, providerKeyId: null, createdAt: 0, promotedAt: 0 };
  const actions = everyAction().map(formatAction);
  return rowsOf(
    { noun: 'catalogue', row: catalogueRow({ id: 'cat_open', provider: 'open', actions }) },
    { noun: 'principal', row: principalRow({ id: principalId, name: 'anybody', createdAt: 0 }) },
    { noun: 'token', row: tokenRow({ ...token, createdAt: 0 }) },
    { noun: 'credential', row: credentialRow({ ...credential, createdAt: 0 }) },
    { noun: 'version', row: versionRow(version) },
    { noun: 'grant', row: grantRow({ id: 'gnt_open', principalId, credentialId, createdAt: 0 }) },
  );
}

/** Starts the broker on a free port of loopback. It lives until `close`. */
export async function openBroker(options: OpenBrokerOptions): Promise<OpenBroker> {
  const origin = `http://127.0.0.1:${options.upstreamPort}`;
  const places = options.places ?? BEARER;
  const token = newTokenText(machineRandom);
  const policy = policyOf(openRows(origin, places, token), 0);
  const injections = new Map([['ver_open', compileInjection(places, { key: new Secret(CANARY_KEY) })]]);
  const entries: string[] = [];
  const remember: Admit = (entry, _asOf, done) => done(entries.push(entry) - 1);
  const clock = { now: Date.now, monotonic: () => performance.now() };
  const guardian = createGuardian({ admit: options.admit ?? remember, now: clock.now, epoch: 0, asOf: () => 0 });
  const dialer = createDialer({ guard: createGuard(createResolver({ clock })) });
  const settings = { origin, privateNetworks: ['127.0.0.0/8'], plainHttp: true };
  const live = createLive();
  const broker = createBroker({
    guardian,
    live,
    gate: createGate(() => () => {}),
    now: clock.now,
    mono: clock.monotonic,
    redirect: resolveRedirect,
    headersTimeoutMs: 10_000,
    bodyTimeoutMs: 10_000,
    snapshot: () => ({
      policy,
      injections,
      hash,
      anonymous: policy.tokens.get('tok_open') ?? null,
      trustedProxies: [],
    }),
    dispatcherFor: (credential) => dialer.dispatcherFor(credential.row.origin, settings, 'fresh'),
    tls: null,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
  });
  await new Promise<void>((resolve) => broker.server.listen(0, '127.0.0.1', resolve));
  const { port } = broker.server.address() as AddressInfo;
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    token,
    live,
    entries,
    connections: () =>
      new Promise((resolve, reject) => {
        broker.server.getConnections((error, open) => (error === null ? resolve(open) : reject(error)));
      }),
    async close() {
      await broker.drain(1_000);
      guardian.stop();
      await dialer.close();
    },
  };
}
