// A twin of Neon's API: state, latency, faults and lies, in one process and repeatable from a seed. This file takes a request to its
// reply; sockets, delays and cut connections are neon.io.ts. Shapes follow Neon's OpenAPI document v2, behaviour of keys the permission
// matrix in neon.access.ts. It is a stand-in for tests and demonstrations: docs/providers/neon.md says what was never compared with the
// live service.
import type { Json } from '../src/model/json.ts';
import { Secret } from '../src/model/secret.ts';
import { type Fault, type FaultName, faultBox, type RequestClass } from './faults.ts';
import { DOES_NOT_PASS, isRefusal, notFound, type Refusal, refusalJson, refuse } from './neon.access.ts';
import {
  isAlive,
  type KeyKind,
  type KeyReport,
  keyRing,
  type NewKey,
  noteUse,
  reportOf,
  type TwinKey,
} from './neon.keys.ts';
import { minimalRoutes } from './neon.minimal.ts';
import { type Answer, type Context, type Match, router } from './neon.router.ts';
import { accountRoutes } from './neon.routes.account.ts';
import { databaseRoutes } from './neon.routes.database.ts';
import { projectRoutes } from './neon.routes.project.ts';
import { maker } from './neon.world.ts';
import { prng } from './prng.ts';

export interface TwinRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly authorization: string | null;
  readonly requestId: string | null;
  readonly remoteAddress: string;
  /** null without a body; undefined for one that is not JSON. */
  readonly body: Json | undefined;
}

export interface TwinReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** null for an empty body. */
  readonly body: Json | Uint8Array;
  /** To wait before the answer, or before the cut. */
  readonly delayMs: number;
  readonly isCut: boolean;
}

/** What the twin is born with: two organizations, an admin and a member of the first, and their keys. */
export interface Seeds {
  readonly adminUserId: string;
  readonly memberUserId: string;
  readonly orgId: string;
  readonly otherOrgId: string;
  readonly projectId: string;
  readonly siblingProjectId: string;
  readonly otherProjectId: string;
  readonly branchId: string;
  readonly endpointId: string;
  readonly adminKeyId: string;
  readonly adminKey: Secret;
  readonly memberKey: Secret;
}

export interface Counters {
  readonly requests: number;
  readonly byStatus: Readonly<Record<string, number>>;
  /** `GET /api/v2/projects/{project_id}`; requests without a route are under `unrouted`. */
  readonly byRoute: Readonly<Record<string, number>>;
}

export interface Latency {
  readonly ms: number;
  /** Up to this much more, evenly spread. */
  readonly jitterMs: number;
}

/** For tests: what they may see and set. */
export interface NeonTwinControl {
  readonly seeds: Seeds;
  /** Makes a key as a person would in the console. */
  mint(key: { kind: KeyKind; name?: string; userId?: string; orgId?: string; projectId?: string }): {
    id: string;
    key: Secret;
  };
  /** Makes a user a member of an organization, or changes the role. */
  join(member: { userId: string; orgId: string; role: string }): void;
  keys(): KeyReport[];
  counters(): Counters;
  resetCounters(): void;
  fault(name: FaultName, options?: Partial<Fault>): void;
  clearFaults(name?: FaultName): void;
  faults(): Readonly<Partial<Record<FaultName, Fault>>>;
  latency(latency: Latency): void;
}

export interface NeonTwin {
  readonly control: NeonTwinControl;
  /** Pure but for the twin's own state: the same seed, requests and instants give the same replies. */
  handle(request: TwinRequest, now: number): TwinReply;
}

/** A request after its line was understood. */
interface Arrival {
  readonly kind: RequestClass;
  readonly found: Match | null;
  readonly query: string;
  readonly now: number;
}

/** Effects on their way; more at once is a mistake of the test. */
const PENDING_MAX = 10_000;
const routes = router([...accountRoutes, ...projectRoutes, ...databaseRoutes, ...minimalRoutes]);

function classOf(method: string, pathname: string): RequestClass {
  if (pathname === '/api/v2/auth') return 'auth';
  if (!pathname.includes('/api_keys')) return 'other';
  return method === 'POST' ? 'create-key' : method === 'DELETE' ? 'revoke-key' : 'list-keys';
}

export function createNeonTwin(options: { seed: number; clock: { now(): number } }): NeonTwin {
  const random = prng(options.seed);
  const make = maker(random);
  const keys = keyRing(random);
  // A source of its own: faults must not change the ids that a seed gives.
  const chance = prng(options.seed ^ 0x5bd1e995);
  const faults = faultBox(chance);
  const pending: { at: number; effect: (now: number) => void }[] = [];
  let latency: Latency = { ms: 0, jitterMs: 0 };
  let requests = 0;
  let byStatus = new Map<string, number>();
  let byRoute = new Map<string, number>();

  function settle(now: number): void {
    for (let i = pending.length - 1; i >= 0; i--) {
      const due = pending[i]!;
      if (due.at > now) continue;
      pending.splice(i, 1);
      due.effect(due.at);
    }
  }

  /** The key of a request where it is accepted; every fault that lies about keys is here. */
  function authenticate(request: TwinRequest, kind: RequestClass, now: number): TwinKey | null {
    const text = request.authorization?.startsWith('Bearer ') ? request.authorization.slice(7) : '';
    const key = keys.byText(text);
    if (key === null) return null;
    let isAccepted = isAlive(key, now);
    if (!isAccepted && key.diesAt !== null) {
      const flap = faults.strike('revoked-key-flaps', kind);
      isAccepted = flap !== null && (flap.ms === 0 || now < key.diesAt + flap.ms);
    } else if (isAccepted && faults.strike('good-key-refused', kind) !== null) isAccepted = false;
    if (faults.strike('outage-401', kind) !== null) isAccepted = false;
    noteUse(key, now, request.remoteAddress, isAccepted);
    return isAccepted ? key : null;
  }

  /** What goes wrong before Neon looks at the request. */
  function misfortune(kind: RequestClass): Answer | Refusal | null {
    if (faults.strike('cut-before', kind) !== null) return { status: 0, body: null, isCut: true };
    const broken = faults.strike('server-error', kind);
    return broken === null ? null : { status: broken.status, code: '', message: 'internal error' };
  }

  function answer(request: TwinRequest, { kind, found, query, now }: Arrival): Answer | Refusal {
    const broken = misfortune(kind);
    if (broken !== null) return broken;
    const key = authenticate(request, kind, now);
    if (key === null) return DOES_NOT_PASS;
    if (found === null) return notFound('route');
    const refusal = refuse(make.world, key, found.route.access, found.params);
    if (refusal !== null) return refusal;
    const context: Context = {
      maker: make,
      keys,
      faults,
      key,
      now,
      params: found.params,
      query: new URLSearchParams(query),
      body: request.body,
      later(at, effect) {
        if (pending.length >= PENDING_MAX) throw new Error('too many effects are on their way');
        pending.push({ at, effect });
      },
    };
    const done = found.route.handle(context);
    if (isRefusal(done)) return done;
    if (faults.strike('cut-after', kind) !== null) return { ...done, isCut: true };
    const failed = faults.strike('server-error-after', kind);
    return failed === null ? done : { status: failed.status, code: '', message: 'internal error' };
  }

  function handle(request: TwinRequest, now: number): TwinReply {
    settle(now);
    requests++;
    const cut = request.target.indexOf('?');
    const pathname = cut < 0 ? request.target : request.target.slice(0, cut);
    const kind = classOf(request.method, pathname);
    const found = routes.find(request.method, pathname);
    const name = found === null ? 'unrouted' : `${request.method} ${found.route.path}`;
    byRoute.set(name, (byRoute.get(name) ?? 0) + 1);
    const requestId = request.requestId ?? random.uuid();
    const headers: Record<string, string> = { 'x-neon-ret-request-id': requestId };

    const limited = faults.strike('rate-limited', kind);
    if (limited?.retryAfter != null) headers['retry-after'] = limited.retryAfter;
    const got: Answer | Refusal =
      limited === null
        ? answer(request, { kind, found, query: cut < 0 ? '' : request.target.slice(cut + 1), now })
        : { status: 429, code: '', message: 'rate limit exceeded' };
    const status = String(got.status);
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    const wait = latency.ms + (latency.jitterMs > 0 ? chance.below(latency.jitterMs + 1) : 0);
    if (isRefusal(got)) {
      return { status: got.status, headers, body: refusalJson(got, requestId), delayMs: wait, isCut: false };
    }
    const { body, delayMs = 0, isCut = false } = got;
    return { status: got.status, headers, body, delayMs: wait + delayMs, isCut };
  }

  const start = options.clock.now();
  const admin = make.user('Ada');
  const member = make.user('Max');
  const stranger = make.user('Eve');
  const [organization, other] = [make.organization('Quiet', start), make.organization('Other', start)];
  make.join(organization, admin, 'admin', start);
  make.join(organization, member, 'member', start);
  make.join(other, stranger, 'admin', start);
  const orgId = String(organization.json['id']);
  const otherOrgId = String(other.json['id']);
  const project = make.project({ orgId, ownerId: admin.id, name: 'main' }, start);
  const sibling = make.project({ orgId, ownerId: admin.id, name: 'sibling' }, start);
  const foreign = make.project({ orgId: otherOrgId, ownerId: stranger.id, name: 'foreign' }, start);
  const adminKey = keys.make({ name: 'first key, made in the console', kind: 'personal', userId: admin.id }, start);
  const memberKey = keys.make({ name: 'of a member', kind: 'personal', userId: member.id }, start);
  const seeds: Seeds = {
    adminUserId: admin.id,
    memberUserId: member.id,
    orgId,
    otherOrgId,
    projectId: String(project.json['id']),
    siblingProjectId: String(sibling.json['id']),
    otherProjectId: String(foreign.json['id']),
    branchId: [...project.branches.keys()][0]!,
    endpointId: [...project.endpoints.keys()][0]!,
    adminKeyId: String(adminKey.id),
    adminKey: new Secret(adminKey.text),
    memberKey: new Secret(memberKey.text),
  };

  const control: NeonTwinControl = {
    seeds,
    mint({ kind, name = 'made by hand', userId = admin.id, orgId: org = orgId, projectId = seeds.projectId }) {
      const owner: NewKey = { name, kind, userId };
      const inOrg = kind === 'personal' ? owner : { ...owner, orgId: org };
      const made = keys.make(kind === 'project' ? { ...inOrg, projectId } : inOrg, options.clock.now());
      return { id: String(made.id), key: new Secret(made.text) };
    },
    join({ userId, orgId: org, role }) {
      const [to, who] = [make.world.organizations.get(org), make.world.users.get(userId)];
      if (to === undefined || who === undefined) throw new Error('no such organization or user');
      make.join(to, who, role, options.clock.now());
    },
    keys() {
      const now = options.clock.now();
      settle(now);
      return [...keys.all()].map((key) => reportOf(key, now));
    },
    counters: () => ({
      requests,
      byStatus: Object.fromEntries(byStatus),
      byRoute: Object.fromEntries(byRoute),
    }),
    resetCounters() {
      requests = 0;
      byStatus = new Map();
      byRoute = new Map();
    },
    fault: faults.set,
    clearFaults: faults.clear,
    faults: faults.active,
    latency(next) {
      latency = next;
    },
  };
  return { control, handle };
}
