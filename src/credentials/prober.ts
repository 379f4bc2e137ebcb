// Asking a provider about keys: one reading, and the bracketed probe that a verdict rests on. Uses a `call` that it is given; what
// cannot be told is `unknown`.
import type { UtcMs } from '../model/clock.ts';
import { type AskTools, createAsker, type Holder } from './asking.ts';
import { type Probe, verdict } from './death.ts';
import { type ReadingRecord, type RefusalRecord, readingOf } from './probing.ts';

export interface ProberOptions extends AskTools {
  readonly now: () => UtcMs;
  /** The key that asks where a kind's own cannot; null while there is none. */
  readonly issuerOf: (key: Holder) => Holder | null;
}

export interface Bracketed {
  readonly probe: Probe;
  readonly verdict: 'alive' | 'dead' | 'unknown';
  /** The evidence, where the verdict is `dead`. */
  readonly record: RefusalRecord | null;
  readonly target: ReadingRecord;
}

export interface Prober {
  read(key: Holder): Promise<ReadingRecord>;
  /** Reads the control, the target and the control again. Without a control the target can be alive, but never dead. */
  bracket(target: Holder, control: Holder | null): Promise<Bracketed>;
}

export function createProber(options: ProberOptions): Prober {
  const asker = createAsker(options);

  async function read(key: Holder): Promise<ReadingRecord> {
    return readingOf(await asker.probe(key, options.issuerOf(key)), options.now());
  }

  return {
    read,
    async bracket(target, control) {
      const before = control === null ? null : await read(control);
      const seen = await read(target);
      const after = control === null || seen.is !== 'dead' ? before : await read(control);
      const probe: Probe = { before: before?.is ?? 'unknown', target: seen.is, after: after?.is ?? 'unknown' };
      const judged = verdict(probe);
      const record: RefusalRecord | null =
        judged === 'dead' && control !== null && before !== null && after !== null
          ? { at: seen.at, control: { versionId: control.version.id, before, after }, target: seen }
          : null;
      return { probe, verdict: judged, record, target: seen };
    },
  };
}
