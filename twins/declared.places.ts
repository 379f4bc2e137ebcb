// Where a request shows a key: the places of a declaration, read from the receiving side. For the twin of a declaration (declared.ts).
import type { Json } from '../src/model/json.ts';
import type { DeclaredKind } from '../src/providers/declaration.ts';
import { at } from '../src/providers/declared-answers.ts';
import type { KitRequest } from './kit.ts';

type DeclaredPlace = DeclaredKind['places'][number];
type Texts = Readonly<Record<string, string>>;

/** What stands in a place; null where nothing does, or something of another form. */
function textIn(request: KitRequest, place: DeclaredPlace): string | null {
  switch (place.in) {
    case 'header': {
      const value = request.headers[place.name.toLowerCase()] ?? null;
      if (value === null || place.scheme === null) return value;
      return value.startsWith(`${place.scheme} `) ? value.slice(place.scheme.length + 1) : null;
    }
    case 'basic': {
      const [, encoded] = /^Basic ([A-Za-z0-9+/]+={0,2})$/.exec(request.headers['authorization'] ?? '') ?? [];
      return encoded === undefined ? null : new TextDecoder().decode(Uint8Array.fromBase64(encoded));
    }
    case 'query':
      return request.query.get(place.name);
    case 'body': {
      const value: Json | undefined = at(request.body, place.pointer);
      return typeof value === 'string' ? value : null;
    }
  }
}

/** What would stand there, were it this key. */
function expectedIn(place: DeclaredPlace, parts: Texts): string | null {
  const text = parts[place.part ?? 'key'] ?? (Object.keys(parts).length === 1 ? Object.values(parts)[0]! : null);
  if (place.in !== 'basic' || place.user === null || text === null) return text;
  const named = /^\{(.*)\}$/.exec(place.user)?.[1];
  return `${named === undefined ? place.user : (parts[named] ?? '')}:${text}`;
}

/** Whether a request shows this key: each part that has places stands in one of them. */
export function shows(request: KitRequest, places: readonly DeclaredPlace[], parts: Texts): boolean {
  const names = new Set(places.map((place) => place.part ?? 'key'));
  return [...names].every((name) =>
    places.some((place) => {
      if ((place.part ?? 'key') !== name) return false;
      const expected = expectedIn(place, parts);
      return expected !== null && textIn(request, place) === expected;
    }),
  );
}
