// Furnishes an installation with stands, through the control API, as an operator would: keys beside them, credentials, one service, its grants and
// tokens. What a stand is says stand.ts.
import path from 'node:path';
import type { Config } from '../../src/config/config.ts';
import type { Api } from './installation.ts';
import type { Door, Stand, StoredKey } from './stand.ts';

interface Made {
  readonly id: string;
}

/** A credential of a stand that a service may use. */
export interface Lent {
  readonly stand: Stand;
  /** Which of the stand's credentials: from 0. */
  readonly n: number;
  readonly name: string;
  readonly id: string;
  readonly versionId: string;
  readonly door: Door;
  /** The key that it began with. */
  readonly first: StoredKey;
  /** Ids of the stand's issuers by name. */
  readonly besides: ReadonlyMap<string, string>;
}

/** The name of a stand's n-th credential. */
export function lentName(stand: Stand, n: number): string {
  return `${stand.provider}-${n}`;
}

export interface Program {
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

/** The configuration of a program that puts values into force for the first `count` credentials of a stand. */
export function programsFor(stand: Stand, count: number, program: Program): NonNullable<Config['programs']> {
  return Array.from({ length: count }, (_, n) => ({
    credential: `default/${stand.provider}/${lentName(stand, n)}`,
    replace: program.command,
    issue: null,
    revoke: null,
    timeoutMs: program.timeoutMs,
  }));
}

/** The program set-string.ts, which asks a door (server-door.ts) to restart the server. */
export function setString(doorOrigin: string): Program {
  return {
    command: [process.execPath, path.join(import.meta.dirname, 'set-string.ts'), doorOrigin],
    timeoutMs: 10_000,
  };
}

/** Stores `count` credentials of a stand, grants them to a service and gives it its tokens. */
export async function furnish(
  api: Api,
  input: {
    readonly stand: Stand;
    readonly brokerOrigin: string;
    readonly count: number;
    readonly quietSeconds: number;
    /** A name for the service; the provider's where absent. */
    readonly service?: string;
  },
): Promise<Lent[]> {
  const { stand, count } = input;
  const common = { provider: stand.provider };
  const add = async (body: object) => {
    const added = await api<{ credential: Made; versions: readonly Made[] }>('POST', '/v1/credentials', body);
    return { id: added.credential.id, versionId: added.versions[0]!.id };
  };
  const service = await api<Made>('POST', '/v1/principals', {
    name: input.service ?? `${stand.provider}-service`,
    kind: 'service',
    roles: [],
  });
  const grant = (credential: string) =>
    api('POST', '/v1/grants', { principal: service.id, credential, actions: stand.actions });
  const tokenOf = async (body: object) =>
    (await api<{ text: string }>('POST', `/v1/principals/${service.id}/tokens`, body)).text;
  const besides = new Map<string, string>();
  for (const { name, purpose, ...key } of stand.beside) {
    const { id } = await add({ ...common, ...key, name, purpose });
    besides.set(name, id);
    if (name === stand.companion) await grant(id);
  }
  const unbound = await tokenOf({ note: 'by path' });
  const lent: Lent[] = [];
  for (let n = 0; n < count; n++) {
    const name = lentName(stand, n);
    const issuerName = stand.issuerOf(0);
    const issuer = issuerName === null ? null : besides.get(issuerName)!;
    const policy = { quietSeconds: input.quietSeconds };
    const first = stand.first(n);
    const { id, versionId } = await add({ ...common, ...first, name, issuer, policy });
    await grant(id);
    const bound = await tokenOf({ credential: id, note: name });
    lent.push({
      stand,
      n,
      name,
      id,
      versionId,
      first,
      besides,
      door: { brokerOrigin: input.brokerOrigin, bound, unbound },
    });
  }
  return lent;
}
