// What the conformance suite of the providers works with: a twin as it needs one, and a kind's operations as a caller makes them.
import assert from 'node:assert/strict';
import { revealSecretText } from '../../src/model/secret.ts';
import {
  type Acting,
  type Call,
  graceSeconds,
  type IdentityOutcome,
  type IssueOutcome,
  type Kind,
  type KindSettings,
  type ListedKey,
  type ListOutcome,
  type Liveness,
  type Operation,
  type Parts,
  type RevokeOutcome,
  type Soundness,
} from '../../src/providers/provider.ts';

/** A key as a twin made it. */
export interface MadeKey {
  readonly parts: Parts;
  readonly providerKeyId: string;
}

/** A twin as the suite needs it. One is made for each test and closed after it. */
export interface ProviderTwin {
  readonly call: Call;
  /** The key that mints, lists and revokes keys of a kind, and the settings to do it with. */
  issuer(kind: Kind): { readonly acting: Acting; readonly settings: KindSettings };
  /** Makes and ends a key as a person does on the provider's own pages; needed where a kind has no API for it. */
  readonly byHand?: {
    issue(kind: Kind): MadeKey;
    end(kind: Kind, made: MadeKey): void;
  };
  /** The faults this twin knows, each with settings under which it strikes at once. */
  readonly faults: readonly string[];
  inject(fault: string): void;
  clearFaults(): void;
  /** Faults under which a key that was deleted may go on working, or is not deleted at all. */
  readonly liesAboutRevocation: readonly string[];
  /** Faults under which a key may be made although no answer says so. */
  readonly losesCreates: readonly string[];
  /** The twin's own truth about a key, now. */
  isAlive(providerKeyId: string): boolean;
  /** What the provider's own document has against the exchanges so far; null where the document is absent. */
  problems(): readonly string[] | null;
  readonly documentAbsent: string;
  close(): Promise<void>;
}

export type TwinFactory = () => Promise<ProviderTwin>;

export const LABEL = 'claviger/test/1';
const PAGES_MAX = 50;

export interface Bench {
  readonly twin: ProviderTwin;
  readonly settings: KindSettings;
  issue(label?: string): Promise<IssueOutcome>;
  /** In place of a key. */
  replace(old: MadeKey): Promise<IssueOutcome>;
  /** All pages. */
  list(): Promise<ListOutcome>;
  revoke(made: MadeKey): Promise<RevokeOutcome>;
  /** After the preflight, where the kind has one. */
  probe(parts: Parts): Promise<Liveness>;
  preflight(): Promise<Soundness>;
  identify(parts: Parts): Promise<IdentityOutcome>;
}

/** As little as a key of the kind can have. */
function scopesOf(kind: Kind): { scopes?: readonly string[] } {
  return kind.scopes?.of === 'key' ? { scopes: kind.scopes.all.slice(0, 1) } : {};
}

export function bench(kind: Kind, twin: ProviderTwin): Bench {
  const { acting: issuer, settings } = twin.issuer(kind);
  const own = (parts: Parts): Acting => ({
    parts,
    places: kind.places,
    ...(kind.publicParts === undefined ? {} : { publicParts: kind.publicParts }),
  });
  const ask = <Out>(operation: Operation<{ settings: KindSettings }, Out>, parts: Parts) => {
    const request = operation.request({ settings });
    const sent = kind.asks === 'issuer' ? twin.call(request, issuer, parts) : twin.call(request, own(parts));
    return sent.then((answer) => operation.read(answer, { settings }));
  };
  const askWithoutKey = async (operation: NonNullable<Kind['preflight']>) => {
    const request = operation.request({ settings });
    return operation.read(await twin.call(request, { parts: {}, places: [] }), { settings });
  };
  return {
    twin,
    settings,
    async issue(label = LABEL) {
      const input = { settings, label, ...scopesOf(kind) };
      return kind.issue!.read(await twin.call(kind.issue!.request(input), issuer), input);
    },
    async replace(old) {
      const { graceMaxSeconds } = kind;
      const grace = graceMaxSeconds === undefined ? {} : { grace: graceSeconds(3_600, graceMaxSeconds) };
      const input = { settings, label: LABEL, providerKeyId: old.providerKeyId, ...grace, ...scopesOf(kind) };
      return kind.replace!.read(await twin.call(kind.replace!.request(input), issuer, old.parts), input);
    },
    async list() {
      const keys: ListedKey[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < PAGES_MAX; page++) {
        const input = cursor === undefined ? { settings } : { settings, cursor };
        const outcome = kind.list!.read(await twin.call(kind.list!.request(input), issuer), input);
        if (outcome.is !== 'listed') return outcome;
        keys.push(...outcome.keys);
        if (outcome.next === undefined) return { is: 'listed', keys };
        cursor = outcome.next;
      }
      return assert.fail('a list without an end');
    },
    async revoke({ providerKeyId, parts }) {
      const input = { settings, providerKeyId };
      return kind.revoke!.read(await twin.call(kind.revoke!.request(input), issuer, parts), input);
    },
    async probe(parts) {
      const { preflight } = kind;
      if (preflight !== undefined) {
        const soundness = await askWithoutKey(preflight);
        // As credentials/asking.ts does: what proves nothing is not asked.
        if (soundness.is !== 'sound') return { ...soundness, is: 'unknown', retryAfterMs: null };
      }
      return ask(kind.probe, parts);
    },
    preflight: () => askWithoutKey(kind.preflight!),
    identify: (parts) => ask(kind.identity!, parts),
  };
}

export function issued(outcome: IssueOutcome): MadeKey {
  assert.equal(outcome.is, 'issued');
  assert(outcome.is === 'issued');
  assert(Object.keys(outcome.parts).length > 0, 'an issued version has parts');
  return { parts: outcome.parts, providerKeyId: outcome.providerKeyId };
}

export function assertForm(kind: Kind, parts: Parts): void {
  for (const name of kind.parts) {
    const text = revealSecretText(parts[name]!);
    assert.match(text, kind.format[name]!, `the form of ${name}`);
    assert(kind.check?.[name]?.(text) !== false, `the checksum of ${name}`);
  }
}
