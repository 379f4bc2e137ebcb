// The faults of a twin as the conformance suite of the providers wants them: each strikes at once, and it is said which of them lie. What a
// fault does is the twin's (twins/faults.ts).
import type { Fault, FaultName } from '../../twins/faults.ts';
import type { ProviderTwin } from '../conformance/provider.ts';

const HOUR_MS = 3_600_000;

/** Settings under which each fault strikes at once, without a test having to wait. */
const FAULTS: Record<FaultName, Partial<Fault>> = {
  'revoke-late': { ms: HOUR_MS },
  'revoke-ignored': {},
  'revoked-key-flaps': { probability: 0.5 },
  'create-lost': { ms: 5 },
  'create-slow': { ms: 5 },
  'create-arrives-later': {},
  'dead-on-arrival': {},
  'create-propagates-late': { ms: HOUR_MS },
  'grace-ignored': {},
  'quota-full': {},
  'good-key-refused': { probability: 0.5 },
  'outage-401': {},
  'rate-limited': { retryAfter: '3' },
  'server-error': {},
  'server-error-after': { status: 502 },
  'cut-before': {},
  'cut-after': {},
  'list-lags': { ms: HOUR_MS },
};
const LOSING: readonly FaultName[] = ['create-lost', 'create-arrives-later', 'cut-after', 'server-error-after'];
const LYING: readonly FaultName[] = ['revoke-late', 'revoke-ignored'];

/** @param without faults that this provider's twin cannot have */
export function twinFaults(
  control: { fault(name: FaultName, options?: Partial<Fault>): void; clearFaults(): void },
  without: readonly FaultName[] = [],
): Pick<ProviderTwin, 'faults' | 'inject' | 'clearFaults' | 'liesAboutRevocation' | 'losesCreates'> {
  const isKnown = (name: FaultName): boolean => !without.includes(name);
  return {
    faults: (Object.keys(FAULTS) as FaultName[]).filter(isKnown),
    inject: (fault) => control.fault(fault as FaultName, FAULTS[fault as FaultName]),
    clearFaults: () => control.clearFaults(),
    liesAboutRevocation: LYING.filter(isKnown),
    losesCreates: LOSING.filter(isKnown),
  };
}
