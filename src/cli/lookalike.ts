// Whether something on the command line looks like a secret. An argument stands in the shell's history and in the list of
// processes, so that a secret is refused there, whatever command it was for. Known are our own tokens, the formats of the
// providers' kinds, and prefixes that vendors document for scanners.
import { isWellFormedToken } from '../access/token.ts';
import type { Kind, Provider } from '../providers/provider.ts';

/** What commands are given as arguments: a format that matches one of these says nothing about secrets. */
const ORDINARY = [
  'prod',
  'crd_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
  '018f3c1e-7b2a-7c3d-8e4f-5a6b7c8d9e0f',
  'claviger-backup-2026-09-21-141320.backup',
  'https://console.example.com/api/v2/projects',
  'this-is-a-rather-long-name-of-a-credential-or-a-note',
  '/var/lib/claviger/second-copies/elsewhere',
  'ThisIsANoteWithoutSpacesThatIsLong',
];

/** Prefixes that the vendors publish so that keys can be recognised. */
const VENDOR =
  /^(?:clv_[0-9A-Za-z]{20,}|secret-token:.+|napi_[0-9A-Za-z]{20,}|pn[ub]_[0-9A-Za-z]{20,}|access-(?:sandbox|development|production)-[0-9a-f-]{20,}|[sr]k_(?:live|test)_[0-9A-Za-z]{16,}|sk-[0-9A-Za-z_-]{20,}|gh[opusr]_[0-9A-Za-z]{30,}|github_pat_[0-9A-Za-z_]{30,}|glpat-[0-9A-Za-z_-]{18,}|xox[abeoprs]-[0-9A-Za-z-]{10,}|A(?:KIA|SIA)[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{30,}|eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]*|AGE-SECRET-KEY-1[0-9A-Z]{20,})$/;
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY/;

/** The formats of the kinds that tell a key from an ordinary argument. */
function tellingFormats(providers: Iterable<Provider>): RegExp[] {
  const formats: RegExp[] = [];
  for (const provider of providers) {
    for (const kind of provider.kinds) formats.push(...formatsOf(kind));
  }
  return formats;
}

/** Those of its secret parts: a public part is an ordinary argument. */
function formatsOf({ format, publicParts = [] }: Kind): RegExp[] {
  const secret = Object.entries(format).filter(([part]) => !publicParts.includes(part));
  return secret.map(([, form]) => form).filter((form) => !ORDINARY.some((text) => form.test(text)));
}

/**
 * A function that says whether a text is `part=value` of a kind's public part. A client id may look like another kind's secret: with its
 * part's name before it, and of its form, it is none.
 */
export function createPublicParts(providers: Iterable<Provider>): (text: string) => boolean {
  const kinds = [...providers].flatMap((provider) => provider.kinds);
  return (text) => {
    const at = text.indexOf('=');
    const [part, value] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
    return kinds.some(
      ({ format, publicParts = [] }) => publicParts.includes(part) && format[part]?.test(value) === true,
    );
  };
}

/** A function that says whether a text looks like a secret. */
export function createLookalike(providers: Iterable<Provider>): (text: string) => boolean {
  const formats = tellingFormats(providers);
  return (text) => {
    const bare = text.trim();
    return (
      PEM.test(bare) || VENDOR.test(bare) || isWellFormedToken(bare) || formats.some((format) => format.test(bare))
    );
  };
}

/** The position of the first argument that looks like a secret, alone or behind `=`, or -1. A public part behind `--part` is none. */
export function findSecret(
  args: readonly string[],
  looksSecret: (text: string) => boolean,
  isPublicPart: (text: string) => boolean,
): number {
  return args.findIndex((arg, at) => {
    const part = args[at - 1] === '--part' ? arg : arg.startsWith('--part=') ? arg.slice('--part='.length) : null;
    if (part !== null && isPublicPart(part)) return false;
    if (looksSecret(arg)) return true;
    // `--set key=VALUE`, `--key=VALUE`, `NAME=VALUE`: what stands behind each equals sign; a URL's user and query too.
    return arg.split(/[=:@?&,\s"']+/).some((piece) => piece !== arg && looksSecret(piece));
  });
}
