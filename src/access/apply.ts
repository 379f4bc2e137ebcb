// `apply`: documents from version control against the rows as they are. Computes what would change, in one pure step, from which one write
// follows. It never deletes and never revokes; it touches only rows that it manages and new ones; each change is held against the
// caller's own rights by the very functions that the single routes use. Running it twice changes nothing the second time.
import { type CredentialRow, DEFAULT_ROTATION } from '../credentials/credential.ts';
import {
  changedCredential,
  credentialRow,
  issuerProblem,
  type Kinds,
  kindAt,
  type NewCredential,
} from '../credentials/manage.ts';
import { type ControlEvent, nextImage, type Row } from '../model/change.ts';
import { allRows } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { canonicalJson, type Json } from '../model/json.ts';
import { type Context, eventOf, invalidField } from '../model/route.ts';
import { type ActionsOf, demandGrantable, demandTerms, type GrantTerms, grantRow } from './manage-grants.ts';
import { changedPrincipal, type NewPrincipal, principalRow } from './manage-principals.ts';
import type { GrantRow, PrincipalRow } from './principal.ts';

export interface CredentialDocument extends Omit<NewCredential, 'issuerId'> {
  /** `provider/name` or `environment/provider/name`; null: none. */
  readonly issuer: string | null;
}

export interface GrantDocument extends GrantTerms {
  /** Tells grants of one principal on one credential apart. */
  readonly name: string;
  /** The principal's name. */
  readonly principal: string;
  readonly credential: string;
}

export interface Documents {
  readonly principals?: readonly NewPrincipal[] | undefined;
  readonly credentials?: readonly CredentialDocument[] | undefined;
  readonly grants?: readonly GrantDocument[] | undefined;
}

export interface Change {
  readonly op: 'add' | 'change' | 'none';
  readonly noun: 'principal' | 'credential' | 'grant';
  readonly name: string;
  /** By field; `from` is null for what is new. */
  readonly diff: Readonly<Record<string, { readonly from: Json; readonly to: Json }>>;
}

export interface Plan {
  readonly changes: readonly Change[];
  /** What apply manages and no document names. Left as it is. */
  readonly unmentioned: readonly { readonly noun: Change['noun']; readonly name: string }[];
  readonly events: readonly ControlEvent[];
}

export interface ApplyTools {
  readonly kinds: Kinds;
  readonly actionsOf: ActionsOf;
}

const MANAGED = 'apply';
type Acting = Pick<Context, 'caller' | 'desk'>;

const FIELDS = {
  principal: ['kind', 'roles', 'owner', 'note'],
  credential: ['kind', 'purpose', 'issuerId', 'origin', 'settings', 'owner', 'note', 'policy'],
  grant: ['actions', 'parameters', 'networks', 'rate', 'note'],
} as const;

/** What apply would do. Throws, with a pointer for each document that is wrong: `denied` before `conflict` before `invalid`. */
export function planApply(context: Acting, documents: Documents, tools: ApplyTools): Plan {
  const drawn = createDrawing(context);
  const principals = planPrincipals(context, documents.principals ?? [], drawn);
  const credentials = planCredentials(context, documents.credentials ?? [], tools, drawn);
  planGrants(context, documents.grants ?? [], tools, { principals, credentials }, drawn);
  drawn.throwErrors();
  demandAdmin(principals);
  return { changes: drawn.changes, unmentioned: unmentionedBy(context, documents, drawn), events: drawn.events };
}

type Drawing = ReturnType<typeof createDrawing>;

/** Gathers changes, events and everything that is wrong, so that all of it shows at once. */
function createDrawing(context: Acting) {
  const changes: Change[] = [];
  const events: ControlEvent[] = [];
  const errors: { pointer: string; detail: string }[] = [];
  const touched = new Set<string>();
  let worst: 'invalid' | 'conflict' | 'denied' = 'invalid';

  function demand(permission: string): void {
    if (!context.caller.permissions.has(permission))
      throw new Failure('denied', `this needs the permission ${permission}`);
  }

  return {
    changes,
    events,
    touched,
    /** Runs one document's part. What it throws is kept with the document's pointer. */
    at<T>(pointer: string, run: () => T): T | null {
      try {
        return run();
      } catch (error) {
        if (!Failure.is(error)) throw error;
        if (error.code === 'denied' || (error.code === 'conflict' && worst === 'invalid')) worst = error.code;
        const found = error.errors.length > 0 ? error.errors : [{ pointer: '', detail: error.message }];
        errors.push(...found.map((one) => ({ pointer: pointer + one.pointer, detail: one.detail })));
        return null;
      }
    },
    /** Records what becomes of a row. `before` null: it is new; `after` the same object: it stays. */
    put<R extends Row>(noun: Change['noun'], name: string, before: R | null, after: R): void {
      touched.add(after.id);
      const op = before === null ? 'add' : before === after ? 'none' : 'change';
      demand(`${noun}:${op === 'none' ? 'read' : 'write'}`);
      const diff: Record<string, { from: Json; to: Json }> = {};
      for (const field of FIELDS[noun]) {
        const from = ((before as Record<string, unknown> | null)?.[field] ?? null) as Json;
        const to = ((after as unknown as Record<string, unknown>)[field] ?? null) as Json;
        if (canonicalJson(from) !== canonicalJson(to)) diff[field] = { from, to };
      }
      changes.push({ op, noun, name, diff });
      if (op === 'none') return;
      const verb = op === 'change' ? 'changed' : noun === 'grant' ? 'given' : 'added';
      events.push(eventOf(context, `${noun}.${verb}`, [{ noun, row: after }], { by: MANAGED }));
    },
    throwErrors(): void {
      if (errors.length > 0)
        throw new Failure(worst, 'the documents cannot be applied: nothing was changed', { errors });
    },
  };
}

function isManaged(row: { readonly managedBy: string | null }): boolean {
  return row.managedBy === MANAGED || row.managedBy?.startsWith(`${MANAGED}:`) === true;
}

function demandManaged(row: { readonly managedBy: string | null }, noun: string, name: string): void {
  if (!isManaged(row)) throw new Failure('conflict', `${noun} ${name} is there already and is not managed by apply`);
}

function demandOnce(seen: Set<string>, name: string): void {
  if (seen.has(name)) throw invalidField('/name', 'another document has this name');
  seen.add(name);
}

function planPrincipals(
  context: Acting,
  documents: readonly NewPrincipal[],
  drawn: Drawing,
): Map<string, PrincipalRow> {
  const rows = new Map(allRows<PrincipalRow>(context.desk.rows, 'principal').map((row) => [row.name, row]));
  const seen = new Set<string>();
  for (const [i, document] of documents.entries()) {
    drawn.at(`/documents/principals/${i}`, () => {
      demandOnce(seen, document.name);
      const before = rows.get(document.name) ?? null;
      if (before === null) {
        const row = principalRow(context, document, MANAGED);
        rows.set(row.name, row);
        drawn.put('principal', row.name, null, row);
        return;
      }
      demandManaged(before, 'principal', document.name);
      if (before.kind !== document.kind) throw invalidField('/kind', 'the kind of a principal does not change');
      const after = changedByDocument(context, before, document);
      rows.set(after.name, after);
      drawn.put('principal', after.name, before, after);
    });
  }
  return rows;
}

/** The row itself where nothing differs: looking needs no authority over the principal. */
function changedByDocument(context: Acting, before: PrincipalRow, document: NewPrincipal): PrincipalRow {
  const { roles, owner, note } = document;
  const isSameRoles = sameSet(before.roles, roles);
  if (isSameRoles && before.owner === owner && before.note === note) return before;
  return changedPrincipal(context, before, { owner, note, ...(isSameRoles ? {} : { roles }) });
}

/** Each change alone may leave an admin where all of them together do not. */
function demandAdmin(principals: ReadonlyMap<string, PrincipalRow>): void {
  for (const row of principals.values()) if (row.disabledAt === null && row.roles.includes('admin')) return;
  throw new Failure('conflict', 'no admin would remain');
}

function referenceOf(row: Pick<CredentialRow, 'environment' | 'provider' | 'name'>): string {
  return `${row.environment}/${row.provider}/${row.name}`;
}

/** `provider/name` is short for the default environment. */
function fullReference(reference: string): string {
  return reference.split('/').length === 2 ? `default/${reference}` : reference;
}

function planCredentials(
  context: Acting,
  documents: readonly CredentialDocument[],
  { kinds }: ApplyTools,
  drawn: Drawing,
): Map<string, CredentialRow> {
  const rows = new Map(allRows<CredentialRow>(context.desk.rows, 'credential').map((row) => [referenceOf(row), row]));
  const seen = new Set<string>();
  const planned: {
    before: CredentialRow | null;
    after: CredentialRow;
    document: CredentialDocument;
    pointer: string;
  }[] = [];
  for (const [i, document] of documents.entries()) {
    const pointer = `/documents/credentials/${i}`;
    drawn.at(pointer, () => {
      const name = referenceOf(document);
      demandOnce(seen, name);
      const before = rows.get(name) ?? null;
      if (before !== null) demandManaged(before, 'credential', name);
      // Issuers come afterwards: one document may name another.
      const after =
        before === null
          ? credentialRow(context, { ...document, issuerId: null }, kinds, MANAGED)
          : keptCredential(before, document);
      rows.set(name, after);
      planned.push({ before, after, document, pointer });
    });
  }
  for (const { before, after, document, pointer } of planned) {
    drawn.at(pointer, () => {
      const issuerId = issuerOf(after, document, kinds, rows);
      const name = referenceOf(after);
      const row =
        before === null
          ? { ...after, issuerId }
          : changedCredential(
              context,
              before,
              {
                issuerId: before.issuerId,
                policy: { ...DEFAULT_ROTATION, ...document.policy },
                owner: document.owner,
                note: document.note,
                settings: { ...dropped(before.settings), ...document.settings },
              },
              kinds,
            );
      const last = before === null || row.issuerId === issuerId ? row : withIssuer(before, row, issuerId);
      rows.set(name, last);
      drawn.put('credential', name, before, last);
    });
  }
  return rows;
}

/** The issuer was checked among the planned rows, where it may be new. */
function withIssuer(before: CredentialRow, row: CredentialRow, issuerId: string | null): CredentialRow {
  return row === before ? nextImage(before, { issuerId }) : { ...row, issuerId };
}

/** What a document does not name goes. */
function dropped(settings: CredentialRow['settings']): Record<string, null> {
  return Object.fromEntries(Object.keys(settings).map((name) => [name, null]));
}

/** The row as it is, where the document asks for nothing that only new bytes may bring. */
function keptCredential(before: CredentialRow, document: CredentialDocument): CredentialRow {
  const fixed = { kind: before.kind, purpose: before.purpose };
  for (const [field, value] of Object.entries(fixed)) {
    const wanted = document[field as keyof typeof fixed];
    if (value !== wanted) {
      throw invalidField(`/${field}`, 'this does not change by apply: bring a new version, or add another credential');
    }
  }
  if (document.origin !== null && document.origin !== before.origin) {
    throw invalidField('/origin', 'a new origin needs the bytes again: bring a new version');
  }
  return before;
}

function issuerOf(
  row: CredentialRow,
  document: CredentialDocument,
  kinds: Kinds,
  rows: ReadonlyMap<string, CredentialRow>,
): string | null {
  if (document.issuer === null) return null;
  const issuer = rows.get(fullReference(document.issuer));
  if (issuer === undefined) throw invalidField('/issuer', 'there is no such credential');
  const wrong = issuerProblem(issuer, { ...row, kind: kindAt(kinds, row.provider, row.kind) }, kinds);
  if (wrong !== null) throw invalidField('/issuer', wrong);
  return issuer.id;
}

function managedName(name: string): string {
  return name === 'default' ? MANAGED : `${MANAGED}:${name}`;
}

function planGrants(
  context: Acting,
  documents: readonly GrantDocument[],
  { actionsOf }: ApplyTools,
  rows: {
    readonly principals: ReadonlyMap<string, PrincipalRow>;
    readonly credentials: ReadonlyMap<string, CredentialRow>;
  },
  drawn: Drawing,
): void {
  const seen = new Set<string>();
  for (const [i, document] of documents.entries()) {
    drawn.at(`/documents/grants/${i}`, () => {
      const principal = rows.principals.get(document.principal);
      if (principal === undefined) throw invalidField('/principal', 'there is no such principal');
      const credential = rows.credentials.get(fullReference(document.credential));
      if (credential === undefined) throw invalidField('/credential', 'there is no such credential');
      demandGrantable(credential, '/credential');
      const name = `${principal.name} on ${referenceOf(credential)} (${document.name})`;
      demandOnce(seen, name);
      const managedBy = managedName(document.name);
      const before = allRows<GrantRow>(context.desk.rows, 'grant').find(
        (row) => row.principalId === principal.id && row.credentialId === credential.id && row.managedBy === managedBy,
      );
      const { actions, parameters, networks, rate, note } = document;
      const terms = { actions, parameters, networks, rate, note };
      if (before !== undefined && canonicalJson(terms as Json) === canonicalJson(termsOf(before) as Json)) {
        drawn.put('grant', name, before, before);
        return;
      }
      demandTerms(context, terms, actionsOf(credential.provider));
      if (before === undefined) {
        const ids = { principalId: principal.id, credentialId: credential.id, expiresAt: null };
        drawn.put('grant', name, null, grantRow(context, { ...terms, ...ids }, managedBy));
        return;
      }
      drawn.put('grant', name, before, nextImage(before, terms));
    });
  }
}

function termsOf({ actions, parameters, networks, rate, note }: GrantRow): object {
  return { actions, parameters, networks, rate, note };
}

function unmentionedBy(context: Acting, documents: Documents, drawn: Drawing): Plan['unmentioned'] {
  const { rows } = context.desk;
  const left: { noun: Change['noun']; name: string }[] = [];
  const isLeft = (row: Row & { managedBy: string | null }) => isManaged(row) && !drawn.touched.has(row.id);
  if (documents.principals !== undefined) {
    for (const row of allRows<PrincipalRow>(rows, 'principal')) {
      if (isLeft(row)) left.push({ noun: 'principal', name: row.name });
    }
  }
  if (documents.credentials !== undefined) {
    for (const row of allRows<CredentialRow>(rows, 'credential')) {
      if (isLeft(row) && row.retiredAt === null) left.push({ noun: 'credential', name: referenceOf(row) });
    }
  }
  if (documents.grants !== undefined) {
    for (const row of allRows<GrantRow>(rows, 'grant')) if (isLeft(row)) left.push({ noun: 'grant', name: row.id });
  }
  return left;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return new Set([...a, ...b]).size === new Set(a).size && new Set(a).size === new Set(b).size;
}
