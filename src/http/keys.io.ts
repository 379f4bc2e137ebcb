// What the credentials' routes need of the vault, the key ring and the providers: sealing, arming, one probe, the calls that identify a
// key. The adapters between the composition root and the pure rules of credentials/.
import { setTimeout as delay } from 'node:timers/promises';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { IdentifyTools } from '../credentials/identify.ts';
import type { Kinds } from '../credentials/manage.ts';
import type { Keys, Parts } from '../credentials/manage-versions.ts';
import { envelopeContext } from '../credentials/ring.io.ts';
import { allRows, findRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { invalidField } from '../model/route.ts';
import type { Secret } from '../model/secret.ts';
import { validateOrigin } from '../net/origin.ts';
import type { Kind, ListOutcome, Liveness, ProviderSettings } from '../providers/provider.ts';
import type { AppParts } from './parts.io.ts';

export function createKinds(app: Pick<AppParts, 'providers' | 'config'>): Kinds {
  return {
    kindNamed(provider, kind) {
      return app.providers.get(provider)?.kinds.find((one) => one.name === kind) ?? null;
    },
    originFor(provider, asked) {
      const configured: ProviderSettings | undefined = app.config.providers[provider];
      const own = app.providers.get(provider)?.origin ?? '';
      const origin = asked ?? configured?.origin ?? own;
      const verdict = validateOrigin(origin, configured ?? { privateNetworks: [], plainHttp: false });
      if (verdict.is === 'refused') throw invalidField('/origin', `the origin is refused: ${verdict.reason}`);
      return origin;
    },
  };
}

/** The part that is injected: `key`, or the only one. */
function mainPart(parts: Parts): Secret {
  const key = parts['key'] ?? Object.values(parts)[0];
  if (key === undefined) throw new Failure('corrupt', 'a version without parts');
  return key;
}

export function createKeys(app: AppParts): Keys {
  return {
    seal: (credential, versionId, parts) => app.vault.sealParts(envelopeContext(credential, versionId), parts),
    async arm(credential, version, parts) {
      app.ring.put(version.id, parts);
      if (credential.purpose === 'lend') await app.arm(credential, version);
    },
    disarm(versionId) {
      app.ring.drop(versionId);
      (app.injections as Map<string, unknown>).delete(versionId);
    },
    async probe(credential, kind, parts) {
      return (await probe(app, credential, kind, mainPart(parts))).is;
    },
  };
}

const UNREACHED: Liveness = {
  is: 'unknown',
  evidence: { status: null, signature: 'transport', requestId: null },
  retryAfterMs: null,
};

async function probe(app: AppParts, credential: CredentialRow, kind: Kind, key: Secret): Promise<Liveness> {
  const input = { settings: credential.settings };
  try {
    const answer = await app.callFor(credential)(kind.probe.request(input), key, credential.places);
    return kind.probe.read(answer, input);
  } catch (error) {
    if (Failure.is(error)) return UNREACHED;
    throw error;
  }
}

/** Lists with the issuer's key where the credential has one that is at hand, else with the key itself. */
export function identifyTools(
  app: AppParts,
  credential: CredentialRow,
  version: VersionRow,
): { tools: IdentifyTools; isOwnList: boolean } {
  const { kind } = app.kindOf(credential);
  const issuer =
    credential.issuerId === null ? null : findRow<CredentialRow>(app.rows, 'credential', credential.issuerId);
  const issuing = allRows<VersionRow>(app.rows, 'version').find(
    (row) => row.credentialId === issuer?.id && row.state === 'current',
  );
  const lister =
    issuer !== null && issuing !== undefined ? { row: issuer, version: issuing } : { row: credential, version };

  async function list(): Promise<ListOutcome | null> {
    if (kind.list === null) throw new Failure('conflict', 'this provider cannot list its keys');
    const input = { settings: credential.settings };
    try {
      const key = mainPart(await app.ring.open(lister.row, lister.version));
      const answer = await app.callFor(lister.row)(kind.list.request(input), key, lister.row.places);
      return kind.list.read(answer, input);
    } catch (error) {
      if (Failure.is(error) && error.code.startsWith('upstream-')) return null;
      throw error;
    }
  }

  return {
    isOwnList: lister.row === credential,
    tools: {
      list,
      async use() {
        const key = mainPart(await app.ring.open(credential, version));
        return (await probe(app, credential, kind, key)).is === 'alive';
      },
      wait: (ms) => delay(ms),
    },
  };
}
