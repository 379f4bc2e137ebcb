// Routes of the ledger: entries of both logs, inclusion proofs, checkpoints. Entries are given as they stand in the log, so that their
// hashes can be checked: times are UTC milliseconds here, and not RFC 3339.
import { z } from 'zod';
import { Failure } from '../model/failure.ts';
import { cursorOf, idSchema, PAGE_MEMBERS, queryInteger, type Route, readCursor, route } from '../model/route.ts';
import { LOGS, type Log } from './layout.ts';
import { type Checkpoint, parseCheckpoint } from './note.ts';

export interface Entry {
  readonly index: number;
  /** The entry's bytes: canonical JSON. */
  readonly text: string;
}

export interface Search {
  readonly log: Log;
  /** Where to begin, inclusive; null: at the end that `order` begins with. */
  readonly from: number | null;
  readonly order: 'asc' | 'desc';
  readonly limit: number;
  /** Texts that an entry must contain, all of them. */
  readonly containing: readonly string[];
}

export interface Found {
  readonly entries: readonly Entry[];
  /** Where the next search begins; null: the log ends here. */
  readonly next: number | null;
}

export interface LedgerReader {
  size(log: Log): Promise<number>;
  /** Entries that contain the texts. Looks at a bounded stretch: it may find fewer than `limit` and still have a `next`. */
  search(search: Search): Promise<Found>;
  /** The entry, or null where there is none or its month was pruned. */
  entry(log: Log, index: number): Promise<Entry | null>;
  /** The inclusion proof of an entry in the tree of `size` leaves (RFC 9162 section 2.1.3). Throws `corrupt` where a tile is missing. */
  proof(log: Log, index: number, size: number): Promise<Uint8Array[]>;
}

export interface LedgerRoom {
  readonly reader: LedgerReader;
  /** The newest published checkpoint, a signed note; null where none was published yet. */
  checkpoint(log: Log): string | null;
  /** The log's verifier key; null where nothing was published yet. */
  vkey(log: Log): string | null;
  /** Publishes checkpoints of what is written. Throws `sealed`. */
  publish(): Promise<void>;
}

const INDEX_CURSOR = /^(?:0|[1-9][0-9]{0,14})$/;
const INDEX_MAX = 999_999_999_999_999;
const TYPE = /^[a-z][a-z0-9.-]{0,63}$/;

const entrySchema = z
  .looseObject({ at: z.number(), v: z.number() })
  .meta({ description: 'The entry as it stands in the log' });
const itemSchema = z.object({ index: z.int(), entry: entrySchema });
const proofSchema = z.object({
  size: z.int().meta({ description: 'Leaves of the tree that the checkpoint signs' }),
  root: z.string().meta({ description: 'Its root hash, base64' }),
  hashes: z.array(z.string()).meta({ description: 'The inclusion proof (RFC 9162), base64' }),
  leaf: z.string().meta({ description: 'The bytes that are hashed: canonical JSON of the entry' }),
  checkpoint: z.string().meta({ description: 'The signed note' }),
});

const query = z.strictObject({
  ...PAGE_MEMBERS,
  order: z
    .enum(['desc', 'asc'])
    .optional()
    .transform((order) => order ?? 'desc')
    .meta({ default: 'desc' }),
  credential: idSchema('credential').optional().meta({ description: 'Entries that mention it' }),
  principal: idSchema('principal').optional().meta({ description: 'Entries that mention it' }),
  type: z.string().regex(TYPE).optional().meta({ description: 'Of the control log the type, of the use log the kind' }),
});

/** The text that an entry of this type contains: members of canonical JSON stand in one order. */
function typeText(log: Log, type: string): string {
  return log === 'control' ? `"type":"${type}","uses":` : `"kind":"${type}"`;
}

function parsed(text: string): object {
  return JSON.parse(text) as object;
}

export function ledgerRoutes(room: LedgerRoom): Route[] {
  const tag = 'audit';
  return [
    ...LOGS.flatMap((log) => [
      route({
        method: 'GET',
        path: `/v1/audit/${log}`,
        permission: 'audit:read',
        summary: log === 'control' ? 'Changes of state and policy' : 'Brokered requests, their outcomes and refusals',
        description:
          'A search looks at a bounded stretch of the log: a page may hold fewer items than the limit, or none, and still have a next one.',
        tag,
        query,
        answers: {
          200: {
            about: 'A page of entries',
            schema: z.object({ items: z.array(itemSchema), next: z.string().nullable() }),
          },
        },
        async handler(_context, { query: asked }) {
          const from = asked.cursor === null ? null : Number(readCursor(asked.cursor, INDEX_CURSOR));
          const containing = [asked.credential, asked.principal]
            .filter((id) => id !== undefined)
            .map((id) => `"${id}"`);
          if (asked.type !== undefined) containing.push(typeText(log, asked.type));
          const found = await room.reader.search({ log, from, order: asked.order, limit: asked.limit, containing });
          const items = found.entries.map(({ index, text }) => ({ index, entry: parsed(text) }));
          return { status: 200, body: { items, next: found.next === null ? null : cursorOf(String(found.next)) } };
        },
      }),
      route({
        method: 'GET',
        path: `/v1/audit/${log}/{index}`,
        permission: 'audit:read',
        summary: 'An entry with the proof that it stands in the log',
        description:
          'The proof leads to the newest checkpoint; null where the entry is younger and the vault is sealed.',
        tag,
        params: z.strictObject({ index: queryInteger(0, INDEX_MAX) }),
        answers: {
          200: { about: 'The entry and its proof', schema: itemSchema.extend({ proof: proofSchema.nullable() }) },
        },
        async handler(_context, { params: { index } }) {
          const entry = await room.reader.entry(log, index);
          if (entry === null) throw new Failure('not-found', 'there is no such entry, or its month was pruned');
          return { status: 200, body: { index, entry: parsed(entry.text), proof: await proofOf(room, log, entry) } };
        },
      }),
    ]),
    route({
      method: 'GET',
      path: '/v1/audit/checkpoints',
      permission: 'audit:read',
      summary: 'The newest checkpoint of each log, and the keys to verify them with',
      tag,
      answers: {
        200: {
          about: 'Signed notes; null where nothing was published yet',
          schema: z.object({
            control: z.string().nullable(),
            use: z.string().nullable(),
            vkeys: z.object({ control: z.string().nullable(), use: z.string().nullable() }),
          }),
        },
      },
      async handler() {
        await publishIfOpen(room);
        const vkeys = { control: room.vkey('control'), use: room.vkey('use') };
        return { status: 200, body: { control: room.checkpoint('control'), use: room.checkpoint('use'), vkeys } };
      },
    }),
  ];
}

async function publishIfOpen(room: LedgerRoom): Promise<void> {
  try {
    await room.publish();
  } catch (error) {
    if (!Failure.is(error, 'sealed')) throw error;
  }
}

async function proofOf(room: LedgerRoom, log: Log, entry: { readonly index: number; readonly text: string }) {
  let found = newestCheckpoint(room, log);
  if (found === null || found.checkpoint.size <= entry.index) {
    await publishIfOpen(room);
    found = newestCheckpoint(room, log);
  }
  if (found === null || found.checkpoint.size <= entry.index) return null;
  const { size, root } = found.checkpoint;
  const hashes = await room.reader.proof(log, entry.index, size);
  const encoded = hashes.map((hash) => hash.toBase64());
  return { size, root: root.toBase64(), hashes: encoded, leaf: entry.text, checkpoint: found.note };
}

function newestCheckpoint(room: LedgerRoom, log: Log): { note: string; checkpoint: Checkpoint } | null {
  const note = room.checkpoint(log);
  if (note === null) return null;
  return { note, checkpoint: parseCheckpoint(note.slice(0, note.indexOf('\n\n') + 1)) };
}
