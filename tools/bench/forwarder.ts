// The plain forwarder that the broker is compared with: node:http in, undici `dispatch` out, one header set, nothing else.
// usage: forwarder.ts UPSTREAM_PORT KEY_HEADER_VALUE ; prints its port
import http from 'node:http';
import type net from 'node:net';
import { Pool } from 'undici';

const [upstream, authorization] = process.argv.slice(2);
const pool = new Pool(`http://127.0.0.1:${upstream}`, { connections: 256, pipelining: 1 });

const server = http.createServer((request, response) => {
  const headers: string[] = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!.toLowerCase();
    if (name === 'host' || name === 'connection' || name === 'authorization') continue;
    headers.push(name, request.rawHeaders[i + 1]!);
  }
  headers.push('authorization', authorization!);
  pool.dispatch(
    { path: request.url!, method: request.method as 'GET', headers, body: null },
    {
      onRequestStart() {},
      onResponseStart(controller, status) {
        const raw = (controller.rawHeaders as Buffer[]).map((part) => part.toString('latin1'));
        const lines: string[] = [];
        for (let i = 0; i < raw.length; i += 2)
          if (!/^(?:connection|keep-alive)$/i.test(raw[i]!)) lines.push(raw[i]!, raw[i + 1]!);
        response.writeHead(status, lines);
      },
      onResponseData(controller, chunk) {
        if (!response.write(chunk)) {
          controller.pause();
          response.once('drain', () => controller.resume());
        }
      },
      onResponseEnd() {
        response.end();
      },
      onResponseError() {
        response.destroy();
      },
    },
  );
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as net.AddressInfo).port}\n`));
process.on('SIGINT', () => process.exit(0));
