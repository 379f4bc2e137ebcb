// Seeded randomness for the simulator: sfc32 (Chris Doty-Humphrey's small fast counter generator) over a typed array, so that a
// draw allocates nothing. Not for secrets. Probabilities are thresholds of 2^32, made once by `rate`.

/** The state of a generator: a, b, c and the counter. */
export type Dice = Uint32Array;

/** A probability as a threshold: `chance` is true for this many of 2^32 draws. 0 draws nothing at all. */
export type Rate = number;

/** A bijection of the 32-bit numbers that leaves no pattern of its input visible (the finaliser of MurmurHash3). */
export function mix32(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The seed of one schedule of a run. Different indices give different seeds, since both steps are bijections. */
export function scheduleSeed(base: number, index: number): number {
  return mix32((mix32(base) + index) >>> 0);
}

export function throwDice(seed: number): Dice {
  const dice = new Uint32Array(4);
  dice[0] = seed;
  dice[1] = 0x9e3779b9;
  dice[2] = 0x243f6a88;
  dice[3] = 1;
  for (let i = 0; i < 12; i++) draw(dice);
  return dice;
}

/** The next 32 bits. */
export function draw(dice: Dice): number {
  const counter = dice[3]!;
  const b = dice[1]!;
  const c = dice[2]!;
  const sum = (dice[0]! + b + counter) | 0;
  dice[3] = counter + 1;
  dice[0] = b ^ (b >>> 9);
  dice[1] = c + (c << 3);
  dice[2] = ((c << 21) | (c >>> 11)) + sum;
  return sum >>> 0;
}

/** A whole number from 0 to `bound` - 1; 0 for a bound below 2. */
export function below(dice: Dice, bound: number): number {
  if (bound < 2) return 0;
  return Math.floor((draw(dice) / 4294967296) * bound);
}

/** Every second time. */
export const HALF: Rate = 0x80000000;

export function rate(probability: number): Rate {
  return Math.floor(probability * 4294967296);
}

export function chance(dice: Dice, threshold: Rate): boolean {
  return threshold !== 0 && draw(dice) < threshold;
}

export function pick<T>(dice: Dice, list: readonly T[]): T {
  return list[below(dice, list.length)]!;
}
