// The rows that an installation would have if nothing but version-controlled documents had made it: for trying the grants of a file before anybody
// applies it. The documents go through `planApply`, the very step of `apply`, towards an installation that is empty but for an admin whom no
// document can name; each credential that is lent gets a current version without bytes, for its key is not what is asked about.
// Not here: reading files (cli/documents.ts), deciding (try-grants.ts).
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { applyEvent, emptyRows, type Rows } from '../model/change.ts';
import type { Clock, Random } from '../model/clock.ts';
import { allRows, type Desk } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import type { Caller } from '../model/route.ts';
import type { Provider } from '../providers/provider.ts';
import { type Documents, planApply } from './apply.ts';
import { catalogueLines } from './catalogue.ts';
import type { PrincipalRow } from './principal.ts';
import { PERMISSIONS } from './role.ts';

/**
 * The rows of documents. Throws `invalid` as `apply` does, with a pointer below `/documents` for everything that is wrong. Whether an origin may be
 * reached is not judged: nothing is.
 */
export function rowsOfDocuments(
  documents: Documents,
  providers: ReadonlyMap<string, Provider>,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Rows {
  const rows = emptyRows();
  const admin = adminRow(newId('principal', clock.now(), random), clock.now());
  rows.get('principal')!.set(admin.id, admin);
  const desk: Desk = {
    rows,
    clock,
    random,
    write: () => Promise.reject(new Failure('invalid', 'documents that are tried are not written')),
  };
  const caller: Caller = { principalId: admin.id, tokenId: '', permissions: new Set(PERMISSIONS) };
  const { events } = planApply({ caller, desk }, documents, {
    kinds: kindsOf(providers),
    actionsOf: (provider) => providers.get(provider)?.actions ?? [],
  });
  for (const event of events) {
    const complaint = applyEvent(rows, event);
    if (complaint !== null) throw new Failure('corrupt', complaint);
  }
  furnish(rows, providers, { clock, random });
  return rows;
}

/** Its name is none that a principal may have. */
function adminRow(id: string, createdAt: number): PrincipalRow {
  return {
    id,
    rowVersion: 1,
    space: 'default',
    name: 'admin of no installation',
    kind: 'person',
    roles: ['admin'],
    owner: '',
    note: '',
    disabledAt: null,
    createdAt,
    managedBy: null,
  };
}

function kindsOf(providers: ReadonlyMap<string, Provider>): Parameters<typeof planApply>[2]['kinds'] {
  const kindNamed = (provider: string, kind: string) =>
    providers.get(provider)?.kinds.find((one) => one.name === kind) ?? null;
  const ownOrigin = (provider: string, kind: string) =>
    kindNamed(provider, kind)?.origin ?? providers.get(provider)?.origin ?? null;
  return { kindNamed, ownOrigin, originFor: (provider, asked, kind) => asked ?? ownOrigin(provider, kind) ?? '' };
}

function furnish(
  rows: Rows,
  providers: ReadonlyMap<string, Provider>,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): void {
  const now = clock.now();
  for (const provider of providers.values()) {
    const id = newId('catalogue', now, random);
    const row = { id, rowVersion: 1, provider: provider.name, actions: catalogueLines(provider) };
    rows.get('catalogue')!.set(id, row);
  }
  for (const credential of allRows<CredentialRow>(rows, 'credential')) {
    const version: VersionRow = {
      id: newId('version', now, random),
      rowVersion: 1,
      credentialId: credential.id,
      number: 1,
      state: 'current',
      providerKeyId: null,
      label: null,
      envelopeDigest: '',
      secondCopyAt: null,
      expiresAt: null,
      createdAt: now,
      promotedAt: now,
      retiredAt: null,
      revokingAt: null,
      revokedAt: null,
      reason: null,
      certificateId: null,
    };
    rows.get('version')!.set(version.id, version);
  }
}
