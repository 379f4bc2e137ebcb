// WebSockets whose caller says who it is in its first message (Prefect): which handshakes are answered before anybody is known, where the
// token stands in the message, and how the key takes its place. Pure; plan.ts decides as for any request, once the token is known.
//
// A handshake without a token is answered by its path alone: by the part of it that any provider's catalogue has, wherever it stands and
// whatever name stands before it. So the answer says what this program knows, and nothing of which credentials there are.
import { matchAction, pathProblem } from '../access/action.ts';
import type { Action, FirstFrame } from '../providers/provider.ts';
import { type Handshake, offeredProtocols } from './handshake.ts';
import type { Head } from './head.ts';
import { findTokens, MARK, tokensIn } from './inject.ts';
import { type Forward, knownAction, type Snapshot } from './plan.ts';
import { splice } from './splice.ts';

/**
 * What to wait for before a handshake is judged; null: it is judged as it is. With a token in its head only where that may open this path's
 * WebSocket as far as can be said without its grants being asked: everything else is refused by `plan`, as any request.
 */
export function awaitedFrame(
  head: Head,
  handshake: Handshake,
  snapshot: Snapshot,
  when: { readonly at: number; readonly monoMs: number },
): FirstFrame | null {
  const mark = head.target.indexOf('?');
  const path = mark < 0 ? head.target : head.target.slice(0, mark);
  const isOffered = ({ firstFrame }: Action) =>
    firstFrame !== undefined && handshake.protocols.includes(firstFrame.subprotocol);
  const [found] = findTokens(head.rawHeaders, mark < 0 ? '' : head.target.slice(mark + 1), path);
  if (found !== undefined) {
    const action = knownAction(head, found.text, snapshot, when);
    return action !== null && isOffered(action) ? action.firstFrame! : null;
  }
  if (pathProblem(path) !== null) return null;
  const below = /^\/[^/]+\/[^/]+(\/.*)$/.exec(path)?.[1];
  const paths = below === undefined ? [path] : [path, below];
  for (const { compiled } of snapshot.policy.catalogues.values()) {
    if (!compiled.hasFirstFrames) continue;
    for (const one of paths) {
      const action = matchAction(compiled, 'GET', one)?.action;
      if (action !== undefined && isOffered(action)) return action.firstFrame!;
    }
  }
  return null;
}

export type FoundInFrame =
  | { readonly is: 'token'; readonly token: string }
  | { readonly is: 'refused'; readonly reason: string };

/** The caller's token in its first message: the whole text at the pointer, or what stands behind the colon of `user:token`. */
export function tokenOfFrame(text: string, { pointer }: FirstFrame): FoundInFrame {
  const emptied = splice(text, pointer, '""');
  if (emptied.is !== 'spliced') return { is: 'refused', reason: 'first-frame' };
  const value: unknown = emptied.before === null ? null : JSON.parse(emptied.before);
  if (typeof value !== 'string') return { is: 'refused', reason: 'no-token' };
  const [token, ...others] = tokensIn(value.slice(value.lastIndexOf(':') + 1));
  if (token === undefined) return { is: 'refused', reason: 'no-token' };
  // What stands beside the pointer travels on as it is, and a token must not.
  const isElsewhere = emptied.text.includes(MARK) || value.slice(0, value.lastIndexOf(':') + 1).includes(MARK);
  return others.length > 0 || isElsewhere ? { is: 'refused', reason: 'token-place' } : { is: 'token', token };
}

/** The same message with the key, as JSON text, in the token's place. The message has been read by `tokenOfFrame`. */
function withKey(text: string, { pointer }: FirstFrame, key: string): string {
  const spliced = splice(text, pointer, JSON.stringify(key));
  return spliced.is === 'spliced' ? spliced.text : text;
}

/** What a caller said in its first message: the rule by which it was heard, the whole text, and the token in it. */
export interface Said {
  readonly rule: FirstFrame;
  readonly text: string;
  readonly token: string;
}

export type Prepared =
  | {
      readonly is: 'ready';
      /** Subprotocols for the provider. */
      readonly offered: readonly string[];
      /** The message that the provider gets first, with the key in it; null: the handshake holds the key. */
      readonly greeting: string | null;
    }
  | { readonly is: 'refused'; readonly status: number; readonly reason: string };

/** What goes to the provider for an admitted request, or why it cannot be a WebSocket. `token`: the caller's, as it stands in the handshake. */
export function prepareUpgrade(made: Forward, handshake: Handshake, token: string | null, said: Said | null): Prepared {
  const { action } = made.identity;
  const { firstFrame } = action;
  const { bare } = made.injection;
  if (action.upgrade === undefined) return refused(403, 'upgrade-refused');
  if (said === null) {
    // Without the subprotocol nobody waited for a message: the provider would not either.
    if (firstFrame !== undefined) return refused(400, 'handshake');
    const offered = offeredProtocols(handshake.protocols, token, made.injection);
    return offered === null ? refused(400, 'token-place') : { is: 'ready', offered, greeting: null };
  }
  const isHeard = firstFrame?.pointer === said.rule.pointer && firstFrame.subprotocol === said.rule.subprotocol;
  if (!isHeard) return refused(403, 'upgrade-refused');
  if (bare === null) return refused(400, 'token-place');
  return { is: 'ready', offered: [firstFrame.subprotocol], greeting: withKey(said.text, firstFrame, bare) };
}

function refused(status: number, reason: string): Prepared {
  return { is: 'refused', status, reason };
}
