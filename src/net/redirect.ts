// Where a redirect leads, judged on the raw text of the Location header: the same upstream, a foreign one, or nowhere that may
// be named. Nothing is normalised; what would need it is invalid. The one exception is a relative reference, which RFC 3986
// section 5.2 resolves against the path of the request. Not here: what to do with the verdict (the broker's).
import { validateOrigin } from './origin.ts';
import { isPlainTarget } from './target.ts';

export type Redirect =
  /** `path` begins with one slash and holds the query; a fragment is left out. */
  | { readonly is: 'same'; readonly path: string }
  /** A public https origin, as an upstream would have to be. */
  | { readonly is: 'foreign'; readonly origin: string }
  | { readonly is: 'invalid' };

const INVALID: Redirect = { is: 'invalid' };
const LOCATION_LENGTH_MAX = 8192;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;

/** The origin with its scheme's own port spelt out; unchanged where it names another port. */
function withStandardPort(origin: string): string {
  if (/:[0-9]+$/.test(origin)) return origin;
  return `${origin}:${origin.startsWith('https:') ? 443 : 80}`;
}

function judgePath(reference: string): Redirect {
  return isPlainTarget(reference) ? { is: 'same', path: reference } : INVALID;
}

/** A dot segment in a spelling that some parsers see and others do not. */
const VEILED_DOTS = /^(?=.*%)(?:\.|%2e){1,2}$/i;

/**
 * RFC 3986 section 5.2.3 and 5.2.4 for a path without a leading slash; null where it climbs above the root, or over a segment
 * that parsers disagree about. Bounded by the length of a location.
 */
function merge(basePath: string, relative: string): string | null {
  const mark = relative.indexOf('?');
  const path = mark < 0 ? relative : relative.slice(0, mark);
  const segments = basePath.slice(1).split('/').slice(0, -1);
  const steps = path.split('/');
  for (const [index, step] of steps.entries()) {
    const isLast = index === steps.length - 1;
    if (VEILED_DOTS.test(step) || (step === '' && !isLast)) return null;
    if (step === '..') {
      if (segments.pop() === undefined) return null;
    } else if (step !== '.') {
      segments.push(step);
      continue;
    }
    if (isLast) segments.push('');
  }
  return `/${segments.join('/')}${mark < 0 ? '' : relative.slice(mark)}`;
}

/**
 * Judges a Location header. `origin` is the upstream's, already valid; `basePath` is the path of the request that was
 * answered, with or without its query. The same origin with its default port spelt out is the same; every other spelling
 * that differs from the canonical one is invalid, whatever a tolerant client would make of it.
 */
export function resolveRedirect(origin: string, basePath: string, location: string): Redirect {
  if (location.length > LOCATION_LENGTH_MAX || !/^[!-~]*$/.test(location) || location.includes('\\')) return INVALID;
  if (!isPlainTarget(basePath)) return INVALID;
  const hash = location.indexOf('#');
  const reference = hash < 0 ? location : location.slice(0, hash);
  const base = basePath.split('?', 1)[0]!;
  const scheme = origin.slice(0, origin.indexOf(':') + 1);

  if (reference.startsWith('//') || SCHEME.test(reference)) {
    const absolute = reference.startsWith('//') ? `${scheme}${reference}` : reference;
    const parts = /^(https?:\/\/[^/?]*)(.*)$/.exec(absolute);
    if (parts === null) return INVALID;
    const rest = parts[2]!;
    if (parts[1] === origin || parts[1] === withStandardPort(origin)) {
      return judgePath(rest.startsWith('/') ? rest : `/${rest}`);
    }
    const verdict = validateOrigin(parts[1]!, { privateNetworks: [], plainHttp: false });
    return verdict.is === 'origin' ? { is: 'foreign', origin: verdict.origin.text } : INVALID;
  }
  if (reference.startsWith('/')) return judgePath(reference);
  if (reference === '') return judgePath(basePath);
  if (reference.startsWith('?')) return judgePath(`${base}${reference}`);
  const merged = merge(base, reference);
  return merged === null ? INVALID : judgePath(merged);
}
