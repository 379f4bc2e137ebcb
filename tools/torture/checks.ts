// What must hold of a database after a kill: held against the books of the load and against the provider's twin. Each check has a name and
// its problems; none means that it passed.
import type { CredentialRow, VersionRow } from '../../src/credentials/credential.ts';
import type { FindingRow } from '../../src/credentials/finding.ts';
import { labelPart, parseLabel } from '../../src/credentials/label.ts';
import type { ControlEvent, Row, Rows } from '../../src/model/change.ts';
import type { CertificateRow, RevocationRow } from '../../src/revocation/revocation.ts';
import { isSwap, type RotationRow } from '../../src/rotation/rotation.ts';
import type { KeyReport } from '../../twins/neon.keys.ts';
import type { Answered, Books } from './books.ts';

export interface Check {
  readonly name: string;
  readonly problems: readonly string[];
}

export function check(name: string, problems: readonly string[]): Check {
  return { name, problems };
}

/** An entry of the use log, as far as the books can know it. */
interface UseLeaf {
  readonly kind: string;
  readonly path?: string | null;
  readonly reason?: string;
}

/** Refusals that name the request's path in their leaf. */
const RECORDED: ReadonlySet<string> = new Set([
  'no-grant',
  'grant-expired',
  'parameter',
  'rate-limited',
  'credential-suspended',
  'no-current-version',
  'stale',
]);

/** The requests of the load in the use log: how often each was admitted, and with which reasons it was refused. */
export function useRecords(entries: readonly string[]): Map<string, { uses: number; refusals: string[] }> {
  const records = new Map<string, { uses: number; refusals: string[] }>();
  for (const entry of entries) {
    const leaf = JSON.parse(entry) as UseLeaf;
    const nonce = /\/projects\/(n-[0-9a-z-]+)$/.exec(leaf.path ?? '')?.[1];
    if (nonce === undefined || (leaf.kind !== 'use' && leaf.kind !== 'refused')) continue;
    const record = records.get(nonce) ?? { uses: 0, refusals: [] };
    if (leaf.kind === 'use') record.uses++;
    else record.refusals.push(leaf.reason ?? '');
    records.set(nonce, record);
  }
  return records;
}

/** No acknowledged request is lost, none stands twice, no write reached the provider without its record or twice. */
export function checkUses(books: Books, entries: readonly string[]): Check[] {
  const records = useRecords(entries);
  const answered: string[] = [];
  const refused: string[] = [];
  for (const one of books.answered) {
    const record = records.get(one.nonce) ?? { uses: 0, refusals: [] };
    // A decision that was overtaken is on record as stale, and made again.
    const others = record.refusals.filter((reason) => reason !== 'stale');
    const isServed = one.refusal === null || (one.refusal.startsWith('upstream-') && one.isWrite);
    if (isServed && (record.uses !== 1 || others.length > 0)) {
      answered.push(`${one.nonce} was answered ${one.status} and is recorded as ${JSON.stringify(record)}`);
    }
    if (one.refusal !== null && RECORDED.has(one.refusal)) {
      const last = record.refusals.at(-1);
      const isRecorded = record.uses === 0 && last === one.refusal && others.length <= 1;
      if (!isRecorded)
        refused.push(`${one.nonce} was refused as ${one.refusal} and is recorded as ${JSON.stringify(record)}`);
    }
  }
  const unrecorded: string[] = [];
  const twice: string[] = [];
  const seen = new Set<string>();
  for (const { nonce } of books.seenWrites) {
    if (seen.has(nonce)) twice.push(`the write ${nonce} was sent twice`);
    seen.add(nonce);
    const uses = records.get(nonce)?.uses ?? 0;
    if (uses !== 1) unrecorded.push(`the provider saw the write ${nonce}, which stands ${uses} times as use`);
  }
  return [
    check('every acknowledged use stands once in the use log', answered),
    check('every acknowledged refusal stands in the use log', refused),
    check('no write without its record', unrecorded),
    check('no write is sent twice', twice),
    check('nothing is admitted while access is closed', admittedWhileClosed(books)),
  ];
}

function admittedWhileClosed({ answered, closed }: Books): string[] {
  const isOf = (one: Answered, id: string) => one.credentialId === id || one.tokenId === id || one.grantId === id;
  return closed.flatMap((time) =>
    answered
      .filter((one) => one.refusal === null && isOf(one, time.id))
      .filter((one) => one.startedMs > time.fromMs && one.endedMs < time.toMs)
      .map((one) => `${one.nonce} was admitted although ${time.id} was closed`),
  );
}

/** Every acknowledged change stands in the control log. */
export function checkChanges(books: Books, events: readonly ControlEvent[]): Check {
  const images = new Set(events.flatMap(({ rows }) => rows.map(({ row }) => `${row.id}@${row.rowVersion}`)));
  const lost = books.acknowledged
    .filter(({ id, rowVersion }) => !images.has(`${id}@${rowVersion}`))
    .map(({ id, rowVersion }) => `${id} at row version ${rowVersion} was acknowledged and is not in the control log`);
  return check('every acknowledged change stands in the control log', lost);
}

/** What the control logs of a house announced before it was done at the provider. */
export interface Intents {
  /** Label parts of rotation and attempt. */
  readonly creations: Set<string>;
  /** The provider's ids of keys. */
  readonly deletions: Set<string>;
}

/** Adds what a control log announces. A house that was restored has several control logs. */
export function addIntents(intents: Intents, events: readonly ControlEvent[]): void {
  for (const { type, rows } of events) {
    for (const { noun, row } of rows) {
      if (noun === 'rotation') addRotation(intents, type, row as RotationRow);
      if (noun === 'revocation' && type === 'revocation.revoke-begun') {
        const id = (row as RevocationRow).state.providerKeyId;
        if (id !== null) intents.deletions.add(id);
      }
      if (noun === 'finding' && type === 'inventory.orphan-found') {
        intents.deletions.add((row as FindingRow).providerKeyId);
      }
    }
  }
}

function addRotation(intents: Intents, type: string, row: RotationRow): void {
  // The houses of this run hold keys that overlap, and no others.
  if (isSwap(row)) return;
  const { id, state } = row;
  if (type === 'rotation.issue-begun') intents.creations.add(`${labelPart(id)}/${state.attempt}`);
  const target = state.target === 'old' ? state.old : state.fresh;
  if (type === 'rotation.revoke-begun' && target !== null) intents.deletions.add(target.providerKeyId);
  const orphan = state.orphans[0];
  if (/^rotation\.(?:reconcile|sweep)-begun$/.test(type) && orphan !== undefined) intents.deletions.add(orphan);
}

/** Every key that was made or ended under our name at the provider was announced in a control log. */
export function checkIntents(input: {
  readonly intents: Intents;
  readonly keys: readonly KeyReport[];
  readonly instance: string;
  readonly deletions: ReadonlySet<string>;
}): Check[] {
  const made = input.keys
    .map((key) => ({ key, label: parseLabel(key.name) }))
    .filter(({ label }) => label?.instance === input.instance)
    .filter(({ label }) => !input.intents.creations.has(`${label!.rotation}/${label!.attempt}`))
    .map(({ key }) => `key ${key.id} was made without an intent on record`);
  const ended = new Set([
    ...input.keys.filter((key) => key.revokedAt !== null).map((key) => key.id),
    ...input.deletions,
  ]);
  const unannounced = [...ended]
    .filter((id) => !input.intents.deletions.has(id))
    .map((id) => `key ${id} was deleted without an intent on record`);
  return [check('no key is made without an intent', made), check('no key is deleted without an intent', unannounced)];
}

function table<R extends Row>(
  rows: Rows,
  noun: 'credential' | 'version' | 'certificate' | 'rotation' | 'revocation',
): R[] {
  return [...rows.get(noun)!.values()] as R[];
}

/** Credentials whose current version is not accepted by the provider; those without one are named too. */
export function lostCredentials(rows: Rows, keys: readonly KeyReport[], except: ReadonlySet<string>): CredentialRow[] {
  const alive = new Set(keys.filter((key) => key.isAlive).map((key) => key.id));
  const versions = table<VersionRow>(rows, 'version');
  return table<CredentialRow>(rows, 'credential').filter((credential) => {
    if (except.has(credential.id)) return false;
    const current = versions.find((one) => one.credentialId === credential.id && one.state === 'current');
    return current === undefined || !alive.has(current.providerKeyId ?? '');
  });
}

/** At the end of a house: the keys at the provider are those of the versions, and no others of ours live. */
export function checkKeys(input: {
  readonly rows: Rows;
  readonly keys: readonly KeyReport[];
  readonly instance: string;
  /** Credentials that were ended on purpose. */
  readonly ended: ReadonlySet<string>;
}): Check[] {
  const versions = table<VersionRow>(input.rows, 'version');
  const held = new Map(versions.map((version) => [version.providerKeyId, version]));
  const orphans = input.keys
    .filter((key) => key.isAlive && parseLabel(key.name)?.instance === input.instance && !held.has(key.id))
    .map((key) => `key ${key.id} lives under our label and no version holds it`);
  const resurrected = input.keys
    .filter((key) => key.isAlive && held.get(key.id)?.state === 'revoked')
    .map((key) => `key ${key.id} lives although its version is called revoked`);
  const unsettled = versions
    .filter((version) => version.state !== 'current' && version.state !== 'revoked')
    .map((version) => `${version.id} ended as ${version.state}`);
  const lost = lostCredentials(input.rows, input.keys, input.ended).map((row) => `${row.name} has no accepted key`);
  return [
    check('every credential has an accepted key', lost),
    check('no orphan after the inventory', orphans),
    check('no revoked key lives', resurrected),
    check('every version is current or proven dead', unsettled),
  ];
}

/** What has not come to its end. */
export function unsettled(rows: Rows): string[] {
  const versions = table<VersionRow>(rows, 'version');
  const rotations = table<RotationRow>(rows, 'rotation');
  const revocations = table<RevocationRow>(rows, 'revocation');
  return [
    ...versions
      .filter((row) => row.state !== 'current' && row.state !== 'revoked')
      .map((row) => `${row.id} is ${row.state}`),
    ...[...rotations, ...revocations]
      .filter((row) => row.endedAt === null)
      .map((row) => `${row.id} is in ${row.state.step}, ${row.state.end ?? 'running'}, ${row.state.reason ?? ''}`),
  ];
}

interface Statement {
  readonly refusals: readonly { readonly refused: { readonly at: string; readonly is: string } }[];
}

const REFUSALS_MIN = 3;

/** Every certificate names a dead key, and rests on refusals that came after the provider ended it. */
export function checkCertificates(rows: Rows, keys: readonly KeyReport[]): Check {
  const byId = new Map(keys.map((key) => [key.id, key]));
  const problems: string[] = [];
  for (const certificate of table<CertificateRow>(rows, 'certificate')) {
    const version = rows.get('version')!.get(certificate.versionId) as VersionRow | undefined;
    const key = byId.get(version?.providerKeyId ?? '');
    const { refusals } = certificate.statement as unknown as Statement;
    if (version?.state !== 'revoked' || version.certificateId !== certificate.id) {
      problems.push(`${certificate.id} does not belong to a revoked version`);
    }
    if (key === undefined || key.isAlive || key.diedAt === null) {
      problems.push(`${certificate.id}: the key ${key?.id} is alive`);
      continue;
    }
    if (refusals.length < REFUSALS_MIN) problems.push(`${certificate.id} rests on ${refusals.length} refusals`);
    for (const { refused } of refusals) {
      if (refused.is !== 'dead' || Date.parse(refused.at) < key.diedAt) {
        problems.push(`${certificate.id}: a refusal of ${refused.at} comes before the key's death`);
      }
    }
  }
  const certified = new Set(table<CertificateRow>(rows, 'certificate').map((row) => row.versionId));
  for (const version of table<VersionRow>(rows, 'version')) {
    if (version.state === 'revoked' && !certified.has(version.id)) {
      problems.push(`${version.id} is called revoked without a certificate`);
    }
  }
  return check('every certificate is right', problems);
}
