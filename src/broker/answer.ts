// The head of an answer on its way back: hop-by-hop headers end here, redirects are rewritten to lead back through the broker,
// the key's bytes are taken out of header values, and what would change the browser's trust in the broker's host is dropped.
import type { Action } from '../providers/provider.ts';
import type { Injection } from './inject.ts';

/** What a Location means for a credential's origin; decided by net/redirect.ts. */
export type Redirect =
  | { readonly is: 'same'; readonly path: string }
  | { readonly is: 'foreign' }
  | { readonly is: 'invalid' };

export type AnswerHead =
  | { readonly is: 'pass'; readonly headers: string[] }
  | { readonly is: 'refuse'; readonly reason: string };

const DROPPED: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'set-cookie',
  'strict-transport-security',
  'public-key-pins',
  'alt-svc',
  'clear-site-data',
  'claviger-refused',
]);

const FORBIDDEN_IN_VALUE = /[\u0000\r\n]/;

/**
 * @param raw names and values in turn, as the provider sent them
 * @param mount what stands before the provider's paths at the broker
 */
export function answerHead(
  status: number,
  raw: readonly string[],
  context: {
    injection: Injection;
    action: Action;
    mount: string;
    /** The credential's origin. */
    origin: string;
    redirect: (location: string) => Redirect;
    /** The broker's own origin as the caller names it. A Link must be absolute: clients read it without a base (masto). */
    home?: () => string;
  },
): AnswerHead {
  const headers: string[] = [];
  const named = connectionNames(raw);
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    if (DROPPED.has(name) || named?.has(name)) continue;
    let value = raw[i + 1]!;
    if (FORBIDDEN_IN_VALUE.test(value)) return { is: 'refuse', reason: 'upstream-invalid' };
    if (name === 'content-length' && (status === 204 || status === 205)) continue;
    if (name === 'location') {
      const target = context.redirect(value);
      if (target.is === 'same') value = `${context.mount}${target.path}`;
      else if (status >= 300 && status < 400) {
        if (context.action.foreignRedirect !== 'pass' || target.is === 'invalid') {
          return { is: 'refuse', reason: 'upstream-redirect' };
        }
      } else continue;
    }
    // A client that followed the provider's own address would take its Claviger token there.
    if (name === 'link') value = value.replaceAll(`<${context.origin}/`, `<${context.home?.() ?? ''}${context.mount}/`);
    headers.push(name, scrubValue(value, context.injection.scrub));
  }
  return { is: 'pass', headers };
}

/** Headers that any of the Connection headers names; null where they name none. */
function connectionNames(raw: readonly string[]): Set<string> | null {
  let names: Set<string> | null = null;
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length !== 10 || raw[i]!.toLowerCase() !== 'connection') continue;
    const value = raw[i + 1]!.toLowerCase();
    if (value === 'keep-alive' || value === 'close') continue;
    names ??= new Set();
    for (const name of value.split(',')) names.add(name.trim());
  }
  return names;
}

function scrubValue(value: string, patterns: readonly Uint8Array[]): string {
  let clean = value;
  for (const pattern of patterns) {
    if (clean.length < pattern.length) continue;
    const text = Buffer.from(pattern).toString('latin1');
    if (clean.includes(text)) clean = clean.replaceAll(text, '*'.repeat(text.length));
  }
  return clean;
}
