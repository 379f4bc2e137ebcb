// A request whose content comes late, while the policy moves on and others are served: its decision is recorded as of the moment in which it was
// sent on, so that a replay of the log finds nothing.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { startTwin } from '../../twins/kit.io.ts';
import { newPlaidSecret, newPlaidToken, plaidTwin } from '../../twins/plaid.ts';
import { prng } from '../../twins/prng.ts';
import { addCredential, addService, assertReplays, grant, issueToken } from '../support/applications.ts';
import { startHouse } from '../support/house.ts';

test('a request whose content comes late is decided when it is whole, and replays', async () => {
  const random = prng(1);
  const twin = await startTwin(plaidTwin);
  const house = await startHouse({ providers: { plaid: twin.origin }, broker: true });
  try {
    const secret = twin.control.mint({
      kind: 'client',
      name: '',
      account: 't',
      parts: { clientId: '0123456789abcdef01234567', secret: newPlaidSecret(random) },
    });
    const item = twin.control.mint({
      kind: 'access-token',
      name: '',
      account: 't',
      parts: { key: newPlaidToken(random, 'production') },
      more: { item: 'i' },
    });
    const team = await addCredential(house, { name: 'team', provider: 'plaid', kind: 'client', parts: secret.parts });
    const s = await addService(house, 's');
    await grant(house, s, team, ['item.get']);
    const { text } = await issueToken(house, s);
    const body = JSON.stringify({ access_token: item.parts['key'] });
    const url = new URL(house.brokerOrigin);
    const socket = connect(Number(url.port), '127.0.0.1');
    let got = '';
    socket.on('data', (d) => (got += d));
    socket.write(
      `POST /plaid/team/item/get HTTP/1.1\r\nHost: a\r\nPLAID-SECRET: ${text}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
    );
    await new Promise((r) => setTimeout(r, 100));
    await addService(house, 'other');
    const r = await fetch(`${house.brokerOrigin}/plaid/team/item/get`, {
      method: 'POST',
      headers: { 'plaid-secret': text, 'content-type': 'application/json' },
      body,
    });
    assert.equal(r.status, 200);
    await r.text();
    socket.write(body.slice(5));
    await new Promise((r) => socket.on('close', r));
    assert.match(got, /200 OK/);
    await assertReplays(house);
  } finally {
    await house.stop();
    await twin.close();
  }
});
