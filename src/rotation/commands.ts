// What people, restores and revocations may do to a rotation from outside its loop: the state after it, whichever protocol the row follows. Pure.
import type { Instant } from '../model/instant.ts';
import { evolve, type OverlapEvent } from './overlap.ts';
import { isSwap, type RotationRow, type RotationState } from './rotation.ts';
import { SWAP } from './swap.ts';

export type RotationCommand = Extract<
  OverlapEvent,
  { readonly on: 'issued' | 'expired' | 'cancelled' | 'resumed' | 'superseded' }
>;

/** The very same state where the command changes nothing. */
export function afterCommand(row: RotationRow, command: RotationCommand, now: Instant): RotationState {
  if (!isSwap(row)) return evolve(row.state, command, now, row.policy);
  // A swap waits for no person.
  if (command.on === 'issued' || command.on === 'expired') return row.state;
  return SWAP.evolve(row.state, command, now, row.policy);
}
