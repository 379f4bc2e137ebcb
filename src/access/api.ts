// All routes of this room: principals, tokens, grants, providers, apply, and a credential with what its grants
// need. What changes rows of several nouns comes one after the other.
import { createTurns, type Route } from '../model/route.ts';
import type { Provider } from '../providers/provider.ts';
import { type ApplyRoom, applyRoutes } from './api-apply.ts';
import { type CredentialRouteRoom, credentialRoute } from './api-credential.ts';
import { type GrantRoom, grantRoutes } from './api-grants.ts';
import { type PrincipalRoom, principalRoutes } from './api-principals.ts';
import { providerRoutes } from './api-providers.ts';

export type AccessRoom = Omit<PrincipalRoom & GrantRoom & ApplyRoom & CredentialRouteRoom, 'inTurn'> & {
  readonly providers: () => Iterable<Provider>;
};

export function accessRoutes(room: AccessRoom): Route[] {
  const inTurn = createTurns();
  return [
    ...principalRoutes({ ...room, inTurn }),
    ...grantRoutes({ ...room, inTurn }),
    ...providerRoutes(room.providers),
    ...applyRoutes({ ...room, inTurn }),
    credentialRoute(room),
  ];
}
