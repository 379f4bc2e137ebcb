// What the effects of a swap do: at the provider, at the gate that holds the traffic, and at the command that puts a value of ours into force.
// Decides nothing that the protocol decides; what cannot be told is the event that claims least.
import { createAsker } from '../credentials/asking.ts';
import type { Gate } from '../credentials/gate.ts';
import { invent } from '../credentials/inventing.ts';
import { issuing } from '../credentials/issuing.ts';
import type { Random } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { Parts } from '../providers/provider.ts';
import {
  type Brought,
  brought,
  cover,
  type EffectTools,
  isUnsent,
  labelFor,
  probe,
  type Scene,
  said,
  versionOf,
} from './effects.ts';
import type { SwapRotation } from './rotation.ts';
import type { SwapEffect, SwapEvent } from './swap-state.ts';

export interface SwapTools extends EffectTools {
  readonly gate: Gate;
  readonly random: Random;
  /** Resolves when whatever was decided before has been counted in. */
  readonly settle: () => Promise<void>;
}

export async function performSwap(
  effect: SwapEffect,
  scene: Scene<SwapRotation>,
  tools: SwapTools,
): Promise<Brought<SwapEvent>> {
  switch (effect.do) {
    case 'prepare':
      return prepare(scene, tools);
    case 'hold':
      tools.gate.hold(scene.credential.id, scene.row.policy.holdMaxMs);
      // What is upgraded would be in flight for ever: it connects again, and waits with the others.
      tools.live.retire(scene.row.state.old.versionId);
      // A request that was decided before it was held is counted from the next turns on.
      await tools.settle();
      return brought({ on: 'held' });
    case 'observe': {
      const { old } = scene.row.state;
      const { inFlight } = tools.live.activity(old.versionId, tools.mono());
      return brought({ on: 'observed', inFlight }, { inFlight });
    }
    case 'replace':
      return scene.row.state.source === 'ours' ? putIntoForce(scene, tools) : replace(effect.attempt, scene, tools);
    case 'probe':
      return probe({ which: effect.which, isProof: scene.row.state.step === 'prove' }, scene, tools);
    case 'cover':
      return cover(scene, tools);
  }
}

async function prepare(scene: Scene<SwapRotation>, tools: SwapTools): Promise<Brought<SwapEvent>> {
  try {
    const old = await tools.open(scene.credential, versionOf(scene.row.state.old.versionId, scene));
    const parts = invent(scene.kind, old, tools.random);
    const event = { on: 'prepared' as const, versionId: tools.newVersionId(), providerKeyId: '' };
    return { ...brought(event), parts };
  } catch (error) {
    return brought({ on: 'prepare-failed' }, { outcome: Failure.is(error) ? error.code : 'error' });
  }
}

async function putIntoForce(scene: Scene<SwapRotation>, tools: SwapTools): Promise<Brought<SwapEvent>> {
  const { old, fresh } = scene.row.state;
  const program = tools.programsFor(scene.credential).replace;
  if (program === null || fresh === null) {
    return brought({ on: 'replace-refused', final: false }, { outcome: 'no-program' });
  }
  let keys: readonly [Parts, Parts];
  try {
    keys = [
      await tools.open(scene.credential, versionOf(fresh.versionId, scene)),
      await tools.open(scene.credential, versionOf(old.versionId, scene)),
    ];
  } catch (error) {
    // Nothing was started.
    return brought({ on: 'replace-refused', final: false }, { outcome: Failure.is(error) ? error.code : 'error' });
  }
  const outcome = await program(...keys);
  if (outcome === 'done') return brought({ on: 'replaced', ...fresh }, { outcome });
  if (outcome === 'not-done') return brought({ on: 'replace-refused', final: false }, { outcome });
  return brought({ on: 'replace-ambiguous' }, { outcome });
}

async function replace(attempt: number, scene: Scene<SwapRotation>, tools: SwapTools): Promise<Brought<SwapEvent>> {
  const { kind, issuer, credential, row } = scene;
  if (issuer === null) return brought({ on: 'replace-refused', final: false }, { outcome: 'no-issuer' });
  const input = {
    ...issuing(kind, row.settings, tools.now()),
    label: labelFor(tools.instance, row, attempt),
    providerKeyId: row.state.old.providerKeyId,
  };
  const old = { credential, version: versionOf(row.state.old.versionId, scene) };
  const outcome = await createAsker(tools).replace(kind, input, issuer, old);
  if (outcome.is === 'no-answer') {
    const event = isUnsent(outcome.code)
      ? { on: 'replace-refused' as const, final: false }
      : { on: 'replace-ambiguous' as const };
    return brought(event, { outcome: outcome.code });
  }
  const detail = { ...said(outcome.evidence), outcome: outcome.is };
  if (outcome.is === 'ambiguous') return brought({ on: 'replace-ambiguous' }, detail);
  if (outcome.is === 'refused') return brought({ on: 'replace-refused', final: outcome.final }, detail);
  const event = { on: 'replaced' as const, versionId: tools.newVersionId(), providerKeyId: outcome.providerKeyId };
  return { ...brought(event, detail), parts: outcome.parts, expiresAt: outcome.expiresAt ?? null };
}
