// `npm run lab`: the world of the demo, left running for any outside test tool. Loopback only; its data is its own and goes when
// it stops (SIGTERM or SIGINT).
import { parseArgs } from 'node:util';
import { revealSecretText } from '../../src/model/secret.ts';
import { standName } from '../world/stand-index.ts';
import { startWorld, type WorldOptions } from '../world/world.ts';
import { type ProviderLab, startProviderLab } from './provider-lab.ts';

const HELP = `usage: npm run lab -- [options]
  --provider NAME        neon (default), prefect-cloud, prefect-server, mastodon, plaid, cachet, cachet-v2; of the others only
                         --json, the ports of broker and API, and --quiet-seconds count
  --json                 one line of JSON when it is ready
  --broker-port N        port of the broker (default: a free one)
  --api-port N           port of the control API
  --twin-port N          port of the Neon twin
  --database URL         an empty PostgreSQL database instead of SQLite
  --upstream ORIGIN      http://127.0.0.1:PORT in the place of the twin
  --allow 'GET /v1/**'   with --upstream: what the service may do there; may be given several times (default: GET /**)
  --quiet-seconds N      quiet time of the rotation policy (default 2)
  --seed N               seed of the twin
  --second-copy          with a second failure domain for envelopes
`;

const { values } = parseArgs({
  options: {
    provider: { type: 'string', default: 'neon' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    'broker-port': { type: 'string' },
    'api-port': { type: 'string' },
    'twin-port': { type: 'string' },
    database: { type: 'string' },
    upstream: { type: 'string' },
    allow: { type: 'string', multiple: true },
    'quiet-seconds': { type: 'string' },
    seed: { type: 'string' },
    'second-copy': { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

function number(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`not a whole number: ${text}`);
  return value;
}

function given<K extends keyof WorldOptions>(key: K, value: WorldOptions[K] | undefined): Partial<WorldOptions> {
  return value === undefined ? {} : { [key]: value };
}

async function startNeonLab(): Promise<ProviderLab> {
  const world = await startWorld({
    ...given('brokerPort', number(values['broker-port'])),
    ...given('apiPort', number(values['api-port'])),
    ...given('twinPort', number(values['twin-port'])),
    ...given('postgresql', values.database),
    ...given('upstream', values.upstream),
    ...given('allow', values.allow),
    ...given('quietSeconds', number(values['quiet-seconds'])),
    ...given('seed', number(values.seed)),
    secondCopy: values['second-copy'],
    report,
  });
  const { brokerOrigin, apiOrigin } = world.serving;
  const ready = {
    broker: brokerOrigin,
    api: apiOrigin,
    twin: world.twin?.origin ?? null,
    twinControlToken: world.twin?.controlToken ?? null,
    operatorToken: world.adminToken,
    principalToken: world.token,
    boundToken: world.boundToken,
    byPath: `${brokerOrigin}/${world.provider}/prod`,
    byToken: brokerOrigin,
    credential: world.credentialId,
    principal: world.principalId,
    upstreamKey: revealSecretText(world.upstreamKey),
    dataDirectory: world.config.dataDirectory,
  };

  const help = [`curl -H "Authorization: Bearer $principalToken" ${ready.byPath}/api/v2/projects`];
  return { ready, help, stop: () => world.stop() };
}

const report = (message: string, fields: object) =>
  void process.stderr.write(`${JSON.stringify({ message, ...fields })}\n`);
const lab =
  values.provider === 'neon'
    ? await startNeonLab()
    : await startProviderLab(standName(values.provider), {
        ...given('brokerPort', number(values['broker-port'])),
        ...given('apiPort', number(values['api-port'])),
        quietSeconds: number(values['quiet-seconds']) ?? 2,
        report,
      });

if (values.json) process.stdout.write(`${JSON.stringify(lab.ready)}\n`);
else {
  process.stdout.write('the lab is ready; it ends on SIGTERM\n\n');
  for (const [name, value] of Object.entries(lab.ready)) process.stdout.write(`  ${name.padEnd(18)} ${value ?? '–'}\n`);
  process.stdout.write(`\n${lab.help.map((line) => `  ${line}`.trimEnd()).join('\n')}\n`);
}

let stopping = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (stopping) return;
    stopping = true;
    void lab.stop().then(() => process.exit(0));
  });
}
