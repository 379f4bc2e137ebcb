// Asking a provider about keys: one reading, and the bracketed probe that a verdict rests on. Uses a `call` that it is given; what
// cannot be told is `unknown`.
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { Secret } from '../model/secret.ts';
import type { Call, Kind, Liveness } from '../providers/provider.ts';
import type { CredentialRow, VersionRow } from './credential.ts';
import { type Probe, verdict } from './death.ts';
import { type ReadingRecord, type RefusalRecord, readingOf } from './probing.ts';

/** A key that can be asked about. */
export interface Probeable {
  readonly credential: CredentialRow;
  readonly version: VersionRow;
}

export interface ProberOptions {
  readonly now: () => UtcMs;
  readonly kindOf: (credential: CredentialRow) => { kind: Kind };
  readonly callFor: (credential: CredentialRow) => Call;
  readonly open: (credential: CredentialRow, version: VersionRow) => Promise<Readonly<Record<string, Secret>>>;
}

export interface Bracketed {
  readonly probe: Probe;
  readonly verdict: 'alive' | 'dead' | 'unknown';
  /** The evidence, where the verdict is `dead`. */
  readonly record: RefusalRecord | null;
  readonly target: ReadingRecord;
}

export interface Prober {
  read(key: Probeable): Promise<ReadingRecord>;
  /** Reads the control, the target and the control again. Without a control the target can be alive, but never dead. */
  bracket(target: Probeable, control: Probeable | null): Promise<Bracketed>;
}

export function createProber(options: ProberOptions): Prober {
  async function read(key: Probeable): Promise<ReadingRecord> {
    const { kind } = options.kindOf(key.credential);
    const input = { settings: key.credential.settings };
    try {
      const parts = await options.open(key.credential, key.version);
      const secret = parts['key'] ?? Object.values(parts)[0];
      if (secret === undefined) throw new Failure('corrupt', 'a version without parts');
      const answer = await options.callFor(key.credential)(kind.probe.request(input), secret, key.credential.places);
      return readingOf(kind.probe.read(answer, input), options.now());
    } catch (error) {
      return readingOf(unreadable(error), options.now());
    }
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

function unreadable(error: unknown): Liveness {
  const code = Failure.is(error) ? error.code : 'error';
  return {
    is: 'unknown',
    evidence: { status: null, signature: `transport.${code}`, requestId: null },
    retryAfterMs: null,
  };
}
