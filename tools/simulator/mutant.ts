// What a planted defect is. Each is a textual patch of the real source files, or of the simulator's own rim where the rule lives in the
// rim; the simulator must break an invariant with each one. `from` occurs exactly once in its file, so that a mutant which no
// longer applies is noticed. A defect that the simulator found has its reversal here.

export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly name: string;
  /** `protocol`: the pure files of src. `shell`: the simulator's rim; the production rim has tests of its own. */
  readonly where: 'protocol' | 'shell';
  /** Why it matters: what would happen to somebody's keys. */
  readonly why: string;
  readonly edits: readonly Edit[];
  /** Whose simulation must catch it; `overlap` where it does not say. */
  readonly protocol?: 'overlap' | 'swap' | 'assisted' | 'revocation';
}

export const OVERLAP = 'src/rotation/overlap.ts';
export const OVERLAP_STEPS = 'src/rotation/overlap-steps.ts';
export const SWAP = 'src/rotation/swap.ts';
export const DRIVE = 'src/credentials/drive.ts';
export const DEATH = 'src/credentials/death.ts';
export const LABEL = 'src/credentials/label.ts';
export const INVENTORY = 'src/credentials/inventory.ts';
export const RECOVERY = 'src/credentials/recovery.ts';
export const INSTANT = 'src/model/instant.ts';
export const SHELL = 'tools/simulator/shell.ts';
export const DATABASE = 'tools/simulator/database.ts';
export const LOOKS = 'tools/simulator/looks.ts';
export const MACHINES = 'tools/simulator/machines.ts';
export const BOOTS = 'tools/simulator/boots.ts';
export const SCHEDULE = 'tools/simulator/schedule.ts';

export function protocol(name: string, why: string, ...edits: [string, string, string][]): Mutant {
  return { name, where: 'protocol', why, edits: edits.map(([file, from, to]) => ({ file, from, to })) };
}

/** A defect of the swap protocol. */
export function swap(name: string, why: string, ...edits: [string, string][]): Mutant {
  return {
    ...protocol(name, why, ...edits.map(([from, to]): [string, string, string] => [SWAP, from, to])),
    protocol: 'swap',
  };
}

export function shell(name: string, why: string, ...edits: [string, string, string][]): Mutant {
  return { ...protocol(name, why, ...edits), where: 'shell' };
}
