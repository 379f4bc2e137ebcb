// Where applications reach the broker, and what a provider's own client is told of it: the broker takes the provider's paths as they are, so
// whatever a client puts between the provider's origin and a path belongs behind the broker's address too. Not here: the
// address of the control API (profile.ts).
import { Failure } from '../model/failure.ts';
import type { Context } from './context.ts';
import { apiOrigin, listenerOrigin } from './profile.ts';
import { visible } from './text.ts';

/** What `/v1/providers` says of a provider's addresses. */
export interface ProviderAddress {
  readonly name: string;
  readonly origin?: string;
  /** What all its paths begin with: `/api/v2`; empty where they share nothing. */
  readonly prefix?: string;
}

/** Origin of the broker: what was given, CLAVIGER_BROKER, the listener of the configuration; null where nobody says. */
export async function brokerOrigin(context: Context, given: string | null): Promise<string | null> {
  const named = given ?? context.machine.env['CLAVIGER_BROKER'] ?? null;
  if (named !== null) return apiOrigin(named);
  if ((await context.configFile()) === null) return null;
  return listenerOrigin((await context.config()).config.broker);
}

/** What is known of a provider; null where this caller may not see it. */
export async function providerAddress(context: Context, name: string): Promise<ProviderAddress | null> {
  const api = await context.api();
  try {
    const items = await api.whole<ProviderAddress>('/v1/providers');
    return items.find((one) => one.name === name) ?? null;
  } catch (error) {
    if (!Failure.is(error, 'denied')) throw error;
    return null;
  }
}

/** One sentence for whoever sets up a client: `base` is where this token's requests go, without a path of the provider. */
export function clientSentence(base: string, provider: ProviderAddress | null): string {
  const { origin = '', prefix = '' } = provider ?? {};
  if (origin === '' || prefix === '') return `The provider’s own paths follow this address: ${visible(base)}/…`;
  const [usual, ours] = [`${origin}${prefix}`, `${base}${prefix}`].map(visible);
  return `The provider’s own paths follow this address: where its client takes ${usual}, give it ${ours}`;
}
