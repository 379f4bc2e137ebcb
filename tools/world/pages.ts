// The pages of a stand's provider, for a person at a shell: a door on loopback that makes the next key of the first credential, and deletes the old
// ones, where a browser would be. It shows keys of a twin in clear; they end with it.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Person } from './stand.ts';

/** `POST /key`: the secret part of a new key, as text. `DELETE /old-keys`: all but the newest end, where the provider lets a person do that. */
export async function openPages(person: Person): Promise<{ readonly origin: string; close(): Promise<void> }> {
  let round = 0;
  const server = createServer((request, response) => {
    request.resume();
    const line = `${request.method} ${request.url}`;
    if (line === 'POST /key') {
      const secret = Object.values(person.make(0, ++round)).at(-1) ?? '';
      response.writeHead(201, { 'content-type': 'text/plain' }).end(secret);
    } else if (line === 'DELETE /old-keys' && person.endOld !== null) {
      person.endOld(0);
      response.writeHead(204).end();
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
