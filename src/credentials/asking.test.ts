// Asking with a key: what is asked first, what never goes along, and what is not asked at all. Lists and pages are tested where they are used.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialRow, versionRow } from '../../test/support/rows.ts';
import { Failure } from '../model/failure.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { neon } from '../providers/neon.ts';
import type {
  Acting,
  Call,
  IssueInput,
  Kind,
  ProviderAnswer,
  ProviderRequest,
  Soundness,
} from '../providers/provider.ts';
import { type Asker, createAsker } from './asking.ts';

const ANSWER: ProviderAnswer = { status: 200, headers: {}, json: null, text: '' };
const EVIDENCE = { status: 200, signature: 'said', requestId: null };
const holder = { credential: credentialRow(), version: versionRow() };

interface Sent {
  readonly path: string;
  readonly keys: readonly string[];
  readonly secrets: ProviderRequest['secrets'];
}

function askerWith(given: Partial<Kind>, call?: Call): { asker: Asker; kind: Kind; sent: Sent[] } {
  const sent: Sent[] = [];
  const kind: Kind = {
    ...neon.kinds[0]!,
    probe: {
      request: () => ({ method: 'GET', path: '/probe' }),
      read: () => ({ is: 'alive', evidence: EVIDENCE }),
    },
    ...given,
  };
  const keysOf = ({ parts }: Acting) => Object.values(parts).map(revealSecretText);
  const asker = createAsker({
    kindOf: () => ({ kind }),
    callFor: () => (request, acting, target) => {
      sent.push({ path: request.path, keys: keysOf(acting), secrets: request.secrets });
      return call === undefined ? Promise.resolve(ANSWER) : call(request, acting, target);
    },
    open: () => Promise.resolve({ key: new Secret('canary key') }),
  });
  return { asker, kind, sent };
}

function preflightThat(said: Soundness): NonNullable<Kind['preflight']> {
  // As a member might write it by mistake: with a key.
  const secrets = [{ of: 'acting', in: 'header', name: 'x-key', scheme: null }] as const;
  return { request: () => ({ method: 'GET', path: '/preflight', secrets }), read: () => said };
}

test('a kind with a preflight is asked that first, and no key goes along, whatever its member wrote', async () => {
  const { asker, sent } = askerWith({ preflight: preflightThat({ is: 'sound', evidence: EVIDENCE }) });
  assert.equal((await asker.probe(holder, null)).is, 'alive');
  assert.deepEqual(sent, [
    { path: '/preflight', keys: [], secrets: [] },
    { path: '/probe', keys: ['canary key'], secrets: undefined },
  ]);
  await asker.probeParts(holder.credential, { key: new Secret('canary other') }, null);
  assert.deepEqual(
    sent.slice(2).map(({ path, keys }) => [path, keys]),
    [
      ['/preflight', []],
      ['/probe', ['canary other']],
    ],
  );
});

test('what a key may do is all that its questions say together, and unknown where one of them does not', async () => {
  const right = (path: string, scopes: readonly string[] | null): NonNullable<Kind['rights']>[number] => ({
    request({ settings }) {
      if (path === '/needs' && settings['workspaceId'] === undefined)
        throw new Failure('invalid', 'the setting workspaceId is missing');
      return { method: 'GET', path };
    },
    read: () =>
      scopes === null
        ? { is: 'unknown', evidence: EVIDENCE }
        : { is: 'known', account: null, scopes, evidence: EVIDENCE },
  });
  const ask = async (...rights: NonNullable<Kind['rights']>) => {
    const { asker } = askerWith({ rights });
    const said = await asker.rights(holder.credential, { key: new Secret('canary key') }, null);
    return said?.is === 'known' ? said.scopes : said?.evidence.signature;
  };
  assert.deepEqual(await ask(right('/one', ['a', 'b']), right('/two', ['c'])), ['a', 'b', 'c']);
  assert.equal(await ask(right('/one', ['a']), right('/two', null)), 'said');
  assert.equal(await ask(right('/one', ['a']), right('/needs', ['c'])), 'the setting workspaceId is missing');
  const { asker } = askerWith({});
  assert.equal(await asker.rights(holder.credential, { key: new Secret('canary key') }, null), null);
  const broken = askerWith({ rights: [right('/one', ['a'])] }, () =>
    Promise.reject(new Failure('upstream-ambiguous', 'x')),
  );
  const silent = await broken.asker.rights(holder.credential, { key: new Secret('canary key') }, null);
  assert.deepEqual([silent?.is, silent?.evidence.signature], ['unknown', 'transport.upstream-ambiguous']);
});

test('where the preflight is not sound the key is not asked about, and nothing is known', async () => {
  const evidence = { ...EVIDENCE, signature: 'example.200.open' };
  const cases: readonly (readonly [Soundness, number | null])[] = [
    [{ is: 'unsound', evidence }, null],
    [{ is: 'unknown', evidence, retryAfterMs: 7_000 }, 7_000],
  ];
  for (const [said, retryAfterMs] of cases) {
    const { asker, sent } = askerWith({ preflight: preflightThat(said) });
    assert.deepEqual(await asker.probe(holder, null), { is: 'unknown', evidence, retryAfterMs });
    assert.deepEqual(
      sent.map(({ path }) => path),
      ['/preflight'],
    );
  }
});

test('a preflight without an answer is silence', async () => {
  const preflight = preflightThat({ is: 'sound', evidence: EVIDENCE });
  for (const code of ['upstream-ambiguous', 'upstream-unavailable', 'upstream-rejected'] as const) {
    const { asker } = askerWith({ preflight }, () => Promise.reject(new Failure(code, 'canary')));
    assert.deepEqual(await asker.probe(holder, null), {
      is: 'unknown',
      evidence: { status: null, signature: `transport.${code}`, requestId: null },
      retryAfterMs: null,
    });
  }
});

test('a key is not asked for with an end that its kind cannot give: nothing is sent', async () => {
  const input: IssueInput & { providerKeyId: string } = { settings: {}, label: 'l', providerKeyId: '1' };
  const operation = {
    request: () => ({ method: 'POST' as const, path: '/keys' }),
    read: () => ({ is: 'ambiguous' as const, evidence: EVIDENCE }),
  };
  for (const canExpire of [true, false]) {
    const { asker, kind, sent } = askerWith({ issue: operation, replace: operation, ...(canExpire && { canExpire }) });
    for (const expiresAt of [undefined, 1_800_000_000_000]) {
      const asked = expiresAt === undefined ? input : { ...input, expiresAt };
      const expected = canExpire || expiresAt === undefined ? 'ambiguous' : 'no-answer';
      const issued = await asker.issue(kind, asked, holder);
      assert.equal(issued.is, expected);
      if (issued.is === 'no-answer') assert.equal(issued.code, 'invalid');
      assert.equal((await asker.replace(kind, asked, holder, holder)).is, expected);
    }
    assert.equal(sent.length, canExpire ? 4 : 2);
  }
});
