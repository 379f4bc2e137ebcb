// Identifying a version: the search of identify.ts, and the row that keeps what it found.
import { nextImage } from '../model/change.ts';
import { allRows, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { eventOf } from '../model/route.ts';
import type { CredentialRow, VersionRow } from './credential.ts';
import { type Identified, type IdentifyTools, identifyKey } from './identify.ts';
import type { Acting } from './manage.ts';
import { adopted, holderOf } from './manage-versions.ts';

export function identifyAnswer(found: Identified): { providerKeyId: string | null; why: string } {
  return { providerKeyId: found.providerKeyId, why: found.why };
}

/** Looks for the provider's id of a version and, where it is certain, writes it down. Never throws for what the provider does. */
export async function identifyVersion(
  context: Acting,
  credential: CredentialRow,
  version: VersionRow,
  how: { readonly tools: IdentifyTools; readonly isOwnList: boolean },
): Promise<Identified> {
  const { desk } = context;
  const held = new Set(
    allRows<VersionRow>(desk.rows, 'version')
      .filter((row) => row.id !== version.id && row.providerKeyId !== null)
      .map((row) => row.providerKeyId!)
      .filter((id) => holderOf(context, credential, id) !== null),
  );
  const found = await identifyKey(how.tools, { held, isOwnList: how.isOwnList }).catch(unidentified);
  if (found.providerKeyId === null) return found;
  const before = getRow<VersionRow>(desk.rows, 'version', version.id);
  const row = nextImage(before, { providerKeyId: found.providerKeyId });
  const images = [{ noun: 'version' as const, row }, ...adopted(context, credential, found.providerKeyId)];
  const detail = { why: found.why, rounds: found.rounds };
  await desk.write({ events: [eventOf(context, 'version.identified', images, detail)] });
  return found;
}

/** What stands in the way of the search is its result: the key was stored before, and stays. */
function unidentified(error: unknown): Identified {
  if (!Failure.is(error)) throw error;
  return { providerKeyId: null, why: error.message, rounds: 0 };
}
