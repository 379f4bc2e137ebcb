// SendGrid at the family's conformance suite, and what is particular to it: scopes are always sent, and 401 is read by its body.
import assert from 'node:assert/strict';
import test from 'node:test';
import { providerConformance } from '../../test/conformance/provider.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { prng } from '../../twins/prng.ts';
import { newSendgridKey, sendgridTwin } from '../../twins/sendgrid.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { sendgridScopes } from './sendgrid.actions.ts';
import { sendgrid } from './sendgrid.ts';

const random = prng(7);

providerConformance(sendgrid, () =>
  kitTwin({
    definition: sendgridTwin,
    documents: [
      { file: 'specs/more/sendgrid/tsg_api_keys_v3.json', base: '' },
      { file: 'specs/more/sendgrid/tsg_scopes_v3.json', base: '' },
    ],
    issuer(kind, control) {
      const [known] = control.keys.all();
      const admin = known ?? control.mint(freshKey('admin'));
      return { acting: { parts: secretParts(admin), places: kind.places }, settings: {} };
    },
    byHand: (kind, control) => control.mint({ ...freshKey('by hand'), kind: kind.name }),
  }),
);

function freshKey(name: string) {
  return { kind: 'admin-key', name, account: 'a', scopes: [...sendgridScopes], parts: { key: newSendgridKey(random) } };
}

const kind = sendgrid.kinds[0]!;

test('a key is never asked for without its scopes: SendGrid would give it all there are', () => {
  assert.throws(
    () => kind.issue!.request({ settings: {}, label: 'l' }),
    (error) => Failure.is(error, 'invalid'),
  );
  const { json } = kind.issue!.request({ settings: {}, label: 'l', scopes: ['mail.send'] });
  assert.deepEqual(json, { name: 'l', scopes: ['mail.send'] });
});

test('401 is death in SendGrid’s own form alone; 403 is a live key of few rights', () => {
  const read = (status: number, json: Json) =>
    kind.probe.read({ status, headers: {}, json, text: JSON.stringify(json) }, { settings: {} }).is;
  const error = { errors: [{ field: null, message: 'authorization required' }] };
  assert.equal(read(401, error), 'dead');
  assert.equal(read(403, error), 'alive');
  assert.equal(read(401, null), 'unknown');
  assert.equal(read(401, { message: 'proxy' }), 'unknown');
  assert.equal(read(200, {}), 'unknown');
});
