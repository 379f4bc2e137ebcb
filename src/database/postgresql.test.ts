// The conformance suite on a real PostgreSQL.
import { after, test } from 'node:test';
import { databaseConformance } from '../../test/conformance/database.ts';
import { startPostgresql } from '../../test/support/postgresql.ts';
import { migratePostgresql, openPostgresqlDatabase } from './postgresql.io.ts';

const server = await startPostgresql();
after(() => server?.stop());

if (server === null) test('postgresql', { skip: 'no PostgreSQL can be started here' }, () => {});
else {
  databaseConformance('postgresql', async () => {
    const url = await server.createDatabase();
    await migratePostgresql(url);
    return (options) => openPostgresqlDatabase({ url, ...options });
  });
}
