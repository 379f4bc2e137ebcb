// Entry bundles of C2SP tlog-tiles: for each entry a big-endian uint16 length, then its bytes. What can be read before a fault
// is returned with the fault, so that the entry at which a bundle breaks can be named.

/** A bundle that holds more entries than this is not read to its end: twice a full one, so that an inserted entry is still seen. */
const ENTRIES_MAX = 512;

/** The largest bundle that can be well-formed: 256 entries of 65,535 bytes with their lengths. */
export const BUNDLE_BYTES_MAX = 256 * (65_535 + 2);

export interface Bundle {
  /** Views into the bytes that were given. */
  readonly entries: readonly Uint8Array[];
  /** Null where the bytes end with the last entry. */
  readonly fault: string | null;
}

export function parseBundle(bytes: Uint8Array): Bundle {
  const entries: Uint8Array[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    if (entries.length === ENTRIES_MAX) return { entries, fault: `more than ${ENTRIES_MAX} entries` };
    if (offset + 2 > bytes.length) return { entries, fault: 'it ends inside a length' };
    const start = offset + 2;
    const end = start + bytes[offset]! * 256 + bytes[offset + 1]!;
    if (end > bytes.length) return { entries, fault: 'it ends inside an entry' };
    entries.push(bytes.subarray(start, end));
    offset = end;
  }
  return { entries, fault: null };
}
