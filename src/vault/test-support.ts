// What the tests of this room share: a context, keys with a marker in them, a vault that is unsealed. Pure, since cipher and
// randomness are given. Not part of the product: nothing but tests imports it.
import type { Random } from '../model/clock.ts';
import { newId } from '../model/id.ts';
import { Secret } from '../model/secret.ts';
import type { Cipher } from './cipher.ts';
import type { EnvelopeContext } from './context.ts';
import { type KekHolding, type KekRole, type KekRow, newKek } from './kek.ts';
import type { WrappingKey } from './wrap.ts';

export const TEST_NOW = 1_790_000_000_000;

/** A context in which nothing is shared with another one made with other ids. */
export function testContext(change: Partial<EnvelopeContext> = {}): EnvelopeContext {
  return {
    space: 'default',
    environment: 'production',
    credential: 'crd_0198c1f2a0007aaa8bbbcccccccccc01',
    version: 'ver_0198c1f2a0007aaa8bbbcccccccccc02',
    purpose: 'use',
    destination: {
      origin: 'https://api.example.test',
      places: [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }],
    },
    ...change,
  };
}

/** A KEK row with its check and key. `rows` are those that are there already. */
export function testKek(input: {
  readonly cipher: Cipher;
  readonly random: Random;
  readonly rows?: readonly KekRow[];
  readonly role?: KekRole;
}): KekHolding & { readonly key: Secret } {
  const { cipher, random, rows = [], role = 'primary' } = input;
  const key = new Secret(random.bytes(32));
  const id = newId('kek', TEST_NOW, random);
  return { ...newKek({ cipher, random, now: TEST_NOW, id, rows, role, params: null, key }), key };
}

/** The key of a holding in the form that the pure functions take. */
export function wrappingKey({ row, key }: KekHolding & { readonly key: Secret }): WrappingKey {
  return { id: row.id, version: row.version, key };
}

/** Predictable bytes, for records that must come out the same each time. Never for anything else. */
export function countingRandom(start = 0): Random {
  let next = start;
  return {
    bytes(length) {
      return Uint8Array.from({ length }, () => next++ % 251);
    },
  };
}

/** Everything that an error shows: message, stack, cause, and its own fields, as text. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.stack}\n${JSON.stringify(error)}\n${error.cause === undefined ? '' : errorText(error.cause)}`;
}
