// KEK rotation, the decisions: which envelopes of a page need another wrap, whether a pass over all of them found the work
// done, and which old KEKs may then be retired. Pure; rewrap.io.ts acts. There is no progress to store: an envelope's own
// wraps say whether it is done, so a pass that starts again after a kill only skips what was done before.
import { assert } from '../model/failure.ts';
import { type KekRole, type KekRow, kekInForce } from './kek.ts';

/** An envelope as the database lists it, with the KEKs that its record names. */
export interface WrappedEnvelope {
  readonly id: string;
  readonly kekIds: readonly string[];
}

/** One pass over all envelopes, ascending by id. */
export interface RewrapPass {
  /** The KEK that every envelope is to be wrapped under. */
  readonly targetId: string;
  /** Id of the last envelope seen; null before the first. */
  readonly cursor: string | null;
  /** Whether the pass has seen the last envelope. */
  readonly isOver: boolean;
  readonly seen: number;
  /** How many were not as they should be when this pass came by. */
  readonly unfinished: number;
  /** KEK id to the number of envelopes that only it can open in its role. */
  readonly aloneUnder: Readonly<Record<string, number>>;
}

/** A first or further pass towards the KEK in force in a role; null where there is none. */
export function startPass(rows: readonly KekRow[], role: KekRole): RewrapPass | null {
  const target = kekInForce(rows, role);
  if (target === null) return null;
  return { targetId: target.id, cursor: null, isOver: false, seen: 0, unfinished: 0, aloneUnder: {} };
}

/** Whether the envelope lacks the target's wrap, or still carries that of another KEK of the target's role. */
export function needsRewrap(rows: readonly KekRow[], targetId: string, envelope: WrappedEnvelope): boolean {
  const sameRole = idsOfRole(rows, targetId);
  return (
    !envelope.kekIds.includes(targetId) || envelope.kekIds.some((kekId) => kekId !== targetId && sameRole.has(kekId))
  );
}

/**
 * Takes in the next page, and says which of its envelopes to re-wrap. A page shorter than `limit` is the last one. Pages
 * must ascend strictly, which is also what bounds a pass.
 */
export function planPage(input: {
  readonly rows: readonly KekRow[];
  readonly pass: RewrapPass;
  readonly page: readonly WrappedEnvelope[];
  readonly limit: number;
}): { readonly pass: RewrapPass; readonly rewrap: readonly string[] } {
  const { rows, pass, page, limit } = input;
  const sameRole = idsOfRole(rows, pass.targetId);
  const aloneUnder: Record<string, number> = { ...pass.aloneUnder };
  let cursor = pass.cursor;
  for (const envelope of page) {
    assert(cursor === null || envelope.id > cursor, 'pages of envelopes ascend by id');
    cursor = envelope.id;
    const inRole = envelope.kekIds.filter((kekId) => sameRole.has(kekId));
    const alone = inRole.length === 1 ? inRole[0] : undefined;
    if (alone !== undefined) aloneUnder[alone] = (aloneUnder[alone] ?? 0) + 1;
  }
  const rewrap = page.filter((envelope) => needsRewrap(rows, pass.targetId, envelope)).map(({ id }) => id);
  return {
    pass: {
      targetId: pass.targetId,
      cursor,
      isOver: page.length < limit,
      seen: pass.seen + page.length,
      unfinished: pass.unfinished + rewrap.length,
      aloneUnder,
    },
    rewrap,
  };
}

/**
 * The older KEKs of the target's role that may be retired. None until a whole pass found nothing to do, since an envelope
 * that was replaced meanwhile may lie behind the cursor; never one that some envelope depends on alone.
 */
export function retirableKeks(rows: readonly KekRow[], pass: RewrapPass): string[] {
  if (!pass.isOver || pass.unfinished > 0) return [];
  const target = rows.find(({ id }) => id === pass.targetId);
  if (target === undefined || target.retiredAt !== null) return [];
  return rows
    .filter((row) => row.role === target.role && row.version < target.version && row.retiredAt === null)
    .filter((row) => (pass.aloneUnder[row.id] ?? 0) === 0)
    .map(({ id }) => id);
}

function idsOfRole(rows: readonly KekRow[], kekId: string): ReadonlySet<string> {
  const role = rows.find(({ id }) => id === kekId)?.role;
  return new Set(rows.filter((row) => row.role === role).map(({ id }) => id));
}
