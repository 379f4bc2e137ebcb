// How many connections one source may hold before any request of theirs was admitted: whoever may reach the port must not be able to
// take all of it. Counts, and closes nothing (connection.io.ts). Counted when a connection comes and goes, never for a request.

/** The connections of one source: those that are open, and those among them that have had an admitted request. */
export interface Source {
  readonly key: string;
  open: number;
  admitted: number;
}

export interface Newcomers {
  /** Counts a connection in; null: its source has too many that are not admitted, and this one is not counted. */
  arrive(key: string): Source | null;
  /** Counts out a connection that arrived, however it fared. Once for each. */
  leave(source: Source): void;
  /** An open connection is no newcomer any more; null where its source is not counted. */
  admit(key: string): Source | null;
  /** An admitted connection has closed. Before or after `leave`: with TLS one connection is two sockets, which close in turn. */
  dismiss(source: Source): void;
  readonly sources: number;
}

/** `newcomersMax`: at least 1. Remembers a source as long as it has a connection open. */
export function createNewcomers(newcomersMax: number): Newcomers {
  const sources = new Map<string, Source>();
  return {
    arrive(key) {
      let source = sources.get(key);
      if (source === undefined) {
        source = { key, open: 0, admitted: 0 };
        sources.set(key, source);
      }
      if (source.open - source.admitted >= newcomersMax) return null;
      source.open++;
      return source;
    },
    leave(source) {
      source.open--;
      if (source.open === 0) sources.delete(source.key);
    },
    admit(key) {
      const source = sources.get(key);
      if (source === undefined) return null;
      source.admitted++;
      return source;
    },
    dismiss(source) {
      source.admitted--;
    },
    get sources() {
      return sources.size;
    },
  };
}
