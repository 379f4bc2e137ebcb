// Stands whose keys an API or a program replaces: Neon, Prefect's two. What a twin lacks for a load that counts its writes is added here as a route;
// shapes of what is added follow the provider's document as far as the load reads them. The contract is stand.ts; Plaid is stands-plaid.ts.
import { revealSecretText } from '../../src/model/secret.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { type KitKey, type KitRoute, member } from '../../twins/kit.ts';
import { startNeonTwin } from '../../twins/neon.io.ts';
import { addBot, newPrefectKey, type PrefectCloudState, prefectCloudTwin } from '../../twins/prefect-cloud.ts';
import { newAuthString, prefectServerTwin } from '../../twins/prefect-server.ts';
import { prng } from '../../twins/prng.ts';
import { countCarried, type Stand } from './stand.ts';
import { aliveIn, asked, bearer, beside, discard, LATENCY_MS, stored } from './stand-parts.ts';

/** A run that is made anew by each request, whatever its name. */
function flowRuns<State>(prefix: string): KitRoute<State> {
  return {
    line: `POST ${prefix}/flow_runs/`,
    class: 'other',
    asks: 'key',
    handle({ request, random }) {
      const name = member(request.body, 'name') ?? null;
      return { status: 201, body: { id: random.uuid(), name, flow_id: member(request.body, 'flow_id') ?? null } };
    },
  };
}

const FLOW_RUN = { name: '{n}', flow_id: '00000000-0000-4000-8000-000000000000' } as const;

export async function standNeon(): Promise<Stand> {
  const { carried, onExchange } = countCarried();
  const twin = await startNeonTwin({ seed: 5, onExchange });
  const { control } = twin;
  const { seeds } = control;
  control.latency({ ms: LATENCY_MS, jitterMs: 0 });
  const admin = { kind: 'personal-key', parts: { key: revealSecretText(seeds.adminKey) } };
  const issuer = { ...admin, providerKeyId: seeds.adminKeyId, settings: {} };
  return {
    provider: 'neon',
    about: 'organisation keys',
    nature: 'overlap',
    origin: twin.origin,
    beside: [beside('neon-admin', 'manage', issuer)],
    companion: null,
    issuerOf: () => 'neon-admin',
    actions: ['project.list', 'project.create'],
    first() {
      const { id, key } = control.mint({ kind: 'organization', orgId: seeds.orgId });
      const parts = { key: revealSecretText(key) };
      return { kind: 'organization-key', parts, providerKeyId: id, settings: { orgId: seeds.orgId } };
    },
    asks(door) {
      const url = `${door.brokerOrigin}/api/v2/projects`;
      const project = { project: { name: '{n}', org_id: seeds.orgId } };
      return {
        read: asked(bearer(door), 'GET', `${url}?limit=10`),
        write: asked(bearer(door), 'POST', url, project),
      };
    },
    person: null,
    alive: () => control.keys().filter((key) => key.kind === 'organization' && key.isAlive).length,
    carried,
    close: () => twin.close(),
  };
}

export async function standPrefectCloud(): Promise<Stand> {
  const random = prng(29);
  const { carried, onExchange } = countCarried();
  const workspace = '/api/accounts/{account_id}/workspaces/{workspace_id}';
  const routes = [...prefectCloudTwin.routes, flowRuns<PrefectCloudState>(workspace)];
  const twin = await startTwin({ ...prefectCloudTwin, routes }, { onExchange });
  const { control } = twin;
  const { state } = control;
  control.latency(LATENCY_MS);
  const parts = { key: newPrefectKey(random, 'pnu') };
  const issuer = control.mint({ kind: 'user-key', name: 'issuer', account: state.userId, parts });
  const bots = new Map<number, string>();
  return {
    provider: 'prefect-cloud',
    about: 'keys of service accounts',
    nature: 'grace',
    origin: twin.origin,
    beside: [beside('prefect-admin', 'manage', stored(issuer, { userId: state.userId }))],
    companion: null,
    issuerOf: () => 'prefect-admin',
    actions: ['me-workspace.list', 'flow-run.create'],
    first(n) {
      const bot = addBot(state, random, { name: `etl-${n}`, scopes: ['see_flows', 'run_flows', 'see_secret_blocks'] });
      bots.set(n, bot.id);
      const key = { key: newPrefectKey(random, 'pnb') };
      const made = control.mint({ kind: 'service-account-key', name: bot.name, account: bot.id, parts: key });
      return stored(made, { accountId: state.accountId, botId: bot.id, workspaceId: state.workspaceId });
    },
    asks(door) {
      const home = `${door.brokerOrigin}/api/accounts/${state.accountId}/workspaces/${state.workspaceId}`;
      return {
        read: asked(bearer(door), 'GET', `${door.brokerOrigin}/api/me/workspaces`),
        write: asked(bearer(door), 'POST', `${home}/flow_runs/`, FLOW_RUN),
      };
    },
    person: null,
    alive: (n) => aliveIn(control, (key) => key.account === bots.get(n)),
    carried,
    close: () => twin.close(),
  };
}

/** A person of a server's shell, for the program that puts a value into force (set-string.ts). */
export interface ServerStand extends Stand {
  /** Restarts the server whose user this is with another string. */
  restart(text: string): void;
}

/** One twin in the place of as many servers as there are credentials: each has a user of its own, and a restart ends the strings of that user. */
export async function standPrefectServer(): Promise<ServerStand> {
  const random = prng(31);
  const { carried, onExchange } = countCarried();
  const base = prefectServerTwin();
  const twin = await startTwin({ ...base, routes: [...base.routes, flowRuns('/api')] }, { onExchange });
  const { control } = twin;
  control.latency(LATENCY_MS);
  const userOf = (text: string) => text.slice(0, text.indexOf(':'));
  function restart(text: string): KitKey {
    for (const key of control.keys.all())
      if (key.account === userOf(text) && key.revokedAt === null) control.endByHand(key.id);
    return control.mint({ kind: 'auth-string', name: '', account: userOf(text), parts: { key: text } });
  }
  const fresh = (n: number) => newAuthString(random).replace(/^[^:]+/, `server-${n}`);
  return {
    provider: 'prefect-server',
    about: 'the one string of a server',
    nature: 'ours',
    origin: twin.origin,
    beside: [],
    companion: null,
    issuerOf: () => null,
    actions: ['admin.get-version', 'flow-run.create'],
    first: (n) => stored(restart(fresh(n)), {}, true),
    asks(door) {
      const headers = { authorization: `Basic ${new TextEncoder().encode(`worker:${door.bound}`).toBase64()}` };
      return {
        read: asked(headers, 'GET', `${door.brokerOrigin}/api/admin/version`),
        write: asked(headers, 'POST', `${door.brokerOrigin}/api/flow_runs/`, FLOW_RUN),
      };
    },
    person: {
      isCut: true,
      make: (n) => restart(fresh(n)).parts,
      discard: (parts) => discard(control, parts),
      endOld: null,
      ofAnother: null,
    },
    restart,
    alive: (n) => aliveIn(control, (key) => key.account === `server-${n}`),
    carried,
    close: () => twin.close(),
  };
}
