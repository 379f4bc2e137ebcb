// `npm run lab -- --provider NAME`: one world of the demo, left running for a person to play with. What to type stands in what it prints. The lab of
// the Neon twin, with more options, is lab.ts.
import path from 'node:path';
import { furnish, programsFor, setString } from '../world/furnish.ts';
import { startInstallation } from '../world/installation.ts';
import { openPages } from '../world/pages.ts';
import { openServerDoor } from '../world/server-door.ts';
import type { Ask, Stand } from '../world/stand.ts';
import { STANDS, type StandName } from '../world/stand-index.ts';

export interface ProviderLab {
  /** What an outside tool needs to know, by name; tokens in clear. */
  readonly ready: Readonly<Record<string, string | null>>;
  /** The same for a person: what to type. */
  readonly help: readonly string[];
  stop(): Promise<void>;
}

export interface ProviderLabOptions {
  readonly brokerPort?: number;
  readonly apiPort?: number;
  readonly quietSeconds: number;
  readonly report: (message: string, fields: object) => void;
}

const BOOTSTRAP = path.resolve(import.meta.dirname, '../bootstrap.mjs');
const MAIN = path.resolve(import.meta.dirname, '../../src/main.ts');

/** A request as one line for a shell. */
function curl({ method, url, headers, body }: Ask): string {
  const shown = Object.entries(headers).map(([name, value]) => `-H '${name}: ${value}'`);
  return [
    'curl',
    '-s',
    `-X ${method}`,
    ...shown,
    ...(body === null ? [] : [`-d '${body.replace('{n}', 'by-hand')}'`]),
    `'${url}'`,
  ].join(' ');
}

export async function startProviderLab(name: StandName, options: ProviderLabOptions): Promise<ProviderLab> {
  const { quietSeconds, report, ...ports } = options;
  const closers: (() => Promise<void>)[] = [];
  async function stop(): Promise<void> {
    for (const close of closers.splice(0).reverse()) await close();
  }
  try {
    const stand: Stand = await STANDS[name]();
    closers.push(() => stand.close());
    let programs: ReturnType<typeof programsFor> = [];
    if ('restart' in stand) {
      const door = await openServerDoor(stand.restart as (text: string) => void);
      closers.push(() => door.close());
      programs = programsFor(stand, 1, setString(door.origin));
    }
    const installation = await startInstallation({ [stand.provider]: stand.origin }, { ...ports, programs, report });
    closers.push(() => installation.stop());
    const { api, serving, adminToken } = installation;
    const given = { stand, brokerOrigin: serving.brokerOrigin, count: 1, quietSeconds };
    const [lent] = await furnish(api, given);
    const { person } = stand;
    const pages = person === null ? null : await openPages(person);
    if (pages !== null) closers.push(() => pages.close());
    const asks = stand.asks(lent!.door);
    const ready = {
      provider: stand.provider,
      nature: stand.nature,
      broker: serving.brokerOrigin,
      api: serving.apiOrigin,
      twin: stand.origin,
      pages: pages?.origin ?? null,
      operatorToken: adminToken,
      principalToken: lent!.door.unbound,
      boundToken: lent!.door.bound,
      credential: lent!.id,
      credentialName: lent!.name,
      dataDirectory: installation.config.dataDirectory,
    };
    return { ready, help: helpOf(stand, { ...ready, name: lent!.name }, [asks.read, asks.write]), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function helpOf(
  stand: Stand,
  about: { api: string; operatorToken: string; pages: string | null; name: string },
  [read, write]: readonly [Ask, Ask | null],
): string[] {
  const { person, nature } = stand;
  const { pages, name } = about;
  const lines = [
    'As the application, with a token of Claviger in the key’s place:',
    `  ${curl(read)}`,
    ...(write === null ? [] : [`  ${curl(write)}`]),
    '',
    'As the operator, in another shell:',
    `  export CLAVIGER_API=${about.api} CLAVIGER_TOKEN=${about.operatorToken}`,
    `  alias claviger='node ${BOOTSTRAP} ${MAIN}'`,
    `  claviger credential show ${name}`,
    ...(nature === 'assisted' ? [] : [`  claviger rotate ${name}`]),
  ];
  if (person !== null && pages !== null) {
    const byHand = nature === 'assisted' ? '' : ' --by-hand';
    lines.push(
      '',
      `The twin’s pages are a door at ${pages}: POST /key makes a key there and shows it${person.endOld === null ? '' : ', DELETE /old-keys deletes the older ones'}.`,
      ...(person.isCut ? ['The new key ends the old one at once: requests fail until it is brought.'] : []),
      `  rotation=$(claviger rotate ${name}${byHand} --no-wait --quiet)`,
      '  claviger rotation show "$rotation"',
      `  curl -s -X POST ${pages}/key | claviger rotation bring "$rotation" --from-stdin --no-wait`,
      ...(person.endOld === null ? [] : [`  curl -s -X DELETE ${pages}/old-keys      # when it says that it is time`]),
      '  claviger rotation show "$rotation" --follow',
    );
    const [before, after] = [stand.issuerOf(0), stand.issuerOf(1)];
    if (after !== null && after !== before)
      lines.push(`  claviger credential edit ${name} --issuer ${after}      # the new token is that app’s`);
  }
  lines.push('', `  claviger revoke ${name} --reason compromised --yes`);
  return lines;
}
