// What a second copy of an envelope may become. A copy elsewhere is what allows an old key to be revoked (DESIGN section 5:
// revoke waits for a second copy), so it is never exchanged for other payloads; a re-wrap of the same payloads replaces it.
// Pure; second-copy.io.ts writes the files.
import { isId } from '../model/id.ts';
import { sameBytes } from './bytes.ts';
import { holdsSamePayloads, parseEnvelope } from './envelope.ts';

/**
 * How a copy stands to the envelope: `absent`; `same` bytes; `rewrapped`: the same payloads under other wraps; `different`
 * payloads; `unreadable`: not an envelope. The first is written, the third replaced, the last two are never touched.
 */
export type CopyState = 'absent' | 'same' | 'rewrapped' | 'different' | 'unreadable';

/** Compares the copy that was found, or null, with the envelope. Throws `corrupt` where the envelope itself is not one. */
export function compareCopy(copy: Uint8Array | null, envelope: Uint8Array): CopyState {
  parseEnvelope(envelope);
  if (copy === null) return 'absent';
  if (sameBytes(copy, envelope)) return 'same';
  try {
    return holdsSamePayloads(copy, envelope) ? 'rewrapped' : 'different';
  } catch {
    return 'unreadable';
  }
}

const SUFFIX = '.envelope';

/** The name of the file that holds the envelope of a version, or null where that is no version's id. */
export function copyFileName(versionId: string): string | null {
  return isId('version', versionId) ? `${versionId}${SUFFIX}` : null;
}

/** The version whose envelope a file holds, or null for any other file. */
export function versionOfFileName(name: string): string | null {
  const versionId = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : '';
  return isId('version', versionId) ? versionId : null;
}
