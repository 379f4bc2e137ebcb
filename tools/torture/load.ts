// The load while a server lives: callers that send reads and writes through the broker, each with a nonce in its path, and an operator who
// suspends, resumes, gives, takes and revokes through the API. What was answered goes into the books; what broke off is unknown.
import { Pool } from 'undici';
import type { Prng } from '../../twins/prng.ts';
import type { Books } from './books.ts';
import type { Origins } from './child.ts';
import type { Caller, TortureHouse } from './house.ts';

export interface Load {
  /** Ends it: everything under way has ended when this resolves. */
  stop(): Promise<void>;
}

export interface LoadInput {
  readonly house: TortureHouse;
  readonly books: Books;
  readonly origins: Origins;
  readonly random: Prng;
  /** Distinguishes the nonces of this load from all others of the house. */
  readonly name: string;
  /** Whether the operator may order the end of a doomed credential. */
  readonly mayRevoke: boolean;
}

interface ApiAnswer {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

type Row = { readonly id: string; readonly rowVersion: number };

const OPERATOR_EVERY_MS = 150;
const SEND_EVERY_MS = 60;

export function startLoad(input: LoadInput): Load {
  const { house, books, origins, random, name } = input;
  const broker = new Pool(origins.broker, { connections: 8, headersTimeout: 10_000, bodyTimeout: 10_000 });
  const api = new Pool(origins.api, { connections: 2, headersTimeout: 10_000, bodyTimeout: 10_000 });
  let stopping = false;
  let count = 0;
  let isResumed = false;

  const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

  const newNonce = () => `n-${name}-${(++count).toString(36)}`;

  async function send(caller: Caller, nonce = newNonce()): Promise<void> {
    const method = random.next() < 0.5 ? 'GET' : random.next() < 0.5 ? 'PATCH' : 'DELETE';
    const startedMs = performance.now();
    const { statusCode, headers, body } = await broker.request({
      method,
      path: `${caller.mount}/api/v2/projects/${nonce}`,
      headers: { authorization: `Bearer ${caller.token}`, 'content-type': 'application/json' },
      body: method === 'PATCH' ? '{"project":{}}' : null,
    });
    await body.dump();
    const refusal = headers['claviger-refused'];
    books.answer({
      nonce,
      isWrite: method !== 'GET',
      credentialId: caller.credentialId,
      tokenId: caller.tokenId,
      grantId: caller.grantId,
      startedMs,
      endedMs: performance.now(),
      status: statusCode,
      refusal: typeof refusal === 'string' ? refusal : null,
    });
  }

  async function call(method: 'GET' | 'POST', path: string, body: object = {}): Promise<ApiAnswer> {
    const answer = await api.request({
      method,
      path,
      headers: { authorization: `Bearer ${house.adminToken}`, 'content-type': 'application/json' },
      body: method === 'GET' ? null : JSON.stringify(body),
    });
    return { status: answer.statusCode, json: (await answer.body.json()) as Record<string, unknown> };
  }

  /** Asks for a change, and writes down that it was acknowledged. Null where it was refused. */
  async function change(
    path: string,
    body: object,
    rowOf: (json: Record<string, unknown>) => Row,
  ): Promise<Row | null> {
    const { status, json } = await call('POST', path, body);
    if (status >= 300) return null;
    const row = rowOf(json);
    books.acknowledge({ id: row.id, rowVersion: row.rowVersion, atMs: performance.now() });
    return row;
  }

  const same = (json: Record<string, unknown>) => json as unknown as Row;

  /** A time during which a credential is closed. */
  async function suspension(): Promise<void> {
    const id = house.credentialIds[random.below(house.credentialIds.length)]!;
    const suspended = await change(`/v1/credentials/${id}/suspend`, { reason: 'torture' }, same);
    const closed = { id, fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY };
    if (suspended !== null) books.closed.push(closed);
    await pause(random.below(200));
    closed.toMs = performance.now();
    await change(`/v1/credentials/${id}/resume`, {}, same);
  }

  /** A guest is given a token and a grant, uses them, and loses one of them. */
  async function visit(): Promise<void> {
    const credentialId = house.credentialIds[0]!;
    const nonces = Array.from({ length: 4 }, newNonce);
    const grant = await change(
      '/v1/grants',
      {
        principal: house.guestId,
        credential: credentialId,
        actions: ['project.get', 'project.update', 'project.delete'],
        // No other grant allows these: one that an interrupted visit left behind does not help.
        parameters: { project_id: nonces },
      },
      same,
    );
    let text = '';
    const token = await change(`/v1/principals/${house.guestId}/tokens`, {}, (json) => {
      text = String(json['text']);
      return json['token'] as Row;
    });
    if (grant === null || token === null) return;
    const guest = { token: text, tokenId: token.id, grantId: grant.id, credentialId, mount: '/neon/alpha' };
    await Promise.all([send(guest, nonces[0]), send(guest, nonces[1])]);
    // Under way while access ends; whether it breaks off is seen at the end.
    const sending = send(guest, nonces[2]);
    sending.catch(() => {});
    const isToken = random.next() < 0.5;
    const revoked = await change(
      isToken ? `/v1/tokens/${token.id}/revoke` : `/v1/grants/${grant.id}/revoke`,
      {},
      (json) => (json['token'] as Row | undefined) ?? same(json),
    );
    if (revoked !== null) {
      const id = isToken ? token.id : grant.id;
      books.closed.push({ id, fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY });
    }
    await Promise.all([send(guest, nonces[3]), sending]);
    // Neither is left behind: a principal holds no more than a hundred tokens.
    await call('POST', isToken ? `/v1/grants/${grant.id}/revoke` : `/v1/tokens/${token.id}/revoke`);
  }

  /** The end of a credential, under compromise. */
  async function execution(): Promise<void> {
    const id = house.doomedIds.shift();
    if (id === undefined) return;
    const body = { credential: id, reason: 'compromised', order: 'revoke-first', note: 'torture' };
    const first = (json: Record<string, unknown>) => (json['revocations'] as Row[])[0]!;
    if ((await change('/v1/revocations', body, first)) === null) return;
    books.closed.push({ id, fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY });
  }

  async function operate(): Promise<void> {
    // What a life before left suspended.
    if (!isResumed) for (const id of house.credentialIds) await change(`/v1/credentials/${id}/resume`, {}, same);
    isResumed = true;
    const drawn = random.next();
    if (drawn < 0.35) await suspension();
    else if (drawn < 0.95) await visit();
    else if (input.mayRevoke) await execution();
  }

  /** Again and again until the end. What breaks off has no known outcome: the server may be gone. */
  async function keep(act: () => Promise<void>, everyMs: number): Promise<void> {
    while (!stopping) {
      await act().catch(() => {});
      await pause(random.below(2 * everyMs));
    }
  }

  const loops = [
    ...house.callers.map((caller) => keep(() => send(caller), SEND_EVERY_MS)),
    keep(operate, OPERATOR_EVERY_MS),
  ];
  return {
    async stop() {
      stopping = true;
      await Promise.all([broker.destroy(), api.destroy()]);
      await Promise.all(loops);
    },
  };
}
