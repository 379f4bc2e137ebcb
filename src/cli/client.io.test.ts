// The HTTP client: TLS is always verified, what may have acted is said to, answers are bounded, and silence ends.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import { createClient } from './client.io.ts';
import { EXIT, exitOf } from './exit.ts';
import { call, TOKEN, temporaryFolder } from './test-support.io.ts';

async function listening(t: TestContext, server: Server & { closeAllConnections(): void }): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function client(t: TestContext, origin: string, more: { answerMs?: number } = {}) {
  const made = createClient({
    origin,
    token: new Secret(TOKEN),
    caFile: null,
    randomBytes: (length) => new Uint8Array(length),
    ...more,
  });
  t.after(async () => (await made).close());
  return made;
}

/** Key and certificate for 127.0.0.1, or null where the machine has no openssl. */
function makeCertificate(): { key: string; cert: string } | null {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'claviger-cert-'));
  const at = (name: string) => path.join(folder, name);
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=claviger', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = spawnSync('openssl', [...args, ...names, '-keyout', at('key'), '-out', at('cert')]);
  const found =
    made.status === 0 ? { key: readFileSync(at('key'), 'utf8'), cert: readFileSync(at('cert'), 'utf8') } : null;
  rmSync(folder, { recursive: true });
  return found;
}

const certificate = makeCertificate();
const withTls = { skip: certificate === null ? 'SKIPPED LOUDLY: no openssl here, TLS to the API is untested' : false };

test('a certificate is trusted by --ca-file alone, whatever the environment says', withTls, async (t) => {
  let seen = 0;
  const server = https.createServer({ ...certificate! }, (_request, response) => {
    seen++;
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end('{"sealed":true,"logs":{"control":{},"use":{}}}');
  });
  const port = await listening(t, server);
  const folder = temporaryFolder(t);
  const env = { CLAVIGER_API: `https://127.0.0.1:${port}`, CLAVIGER_TOKEN: TOKEN };
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  t.after(() => {
    delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  });
  const distrusted = await call(['status'], { env });
  assert.deepEqual([distrusted.exit, seen], [EXIT.unreachable, 0]);
  assert.match(distrusted.err, /not trusted .*--ca-file/);
  writeFileSync(path.join(folder, 'ca.pem'), certificate!.cert);
  assert.equal((await call(['status', '--ca-file', path.join(folder, 'ca.pem')], { env })).exit, 0);
  assert.equal((await call(['status'], { env: { ...env, CLAVIGER_CA_FILE: path.join(folder, 'ca.pem') } })).exit, 0);
  const wrongName = await call(
    ['status', '--api', `https://localhost:${port}`, '--ca-file', path.join(folder, 'ca.pem')],
    { env },
  );
  assert.equal(wrongName.exit, EXIT.unreachable);
  writeFileSync(path.join(folder, 'no.pem'), 'canary');
  assert.equal((await call(['status', '--ca-file', path.join(folder, 'no.pem')], { env })).exit, EXIT.usage);
});

test('a connection that breaks: a read did nothing, a write may have, a refused connection certainly did not', async (t) => {
  const server = createServer((request) => request.socket.destroy());
  const port = await listening(t, server);
  const { send } = await client(t, `http://127.0.0.1:${port}`);
  const failure = async (method: 'GET' | 'POST', path: string, sender = send) => {
    const error = await sender({ method, path }).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    assert(Failure.is(error));
    assert.equal(exitOf(error), EXIT.unreachable);
    return error.code;
  };
  assert.equal(await failure('GET', '/v1/status'), 'upstream-unavailable');
  assert.equal(await failure('POST', '/v1/seal'), 'upstream-ambiguous');
  const nobody = await client(t, 'http://127.0.0.1:1');
  assert.equal(await failure('POST', '/v1/seal', nobody.send), 'upstream-unavailable');
});

test('a server that says nothing is given up on; an answer without an end is cut', async (t) => {
  const silent = await listening(
    t,
    createServer(() => {}),
  );
  const { send } = await client(t, `http://127.0.0.1:${silent}`, { answerMs: 50 });
  await assert.rejects(send({ method: 'GET', path: '/v1/status' }), (error) => exitOf(error) === EXIT.unreachable);
  const endless = await listening(
    t,
    createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(1_048_576, ' ');
      const more = () => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    }),
  );
  const bounded = await client(t, `http://127.0.0.1:${endless}`);
  await assert.rejects(bounded.send({ method: 'GET', path: '/v1/status' }), (error) =>
    Failure.is(error, 'upstream-rejected'),
  );
});
