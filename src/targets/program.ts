// The operator's programs as data: what is written to one, how its end and its answer are read, what of its words may be shown. Pure; the one
// place that opens keys for a program. Not here: running it (program.io.ts), where it is configured (config/schema.ts).
// Follows docs/rotation.md, "Programs of your own"; the exit status 75 is EX_TEMPFAIL of sysexits.h.
import { z } from 'zod';
import type { CredentialRow } from '../credentials/credential.ts';
import { demandParts } from '../credentials/manage-versions.ts';
import { Failure } from '../model/failure.ts';
import { SLUG } from '../model/id.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { KEY_BYTES_MIN } from '../net/inject.ts';
import { createScrubber } from '../net/scrub.ts';
import type { IssueOutcome, Kind, Parts } from '../providers/provider.ts';

/** What a program may be asked to do for its credential. */
export const WORKS = ['replace', 'issue', 'revoke'] as const;
export type Work = (typeof WORKS)[number];

/** A credential's programs: for each work the absolute path of one and its arguments, null where there is none. */
export type ProgramSettings = Readonly<Record<Work, readonly string[] | null>> & {
  /** As people call it: `environment/provider/name`. */
  readonly credential: string;
  readonly timeoutMs: number;
};

const SLUG_BODY = SLUG.source.slice(1, -1);
/** `environment/provider/name`. */
export const CREDENTIAL_NAME = new RegExp(`^${SLUG_BODY}/${SLUG_BODY}/${SLUG_BODY}$`);

export function credentialNameOf(row: Pick<CredentialRow, 'environment' | 'provider' | 'name'>): string {
  return `${row.environment}/${row.provider}/${row.name}`;
}

/** How a program ended. */
export type Ending =
  | { readonly is: 'not-started' }
  | { readonly is: 'exited'; readonly status: number }
  | { readonly is: 'signalled'; readonly signal: string }
  /** It was ended, with whatever it had started: it took too long, or it answered too much. */
  | { readonly is: 'overdue' }
  | { readonly is: 'too-much' };

export type Verdict = 'done' | 'not-done' | 'ambiguous';

/** EX_TEMPFAIL: the program says that it certainly changed nothing. */
const NOTHING_CHANGED = 75;

/** Whatever is neither a success nor a word that nothing was done may have been done. */
export function verdictOf(ending: Ending): Verdict {
  if (ending.is === 'not-started') return 'not-done';
  if (ending.is !== 'exited') return 'ambiguous';
  if (ending.status === 0) return 'done';
  return ending.status === NOTHING_CHANGED ? 'not-done' : 'ambiguous';
}

/** The name of an end, for evidence: `program.exit.1`. */
export function signatureOf(ending: Ending): string {
  if (ending.is === 'exited') return `program.exit.${ending.status}`;
  return ending.is === 'signalled' ? `program.signal.${ending.signal}` : `program.${ending.is}`;
}

/** What a program is asked, as it stands on its standard input. */
export type Order =
  | { readonly do: 'replace'; readonly parts: Parts; readonly old: Parts }
  | { readonly do: 'issue'; readonly label: string }
  | { readonly do: 'revoke'; readonly providerKeyId: string | null; readonly parts: Parts };

/** One JSON object and a line end, with its keys in clear: for the program's standard input alone. The caller wipes it. */
export function inputOf(credential: string, order: Order): Uint8Array {
  const clear = (parts: Parts) =>
    Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, revealSecretText(part)]));
  const opened = {
    ...order,
    ...('parts' in order ? { parts: clear(order.parts) } : {}),
    ...('old' in order ? { old: clear(order.old) } : {}),
  };
  return new TextEncoder().encode(`${JSON.stringify({ credential, ...opened })}\n`);
}

/** The keys that stand in an order. */
export function keysIn(order: Order): readonly Secret[] {
  return [...('parts' in order ? Object.values(order.parts) : []), ...('old' in order ? Object.values(order.old) : [])];
}

const PART_LENGTH_MAX = 8_192;
/** Members that nobody knows are let pass: a key that was made is not lost for a word too many. */
const answerSchema = z.object({
  parts: z.record(z.string().max(64), z.string().min(1).max(PART_LENGTH_MAX)),
  providerKeyId: z
    .union([z.string().max(200), z.int().nonnegative().transform(String)])
    .nullable()
    .default(null),
  expiresAt: z.iso.datetime({ offset: true }).nullable().default(null),
});

/**
 * The key that a program says it made; null where its answer is not what one looks like, or the key is not of its kind's form. Then a key
 * may exist all the same.
 */
export function readIssued(answer: Uint8Array, kind: Kind): Extract<IssueOutcome, { is: 'issued' }> | null {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(answer));
  } catch {
    return null;
  }
  const read = answerSchema.safeParse(json);
  if (!read.success) return null;
  const { providerKeyId, expiresAt } = read.data;
  const parts = Object.fromEntries(Object.entries(read.data.parts).map(([name, text]) => [name, new Secret(text)]));
  try {
    demandParts(kind, parts);
  } catch (error) {
    if (Failure.is(error, 'invalid')) return null;
    throw error;
  }
  return {
    is: 'issued',
    parts,
    providerKeyId: providerKeyId ?? '',
    expiresAt: expiresAt === null ? null : Date.parse(expiresAt),
    evidence: { status: null, signature: 'program.issued', requestId: null },
  };
}

/** Characters of a program's words that are shown. */
const SHOWN_MAX = 300;
/** How much longer than itself a key may be in the spellings that are looked for: `\u0041`. */
const SPELT_LONGER_MAX = 6;

/** What a program wrote on its standard error: the beginning of it, and whether that is all. */
export interface Words {
  readonly bytes: Uint8Array;
  readonly isCut: boolean;
}

/**
 * A program's words as one short line without any of these keys: as they are, escaped, as basic credentials, and the password alone of a key
 * that is `user:password`. Empty beside a part that is too short to be told from other words. Not covered: other spellings, and pieces of a key.
 */
export function saidBy({ bytes, isCut }: Words, keys: readonly Secret[]): string {
  if (keys.some((key) => key.length < KEY_BYTES_MIN)) return '';
  const texts = keys.map((key) => revealSecretText(key));
  let text = new TextDecoder().decode(bytes);
  // Where it was cut, the beginning of a key may be left.
  if (isCut)
    text = text.slice(0, Math.max(0, text.length - SPELT_LONGER_MAX * Math.max(0, ...keys.map((key) => key.length))));
  const scrub = createScrubber(
    texts.map((one) => ({
      place: one.includes(':') ? { in: 'basic', user: null } : { in: 'query', name: '' },
      text: one,
      user: null,
      isSecret: true,
      isUserSecret: false,
    })),
  );
  const line = scrub(text)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  return line.length > SHOWN_MAX ? `${line.slice(0, SHOWN_MAX)}…` : line;
}

/** A remark about the configuration, as config/checks.ts makes them. */
export interface Doubt {
  /** JSON pointer into the configuration. */
  readonly pointer: string;
  readonly message: string;
}

/** What only shows once the credentials are known: programs that nothing will ever run. `kindAt`: null where there is no such credential. */
export function doubtsAbout(
  programs: readonly ProgramSettings[],
  kindAt: (credential: string) => Pick<Kind, 'title' | 'made'> | null,
): readonly Doubt[] {
  return programs.flatMap(({ credential, replace }, index) => {
    const kind = kindAt(credential);
    const pointer = `/programs/${index}`;
    if (kind === null)
      return [{ pointer: `${pointer}/credential`, message: 'a program for a credential that does not exist' }];
    if (replace === null || kind.made !== undefined) return [];
    return [{ pointer: `${pointer}/replace`, message: `never run: the value of a ${kind.title} is not ours to make` }];
  });
}
