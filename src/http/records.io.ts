// Rows as the database has them, history included: ended rotations, revoked tokens, certificates. Pages by id, which is by age. What is in
// force is read from memory, not here.
import type { Kysely } from 'kysely';
import { type Schema, TABLE_OF } from '../database/schema.ts';
import type { Row } from '../model/change.ts';
import { cutPage, ID_CURSOR, type Records, readCursor } from '../model/route.ts';

export function createRecords(read: Kysely<Schema>): Records {
  return {
    async page<R extends Row>(
      noun: Parameters<Records['page']>[0],
      filter: Parameters<Records['page']>[1],
      page: Parameters<Records['page']>[2],
    ) {
      let query = read
        .selectFrom(TABLE_OF[noun])
        .select('row')
        .orderBy('id', page.order)
        .limit(page.limit + 1);
      if (filter.parent !== null) query = query.where('parent', '=', filter.parent);
      if (filter.live !== null) query = query.where('live', '=', filter.live ? 1 : 0);
      if (page.cursor !== null) {
        query = query.where('id', page.order === 'asc' ? '>' : '<', readCursor(page.cursor, ID_CURSOR));
      }
      const found = await query.execute();
      return cutPage(
        found.map(({ row }) => JSON.parse(row) as R),
        page.limit,
      );
    },
    async find<R extends Row>(noun: Parameters<Records['find']>[0], id: string) {
      const found = await read.selectFrom(TABLE_OF[noun]).select('row').where('id', '=', id).executeTakeFirst();
      return found === undefined ? null : (JSON.parse(found.row) as R);
    },
  };
}
