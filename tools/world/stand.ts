// The contract of a stand: a twin in a provider's place, what an operator stores of it, what an application asks it, and what a person does on its
// pages. The members are stands.ts; who furnishes an installation with one is furnish.ts. Keys here are a twin's, and end with it.

/** How keys of a stand are replaced; `ours` is a swap of a value that Claviger made, by a program. */
export const NATURES = ['overlap', 'grace', 'swap', 'ours', 'assisted'] as const;
export type Nature = (typeof NATURES)[number];

export type Texts = Readonly<Record<string, string>>;

export interface StoredKey {
  readonly kind: string;
  readonly parts: Texts;
  readonly providerKeyId: string | null;
  readonly settings: Texts;
}

export interface NamedKey extends StoredKey {
  readonly name: string;
  readonly purpose: 'manage' | 'lend';
}

/** One request of an application. `{n}` in the body is the number of the request, so that a write can be found again at the provider. */
export interface Ask {
  readonly method: string;
  readonly url: string;
  readonly headers: Texts;
  readonly body: string | null;
}

export interface Asks {
  readonly read: Ask;
  readonly write: Ask | null;
}

/** What an application has been given in the place of a provider's address and key. */
export interface Door {
  readonly brokerOrigin: string;
  /** A token that opens one credential; a handle where it stands in a further place. */
  readonly bound: string;
  /** A token of the same application, for paths that name the credential. */
  readonly unbound: string;
}

/** Ways in which a person errs. */
export type Slip = 'dead' | 'same' | 'other-account';

/** What a person does on the provider's pages for the n-th credential. */
export interface Person {
  /** Whether the new key ends the old one at once. */
  readonly isCut: boolean;
  /** `round` counts the keys of one credential, from 1 for the first that a rotation brings. */
  make(n: number, round: number): Texts;
  /** Deletes this key at once. */
  discard(parts: Texts): void;
  /** Deletes all but the newest; null where nobody has to. */
  readonly endOld: ((n: number) => void) | null;
  /** A key of somebody else; null where the provider's keys do not say whose they are. */
  readonly ofAnother: (() => Texts) | null;
}

export interface Stand {
  /** As the registry names it. */
  readonly provider: string;
  /** What its keys are, for people. */
  readonly about: string;
  readonly nature: Nature;
  readonly origin: string;
  /** Kept beside the credentials: issuers, and a companion that is lent with each of them. */
  readonly beside: readonly NamedKey[];
  /** The name of the one whose key is lent together with the credential's own; null where requests carry one key. */
  readonly companion: string | null;
  /** The name of the issuer for a credential whose current key is of this round (the first: 0); null where there is none. */
  issuerOf(round: number): string | null;
  readonly actions: readonly string[];
  /** Makes the first key of the n-th credential. */
  first(n: number): StoredKey;
  /** The write is null where an application only reads with such a key. */
  asks(door: Door): Asks;
  readonly person: Person | null;
  /** Keys of the n-th credential that the provider accepts now. */
  alive(n: number): number;
  /** How often each numbered write was carried out. */
  readonly carried: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/** Numbers of writes: the caller's line, and which request of it. */
export const NUMBERED = /number-\d+-\d+/;

/** Counts what is carried out, by its number: for a twin's observer. */
export function countCarried(): {
  readonly carried: ReadonlyMap<string, number>;
  readonly onExchange: (exchange: { readonly requestBody: unknown; readonly status: number }) => void;
} {
  const carried = new Map<string, number>();
  return {
    carried,
    onExchange({ requestBody, status }) {
      const number = status < 300 ? NUMBERED.exec(JSON.stringify(requestBody) ?? '')?.[0] : undefined;
      if (number !== undefined) carried.set(number, (carried.get(number) ?? 0) + 1);
    },
  };
}
