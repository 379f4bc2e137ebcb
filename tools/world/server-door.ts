// The door to a machine on which a Prefect Server runs, on loopback: PUT with another string, and the server is restarted with it. What the program
// set-string.ts asks; it stands for the shell of that machine.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { ServerStand } from './stands.ts';

export async function openServerDoor(
  restart: ServerStand['restart'],
): Promise<{ readonly origin: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      if (request.method === 'PUT') restart(body);
      response.writeHead(request.method === 'PUT' ? 204 : 405).end();
    });
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
