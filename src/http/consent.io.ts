// What consents need of the running program: providers and keys to ask with, whether whoever began may still go on, and where a key goes that
// was consented to. The adapter between the composition root and credentials/consent.ts.
import { createHash } from 'node:crypto';
import { permissionsOf } from '../access/role.ts';
import type { ConsentRoom } from '../credentials/api-consent.ts';
import { type Bring, createConsents } from '../credentials/consent.ts';
import type { CredentialRow } from '../credentials/credential.ts';
import type { Kinds } from '../credentials/manage.ts';
import { bringVersion, holderOf, type Keys, versionsOf } from '../credentials/manage-versions.ts';
import { holderOfKey } from '../credentials/same-key.ts';
import { allRows, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import type { Caller } from '../model/route.ts';
import { keyText } from '../net/inject.ts';
import type { Parts } from '../providers/provider.ts';
import type { RotationRow } from '../rotation/rotation.ts';
import type { KnownKey, Rotator } from '../rotation/rotator.ts';
import type { AppParts } from './parts.io.ts';

export function createConsentRoom(app: AppParts, kinds: Kinds, keys: Keys, rotator: Rotator): ConsentRoom {
  /** By the rows as they are now: the consent was begun minutes ago. */
  function mayStill({ tokenId }: Caller): boolean {
    const token = app.policy.tokens.get(tokenId);
    const ended = token === undefined || token.row.revokedAt !== null;
    if (ended || (token.row.expiresAt !== null && app.clock.now() >= token.row.expiresAt)) return false;
    if (token.principal === null || token.principal.disabledAt !== null) return false;
    const permissions = permissionsOf(token.principal.roles);
    return permissions.has('credential:write') && permissions.has('credential:rotate');
  }

  /** What cannot be told counts as held. */
  async function isHeld(credential: CredentialRow, parts: Parts): Promise<boolean> {
    const { kind } = app.kindOf(credential);
    try {
      return (await holderOfKey(app.rows, { credential, kind, parts }, keys.open)).is !== 'free';
    } catch (error) {
      if (Failure.is(error)) return true;
      throw error;
    }
  }

  /** To the rotation that waits for a key, or to one that begins with it: what becomes of the old key is its business. */
  async function follow(credentialId: string, parts: Parts, actor: string, known: KnownKey): Promise<void> {
    const waiting = allRows<RotationRow>(app.rows, 'rotation').find(
      (row) => row.credentialId === credentialId && row.endedAt === null && row.state.step === 'await',
    );
    const request = { credentialId, trigger: 'operator', reason: 'superseded', actor, byHand: true } as const;
    const { id } = waiting ?? (await rotator.request(request));
    await rotator.bring(id, parts, actor, known);
  }

  /** The first version of a credential is stored at once; the next one follows by a rotation. */
  const bring: Bring = async (credentialId, parts, actor, { account, scopes, app: owner }) => {
    const context = { caller: actor, desk: app };
    const credential = getRow<CredentialRow>(app.rows, 'credential', credentialId);
    const issuerId = owner.credential.id;
    if (versionsOf(context, credentialId).some((version) => version.state === 'current')) {
      await follow(credentialId, parts, actor.principalId, { issuerId, scopes });
      return;
    }
    const { kind } = app.kindOf(credential);
    // A token has no id of its own: there is one for each app and account.
    const id = account === null ? null : `${owner.version.providerKeyId ?? owner.credential.id}-${account}`;
    const providerKeyId = id === null || holderOf(context, credential, id) !== null ? null : id;
    const brought = { credential, kind, parts, providerKeyId, issuerId, scopes, isProbed: true, image: null };
    await bringVersion(context, brought, keys);
  };

  const consents = createConsents({
    rows: app.rows,
    clock: app.clock,
    random: app.random,
    hash: (text) => createHash('sha256').update(text).digest('hex'),
    publicText: keyText,
    kindOf: app.kindOf,
    callFor: app.callFor,
    open: (credential, version) => app.ring.open(credential, version),
    mayStill,
    isHeld,
    bring,
  });
  return { consents, kinds };
}
