// `claviger provider check`: what a provider would be asked, and, with --live, what it answers on a real account. Works on this machine, without
// a server and without a database; keys are read, used and forgotten. Not here: what is shown (check-plan.ts), the steps (check-live.ts).

import { type Config, providerSettings } from '../../config/config.ts';
import { readDeclarationFile, readOwnProviders } from '../../config/providers.io.ts';
import { type AskTools, createAsker, type Holder } from '../../credentials/asking.ts';
import { type CredentialRow, DEFAULT_ROTATION, type VersionRow } from '../../credentials/credential.ts';
import { issuing, sharedSettings } from '../../credentials/issuing.ts';
import { Failure } from '../../model/failure.ts';
import type { Secret } from '../../model/secret.ts';
import { createCall } from '../../net/call.io.ts';
import { createDialer } from '../../net/dial.io.ts';
import { createGuard, createResolver } from '../../net/resolve.io.ts';
import type { Declaration } from '../../providers/declaration.ts';
import { declarationOf } from '../../providers/declared.ts';
import * as registry from '../../providers/index.ts';
import type { Kind, Parts, Provider } from '../../providers/provider.ts';
import { checkLive, type Left, type LiveReport, type Step } from '../check-live.ts';
import { type KindPlan, planKind, renderPlans } from '../check-plan.ts';
import { createInput, type Input, type Outcome } from '../command.ts';
import type { Context } from '../context.ts';
import { holds } from '../disclose.ts';
import { readParts } from '../parts-input.ts';
import { visible } from '../text.ts';
import { VERSION } from '../version.ts';

interface Found {
  readonly provider: Provider;
  /** What it was compiled from; null where it is code, or more than its declaration. */
  readonly declaration: Declaration | null;
}

export async function runProviderCheck(context: Context, input: Input): Promise<Outcome> {
  const isLive = input.isOn('live');
  const { config } = await context.config();
  const found = await findProvider(context, input, config);
  const { provider } = found;
  const kinds = kindsOf(provider, input.text('kind'));
  const settings = input.pairs('set');
  if (!isLive) {
    for (const key of ['mint', 'issuerFromStdin']) if (input.isOn(key)) throw needsLive(key);
    if (input.list('issuerFromFile').length > 0) throw needsLive('issuerFromFile');
    const how = { settings, declaration: found.declaration, now: context.machine.now() };
    const plans = kinds.map((kind) => planKind(provider, kind, how));
    return planOutcome(context, provider, plans);
  }
  if (kinds.length !== 1) {
    const names = kinds.map((kind) => kind.name).join(', ');
    throw wrong('--kind', `say which one is checked: ${names}`);
  }
  return runLive(context, input, { provider, kind: kinds[0]!, config, settings });
}

function wrong(pointer: string, detail: string): Failure {
  return new Failure('invalid', 'the check cannot be made like this', { errors: [{ pointer, detail }] });
}

function needsLive(key: string): Failure {
  const flag = `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return wrong(flag, 'goes with --live: without it nothing is sent');
}

/** The provider of this name: of the file that is named, of the registry, or of the configuration's directory. */
async function findProvider(context: Context, input: Input, config: Config): Promise<Found> {
  const name = input.argument(0);
  const known: readonly Provider[] = Object.values(registry);
  const file = input.text('file');
  if (file !== null) {
    const { provider, declaration } = await readDeclarationFile(file);
    if (provider.name !== name) throw wrong('--file', `it declares the provider ${provider.name}`);
    if (known.some((one) => one.name === name)) throw wrong('--file', `this program has a provider ${name} of its own`);
    return { provider, declaration };
  }
  const own = known.find((one) => one.name === name);
  if (own !== undefined) return { provider: own, declaration: declarationOf(own) };
  const { providers, findings } = await readOwnProviders(
    config.providersDirectory,
    known.map((one) => one.name),
  );
  const declared = providers.find(({ provider }) => provider.name === name);
  if (declared !== undefined) return declared;
  for (const { message } of findings) context.note(message);
  throw new Failure('not-found', 'there is no such provider', {
    errors: [{ pointer: '', detail: 'neither in the program nor in providersDirectory; --file names a declaration' }],
  });
}

function kindsOf({ kinds }: Provider, name: string | null): readonly Kind[] {
  if (name === null) return kinds;
  const found = kinds.filter((kind) => kind.name === name);
  if (found.length === 0)
    throw wrong('--kind', `the provider has the kinds ${kinds.map((one) => one.name).join(', ')}`);
  return found;
}

function planOutcome({ view }: Context, provider: Provider, plans: readonly KindPlan[]): Outcome {
  const heading = view.heading(`${provider.title} (${provider.name}), ${provider.origin}`);
  const ok = !plans.some((plan) => plan.isFinding);
  return {
    data: { provider: provider.name, origin: provider.origin, actions: provider.actions.length, kinds: plans, ok },
    text: `${heading}\n${provider.actions.length} actions; nothing was sent\n\n${renderPlans(plans, view)}`,
    brief: plans.flatMap((plan) => (plan.isFinding ? [visible(plan.kind)] : [])).join('\n'),
    exit: ok ? 0 : 1,
  };
}

interface LiveTarget {
  readonly provider: Provider;
  readonly kind: Kind;
  readonly config: Config;
  readonly settings: Readonly<Record<string, string>>;
}

async function runLive(context: Context, input: Input, target: LiveTarget): Promise<Outcome> {
  const { provider, kind } = target;
  const isMinting = input.isOn('mint');
  const issuerKind = issuerKindOf(provider, kind, input.text('issuerKind'));
  demandSettings(kind, issuerKind, { settings: target.settings, isMinting });
  if (isMinting && (kind.issue === null || kind.revoke === null)) throw wrong('--mint', whyNotMinted(kind));
  const { machine } = context;
  const label = `claviger-check-${machine.randomBytes(8).toHex()}`;
  const asked = isMinting ? issuing(kind, target.settings, machine.now()) : { settings: target.settings };
  const question = `Make a key ${label} of kind ${kind.name} at ${provider.title}, and end it again?`;
  if (isMinting && !(await context.confirm(question, input.isOn('yes')))) {
    return { data: { steps: [], left: [], ok: true }, text: 'Nothing was sent.' };
  }
  const given = await readIssuer(context, input, issuerKind);
  if (!hasForm(issuerKind, given)) {
    throw wrong(
      '--issuer-from-file',
      `it does not have the form of a key of kind ${issuerKind.name}; nothing was sent`,
    );
  }
  const hands = createHands(context, target);
  const made: Parts[] = [];
  try {
    const report = await checkLive({
      asker: createAsker(hands.tools),
      kind,
      input: { ...asked, label },
      issuer: hands.hold(issuerKind, given),
      isMinting,
      hold: (parts) => {
        made.push(parts);
        return hands.hold(kind, parts);
      },
      hasForm: (parts) => hasForm(kind, parts),
      onStep: (step) => context.note(stepLine(step)),
      onMade: (key) => context.note(`made: ${whichKey(key)}. If this is interrupted, delete it at ${provider.console}`),
      sleep: machine.sleep,
    });
    return liveOutcome(context, provider, kind, report);
  } finally {
    for (const parts of [given, ...made]) for (const part of Object.values(parts)) part.wipe();
    await hands.close();
  }
}

function whyNotMinted(kind: Kind): string {
  return kind.replace === undefined || kind.issue !== null
    ? 'this kind cannot be made and ended by API; without --mint the given key is only probed'
    : 'a key of this kind is renewed in its place, which would end the one that you have; without --mint it is only probed';
}

/** Which kind the given key is of: one that may mint the checked kind, or the kind itself where none may. */
function issuerKindOf(provider: Provider, kind: Kind, name: string | null): Kind {
  const names = kind.issuers.length === 0 ? [kind.name] : kind.issuers;
  const wanted = name ?? names[0]!;
  const found = names.includes(wanted) ? provider.kinds.find((one) => one.name === wanted) : undefined;
  if (found === undefined) throw wrong('--issuer-kind', `the given key is of one of the kinds ${names.join(', ')}`);
  return found;
}

/** Before anything is read or sent: every setting that is needed, and none that nobody knows. */
function demandSettings(
  kind: Kind,
  issuerKind: Kind,
  given: { readonly settings: Readonly<Record<string, string>>; readonly isMinting: boolean },
): void {
  const { settings, isMinting } = given;
  const known = { ...issuerKind.settings, ...kind.settings, ...sharedSettings(kind) };
  const wanted = isMinting ? known : { ...issuerKind.settings, ...(kind.list === null ? {} : kind.settings) };
  const errors = Object.keys(settings)
    .filter((name) => !Object.hasOwn(known, name))
    .map((name) => ({ pointer: `--set ${name}`, detail: `known here: ${Object.keys(known).join(', ') || 'none'}` }));
  for (const [name, { required, about }] of Object.entries(wanted)) {
    if (required && settings[name] === undefined) errors.push({ pointer: `--set ${name}=…`, detail: about });
  }
  if (errors.length > 0) throw new Failure('invalid', 'the settings are not those of this kind', { errors });
}

/** The given key, from where --issuer-… says. */
async function readIssuer(context: Context, input: Input, kind: Kind): Promise<Parts> {
  const sources = createInput([], {
    fromStdin: input.isOn('issuerFromStdin'),
    fromFile: input.list('issuerFromFile'),
  });
  try {
    return await readParts(context, sources, { parts: kind.parts, publicParts: kind.publicParts ?? [] });
  } catch (error) {
    if (!Failure.is(error, 'invalid') || error.errors.length > 0) throw error;
    throw wrong(
      '',
      error.message.replaceAll('--from-', '--issuer-from-').replace(/ (?:or|and) --issuer-from-env-file/, ''),
    );
  }
}

function hasForm(kind: Kind, parts: Parts): boolean {
  return kind.parts.every((name) => {
    const [part, format, check] = [parts[name] as Secret | undefined, kind.format[name], kind.check?.[name]];
    if (part === undefined) return false;
    return holds(part, (text) => format?.test(text) !== false && check?.(text) !== false);
  });
}

/** The keys at hand, and the way to the provider: that of the server, with the address guard and the configuration's settings. */
function createHands(context: Context, { provider, config, settings }: LiveTarget) {
  const { machine } = context;
  const clock = { now: machine.now, monotonic: () => performance.now() };
  const dialer = createDialer({
    guard: createGuard(createResolver({ clock })),
    connectionsMax: 1,
    proxy: proxyOf(config.outboundProxy),
  });
  const opened = new Map<string, Parts>();
  const tools: AskTools = {
    kindOf: (credential) => ({ kind: provider.kinds.find((one) => one.name === credential.kind)! }),
    callFor({ origin }) {
      const chosen = { ...providerSettings(config, provider.name, origin), origin };
      return createCall({ dispatcherFor: dialer.dispatcherFor, settings: chosen, clock, version: VERSION });
    },
    open: (_credential, version) => Promise.resolve(opened.get(version.id)!),
  };
  return {
    tools,
    hold(kind: Kind, parts: Parts): Holder {
      const id = `check-${opened.size + 1}`;
      opened.set(id, parts);
      const origin = config.providers[provider.name]?.origin ?? kind.origin ?? provider.origin;
      return holderOf({ id, provider: provider.name, kind, origin, settings, now: machine.now() });
    },
    close: () => dialer.close(),
  };
}

/** A key as asking wants one. No database knows it: what only the database would say is empty. */
function holderOf(of: {
  readonly id: string;
  readonly provider: string;
  readonly kind: Kind;
  readonly origin: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly now: number;
}): Holder {
  const { id, kind, now } = of;
  const credential: CredentialRow = {
    id,
    rowVersion: 1,
    space: 'default',
    environment: 'check',
    provider: of.provider,
    name: id,
    kind: kind.name,
    purpose: 'manage',
    issuerId: null,
    origin: of.origin,
    places: kind.places,
    settings: of.settings,
    owner: '',
    note: '',
    policy: DEFAULT_ROTATION,
    suspendedAt: null,
    suspendReason: null,
    retiredAt: null,
    createdAt: now,
    managedBy: null,
  };
  const version: VersionRow = {
    id,
    rowVersion: 1,
    credentialId: id,
    number: 1,
    state: 'current',
    providerKeyId: null,
    label: null,
    envelopeDigest: '',
    secondCopyAt: null,
    expiresAt: null,
    createdAt: now,
    promotedAt: null,
    retiredAt: null,
    revokingAt: null,
    revokedAt: null,
    reason: null,
    certificateId: null,
  };
  return { credential, version };
}

function proxyOf(url: string | null): { host: string; port: number; authorization: null } | null {
  if (url === null) return null;
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), authorization: null };
}

function stepLine({ step, ok, is, evidence }: Step): string {
  return `${ok ? '✓' : '✗'} ${step}: ${is}${evidence === null ? '' : ` (${evidence})`}`;
}

function whichKey({ label, providerKeyId }: Left): string {
  return `${label}${providerKeyId === null ? '' : `, id ${providerKeyId}`}`;
}

function liveOutcome(context: Context, provider: Provider, kind: Kind, report: LiveReport): Outcome {
  const { view, machine } = context;
  const { steps, left } = report;
  const ok = left.length === 0 && steps.every((step) => step.ok);
  const table = view.table(
    [{ title: '' }, { title: 'step' }, { title: 'found' }, { title: 'evidence', least: 20 }],
    steps.map(({ step, ok: good, is, evidence }) => [good ? '✓' : '✗', step, is, evidence ?? '–']),
    '',
  );
  const warnings = left.map(
    (key) => `A KEY MAY STILL BE ALIVE: ${visible(whichKey(key))}. Delete it by hand at ${provider.console}`,
  );
  // Never silent, whatever --quiet and --json say: nobody else knows of this key.
  for (const warning of warnings) machine.stderr.write(`${warning}\n`);
  const heading = view.heading(`${provider.title}, ${kind.name}`);
  return {
    data: { provider: provider.name, kind: kind.name, steps, left, ok },
    text: [heading, table, ...warnings.map((warning) => view.paint('red', warning))].join('\n'),
    brief: left.map((key) => visible(whichKey(key))).join('\n'),
    exit: ok ? 0 : 1,
  };
}
