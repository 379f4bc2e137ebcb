// All routes of this room: principals, tokens, grants, suggestions, apply.
import { createTurns, type Route } from '../model/route.ts';
import { type PrincipalRoom, principalRoutes } from './api-principals.ts';

export type AccessRoom = Omit<PrincipalRoom, 'inTurn'>;

export function accessRoutes(room: AccessRoom): Route[] {
  const inTurn = createTurns();
  return [...principalRoutes({ ...room, inTurn })];
}
