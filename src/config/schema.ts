// The shape of claviger.yaml: every option with its form, bounds, default and meaning. The type and the JSON Schema follow from
// it, and so do the table in docs/configuration.md and what the example file must hold. An empty file is valid.
// Not here: reading YAML (document.ts), the words of errors (problems.ts), what depends on the machine (checks.ts).
// Follows DESIGN decision 12. Whatever a message says, it never repeats a value: it may be a secret that was written here.
import { z } from 'zod';
import { SLUG } from '../model/id.ts';
import { CREDENTIAL_NAME, WORKS } from '../targets/program.ts';
import { DURATION, isProxy, LISTEN, PROXY, parseDuration, parseListen, parseSize, SIZE } from './forms.ts';

/** What stands in the place of a secret. Also the error for a secret that was written where its source is expected. */
const SOURCE_ERROR =
  'a secret is never written here, only where it comes from: exactly one of { env: NAME }, { file: path } and { command: [program, argument] }';

/** The title of a secret's source in the JSON Schema: it is one option, not three. */
export const SECRET_SOURCE = 'secret source';

const PLAIN_TEXT = /^[^\u0000-\u001f\u007f]+$/;
const PATH = /^(?!~)[^\u0000-\u001f\u007f]+$/;
const ENVIRONMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/** No user, path, query or fragment: an address of the network, and never a place for a password. */
const ORIGIN = /^https?:\/\/[^\s@/?#\\]{1,300}$/;

function path() {
  const error = 'expected the path of a file or a directory (~ is not expanded)';
  return z.string({ error }).max(4_096, { error, abort: true }).regex(PATH, { error }).meta({ title: 'path' });
}

function quantity(
  form: { title: string; pattern: RegExp; example: string; parse: (text: string) => number | null },
  [least, most]: readonly [string, string],
) {
  const error = `expected a ${form.title} with its unit, such as ${form.example}`;
  function isWithin(text: string): boolean {
    const value = form.parse(text);
    return value !== null && value >= form.parse(least)! && value <= form.parse(most)!;
  }
  return z
    .string({ error })
    .regex(form.pattern, { error, abort: true })
    .refine(isWithin, { error: `expected ${least} to ${most}` })
    .meta({ title: `${form.title}, ${least} to ${most}` });
}

function duration(least: string, most: string) {
  return quantity({ title: 'duration', pattern: DURATION, example: '30s, 15m or 24h', parse: parseDuration }, [
    least,
    most,
  ]);
}

function size(least: string, most: string) {
  return quantity({ title: 'size', pattern: SIZE, example: '32KiB or 1MiB', parse: parseSize }, [least, most]);
}

function count(least: number, most: number) {
  const error = `expected a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

function networks(about: string) {
  const error = 'expected a network in CIDR form';
  return z
    .array(z.string({ error }).max(64, { error }))
    .max(256)
    .meta({ title: 'list of networks' })
    .default([])
    .describe(about);
}

const Argument = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^[^\0]+$/, { error: 'expected text without NUL' });

/** Exactly one of the three. Three optional keys, so that an error names the key that is wrong. */
const SecretSource = z
  .strictObject(
    {
      env: z
        .string()
        .regex(ENVIRONMENT_NAME, { error: 'expected the name of an environment variable' })
        .optional()
        .describe('Name of an environment variable.'),
      file: path().optional().describe('Path of a file that only its owner may read.'),
      command: z
        .array(Argument)
        .min(1)
        .max(64)
        .optional()
        .describe('Program and arguments, run without a shell; what it prints is the secret.'),
    },
    { error: SOURCE_ERROR },
  )
  .refine((source) => Object.keys(source).length === 1, { error: SOURCE_ERROR })
  .meta({ title: SECRET_SOURCE, minProperties: 1, maxProperties: 1 });
export type SecretSourceText = z.infer<typeof SecretSource>;

const Tls = z.strictObject({
  certificate: path().describe('PEM file with the certificate, followed by those of its issuers.'),
  key: path().describe('PEM file with the private key, not encrypted.'),
});

function listener(listen: string) {
  const error = 'expected an IP address and a port, such as 127.0.0.1:8200 or "[::1]:8200" (in quotes)';
  return z.strictObject({
    listen: z
      .string({ error })
      .regex(LISTEN, { error, abort: true })
      .refine((text) => parseListen(text) !== null, { error })
      .meta({ title: 'address and port' })
      .default(listen)
      .describe('IP address and port. Port 0 is any free port.'),
    tls: Tls.nullable().default(null).describe('TLS of this listener. Without it, only loopback is accepted.'),
    terminatedBy: z
      .string()
      .max(200)
      .regex(PLAIN_TEXT, { error: 'expected one line of text' })
      .nullable()
      .default(null)
      .describe('Names what terminates TLS in front, for a listener off loopback without TLS of its own.'),
  });
}

const Database = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('sqlite').describe('Which of the two. Only `postgresql` has a `url`.') }),
    z.strictObject({
      kind: z.literal('postgresql'),
      url: SecretSource.describe('Where the URL of the database comes from.'),
    }),
  ],
  { error: 'expected { kind: sqlite } or { kind: postgresql, url: … }' },
);

const Kek = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: z.literal('key-file').describe('Which of the two: the first has a `path`, the second says `from` where.'),
      path: path().describe('File with the key; outside the data directory, readable by its owner alone.'),
    }),
    z.strictObject({
      kind: z.literal('passphrase'),
      from: SecretSource.describe('Where the passphrase comes from.'),
    }),
  ],
  { error: 'expected { kind: key-file, path: … } or { kind: passphrase, from: … }' },
);

const ProviderEntry = z.strictObject({
  origin: z
    .string()
    .regex(ORIGIN, { error: 'expected an origin such as https://api.example.com: no user, no path, no final slash' })
    .meta({ title: 'origin' })
    .describe('Origin of the instance, `https://host` or `https://host:port`.'),
  privateNetworks: networks('CIDR networks that its host may resolve to although they are private.'),
  plainHttp: z.boolean().default(false).describe('Whether `http:` is allowed, to a host inside `privateNetworks`.'),
});

/** Never looked for in PATH: a program that is given keys is named where it lies. */
function program(about: string) {
  return z
    .array(Argument)
    .min(1)
    .max(64)
    .refine(([path = '/']) => path.startsWith('/'), {
      error: 'expected an absolute path as the program, then its arguments',
      path: [0],
    })
    .meta({ title: 'list of program and arguments' })
    .nullable()
    .default(null)
    .describe(about);
}

const CREDENTIAL_ERROR = 'expected the name of a credential as environment/provider/name';
const Program = z
  .strictObject({
    credential: z
      .string({ error: CREDENTIAL_ERROR })
      .max(200)
      .regex(CREDENTIAL_NAME, { error: CREDENTIAL_ERROR })
      .meta({ title: 'environment/provider/name' })
      .describe('The credential whose keys it changes.'),
    replace: program('Puts a value that Claviger made into force, in the place of the old one.'),
    issue: program('Makes a key and answers with it.'),
    revoke: program('Ends a key.'),
    timeout: duration('1s', '10m').default('30s').describe('Longest time that one run may take; then it is ended.'),
  })
  .refine((one) => WORKS.some((work) => one[work] !== null), {
    error: `expected at least one of ${WORKS.join(', ')}`,
  });

const Limits = z.strictObject({
  header: size('8KiB', '256KiB').default('32KiB').describe('Header lines of one request to the broker.'),
  editedBody: size('1KiB', '16MiB')
    .default('1MiB')
    .describe('A JSON body that a key must be written into. Other bodies stream and have no limit.'),
  connections: count(1, 100_000).default(10_000).describe('Connections to the broker at a time.'),
  upstreamHeaders: duration('1s', '1h').default('60s').describe('Longest wait for the head of a provider’s answer.'),
  upstreamSilence: duration('1s', '1d').default('5m').describe('Longest silence within a provider’s answer.'),
});

const Scheduler = z.strictObject({
  every: duration('1s', '1h').default('15s').describe('Time between two looks for what is due.'),
  rotationsAtOnce: count(1, 1_000).default(4).describe('Brake: rotations that may run at once.'),
  inventoryEvery: duration('1m', '30d').default('1h').describe('Time between two inventories of one issuer’s keys.'),
  orphansMax: count(0, 1_000)
    .default(3)
    .describe('Brake: orphaned keys that one inventory may delete before it stops and asks.'),
});

/** The whole file, as it is written: quantities and addresses are still text. */
export const ConfigFile = z
  .strictObject({
    dataDirectory: path()
      .default('./claviger-data')
      .describe('Directory of the database, the ledger’s checkpoints and the lock. Mode 0700.'),
    broker: listener('127.0.0.1:8200').prefault({}).describe('The listener that applications send requests to.'),
    api: listener('127.0.0.1:8201').prefault({}).describe('The listener of the control API and the console.'),
    database: Database.default({ kind: 'sqlite' }).describe(
      'Where state is kept: SQLite in the data directory, or PostgreSQL.',
    ),
    kek: Kek.nullable()
      .default(null)
      .describe('The key-encryption key. Without it the server starts sealed, until an operator unseals it.'),
    secondCopy: z
      .strictObject({ directory: path().describe('Directory on other hardware than the data. It must exist.') })
      .nullable()
      .default(null)
      .describe('A second place for ciphertext. Without it credentials are shown as unprotected.'),
    providers: z
      .record(z.string().regex(SLUG), ProviderEntry)
      .default({})
      .describe('Providers whose settings differ from what Claviger knows, by name.'),
    providersDirectory: path()
      .nullable()
      .default(null)
      .describe('Directory of declarations (`*.yaml`, `*.yml`, `*.json`): providers of your own.'),
    programs: z
      .array(Program)
      .max(1_000)
      .superRefine((programs, context) => {
        const seen = new Set<string>();
        for (const [index, { credential }] of programs.entries()) {
          if (seen.has(credential))
            context.addIssue({
              code: 'custom',
              message: 'this credential has programs above',
              path: [index, 'credential'],
            });
          seen.add(credential);
        }
      })
      .meta({ title: 'list of programs' })
      .default([])
      .describe('Programs of yours that change keys where the provider’s API cannot. They are given keys.'),
    trustedProxies: networks('CIDR networks of proxies whose `X-Forwarded-For` is believed.'),
    outboundProxy: z
      .string()
      .regex(PROXY, { error: 'expected http://host:port, without a user', abort: true })
      .refine(isProxy, { error: 'expected a port from 1 to 65535' })
      .meta({ title: 'http://host:port' })
      .nullable()
      .default(null)
      .describe('HTTP proxy (CONNECT) for all connections to providers.'),
    limits: Limits.prefault({}).describe('Bounds of what one request may take.'),
    drain: duration('0s', '1h')
      .default('30s')
      .describe('Time in which open requests may finish when the server stops.'),
    scheduler: Scheduler.prefault({}).describe('What Claviger does by itself, and its brakes.'),
    checkpointEvery: duration('1s', '1h')
      .default('60s')
      .describe('Time between two checkpoints of the ledger while something is written.'),
    log: z
      .strictObject({
        level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least severity that is logged.'),
      })
      .prefault({})
      .describe('The log for operators, JSON on standard error.'),
  })
  .meta({ title: 'Configuration of a Claviger server' });
export type ConfigFile = z.infer<typeof ConfigFile>;
