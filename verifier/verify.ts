// Verifies one exported log (docs/formats/ledger.md) with nothing but its files, the verifier key and the last checkpoint that
// the reader kept. Pure: files, SHA-256 and Ed25519 are arguments. Whatever the files hold, the outcome is a report.
import { findAnchors } from './anchors.ts';
import { openCheckpoint } from './checkpoint.ts';
import { createFindings, type Finding, isInformation } from './findings.ts';
import { createTreeHash, type Sha256 } from './merkle.ts';
import { parseVkey, type VerifierKey, type VerifyEd25519 } from './note.ts';
import { type ControlFacts, createControlOrder, type Order } from './order.ts';
import { createLogReader, type LogFiles } from './reading.ts';
import { scanLog } from './scan.ts';
import { presentTiles } from './tiles.ts';
import { createTrees } from './trees.ts';
import { createUseOrder } from './use-order.ts';
import { judgeEvidence, type KeptVerdict } from './verdict.ts';

export interface Primitives {
  readonly sha256: Sha256;
  readonly verifyEd25519: VerifyEd25519;
}

export interface VerifyOptions {
  readonly files: LogFiles;
  readonly primitives: Primitives;
  /** The verifier key that the reader trusts; the one in the export is only compared with it. */
  readonly vkey: string;
  /** The text of the last checkpoint that the reader kept. Without it a consistent older or other log cannot be told. */
  readonly kept: string | null;
  /** For the use log: what its control log says. Null leaves out what needs both. */
  readonly control: ControlFacts | null;
  /** Called after each tile with the entries done and the entries there are. */
  readonly onProgress: (done: number, size: number) => void;
}

export type LogFinding = Finding & { readonly log: string };

export interface Report {
  /** The name of the key, which is the log's origin. */
  readonly log: string;
  /** No finding that is more than information. */
  readonly isVerified: boolean;
  /** The newest checkpoint that verifies; null where there is none. The root is base64. */
  readonly newest: { readonly size: number; readonly root: string } | null;
  readonly kept: { readonly size: number | null; readonly verdict: KeptVerdict };
  /** Published checkpoints whose signature was verified. */
  readonly checkpoints: number;
  readonly entriesRead: number;
  /** Times of the first and last genuine entry that was read, UTC milliseconds; null where the content is not known. */
  readonly times: { readonly first: number; readonly last: number } | null;
  /** At most 100 of each kind. */
  readonly findings: readonly LogFinding[];
  /** Findings left out: at least so many more. */
  readonly findingsDropped: number;
}

export interface Verified {
  readonly report: Report;
  /** What the use log is held against; null where this is not a control log. */
  readonly control: ControlFacts | null;
}

export function verifyFiles(options: VerifyOptions): Verified {
  const { files, primitives } = options;
  const findings = createFindings();
  const vkey = options.vkey.replace(/\r?\n$/, '');
  const parsed = parseVkey(vkey, primitives.sha256);
  if (!parsed.ok) {
    findings.add({ kind: 'signature', file: 'the key that was given', why: parsed.why });
    return { report: emptyReport(vkey.split('+')[0] ?? '', findings), control: null };
  }
  const key = parsed.value;
  compareVkey(files, vkey, findings.add);

  const keptOpened = openKept(options.kept, key, primitives, findings.add);
  const anchors = findAnchors({
    files,
    key,
    verifyEd25519: primitives.verifyEd25519,
    kept: keptOpened,
    complain: findings.add,
  });
  // Without a published checkpoint the reader's own still says what the log must hold.
  const size = anchors.newest?.size ?? keptOpened?.size ?? 0;
  const hash = createTreeHash(primitives.sha256);
  const reader = createLogReader(files, size, findings.add);
  const content = contentOf(key.name, options.control, (index, why) => findings.add({ kind: 'sequence', index, why }));
  const evidence = scanLog({
    hash,
    size,
    reader,
    trees: createTrees({ hash, size, reader, anchors }),
    tilesThere: presentTiles(0, files.list),
    bundlesThere: presentTiles('entries', files.list),
    isPrunable: content.isPrunable,
    onEntry: content.order === null ? () => undefined : content.order.entry,
    onPruned: content.onPruned,
    onProgress: (done) => options.onProgress(done, size),
  });
  const verdict = judgeEvidence(evidence, { size, keptSize: keptOpened?.size ?? null });
  for (const finding of verdict.findings) findings.add(finding);

  const list = findings.list();
  const newest = anchors.newest;
  return {
    report: {
      log: key.name,
      isVerified: list.every(isInformation),
      newest: newest === null ? null : { size: newest.size, root: newest.root.toBase64() },
      kept: {
        size: keptOpened?.size ?? null,
        verdict: options.kept !== null && keptOpened === null ? 'unchecked' : verdict.kept,
      },
      checkpoints: anchors.published(),
      entriesRead: evidence.entriesRead,
      times: content.order?.times() ?? null,
      findings: list.map((finding) => ({ log: key.name, ...finding })),
      findingsDropped: findings.dropped(),
    },
    control: content.facts,
  };
}

function emptyReport(log: string, findings: ReturnType<typeof createFindings>): Report {
  return {
    log,
    isVerified: false,
    newest: null,
    kept: { size: null, verdict: 'unchecked' },
    checkpoints: 0,
    entriesRead: 0,
    times: null,
    findings: findings.list().map((finding) => ({ log, ...finding })),
    findingsDropped: findings.dropped(),
  };
}

/** The key in the export is a convenience for first contact. One that differs is a log under another key, or a forgery. */
function compareVkey(files: LogFiles, vkey: string, complain: (finding: Finding) => void): void {
  const file = files.read('vkey', 4096);
  if (file.is === 'missing') return;
  const there = file.is === 'bytes' ? new TextDecoder().decode(file.bytes).replace(/\r?\n$/, '') : null;
  if (there !== vkey) complain({ kind: 'signature', file: 'vkey', why: 'it is not the key that you trust' });
}

function openKept(kept: string | null, key: VerifierKey, primitives: Primitives, complain: (finding: Finding) => void) {
  if (kept === null) return null;
  const opened = openCheckpoint(new TextEncoder().encode(kept), key, primitives.verifyEd25519);
  if (opened.ok) return opened.value;
  complain({ kind: 'signature', file: 'the checkpoint that you kept', why: opened.why });
  return null;
}

interface Content {
  readonly order: Order | null;
  readonly facts: ControlFacts | null;
  readonly isPrunable: boolean;
  readonly onPruned: (to: number) => void;
}

/** What is known about the entries of a log by its name: those of another log than Claviger's are only bytes. */
function contentOf(
  name: string,
  control: ControlFacts | null,
  complain: (index: number, why: string) => void,
): Content {
  if (name.endsWith('/control')) {
    const order = createControlOrder(complain);
    return { order, facts: order.facts, isPrunable: false, onPruned: () => undefined };
  }
  if (name.endsWith('/use')) {
    const order = createUseOrder(control, complain);
    return { order, facts: null, isPrunable: true, onPruned: order.pruned };
  }
  return { order: null, facts: null, isPrunable: false, onPruned: () => undefined };
}
