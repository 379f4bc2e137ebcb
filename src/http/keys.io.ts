// What the credentials' routes need of the vault, the key ring and the providers: sealing, arming, one probe, the calls that identify a
// key. The adapters between the composition root and the pure rules of credentials/.
import { setTimeout as delay } from 'node:timers/promises';
import { type Asker, createAsker, issuerOf } from '../credentials/asking.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { IdentifyTools } from '../credentials/identify.ts';
import { type Inspection, inspectKey } from '../credentials/inspecting.ts';
import type { Kinds } from '../credentials/manage.ts';
import type { Keys } from '../credentials/manage-versions.ts';
import { envelopeContext } from '../credentials/ring.io.ts';
import { Failure } from '../model/failure.ts';
import { invalidField } from '../model/route.ts';
import { validateOrigin } from '../net/origin.ts';
import type { ListOutcome, ProviderSettings } from '../providers/provider.ts';
import type { AppParts } from './parts.io.ts';

export function createKinds(app: Pick<AppParts, 'providers' | 'config'>): Kinds {
  function ownOrigin(provider: string, kind: string): string | null {
    const known = app.providers.get(provider);
    return known?.kinds.find((one) => one.name === kind)?.origin ?? known?.origin ?? null;
  }
  return {
    ownOrigin,
    kindNamed(provider, kind) {
      return app.providers.get(provider)?.kinds.find((one) => one.name === kind) ?? null;
    },
    originFor(provider, asked, kind) {
      const configured: ProviderSettings | undefined = app.config.providers[provider];
      const origin = asked ?? configured?.origin ?? ownOrigin(provider, kind) ?? '';
      const verdict = validateOrigin(origin, configured ?? { privateNetworks: [], plainHttp: false });
      if (verdict.is === 'refused') throw invalidField('/origin', `the origin is refused: ${verdict.reason}`);
      return origin;
    },
  };
}

export function createKeys(app: AppParts): Keys {
  return {
    seal: (credential, versionId, parts) => app.vault.sealParts(envelopeContext(credential, versionId), parts),
    open: (credential, version) => app.ring.open(credential, version),
    async arm(credential, version, parts) {
      app.ring.put(version.id, parts);
      if (credential.purpose === 'lend') await app.arm(credential, version);
    },
    disarm(versionId) {
      app.ring.drop(versionId);
      (app.injections as Map<string, unknown>).delete(versionId);
    },
    async probe(credential, _kind, parts) {
      return (await askerOf(app).probeParts(credential, parts, issuerOf(app.rows, credential))).is;
    },
  };
}

function askerOf(app: AppParts): Asker {
  return createAsker({
    kindOf: app.kindOf,
    callFor: app.callFor,
    open: (credential, version) => app.ring.open(credential, version),
  });
}

/** What the provider says of a version's key. */
export async function inspectVersionKey(
  app: AppParts,
  credential: CredentialRow,
  version: VersionRow,
): Promise<Inspection> {
  const open = (one: CredentialRow, its: VersionRow) => app.ring.open(one, its);
  const key = { parts: await open(credential, version), issuer: issuerOf(app.rows, credential, version) };
  return inspectKey({ kindOf: app.kindOf, callFor: app.callFor, open }, credential, key);
}

/** Lists with the issuer's key where the credential has one that is at hand, else with the key itself. */
export function identifyTools(
  app: AppParts,
  credential: CredentialRow,
  version: VersionRow,
): { tools: IdentifyTools; isOwnList: boolean } {
  const { kind } = app.kindOf(credential);
  const asker = askerOf(app);
  const issuer = issuerOf(app.rows, credential);
  const lister = issuer ?? { credential, version };

  async function list(): Promise<ListOutcome | null> {
    if (kind.list === null) throw new Failure('conflict', 'this provider cannot list its keys');
    const said = await asker.list(kind, credential.settings, lister);
    if (said.is !== 'no-answer') return said;
    if (said.code.startsWith('upstream-')) return null;
    throw new Failure('unavailable', 'the list of keys could not be asked for');
  }

  return {
    isOwnList: issuer === null,
    tools: {
      list,
      async use() {
        return (await asker.probe({ credential, version }, issuer)).is === 'alive';
      },
      wait: (ms) => delay(ms),
    },
  };
}
