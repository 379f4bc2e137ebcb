// Rotations seen through the control API: beginning one, and looking at all that run until each has ended, with one request for all of them.
import type { Api } from './installation.ts';

export interface RotationSeen {
  readonly id: string;
  readonly endedAt: string | null;
  readonly state: { readonly step: string; readonly end: string | null; readonly reason: string | null };
}

export interface RotationTold {
  readonly rotation: RotationSeen;
  readonly steps: readonly { readonly at: string; readonly type: string }[];
  readonly todo: { readonly url: string; readonly steps: readonly string[] } | null;
}

export interface Follower {
  /** Resolves with the first sight of a rotation that is wanted, or that has ended. Rejects after ten minutes. */
  until(id: string, isWanted: (seen: RotationSeen) => boolean): Promise<RotationSeen>;
  told(id: string): Promise<RotationTold>;
  stop(): void;
}

const LOOK_MS = 250;
const PATIENCE_MS = 600_000;
const RUNNING_MAX = 100;

export async function requestRotation(api: Api, credentialId: string): Promise<string> {
  return (await api<{ id: string }>('POST', '/v1/rotations', { credential: credentialId })).id;
}

interface Waiting {
  readonly id: string;
  readonly isWanted: (seen: RotationSeen) => boolean;
  readonly deadline: number;
  readonly resolve: (seen: RotationSeen) => void;
  readonly reject: (error: unknown) => void;
}

export function createFollower(api: Api): Follower {
  const waiting = new Set<Waiting>();
  let timer: NodeJS.Timeout | null = null;

  async function look(): Promise<void> {
    const page = await api<{ items: readonly RotationSeen[] }>(
      'GET',
      `/v1/rotations?running=true&limit=${RUNNING_MAX}`,
    );
    const running = new Map(page.items.map((row) => [row.id, row]));
    for (const one of [...waiting]) {
      const seen = running.get(one.id) ?? (await told(one.id)).rotation;
      const isOver = seen.endedAt !== null || seen.state.end !== null;
      if (!isOver && !one.isWanted(seen)) {
        if (performance.now() <= one.deadline) continue;
        one.reject(new Error(`rotation ${one.id} stands at ${seen.state.step}`));
      } else one.resolve(seen);
      waiting.delete(one);
    }
  }

  /** One look at a time, for as long as somebody waits. */
  function again(): void {
    timer ??= setTimeout(() => {
      look()
        .catch((error: unknown) => {
          for (const one of waiting) one.reject(error);
          waiting.clear();
        })
        .finally(() => {
          timer = null;
          if (waiting.size > 0) again();
        });
    }, LOOK_MS);
  }

  function told(id: string): Promise<RotationTold> {
    return api<RotationTold>('GET', `/v1/rotations/${id}`);
  }

  return {
    until: (id, isWanted) =>
      new Promise((resolve, reject) => {
        waiting.add({ id, isWanted, deadline: performance.now() + PATIENCE_MS, resolve, reject });
        again();
      }),
    told,
    stop() {
      if (timer !== null) clearTimeout(timer);
    },
  };
}
