// Which files may hold something secret, by their owner and mode. The rule is that of PostgreSQL for its private key: a file of
// our own user is for that user alone; a file of root may also be read by its group, as orchestrators mount secrets.
// Not here: looking at files (secret-source.io.ts, checks.io.ts).

/** Owner and permission bits of a file. */
export interface Ownership {
  readonly userId: number;
  /** The permission bits, `0o600`. */
  readonly mode: number;
}

/** Why a file is open to others than its reader, or null. `userId` is the reader's; null where the system has no users. */
export function exposureOf(file: Ownership, userId: number | null): string | null {
  if (userId === null) return null;
  if (file.userId !== userId && file.userId !== 0) return 'belongs to another user';
  if (file.userId === userId) return (file.mode & 0o077) === 0 ? null : 'is open to others than its owner: mode 0600';
  return (file.mode & 0o037) === 0 ? null : 'is open to others than its owner and group: mode 0640';
}

/** Who else could change a file that the server obeys, or null. */
export function tamperingOf(file: Ownership, userId: number | null): 'everybody' | 'another user' | 'its group' | null {
  if (userId === null) return null;
  if ((file.mode & 0o002) !== 0) return 'everybody';
  if (file.userId !== userId && file.userId !== 0) return 'another user';
  return (file.mode & 0o020) === 0 ? null : 'its group';
}
