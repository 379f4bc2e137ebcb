// How a rotation comes to be: what may be rotated as it stands, by which protocol and policy, and the row that pins all of it.
// Not here: running it (rotator.io.ts), choosing the protocol (means.ts).
import { issuerOf } from '../credentials/asking.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { Programs } from '../credentials/programs.ts';
import type { Actor, RowImage } from '../model/change.ts';
import type { Desk } from '../model/desk.ts';
import { allRows, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import type { Instant } from '../model/instant.ts';
import type { JsonObject } from '../model/json.ts';
import type { Kind } from '../providers/provider.ts';
import { revocationMeans, type Standing, wayFor } from './means.ts';
import { beginOverlap, beginRetirement, type Held } from './overlap.ts';
import { overlapPolicyFor, policyByMeans, swapPolicyFor } from './policy.ts';
import type { RotationRow } from './rotation.ts';
import type { RotationRequest, Rotator } from './rotator.ts';
import { beginSwap } from './swap.ts';
import { type Change, versionsOf } from './writing.ts';

export interface RequestsOptions {
  readonly desk: Desk;
  readonly kindOf: (credential: CredentialRow) => { kind: Kind };
  readonly programsFor: (credential: CredentialRow) => Programs;
  readonly isSealed: () => boolean;
  readonly instant: () => Instant;
  readonly report: (message: string, fields: JsonObject) => void;
  /** Writes a step of a rotation that is there. */
  readonly write: (row: RotationRow, change: Change, last: null, actor: Actor) => Promise<void>;
  /** Begins to run one. */
  readonly start: (rotationId: string) => void;
}

export function createRequests(options: RequestsOptions): Pick<Rotator, 'request' | 'retire'> {
  const { desk, instant } = options;

  /** The versions of a credential that a rotation may touch. Throws `invalid` where it cannot be rotated. */
  function rotatable(credential: CredentialRow): { kind: Kind; current: VersionRow } {
    const { kind } = options.kindOf(credential);
    if (options.isSealed()) throw new Failure('sealed', 'the vault is sealed');
    if (credential.retiredAt !== null) throw new Failure('invalid', 'the credential is decommissioned');
    const current = versionsOf(desk, credential.id).find((version) => version.state === 'current');
    if (current === undefined) throw new Failure('invalid', 'the credential has no current version');
    return { kind, current };
  }

  function standing(credential: CredentialRow, version: VersionRow, byHand: boolean): Standing {
    return {
      hasIssuer: issuerOf(desk.rows, credential, version) !== null,
      oldId: version.providerKeyId,
      settings: credential.settings,
      byHand,
      programs: options.programsFor(credential),
    };
  }

  async function begin(
    credential: CredentialRow,
    protocol: Pick<RotationRow, 'state' | 'policy'>,
    about: Pick<RotationRow, 'trigger' | 'reason'> & { actor: Actor; type: string },
  ): Promise<RotationRow> {
    const at = desk.clock.now();
    const row = {
      id: newId('rotation', at, desk.random),
      rowVersion: 1,
      credentialId: credential.id,
      trigger: about.trigger,
      reason: about.reason,
      requestedAt: at,
      requestedBy: about.actor,
      endedAt: null,
      settings: credential.settings,
      ...protocol,
      refusals: [],
      revokeCalledAt: null,
      lastProblem: null,
    } as RotationRow;
    const detail = { trigger: about.trigger, reason: about.reason };
    const rows: RowImage[] = [{ noun: 'rotation', row }];
    try {
      await desk.write({ events: [{ v: 1, at, actor: about.actor, type: about.type, rows, detail }] });
    } catch (error) {
      if (Failure.is(error, 'conflict'))
        throw new Failure('conflict', 'a rotation of this credential is running already');
      throw error;
    }
    if (row.state.step === 'await')
      options.report('rotation.awaits-key', { rotation: row.id, credential: credential.id });
    options.start(row.id);
    return row;
  }

  async function request(asked: RotationRequest): Promise<RotationRow> {
    const credential = getRow<CredentialRow>(desk.rows, 'credential', asked.credentialId);
    const { kind, current } = rotatable(credential);
    await closeLost(credential, asked);
    const way = wayFor(kind, standing(credential, current, asked.byHand === true));
    const about = { ...asked, type: 'rotation.requested' };
    if (way.protocol === 'swap') {
      const state = beginSwap(held(current), way.source, instant());
      return begin(credential, { state, policy: swapPolicyFor(kind, options.programsFor(credential)) }, about);
    }
    const state = beginOverlap(held(current), instant(), way.means);
    const policy = policyByMeans(overlapPolicyFor(kind, credential.policy), way.means, options.programsFor(credential));
    return begin(credential, { state, policy }, about);
  }

  /** A key that a swap lost is replaced by one that a person brings; nothing else goes on. */
  async function closeLost(credential: CredentialRow, asked: RotationRequest): Promise<void> {
    const lost = allRows<RotationRow>(desk.rows, 'rotation').find(
      (row) => row.credentialId === credential.id && row.endedAt === null && row.state.end === 'lost',
    );
    if (lost === undefined) return;
    if (asked.byHand !== true) {
      throw new Failure('conflict', 'its last rotation lost the key: bring one by hand (claviger rotate --by-hand)');
    }
    const event = { on: 'superseded' as const, reason: 'a key is brought by hand' };
    await options.write(lost, { after: lost.state, event }, null, asked.actor);
  }

  async function retire(versionId: string, actor: Actor): Promise<RotationRow> {
    const version = getRow<VersionRow>(desk.rows, 'version', versionId);
    const credential = getRow<CredentialRow>(desk.rows, 'credential', version.credentialId);
    const { kind, current } = rotatable(credential);
    if (version.state === 'current' || version.state === 'revoked') {
      throw new Failure('invalid', `a ${version.state} version cannot be retired`);
    }
    const revoke = revocationMeans(kind, standing(credential, version, false));
    const state = beginRetirement(held(version), held(current), instant(), revoke);
    return begin(
      credential,
      { state, policy: overlapPolicyFor(kind, credential.policy) },
      { trigger: 'operator', reason: 'superseded', actor, type: 'rotation.retirement-requested' },
    );
  }

  return { request, retire };
}

function held(version: VersionRow): Held {
  return { versionId: version.id, providerKeyId: version.providerKeyId ?? '' };
}
