// Rows for tests: one whole row of each noun that decisions rest on, with only what a test is about given. Pure; ids are the
// caller's, so that a failing property shows names that can be read.
import assert from 'node:assert/strict';
import type { CatalogueRow } from '../../src/access/catalogue.ts';
import type { GrantRow, PrincipalRow, TokenRow } from '../../src/access/principal.ts';
import { type CredentialRow, DEFAULT_ROTATION, type VersionRow } from '../../src/credentials/credential.ts';
import { applyEvent, type ControlEvent, emptyRows, type RowImage, type Rows } from '../../src/model/change.ts';
import type { Random } from '../../src/model/clock.ts';

export const NOW = 1_790_000_000_000;

export function principalRow(given: Partial<PrincipalRow> = {}): PrincipalRow {
  return {
    id: 'prn_1',
    rowVersion: 1,
    space: 'default',
    name: 'billing',
    kind: 'service',
    roles: [],
    owner: '',
    note: '',
    disabledAt: null,
    createdAt: NOW,
    managedBy: null,
    ...given,
  };
}

export function tokenRow(given: Partial<TokenRow> = {}): TokenRow {
  return {
    id: 'tok_1',
    rowVersion: 1,
    principalId: 'prn_1',
    hash: 'hash-of-tok_1',
    hint: 'abcd',
    note: '',
    credentialId: null,
    networks: [],
    createdAt: NOW,
    expiresAt: null,
    revokedAt: null,
    replacedBy: null,
    ...given,
  };
}

export function grantRow(given: Partial<GrantRow> = {}): GrantRow {
  return {
    id: 'gnt_1',
    rowVersion: 1,
    principalId: 'prn_1',
    credentialId: 'crd_1',
    actions: ['*'],
    parameters: {},
    networks: [],
    rate: null,
    expiresAt: null,
    revokedAt: null,
    createdAt: NOW,
    note: '',
    managedBy: null,
    ...given,
  };
}

export function credentialRow(given: Partial<CredentialRow> = {}): CredentialRow {
  return {
    id: 'crd_1',
    rowVersion: 1,
    space: 'default',
    environment: 'default',
    provider: 'neon',
    name: 'prod',
    kind: 'organization-key',
    purpose: 'lend',
    issuerId: null,
    origin: 'https://console.neon.tech',
    places: [{ in: 'header', name: 'authorization', scheme: 'Bearer' }],
    settings: { orgId: 'org-1' },
    owner: '',
    note: '',
    policy: DEFAULT_ROTATION,
    suspendedAt: null,
    suspendReason: null,
    retiredAt: null,
    createdAt: NOW,
    managedBy: null,
    ...given,
  };
}

export function versionRow(given: Partial<VersionRow> = {}): VersionRow {
  return {
    id: 'ver_1',
    rowVersion: 1,
    credentialId: 'crd_1',
    number: 1,
    state: 'current',
    providerKeyId: '101',
    label: null,
    envelopeDigest: '',
    secondCopyAt: null,
    expiresAt: null,
    createdAt: NOW,
    promotedAt: NOW,
    retiredAt: null,
    revokingAt: null,
    revokedAt: null,
    reason: null,
    certificateId: null,
    ...given,
  };
}

export function catalogueRow(given: Partial<CatalogueRow> = {}): CatalogueRow {
  return { id: 'cat_neon', rowVersion: 1, provider: 'neon', actions: [], ...given };
}

/** The rows that one event with these images gives. */
export function rowsOf(...images: readonly RowImage[]): Rows {
  const rows = emptyRows();
  assert.equal(applyEvent(rows, controlEvent(images)), null);
  return rows;
}

export function controlEvent(rows: readonly RowImage[], given: Partial<ControlEvent> = {}): ControlEvent {
  return { v: 1, at: NOW, actor: 'system:test', type: 'test.written', rows, detail: {}, ...given };
}

/** Randomness that repeats: a test that fails shows the same bytes again. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    bytes(length) {
      return Uint8Array.from({ length }, () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state >>> 24;
      });
    },
  };
}
