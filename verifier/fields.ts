// Reads the fields of logged entries: JSON objects whose shape is claimed, not known. Each check returns the complaint as a few
// words, or null where all is well.

export type Fields = Readonly<Record<string, unknown>>;

/** The object that an entry's bytes hold, or null where they hold none. */
export function parseEntry(bytes: Uint8Array): Fields | null {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes));
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A whole number from 0 to 2^53 - 1: times, sizes, indexes, counts. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export type FieldKind = 'count' | 'text' | 'text-or-null' | 'anything';

/** Fields that an entry must have. A list: it is gone through for each of millions of entries. */
export type FieldList = readonly (readonly [name: string, kind: FieldKind])[];

/** The first field that is missing or of another kind, as a complaint. */
export function checkFields(entry: Fields, list: FieldList): string | null {
  for (const [name, kind] of list) {
    const value = entry[name];
    if (value === undefined) return `the field ${name} is missing`;
    if (kind === 'count' && !isCount(value)) return `the field ${name} is not a whole number`;
    if (kind === 'text' && typeof value !== 'string') return `the field ${name} is not text`;
    if (kind === 'text-or-null' && typeof value !== 'string' && value !== null) {
      return `the field ${name} is neither text nor null`;
    }
  }
  return null;
}
