// Values that we make ourselves, for kinds whose key is whatever its owner sets: a Basic auth string. What is kept of the old value is the
// kind's to say; the rest comes from the machine's random source. Pure but for the source it is given.

import type { Random } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import type { Kind, Parts } from '../providers/provider.ts';

/** A sound source needs one round, two now and then. */
const ROUNDS_MAX = 64;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** So many letters and digits, each as likely as every other. */
function letters(count: number, random: Random): string {
  let text = '';
  // A byte at or above the largest multiple would favour the first letters.
  const limit = 256 - (256 % ALPHABET.length);
  for (let round = 0; round < ROUNDS_MAX && text.length < count; round++) {
    for (const byte of random.bytes(count)) {
      if (byte < limit && text.length < count) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  if (text.length < count) throw new Failure('unavailable', 'the random source gives nothing that can be used');
  return text;
}

/** The next value of a kind that we make; parts that are not made stay. Throws `invalid` where the kind is not made by us, or the old value has not its form. */
export function invent(kind: Kind, old: Parts, random: Random): Parts {
  const { made } = kind;
  const part = made === undefined ? undefined : old[made.part];
  if (made === undefined || part === undefined) throw new Failure('invalid', `a ${kind.title} is not made by us`);
  const kept = made.keeps.exec(revealSecretText(part))?.[0];
  if (kept === undefined) throw new Failure('invalid', `the ${kind.title} has not the form that one is made from`);
  return { ...old, [made.part]: new Secret(`${kept}${letters(made.letters, random)}`) };
}
