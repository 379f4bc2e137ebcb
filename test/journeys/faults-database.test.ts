// A server whose database cannot be written: the disk full, files that may not grow, locked by somebody else, deleted, gone. Nothing is
// served without its record, what failed leaves nothing behind, and service is back when the fault is over.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import pg from 'pg';
import { openSqlite } from '../../src/database/sqlite-commit.io.ts';
import { startPostgresql } from '../support/postgresql.ts';
import { assertProblem, type FaultHouse, openFaultHouse, pause, until } from './fault-house.ts';

describe('the database', () => {
  /** What holds while it cannot write, and when it can again. */
  async function unwritable(house: FaultHouse, name: string, end: () => Promise<void> | void): Promise<void> {
    const arrived = house.upstream.arrived.length;
    const { credential } = house.ids;
    const [write, read, change] = await Promise.all([
      house.send('DELETE', `${name}-write`),
      house.send('GET', `${name}-read`),
      house.api('POST', `/v1/credentials/${credential}/suspend`, { reason: 'test' }),
    ]);
    assertProblem(write, 503, 'record-unwritable');
    assertProblem(read, 503, 'record-unwritable');
    assert.equal(change.status, 503, JSON.stringify(change.json));
    assert.deepEqual(
      house.upstream.arrived.slice(arrived).filter((line) => !line.startsWith('GET ')),
      [],
      'a write was sent without its record',
    );
    await end();
    await until('it is served again', async () => (await house.send('GET', `${name}-again`)).status === 200, 10_000);
    const entries = await house.uses();
    assert.deepEqual(
      entries.filter((entry) => /-(?:read|write)$/.test(String(entry['path']))),
      [],
    );
    const shown = await house.api('GET', `/v1/credentials/${credential}`);
    assert.equal((shown.json['credential'] as { suspendedAt: unknown }).suspendedAt, null);
    assert.deepEqual(house.lost, []);
    // What failed has left nothing behind: the log is one, and its writer goes on with it.
    assert.equal((await house.api('POST', `/v1/credentials/${credential}/suspend`, { reason: 'test' })).status, 200);
    assertProblem(await house.send('GET', `${name}-suspended`), 403, 'credential-suspended');
  }

  test('disk full: nothing is served without its record, and all is well when there is room again', async (t) => {
    const mount = mkdtempSync(path.join(os.tmpdir(), 'claviger-full-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'none', mount], { stdio: 'ignore' });
    if (mounted.status !== 0) {
      t.diagnostic('no file system could be mounted here: see the next test');
      rmSync(mount, { recursive: true });
      return;
    }
    try {
      const house = await openFaultHouse({ parent: mount });
      assert.equal((await house.send('GET', 'before')).status, 200);
      const filler = path.join(mount, 'filler');
      let refused = 0;
      // What is left in the log's file may still take a record or two, also after one that did not fit.
      await until('the disk is full', async () => {
        spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1k'], { stdio: 'ignore' });
        const { status } = await house.send('GET', `filling-${performance.now().toFixed(0)}`);
        refused = status === 503 ? refused + 1 : 0;
        await pause(100);
        return refused === 4;
      });
      await unwritable(house, 'full', () => rmSync(filler));
      await house.stop();
    } finally {
      execFileSync('umount', ['--lazy', mount]);
      rmSync(mount, { recursive: true });
    }
  });

  test('files that may not grow: nothing is served without its record, and all is well when they may again', async (t) => {
    const limit = (bytes: string) =>
      spawnSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`], { stdio: 'ignore' }).status === 0;
    if (!limit('unlimited')) {
      t.diagnostic('prlimit is not there');
      return;
    }
    const house = await openFaultHouse();
    assert.equal((await house.send('GET', 'before')).status, 200);
    const log = path.join(house.config.dataDirectory, 'claviger.db-wal');
    try {
      assert.ok(limit(String(statSync(log).size)));
      await unwritable(house, 'limited', () => void limit('unlimited'));
    } finally {
      limit('unlimited');
    }
    await house.stop();
  });

  test('locked by somebody else for longer than is waited: 503, and service again', async () => {
    const house = await openFaultHouse();
    const other = openSqlite(path.join(house.config.dataDirectory, 'claviger.db'));
    other.exec('BEGIN IMMEDIATE');
    await unwritable(house, 'locked', () => {
      other.exec('ROLLBACK');
      other.close();
    });
    await house.stop();
  });

  test('deleted under the server: it says so and serves no more', async () => {
    const house = await openFaultHouse();
    for (const end of ['', '-wal', '-shm']) rmSync(path.join(house.config.dataDirectory, `claviger.db${end}`));
    await until('the server knows', () => house.lost.length > 0);
    const answer = await house.send('DELETE', 'deleted-write');
    await house.stop();
    assertProblem(answer, 503, 'record-unwritable');
  });

  /** PostgreSQL behind a connection that can be made to break right after a commit was sent. */
  async function fragile(
    url: string,
  ): Promise<{ url: string; breakAtCommit(isDelivered: boolean): void; close(): void }> {
    const target = new URL(url);
    let isArmed = false;
    let isGiven = true;
    const sockets = new Set<net.Socket>();
    const server = net.createServer((client) => {
      const upstream = net.connect(Number(target.port), target.hostname);
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          client.destroy();
          upstream.destroy();
        });
      }
      upstream.pipe(client);
      client.on('data', (chunk) => {
        if (!isArmed || !chunk.includes('COMMIT')) {
          upstream.write(chunk);
          return;
        }
        isArmed = false;
        upstream.unpipe(client);
        if (isGiven) upstream.write(chunk, () => client.destroy());
        else client.destroy();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const through = new URL(url);
    through.port = String((server.address() as net.AddressInfo).port);
    return {
      url: through.href,
      breakAtCommit(isDelivered) {
        isArmed = true;
        isGiven = isDelivered;
      },
      close() {
        server.close();
        for (const socket of sockets) socket.destroy();
      },
    };
  }

  for (const isDelivered of [true, false]) {
    const where = isDelivered ? 'between a commit and its answer' : 'before a commit';
    test(`PostgreSQL lost ${where}: memory says what the log says, or the process ends`, async (t) => {
      const postgresql = await startPostgresql();
      if (postgresql === null) return t.skip('no PostgreSQL');
      const url = await postgresql.createDatabase();
      const proxy = await fragile(url);
      const house = await openFaultHouse({ databaseUrl: proxy.url });
      proxy.breakAtCommit(isDelivered);
      const changed = await house.api('POST', `/v1/credentials/${house.ids.credential}/suspend`, { reason: 'test' });
      assert.equal(changed.status, 503, 'nobody can say whether it happened');
      await pause(200);
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      const { rows } = await client.query<{ row: string }>('SELECT row FROM credentials');
      await client.end();
      const isSuspended = rows.some(({ row }) => (JSON.parse(row) as { suspendedAt: unknown }).suspendedAt !== null);
      const answer = await house.send('GET', 'after');
      assert.equal(isSuspended, isDelivered);
      assert.equal(answer.status === 200, !isSuspended, 'the ledger says that it is suspended, and it is served');
      assert.equal(house.lost.length > 0, isSuspended);
      await house.stop();
      proxy.close();
      await postgresql.stop();
    });
  }

  test('PostgreSQL gone: nothing is served without its record, and the server says that it is lost', async (t) => {
    const postgresql = await startPostgresql();
    if (postgresql === null) return t.skip('no PostgreSQL');
    const house = await openFaultHouse({ databaseUrl: await postgresql.createDatabase() });
    assert.equal((await house.send('GET', 'before')).status, 200);
    await postgresql.stop();
    const arrived = house.upstream.arrived.length;
    assertProblem(await house.send('DELETE', 'gone-write'), 503, 'record-unwritable');
    assertProblem(await house.send('GET', 'gone-read'), 503, 'record-unwritable');
    assert.ok(house.upstream.arrived.slice(arrived).every((line) => line.startsWith('GET ')));
    await until('the server knows', () => house.lost.length > 0);
    assert.equal((await fetch(`${house.serving.apiOrigin}/readyz`)).status, 503);
    await house.stop();
  });
});
