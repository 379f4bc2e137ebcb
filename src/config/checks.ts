// The rules of a configuration that go beyond its shape: what would expose the server, lose its keys, or fail later in a place
// that is hard to understand. A pure judgement over the configuration and what was found around it; `claviger doctor` prints the
// findings, `serve` refuses to start on any error. Not here: looking at the machine (checks.io.ts).
// Follows DESIGN section 9 and docs/adr/0009-outbound.md. No finding repeats a value of the configuration.
import { type Address, parseAddress, parseNetwork, unmapped } from '../model/address.ts';
import type { UtcMs } from '../model/clock.ts';
import { classifyAddress } from '../net/address.ts';
import { type OriginRefusal, validateOrigin } from '../net/origin.ts';
import type { ProviderSettings } from '../providers/provider.ts';
import type { Config, ListenerConfig } from './config.ts';
import { exposureOf, type Ownership, tamperingOf } from './exposure.ts';
import { suggestKey } from './options.ts';

export interface Finding {
  /** The server does not start with an error; a warning says what its operator should know. */
  readonly severity: 'error' | 'warning';
  /** JSON pointer into the file's own vocabulary; the empty pointer is the file itself. */
  readonly pointer: string;
  readonly message: string;
  /** What to do about it, or null where the message says so. */
  readonly hint: string | null;
}

/** What was found at a file of a listener's TLS. */
export type TlsFile =
  | { readonly is: 'read'; readonly ownership: Ownership }
  /** Not there, or not readable. */
  | { readonly is: 'unreadable' }
  /** Read, and not the PEM that it should be. */
  | { readonly is: 'unusable' };

export interface TlsFacts {
  readonly certificate: TlsFile;
  readonly key: TlsFile;
  /** Whether the key is that of the certificate; null where one of them could not be read. */
  readonly isPair: boolean | null;
  /** When the certificate is valid; null where it could not be read. */
  readonly validity: { readonly from: UtcMs; readonly until: UtcMs } | null;
}

/** What was found where a program should be. */
export type ProgramFile =
  | { readonly is: 'executable'; readonly ownership: Ownership }
  | { readonly is: 'not-executable' }
  | { readonly is: 'not-a-file' }
  | { readonly is: 'absent' };

/** Everything around the configuration that the rules need. A problem is text without paths, or null where there is none. */
export interface Surroundings {
  readonly now: UtcMs;
  /** The user that the server runs as; null where the system has none, and owners and modes say nothing. */
  readonly userId: number | null;
  readonly configFile: Ownership | null;
  readonly dataDirectory:
    | { readonly is: 'directory'; readonly ownership: Ownership }
    | { readonly is: 'absent' }
    | { readonly is: 'not-a-directory' }
    | { readonly is: 'unreadable' };
  readonly tls: { readonly broker: TlsFacts | null; readonly api: TlsFacts | null };
  /** Of the source of the key-encryption key, of which there may be none. */
  readonly kekProblem: string | null;
  /** Of the source of the database's URL. */
  readonly databaseProblem: string | null;
  readonly secondCopy: {
    readonly isDirectory: boolean;
    readonly isInsideData: boolean;
    readonly sharesDevice: boolean;
  } | null;
  /** Of each program, by its JSON pointer. */
  readonly programs: ReadonlyMap<string, ProgramFile>;
}

const LISTENERS = ['broker', 'api'] as const;
/** Time before the end of a certificate in which a warning still helps. */
const CERTIFICATE_WARNING_MS = 14 * 24 * 3_600_000;

const ORIGIN_REFUSALS: Readonly<Record<OriginRefusal, string>> = {
  scheme: 'the origin begins neither with https:// nor with http://',
  characters: 'the origin holds a character that no origin has',
  userinfo: 'the origin holds a user',
  path: 'the origin holds more than scheme, host and port',
  port: 'the port of the origin is wrong, or the one that its scheme has anyway',
  'plain-http': 'http: needs plainHttp: true, and a host inside privateNetworks',
  address: 'the origin is an address outside privateNetworks',
  'private-name': 'the origin is a name of a private network, and privateNetworks names none',
  'address-form': 'the origin has a host that is neither a name nor an address in its usual form',
  'name-form': 'the origin has a host name that is not in its canonical form (lower case, letters, digits and dashes)',
  'metadata-name': 'the origin is the name of a metadata service, which hands out credentials',
  'special-use-name': 'the origin is a name that is never that of a provider',
};

/** All findings, errors first. `providers` are the names that this program knows. */
export function judgeConfig(
  config: Config,
  surroundings: Surroundings,
  providers: readonly string[],
): readonly Finding[] {
  const { kekProblem, databaseProblem } = surroundings;
  const kekPointer = config.kek?.kind === 'key-file' ? '/kek/path' : '/kek/from';
  const findings = [
    ...judgeConfigFile(surroundings),
    ...judgeDataDirectory(surroundings),
    ...LISTENERS.flatMap((name) => judgeListener(name, config, surroundings)),
    ...(areSamePlace(config.broker, config.api)
      ? [error('/api/listen', 'the API and the broker listen at the same place')]
      : []),
    ...(databaseProblem === null ? [] : [error('/database/url', databaseProblem)]),
    ...(kekProblem === null ? [] : [error(kekPointer, kekProblem)]),
    ...judgeSecondCopy(surroundings),
    ...Object.entries(config.providers).flatMap(([name, settings]) => judgeProvider(name, settings, providers)),
    ...(config.programs ?? []).flatMap(({ credential }, index) =>
      judgeProgramOwner(`/programs/${index}/credential`, credential, providers),
    ),
    ...[...surroundings.programs].flatMap(([pointer, file]) => judgeProgram(pointer, file, surroundings)),
    ...config.trustedProxies.flatMap((text, index) =>
      judgeNetwork(`/trustedProxies/${index}`, text, 'every caller could choose the address it seems to come from'),
    ),
  ];
  return findings.sort((a, b) => Number(b.severity === 'error') - Number(a.severity === 'error'));
}

function error(pointer: string, message: string, hint: string | null = null): Finding {
  return { severity: 'error', pointer, message, hint };
}

function warning(pointer: string, message: string, hint: string | null = null): Finding {
  return { severity: 'warning', pointer, message, hint };
}

function judgeConfigFile({ configFile, userId }: Surroundings): Finding[] {
  const tampering = configFile === null ? null : tamperingOf(configFile, userId);
  if (tampering === null) return [];
  const message = `the configuration file can be changed by ${tampering}, and it may name commands`;
  if (tampering === 'everybody') return [error('', message, 'chmod go-w')];
  return [
    warning('', message, tampering === 'its group' ? 'chmod g-w' : 'chown it to root or to the user of the server'),
  ];
}

function judgeDataDirectory({ dataDirectory, userId }: Surroundings): Finding[] {
  const pointer = '/dataDirectory';
  if (dataDirectory.is === 'absent') {
    return [error(pointer, 'the data directory does not exist', '`claviger init` makes it')];
  }
  if (dataDirectory.is === 'not-a-directory') return [error(pointer, 'the data directory is not a directory')];
  if (dataDirectory.is === 'unreadable') return [error(pointer, 'the data directory cannot be looked into')];
  if (userId === null) return [];
  const findings: Finding[] = [];
  const { ownership } = dataDirectory;
  if (ownership.userId !== userId) {
    findings.push(error(pointer, 'the data directory belongs to another user', 'chown it to the user of the server'));
  }
  if ((ownership.mode & 0o077) !== 0) {
    findings.push(error(pointer, 'the data directory is open to others than its owner', 'chmod 0700'));
  } else if (ownership.mode !== 0o700) {
    findings.push(error(pointer, 'the data directory is not fully open to its owner', 'chmod 0700'));
  }
  return findings;
}

function judgeListener(name: (typeof LISTENERS)[number], config: Config, surroundings: Surroundings): Finding[] {
  const { host, tls, terminatedBy } = config[name];
  const findings: Finding[] = [];
  if (tls === null && terminatedBy === null && !isLoopback(host)) {
    const message = 'a listener off loopback without TLS: keys and tokens would travel in the clear';
    findings.push(error(`/${name}/listen`, message, 'set tls, or say in terminatedBy what terminates TLS in front'));
  }
  if (tls === null && terminatedBy !== null && config.trustedProxies.length === 0) {
    const message = 'TLS is terminated in front, but no proxy is trusted: every request seems to come from the proxy';
    findings.push(warning(`/${name}/terminatedBy`, message, 'name its network in trustedProxies'));
  }
  const facts = surroundings.tls[name];
  return facts === null ? findings : [...findings, ...judgeTls(`/${name}/tls`, facts, surroundings)];
}

function judgeTls(pointer: string, facts: TlsFacts, { now, userId }: Surroundings): Finding[] {
  const { certificate, key, isPair, validity } = facts;
  const atCertificate = `${pointer}/certificate`;
  const atKey = `${pointer}/key`;
  const findings: Finding[] = [];
  if (certificate.is === 'unreadable') findings.push(error(atCertificate, 'the certificate cannot be read'));
  if (certificate.is === 'unusable') findings.push(error(atCertificate, 'the file holds no certificate in PEM form'));
  if (key.is === 'unreadable') findings.push(error(atKey, 'the private key cannot be read'));
  if (key.is === 'unusable') {
    findings.push(error(atKey, 'the file holds no private key in PEM form, or an encrypted one'));
  }
  const exposure = key.is === 'read' ? exposureOf(key.ownership, userId) : null;
  if (exposure !== null) findings.push(error(atKey, `the private key ${exposure}`));
  if (isPair === false) findings.push(error(atKey, 'the private key is not that of the certificate'));
  if (validity === null) return findings;
  // Clients refuse such a certificate; a server that refused to start as well would only make it worse.
  if (now > validity.until) findings.push(warning(atCertificate, 'the certificate has expired'));
  else if (now < validity.from) findings.push(warning(atCertificate, 'the certificate is not valid yet'));
  else if (now > validity.until - CERTIFICATE_WARNING_MS) {
    findings.push(warning(atCertificate, 'the certificate expires within two weeks'));
  }
  return findings;
}

function judgeSecondCopy({ secondCopy }: Surroundings): Finding[] {
  const pointer = '/secondCopy/directory';
  if (secondCopy === null) {
    const message = 'no second copy: after a restore every key that was rotated since the backup would be lost';
    return [warning('/secondCopy', message, 'name a directory on other hardware than the data')];
  }
  // Never made by the server: a mount that failed would be replaced in silence by a directory beside the data.
  if (!secondCopy.isDirectory) {
    return [error(pointer, 'the directory of second copies does not exist', 'mount it, or make it by hand')];
  }
  if (secondCopy.isInsideData) return [error(pointer, 'the directory of second copies lies inside the data directory')];
  if (!secondCopy.sharesDevice) return [];
  return [warning(pointer, 'second copies lie on the same file system as the data, and are lost with it')];
}

function judgeProvider(name: string, settings: ProviderSettings, providers: readonly string[]): Finding[] {
  const pointer = `/providers/${name}`;
  const findings: Finding[] = [];
  if (!providers.includes(name)) {
    const meant = suggestKey(name, providers);
    findings.push(error(pointer, 'no provider has this name', meant === null ? null : `did you mean ${meant}?`));
  }
  const networks = settings.privateNetworks.flatMap((text, index) =>
    judgeNetwork(`${pointer}/privateNetworks/${index}`, text, 'the name of the provider could lead anywhere'),
  );
  if (settings.privateNetworks.some((text) => parseNetwork(text) === null)) return [...findings, ...networks];
  const verdict = validateOrigin(settings.origin, settings);
  if (verdict.is === 'refused') findings.push(error(`${pointer}/origin`, ORIGIN_REFUSALS[verdict.reason]));
  return [...findings, ...networks];
}

/** Whether there can be such a credential; whether there is one, only the database knows. */
function judgeProgramOwner(pointer: string, credential: string, providers: readonly string[]): Finding[] {
  const provider = credential.split('/')[1] ?? '';
  if (providers.includes(provider)) return [];
  const meant = suggestKey(provider, providers);
  const message = 'a program for a credential that cannot exist: no provider has the name between the slashes';
  return [warning(pointer, message, meant === null ? null : `did you mean ${meant}?`)];
}

const PROGRAM_PROBLEMS: Readonly<Record<Exclude<ProgramFile['is'], 'executable'>, string>> = {
  absent: 'the program does not exist, or cannot be looked at',
  'not-a-file': 'the program is not a regular file',
  'not-executable': 'the program cannot be executed by the user of the server',
};

function judgeProgram(pointer: string, file: ProgramFile, { userId }: Surroundings): Finding[] {
  if (file.is !== 'executable') return [error(pointer, PROGRAM_PROBLEMS[file.is])];
  const tampering = tamperingOf(file.ownership, userId);
  if (tampering === null) return [];
  const message = `the program can be changed by ${tampering}, and it is given keys`;
  return [warning(pointer, message, tampering === 'another user' ? 'chown it to root' : 'chmod go-w')];
}

function judgeNetwork(pointer: string, text: string, whyNotAll: string): Finding[] {
  const network = parseNetwork(text);
  if (network === null) {
    return [error(pointer, 'not a network in CIDR form with its host bits at zero', 'such as 10.0.0.0/8 or fd00::/8')];
  }
  return network.prefix > 0 ? [] : [error(pointer, `a network of all addresses: ${whyNotAll}`)];
}

function isLoopback(host: string): boolean {
  const address = parseAddress(host);
  return address !== null && classifyAddress(address) === 'loopback';
}

function areSamePlace(left: ListenerConfig, right: ListenerConfig): boolean {
  if (left.port !== right.port || left.port === 0) return false;
  const [a, b] = [parseAddress(left.host), parseAddress(right.host)];
  if (a === null || b === null) return left.host === right.host;
  return covers(a, b) || covers(b, a);
}

/** Whether listening at `wide` takes the port at `narrow` too. `::` stands for IPv4 as well. */
function covers(wide: Address, narrow: Address): boolean {
  const [a, b] = [unmapped(wide), unmapped(narrow)];
  if (a.value === 0n && (a.family === 6 || b.family === 4)) return true;
  return a.family === b.family && a.value === b.value;
}
