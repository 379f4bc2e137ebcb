// Whether those who use a key have come to the broker, before it is rotated for the first time. The key that a credential came with stood in a file
// somewhere. Where the provider says when a key was last used, the drain waits for everybody; where it does not, and nothing has come through the
// broker with this key, nobody knows whether an application still holds it, and to revoke it may be an outage.
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { Kind } from '../providers/provider.ts';

/** Only the key that a credential came with is known to anybody but us: those after it were made or brought for the broker alone. */
export function mayBeHeldOutside(
  credential: Pick<CredentialRow, 'purpose' | 'issuerId'>,
  version: Pick<VersionRow, 'number' | 'label'>,
  kind: Pick<Kind, 'showsLastUse'>,
): boolean {
  const isWatched = kind.showsLastUse === true && credential.issuerId !== null;
  return credential.purpose === 'lend' && version.number === 1 && version.label === null && !isWatched;
}

/** What to say of a key that nothing has used through the broker. `provider`: its title. */
export function unseen(provider: string): string {
  return (
    `nothing has used this key through the broker, and ${provider} does not say when a key was last used: ` +
    'an application that still holds it would be refused once it is revoked'
  );
}
