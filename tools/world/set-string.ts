// A program of the operator's, as `programs` names it: reads what Claviger asks on standard input and puts the new value into force by a door that
// restarts the server (server-door.ts), where examples/programs/prefect-server.sh would write a file and restart a unit.
// usage: set-string.ts ORIGIN   exit status 75: certainly nothing was changed
import { text } from 'node:stream/consumers';

const NOTHING_CHANGED = 75;
const [origin = ''] = process.argv.slice(2);
const order = JSON.parse(await text(process.stdin)) as { do: string; parts: { key: string } };
if (order.do !== 'replace') process.exit(NOTHING_CHANGED);
const answer = await fetch(origin, { method: 'PUT', body: order.parts.key });
process.exit(answer.status === 204 ? 0 : 1);
