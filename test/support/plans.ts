// Requests and the policies they are planned on, for tests of the broker's judgement: a caller with a token, one credential of Neon and its
// grants, changed as a test says. Pure but for the hash.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { catalogueLines } from '../../src/access/catalogue.ts';
import { type Policy, policyOf } from '../../src/access/policy.ts';
import type { GrantRow, PrincipalRow, TokenRow } from '../../src/access/principal.ts';
import { newTokenText } from '../../src/access/token.ts';
import type { Head } from '../../src/broker/head.ts';
import { compileInjection, type Injection } from '../../src/broker/inject.ts';
import { type Forward, type Plan, plan, type Snapshot } from '../../src/broker/plan.ts';
import type { CredentialRow, VersionRow } from '../../src/credentials/credential.ts';
import { parseNetworks } from '../../src/model/address.ts';
import { applyEvent, emptyRows, type RowImage } from '../../src/model/change.ts';
import { Secret } from '../../src/model/secret.ts';
import { neon } from '../../src/providers/neon.ts';
import {
  controlEvent,
  credentialRow,
  grantRow,
  NOW,
  principalRow,
  seededRandom,
  tokenRow,
  versionRow,
} from './rows.ts';

export const KEY = 'canary-provider-key';
export const TOKEN = newTokenText(seededRandom(1));
export const OTHER_TOKEN = newTokenText(seededRandom(2));
export const UNKNOWN_TOKEN = newTokenText(seededRandom(3));
export const hash = (text: string) => createHash('sha256').update(text).digest('hex');
export const GET_PROJECT = '/api/v2/projects/p1';

export interface Given {
  readonly token?: Partial<TokenRow>;
  readonly principal?: Partial<PrincipalRow>;
  readonly credential?: Partial<CredentialRow>;
  readonly version?: Partial<VersionRow> | null;
  readonly grants?: readonly Partial<GrantRow>[];
  readonly more?: readonly RowImage[];
  readonly isSealed?: boolean;
  readonly trustedProxies?: readonly string[];
  /** Of versions whose key stands elsewhere, or is another one. */
  readonly injections?: Readonly<Record<string, Injection>>;
}

export function snapshotWith(given: Given = {}): Snapshot {
  const credential = credentialRow(given.credential);
  const images: RowImage[] = [
    {
      noun: 'catalogue',
      row: { id: 'cat_1', rowVersion: 1, provider: 'neon', actions: catalogueLines(neon) } as never,
    },
    { noun: 'principal', row: principalRow(given.principal) },
    { noun: 'token', row: tokenRow({ hash: hash(TOKEN), ...given.token }) },
    { noun: 'credential', row: credential },
    ...(given.version === null ? [] : [{ noun: 'version' as const, row: versionRow(given.version) }]),
    ...(given.grants ?? [{}]).map((one, i) => ({ noun: 'grant' as const, row: grantRow({ id: `gnt_${i}`, ...one }) })),
    ...(given.more ?? []),
  ];
  const rows = emptyRows();
  assert.equal(applyEvent(rows, controlEvent(images)), null);
  const policy: Policy = policyOf(rows, 9);
  const injection = compileInjection(credential.places, { key: new Secret(KEY) });
  const injectionOf = (id: string): [string, Injection] => [id, given.injections?.[id] ?? injection];
  return {
    policy,
    injections: new Map(given.isSealed === true ? [] : [...policy.versions.keys()].map(injectionOf)),
    hash,
    anonymous: null,
    trustedProxies: parseNetworks(given.trustedProxies ?? []),
  };
}

export interface Asked {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly string[];
  readonly remote?: string;
  readonly token?: string | null;
  readonly at?: number;
  readonly monoMs?: number;
}

export function headOf(asked: Asked = {}): Head {
  const token = asked.token === undefined ? TOKEN : asked.token;
  const authorization = token === null ? [] : ['Authorization', `Bearer ${token}`];
  return {
    method: asked.method ?? 'GET',
    target: asked.target ?? `/neon/prod${GET_PROJECT}`,
    rawHeaders: ['Host', 'broker.test', ...authorization, ...(asked.headers ?? [])],
    httpVersion: '1.1',
    remote: asked.remote ?? '203.0.113.7',
  };
}
export function planned(snapshot: Snapshot, asked: Asked = {}): Plan {
  return plan(headOf(asked), snapshot, asked.at ?? NOW, asked.monoMs ?? 0);
}
export function said(one: Plan): string {
  return one.kind === 'forward' ? 'forward' : `${one.status} ${one.reason}`;
}
export function forwarded(snapshot: Snapshot, asked: Asked = {}): Forward {
  const one = planned(snapshot, asked);
  assert(one.kind === 'forward', said(one));
  return one;
}
/** Values of a header that is sent on. */
export function sent(one: Forward, name: string): string[] {
  return one.headers.filter((_, i) => i % 2 === 1 && one.headers[i - 1]!.toLowerCase() === name);
}
