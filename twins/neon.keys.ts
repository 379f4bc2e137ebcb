// The API keys of the Neon twin: how they are made, recognised, used and ended, and what a test may know about each. Who may do what
// with a key is neon.access.ts; what goes wrong is faults.ts.
import type { Json } from '../src/model/json.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

export type KeyKind = 'personal' | 'organization' | 'project';

export interface TwinKey {
  readonly id: number;
  /** Every key holds the marker `canary`, so that a leak can be searched for. */
  readonly text: string;
  readonly name: string;
  readonly kind: KeyKind;
  /** Who made it; the owner of a personal key. */
  readonly userId: string;
  readonly orgId: string | null;
  readonly projectId: string | null;
  /** UTC milliseconds, as all instants here. */
  readonly createdAt: number;
  readonly isDeadOnArrival: boolean;
  /** From when it is accepted: later than it was made, where that has not spread yet. */
  readonly livesFrom: number;
  /** When its end was confirmed: from then on it is not listed. */
  revokedAt: number | null;
  /** From when it is refused. */
  diesAt: number | null;
  lastUsedAt: number | null;
  lastUsedFrom: string;
  acceptedCount: number;
  refusedCount: number;
  lastAcceptedAt: number | null;
  lastRefusedAt: number | null;
}

export interface NewKey {
  readonly name: string;
  readonly kind: KeyKind;
  readonly userId: string;
  readonly orgId?: string | null;
  readonly projectId?: string | null;
  readonly isDeadOnArrival?: boolean;
  /** After its making, milliseconds. */
  readonly spreadMs?: number;
}

export interface KeyRing {
  make(key: NewKey, now: number): TwinKey;
  byText(text: string): TwinKey | null;
  byId(id: number): TwinKey | null;
  all(): IterableIterator<TwinKey>;
}

/** 64 characters after the prefix, like Neon's own. */
const MARK = 'napi_canary';
const RANDOM_LENGTH = 58;

export function keyRing(random: Prng): KeyRing {
  const texts = new Map<string, TwinKey>();
  const ids = new Map<number, TwinKey>();
  let nextId = 165_432;

  function make(key: NewKey, now: number): TwinKey {
    const made: TwinKey = {
      id: nextId++,
      text: MARK + random.text(RANDOM_LENGTH, ALPHANUMERIC),
      name: key.name,
      kind: key.kind,
      userId: key.userId,
      orgId: key.orgId ?? null,
      projectId: key.projectId ?? null,
      createdAt: now,
      isDeadOnArrival: key.isDeadOnArrival ?? false,
      livesFrom: now + (key.spreadMs ?? 0),
      revokedAt: null,
      diesAt: null,
      lastUsedAt: null,
      lastUsedFrom: '',
      acceptedCount: 0,
      refusedCount: 0,
      lastAcceptedAt: null,
      lastRefusedAt: null,
    };
    texts.set(made.text, made);
    ids.set(made.id, made);
    return made;
  }

  return {
    make,
    byText: (text) => texts.get(text) ?? null,
    byId: (id) => ids.get(id) ?? null,
    all: () => ids.values(),
  };
}

export function isAlive(key: TwinKey, now: number): boolean {
  return !key.isDeadOnArrival && now >= key.livesFrom && (key.diesAt === null || now < key.diesAt);
}

/** Whether a list taken at this instant shows the key. */
export function isListedAt(key: TwinKey, at: number): boolean {
  return key.createdAt <= at && (key.revokedAt === null || key.revokedAt > at);
}

/** Ends a key: not listed from now on, refused from `diesAt` on. */
export function endKey(key: TwinKey, now: number, diesAt: number): void {
  key.revokedAt ??= now;
  key.diesAt = Math.min(key.diesAt ?? Number.POSITIVE_INFINITY, diesAt);
}

export function noteUse(key: TwinKey, now: number, from: string, wasAccepted: boolean): void {
  if (wasAccepted) {
    key.acceptedCount++;
    key.lastAcceptedAt = now;
    key.lastUsedAt = now;
    key.lastUsedFrom = from;
  } else {
    key.refusedCount++;
    key.lastRefusedAt = now;
  }
}

function instant(at: number): string {
  return new Date(at).toISOString();
}

function common(key: TwinKey): Record<string, Json> {
  const json: Record<string, Json> = { id: key.id, name: key.name, created_at: instant(key.createdAt) };
  if (key.projectId !== null) json['project_id'] = key.projectId;
  return json;
}

function usage(key: TwinKey): Record<string, Json> {
  return {
    last_used_at: key.lastUsedAt === null ? null : instant(key.lastUsedAt),
    last_used_from_addr: key.lastUsedFrom,
  };
}

/** The one answer that holds the key itself. */
export function createdJson(key: TwinKey): Json {
  return { ...common(key), key: key.text, created_by: key.userId };
}

export function listedJson(key: TwinKey, userName: string): Json {
  const creator = { id: key.userId, name: userName, image: 'https://example.com/face.png' };
  return { ...common(key), ...usage(key), created_by: creator };
}

export function revokedJson(key: TwinKey): Json {
  return { ...common(key), ...usage(key), created_by: key.userId, revoked: true };
}

/** What a test may know about a key: everything but its text. Instants are UTC milliseconds. */
export interface KeyReport {
  readonly id: string;
  readonly name: string;
  readonly kind: KeyKind;
  readonly orgId: string | null;
  readonly projectId: string | null;
  readonly isAlive: boolean;
  readonly createdAt: number;
  readonly revokedAt: number | null;
  /** Since when it is refused; null while it lives, also where its end is already set for later. */
  readonly diedAt: number | null;
  readonly acceptedCount: number;
  readonly refusedCount: number;
  readonly lastAcceptedAt: number | null;
  readonly lastRefusedAt: number | null;
}

export function reportOf(key: TwinKey, now: number): KeyReport {
  const alive = isAlive(key, now);
  return {
    id: String(key.id),
    name: key.name,
    kind: key.kind,
    orgId: key.orgId,
    projectId: key.projectId,
    isAlive: alive,
    createdAt: key.createdAt,
    revokedAt: key.revokedAt,
    diedAt: alive ? null : key.isDeadOnArrival ? key.createdAt : key.diesAt,
    acceptedCount: key.acceptedCount,
    refusedCount: key.refusedCount,
    lastAcceptedAt: key.lastAcceptedAt,
    lastRefusedAt: key.lastRefusedAt,
  };
}
