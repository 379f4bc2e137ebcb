// What a payload is for, and its canonical form: the additional authenticated data of the payload's cipher. A record that
// is moved to another space, environment, credential, version, part, purpose or destination does not open there, so whoever
// edits a row or the configuration cannot send a stored key elsewhere. Follows DESIGN section 9 and ADR 0007. The form:
//
//   text(x)  = uint32 length in bytes, UTF-8 bytes          list(xs) = uint32 count, then the items
//   context  = text("claviger/envelope/v1") text(space) text(environment) text(credential) text(version)
//              text(part) list(text(name of each part, ascending)) text(purpose) text(origin) list(place)
//   place    = text("header") text(name) ( 0x00 | 0x01 text(scheme) )
//            | text("basic") text(user)  |  text("query") text(name)  |  text("body") text(pointer)
//
// Every field is length-prefixed, so no two contexts share a form. Text is taken as it is: no case folding, no normalising.
import { Failure } from '../model/failure.ts';
import { isStorableText } from '../model/json.ts';
import { concatBytes, prefixed, uint8, uint32, utf8 } from './bytes.ts';

export const CONTEXT_FORMAT = 'claviger/envelope/v1';
export const CONTEXT_TEXT_BYTES_MAX = 2048;
export const PLACES_MAX = 16;

/** Where a part is written into a request. The same shape as the providers' `Place`, which this room may not import. */
export type InjectionPlace = { readonly part?: string } & (
  | { readonly in: 'header'; readonly name: string; readonly scheme: string | null }
  | { readonly in: 'basic'; readonly user: string | null }
  | { readonly in: 'query'; readonly name: string }
  | { readonly in: 'body'; readonly pointer: string }
);

/**
 * What all parts of one version share. Take it from the rows as they were when the bytes came in, never from code that an
 * upgrade may change: another order of places is another context.
 */
export interface EnvelopeContext {
  readonly space: string;
  readonly environment: string;
  /** Ids of the credential and of the version. */
  readonly credential: string;
  readonly version: string;
  /** What the credential may be used for: `use`, `manage`. */
  readonly purpose: string;
  readonly destination: { readonly origin: string; readonly places: readonly InjectionPlace[] };
}

/** The canonical bytes for one part. `names` are all parts of the version, ascending. Throws `invalid` for what has no form. */
export function contextBytes(context: EnvelopeContext, part: string, names: readonly string[]): Uint8Array {
  const { origin, places } = context.destination;
  if (places.length > PLACES_MAX) throw new Failure('invalid', `a credential has at most ${PLACES_MAX} places`);
  return concatBytes([
    prefixed(CONTEXT_FORMAT),
    field('space', context.space),
    field('environment', context.environment),
    field('credential', context.credential),
    field('version', context.version),
    field('part', part),
    uint32(names.length),
    ...names.map((name) => field('part', name)),
    field('purpose', context.purpose),
    field('origin', origin),
    uint32(places.length),
    ...places.map(placeBytes),
  ]);
}

function placeBytes(place: InjectionPlace): Uint8Array {
  const spot = spotBytes(place);
  // The part that all keys have needs no name: most kinds have no other.
  return place.part === undefined ? spot : concatBytes([prefixed('part'), field('part', place.part), spot]);
}

function spotBytes(place: InjectionPlace): Uint8Array {
  switch (place.in) {
    case 'header': {
      const scheme = place.scheme === null ? uint8(0) : concatBytes([uint8(1), field('scheme', place.scheme, 0)]);
      return concatBytes([prefixed('header'), field('header name', place.name), scheme]);
    }
    case 'basic':
      // A user may be empty, and the empty pointer is the whole body.
      if (place.user === null) return prefixed('basic whole');
      return concatBytes([prefixed('basic'), field('user', place.user, 0)]);
    case 'query':
      return concatBytes([prefixed('query'), field('query name', place.name)]);
    case 'body':
      return concatBytes([prefixed('body'), field('pointer', place.pointer, 0)]);
  }
}

/** A lone surrogate would become U+FFFD and two contexts one: refused, as everywhere. */
function field(name: string, text: string, bytesMin = 1): Uint8Array {
  const length = utf8(text).length;
  if (length < bytesMin || length > CONTEXT_TEXT_BYTES_MAX || !isStorableText(text)) {
    throw new Failure('invalid', `envelope context: ${name} is empty, too long or not text`);
  }
  return prefixed(text);
}
