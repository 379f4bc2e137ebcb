// Which changes end access: a table over every noun, both ways.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  controlEvent,
  credentialRow,
  grantRow,
  NOW,
  principalRow,
  tokenRow,
  versionRow,
} from '../../test/support/rows.ts';
import type { RowImage } from '../model/change.ts';
import { cutsOf } from './cuts.ts';

const second = { rowVersion: 2 };

const TABLE: readonly [string, RowImage, boolean][] = [
  ['a credential is added', { noun: 'credential', row: credentialRow() }, false],
  ['a credential is renamed', { noun: 'credential', row: credentialRow({ ...second, name: 'other' }) }, false],
  ['a credential is suspended', { noun: 'credential', row: credentialRow({ ...second, suspendedAt: NOW }) }, true],
  ['a credential is retired', { noun: 'credential', row: credentialRow({ ...second, retiredAt: NOW }) }, true],
  ['a credential is resumed', { noun: 'credential', row: credentialRow({ rowVersion: 3 }) }, false],
  ['a version is stored', { noun: 'version', row: versionRow({ state: 'pending' }) }, false],
  ['a version is promoted', { noun: 'version', row: versionRow({ ...second, state: 'current' }) }, false],
  // It drains: what is open on it may finish.
  ['a version is succeeded', { noun: 'version', row: versionRow({ ...second, state: 'previous' }) }, false],
  ['a version is being revoked', { noun: 'version', row: versionRow({ ...second, state: 'revoking' }) }, true],
  ['a version is revoked', { noun: 'version', row: versionRow({ ...second, state: 'revoked' }) }, true],
  ['a grant is given', { noun: 'grant', row: grantRow() }, false],
  ['a grant is given that ends later', { noun: 'grant', row: grantRow({ expiresAt: NOW + 1 }) }, false],
  ['a grant is given that has ended', { noun: 'grant', row: grantRow({ expiresAt: NOW }) }, true],
  ['a grant is changed, it may be narrower', { noun: 'grant', row: grantRow(second) }, true],
  ['a grant is revoked', { noun: 'grant', row: grantRow({ ...second, revokedAt: NOW }) }, true],
  ['a principal is added', { noun: 'principal', row: principalRow() }, false],
  ['a principal is renamed', { noun: 'principal', row: principalRow({ ...second, name: 'other' }) }, false],
  ['a principal is disabled', { noun: 'principal', row: principalRow({ ...second, disabledAt: NOW }) }, true],
  ['a principal is enabled', { noun: 'principal', row: principalRow({ rowVersion: 3 }) }, false],
  ['a token is issued', { noun: 'token', row: tokenRow() }, false],
  ['a token is issued that ends', { noun: 'token', row: tokenRow({ expiresAt: NOW + 1 }) }, false],
  ['a token is revoked', { noun: 'token', row: tokenRow({ ...second, revokedAt: NOW }) }, true],
  ['a token’s end is brought forward', { noun: 'token', row: tokenRow({ ...second, expiresAt: NOW }) }, true],
  ['a token’s note is changed', { noun: 'token', row: tokenRow({ ...second, note: 'x' }) }, false],
  ['a rotation moves on', { noun: 'rotation', row: { id: 'rot_1', rowVersion: 2 } }, false],
  ['a setting is changed', { noun: 'setting', row: { id: 'set_1', rowVersion: 2 } }, false],
];

test('what ends access is cut, and nothing else', () => {
  for (const [about, image, isCut] of TABLE) {
    assert.deepEqual(cutsOf(controlEvent([image])), isCut ? [image.row.id] : [], about);
  }
});

test('one event cuts every id that it ends, in order', () => {
  const images: RowImage[] = [
    { noun: 'version', row: versionRow({ ...second, state: 'revoking' }) },
    { noun: 'principal', row: principalRow() },
    { noun: 'credential', row: credentialRow({ ...second, suspendedAt: NOW }) },
  ];
  assert.deepEqual(cutsOf(controlEvent(images)), ['ver_1', 'crd_1']);
});
