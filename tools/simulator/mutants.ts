// Every planted defect. The simulator must break an invariant with each one.
import type { Mutant } from './mutant.ts';
import { ASSISTED } from './mutants-assisted.ts';
import { FOUND } from './mutants-found.ts';
import { PROMISED } from './mutants-promised.ts';
import { ORDERED } from './mutants-revocation.ts';
import { SWAPPED } from './mutants-swap.ts';

export const MUTANTS: readonly Mutant[] = [...PROMISED, ...FOUND, ...SWAPPED, ...ASSISTED, ...ORDERED];
