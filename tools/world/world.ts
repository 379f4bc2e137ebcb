// A small world on loopback: a provider (the Neon twin, or an upstream that is given), an installation of Claviger in a directory of
// its own, and one service that may use one credential. Built through the control API, as an operator would. Lab, journeys and
// outside test tools stand on it. Its data and its tokens die with it.
import { revealSecretText, Secret } from '../../src/model/secret.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { machineRandom } from '../../src/vault/cipher.io.ts';
import { type RunningNeonTwin, startNeonTwin } from '../../twins/neon.io.ts';
import { type Installation, type InstallationOptions, startInstallation } from './installation.ts';
import { labProvider } from './lab-provider.ts';

export interface WorldOptions extends InstallationOptions {
  readonly twinPort?: number;
  /** An origin on loopback that takes the twin's place. */
  readonly upstream?: string;
  /** `METHOD /path` patterns that the service may use at the upstream; `*` is any segment, a last `**` any rest. */
  readonly allow?: readonly string[];
  readonly seed?: number;
  readonly quietSeconds?: number;
}

export interface World extends Installation {
  readonly twin: RunningNeonTwin | null;
  /** A token of the service, for paths that name the credential. */
  readonly token: string;
  /** A token of the service that is bound to the credential: the provider's own paths at the root. */
  readonly boundToken: string;
  readonly credentialId: string;
  readonly principalId: string;
  readonly provider: string;
  /** The key that the credential began with: what the upstream accepts, until a rotation. */
  readonly upstreamKey: Secret;
}

/** Builds the world and resolves when it serves. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const twin =
    options.upstream === undefined
      ? await startNeonTwin({
          seed: options.seed ?? 1,
          ...(options.twinPort === undefined ? {} : { port: options.twinPort }),
        })
      : null;
  const provider = twin === null ? labProvider(options.upstream!, options.allow ?? ['GET /**']) : null;
  const name = provider?.name ?? 'neon';
  const origin = twin?.origin ?? options.upstream!;
  const moreProviders = provider === null ? [] : [provider];
  const installation = await startInstallation({ [name]: origin }, { ...options, moreProviders });
  const { api } = installation;
  const furnished = await furnish(api, { twin, provider, origin, quietSeconds: options.quietSeconds ?? 2 });
  return {
    ...installation,
    twin,
    provider: name,
    ...furnished,
    async stop() {
      await installation.stop();
      await twin?.close();
    },
  };
}

interface Made {
  readonly id: string;
}
interface MadeCredential {
  readonly credential: Made;
}

async function furnish(
  api: World['api'],
  about: { twin: RunningNeonTwin | null; provider: Provider | null; origin: string; quietSeconds: number },
): Promise<Pick<World, 'token' | 'boundToken' | 'credentialId' | 'principalId' | 'upstreamKey'>> {
  const { twin, provider } = about;
  const policy = { quietSeconds: about.quietSeconds };
  let credential: Made;
  let upstreamKey: Secret;
  if (twin === null) {
    upstreamKey = new Secret(`lab_canary_${Buffer.from(machineRandom.bytes(16)).toString('hex')}`);
    ({ credential } = await api<MadeCredential>('POST', '/v1/credentials', {
      provider: provider!.name,
      name: 'prod',
      kind: 'key',
      parts: { key: revealSecretText(upstreamKey) },
      policy,
    }));
  } else {
    const { seeds } = twin.control;
    const { credential: admin } = await api<MadeCredential>('POST', '/v1/credentials', {
      provider: 'neon',
      name: 'admin',
      kind: 'personal-key',
      purpose: 'manage',
      parts: { key: revealSecretText(seeds.adminKey) },
      providerKeyId: seeds.adminKeyId,
    });
    const first = twin.control.mint({ kind: 'organization', orgId: seeds.orgId });
    upstreamKey = first.key;
    ({ credential } = await api<MadeCredential>('POST', '/v1/credentials', {
      provider: 'neon',
      name: 'prod',
      kind: 'organization-key',
      issuer: admin.id,
      settings: { orgId: seeds.orgId },
      parts: { key: revealSecretText(first.key) },
      providerKeyId: first.id,
      policy,
    }));
  }
  const principal = await api<Made>('POST', '/v1/principals', { name: 'service', kind: 'service', roles: [] });
  // Actions that mint or reveal stay out: no wildcard covers them.
  await api('POST', '/v1/grants', { principal: principal.id, credential: credential.id, actions: ['*'] });
  const tokens = `/v1/principals/${principal.id}/tokens`;
  const { text: token } = await api<{ text: string }>('POST', tokens, { note: 'by path' });
  const { text: boundToken } = await api<{ text: string }>('POST', tokens, {
    credential: credential.id,
    note: 'bound',
  });
  return { token, boundToken, credentialId: credential.id, principalId: principal.id, upstreamKey };
}
