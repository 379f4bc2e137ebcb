// The signed points that a log is held to: every published checkpoint of the export and the one that the reader kept. They are
// opened one after another while the scan passes their sizes, so that a log with many checkpoints needs no memory for them.
import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import type { Finding } from './findings.ts';
import { NOTE_BYTES_MAX, type VerifierKey, type VerifyEd25519 } from './note.ts';
import type { LogFiles } from './reading.ts';

export interface Anchor {
  readonly size: number;
  readonly root: Uint8Array;
  readonly isKept: boolean;
}

export interface Anchors {
  /** The largest published checkpoint that verifies; null where there is none. */
  readonly newest: Checkpoint | null;
  /** The anchors not yet given whose size is at most `size`, ascending. */
  upTo(size: number): Anchor[];
  /** Published checkpoints given so far. */
  published(): number;
}

export interface AnchorsInput {
  readonly files: LogFiles;
  readonly key: VerifierKey;
  readonly verifyEd25519: VerifyEd25519;
  /** The reader's own, already opened. */
  readonly kept: Checkpoint | null;
  readonly complain: (finding: Finding) => void;
}

/** Opens `checkpoint` and finds the newest one. Complains of every checkpoint that cannot be trusted. */
export function findAnchors(input: AnchorsInput): Anchors {
  const { files, kept, complain } = input;

  function open(file: string): Checkpoint | null {
    const read = files.read(file, NOTE_BYTES_MAX);
    if (read.is !== 'bytes') {
      complain({ kind: 'malformed', file, index: null, why: read.is === 'missing' ? 'missing' : read.why });
      return null;
    }
    const opened = openCheckpoint(read.bytes, input.key, input.verifyEd25519);
    if (opened.ok) return opened.value;
    complain({ kind: 'signature', file, why: opened.why });
    return null;
  }

  function openPublished(size: number): Checkpoint | null {
    const file = `checkpoints/${size}`;
    const checkpoint = open(file);
    if (checkpoint === null || checkpoint.size === size) return checkpoint;
    complain({ kind: 'malformed', file, index: null, why: `it is a checkpoint of size ${checkpoint.size}` });
    return null;
  }

  const sizes: number[] = [];
  // Other names are passed over: a crash of the writer may leave a temporary file.
  for (const name of files.list('checkpoints')) {
    if (/^(?:0|[1-9][0-9]{0,15})$/.test(name) && Number.isSafeInteger(Number(name))) sizes.push(Number(name));
  }
  sizes.sort((a, b) => a - b);

  const head = open('checkpoint');
  let newest = head;
  // From the largest downwards: what does not verify does not count.
  while (sizes.length > 0 && sizes.at(-1)! > (newest?.size ?? -1)) newest = openPublished(sizes.pop()!) ?? newest;
  if (head !== null && newest !== null && head.size < newest.size) {
    complain({ kind: 'truncated', size: head.size, knownSize: newest.size, isKept: false });
  }
  if (kept !== null && newest !== null && kept.size > newest.size) {
    complain({ kind: 'truncated', size: newest.size, knownSize: kept.size, isKept: true });
  }

  const extra: Anchor[] = [];
  for (const checkpoint of new Set([head, newest])) if (checkpoint !== null) extra.push(anchorOf(checkpoint, false));
  if (kept !== null) extra.push(anchorOf(kept, true));
  extra.sort((a, b) => a.size - b.size);
  let nextSize = 0;
  let nextExtra = 0;
  let published = newest === null ? 0 : 1;

  return {
    newest,
    published: () => published,
    upTo(size) {
      const anchors: Anchor[] = [];
      while (nextExtra < extra.length && extra[nextExtra]!.size <= size) anchors.push(extra[nextExtra++]!);
      while (nextSize < sizes.length && sizes[nextSize]! <= size) {
        const checkpoint = openPublished(sizes[nextSize++]!);
        if (checkpoint === null) continue;
        if (checkpoint.size !== newest?.size) published++;
        anchors.push(anchorOf(checkpoint, false));
      }
      return anchors.sort((a, b) => a.size - b.size);
    },
  };
}

function anchorOf(checkpoint: Checkpoint, isKept: boolean): Anchor {
  return { size: checkpoint.size, root: checkpoint.root, isKept };
}
