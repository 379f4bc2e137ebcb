// Inspecting a version: what its provider says of its key, and the row that keeps it.
import { nextImage } from '../model/change.ts';
import { getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { eventOf } from '../model/route.ts';
import type { CredentialRow, VersionRow } from './credential.ts';
import { type Inspection, inspected } from './inspecting.ts';
import type { Acting } from './manage.ts';
import { adopted, holderOf } from './manage-versions.ts';

export type Inspect = (credential: CredentialRow, version: VersionRow) => Promise<Inspection>;

/** Asks, and writes down what is new. Never throws for what the provider does; throws `sealed` where no key can be opened. */
export async function inspectVersion(
  context: Acting,
  credential: CredentialRow,
  version: VersionRow,
  inspect: Inspect,
): Promise<{ readonly seen: Inspection; readonly after: VersionRow }> {
  const { desk } = context;
  const seen = await inspect(credential, version);
  const before = getRow<VersionRow>(desk.rows, 'version', version.id);
  const isFree = (id: string) => holderOf(context, credential, id) === null;
  const change = inspected(before, seen, desk.clock.now(), isFree);
  if (change === null) return { seen, after: before };
  const after = nextImage<VersionRow>(before, change);
  const images = [
    { noun: 'version' as const, row: after },
    ...adopted(context, credential, change.providerKeyId ?? null),
  ];
  try {
    await desk.write({ events: [eventOf(context, 'version.inspected', images)] });
    return { seen, after };
  } catch (error) {
    // A rotation has moved the version on meanwhile: what was seen is told, and noted the next time.
    if (!Failure.is(error, 'conflict')) throw error;
    return { seen, after: getRow<VersionRow>(desk.rows, 'version', version.id) };
  }
}
