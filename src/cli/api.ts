// The control API as the commands use it: one function that sends, pages of lists put together, and what people call things by
// (names) turned into ids. Programs against the outline of the API; knows no command. Sending itself is client.io.ts.
import { Failure } from '../model/failure.ts';
import { type IdKind, isId } from '../model/id.ts';
import type { Credential, Principal } from './rows.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  /** Below the origin, `/v1/…`; already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | null>>;
  /** JSON; may hold secrets, which are opened on the wire alone. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** `text/plain` for the form of a certificate that can be verified. */
  readonly accept?: string;
}

export interface ApiAnswer {
  readonly status: number;
  readonly etag: string | null;
  readonly json: unknown;
  readonly text: string;
}

/** Sends a request and resolves with a success. Throws the Failure that any other answer means; see exit.ts for one that never came. */
export type Send = (request: ApiRequest) => Promise<ApiAnswer>;

/** The most that is put together from pages: beyond it, a list is narrowed by options. */
const PAGES_MAX = 50;
const PAGE = 200;

export interface Listed<T> {
  readonly items: T[];
  /** False where there are more than the limit. */
  readonly isWhole: boolean;
}

export interface Api {
  readonly send: Send;
  get<T>(path: string, query?: Readonly<Record<string, string | null>>): Promise<T>;
  post<T>(path: string, body?: unknown, query?: Readonly<Record<string, string | null>>): Promise<T>;
  /** Changes a row that was read as version `rowVersion`. Throws `conflict` where it is another one by now. */
  patch<T>(path: string, body: unknown, rowVersion: number): Promise<T>;
  list<T>(path: string, query?: Readonly<Record<string, string | null>>, limit?: number): Promise<Listed<T>>;
  /** A list that has one page and takes no query. */
  whole<T>(path: string): Promise<T[]>;
  /** A credential by its id, `name`, `provider/name` or `environment/provider/name`. */
  credential(reference: string): Promise<Credential>;
  principal(reference: string): Promise<Principal>;
}

export function createApi(send: Send): Api {
  async function list<T>(
    path: string,
    query: Readonly<Record<string, string | null>> = {},
    limit = PAGES_MAX * PAGE,
  ): Promise<Listed<T>> {
    const items: T[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < PAGES_MAX; page++) {
      const size = String(Math.min(PAGE, limit - items.length));
      const answer: ApiAnswer = await send({ method: 'GET', path, query: { ...query, limit: size, cursor } });
      const { items: found, next } = pageOf<T>(answer.json);
      items.push(...found);
      if (next === null) return { items, isWhole: true };
      if (items.length >= limit || found.length === 0) return { items: items.slice(0, limit), isWhole: false };
      cursor = next;
    }
    return { items, isWhole: false };
  }

  const api: Api = {
    send,
    async get<T>(path: string, query: Readonly<Record<string, string | null>> = {}) {
      return (await send({ method: 'GET', path, query })).json as T;
    },
    async post<T>(path: string, body: unknown = {}, query: Readonly<Record<string, string | null>> = {}) {
      return (await send({ method: 'POST', path, body, query })).json as T;
    },
    async patch<T>(path: string, body: unknown, rowVersion: number) {
      return (await send({ method: 'PATCH', path, body, headers: { 'if-match': `"${rowVersion}"` } })).json as T;
    },
    list,
    async whole<T>(path: string) {
      return pageOf<T>((await send({ method: 'GET', path })).json).items;
    },
    async credential(reference) {
      if (isId('credential', reference)) {
        const { credential } = await api.get<{ credential: Credential }>(`/v1/credentials/${reference}`);
        return credential;
      }
      const { items } = await list<Credential>('/v1/credentials');
      return oneOf(items, reference, 'credential', (row) => [
        row.name,
        `${row.provider}/${row.name}`,
        `${row.environment}/${row.provider}/${row.name}`,
      ]);
    },
    async principal(reference) {
      if (isId('principal', reference)) return api.get<Principal>(`/v1/principals/${reference}`);
      const { items } = await list<Principal>('/v1/principals');
      return oneOf(items, reference, 'principal', (row) => [row.name]);
    },
  };
  return api;
}

function pageOf<T>(json: unknown): { items: T[]; next: string | null } {
  const { items, next } = (json ?? {}) as { items?: unknown; next?: unknown };
  if (!Array.isArray(items))
    throw new Failure('upstream-rejected', 'the server answered a list in another form than expected');
  return { items: items as T[], next: typeof next === 'string' ? next : null };
}

/** The one row that goes by this name. Throws `not-found`, or `conflict` where several do. */
function oneOf<T>(rows: readonly T[], reference: string, noun: string, namesOf: (row: T) => readonly string[]): T {
  const found = rows.filter((row) => namesOf(row).includes(reference));
  const [row] = found;
  if (row === undefined)
    throw new Failure('not-found', `there is no ${noun} of this name: \`claviger ${noun} list\` shows them`);
  if (found.length > 1) {
    const longest = (one: T) => namesOf(one).at(-1) ?? '';
    throw new Failure(
      'conflict',
      `several ${noun}s have this name: write ${found.slice(0, 5).map(longest).join(' or ')}`,
    );
  }
  return row;
}

/** An id for a path. Throws `invalid` for anything else, so that no text of a caller becomes part of an address. */
export function idSegment(kind: IdKind, text: string): string {
  if (!isId(kind, text)) throw new Failure('invalid', `this takes the id of a ${kind}, not a name`);
  return text;
}
