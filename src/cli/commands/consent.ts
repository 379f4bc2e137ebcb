// Making a key by consent: the address that a person opens, and what came of it. The code, the exchange and the key stay with the server.
import { follow } from '../await.ts';
import type { Command, Outcome } from '../command.ts';
import type { Context } from '../context.ts';
import { type Credential, credentialName } from '../rows.ts';
import { visible } from '../text.ts';

interface Consent {
  readonly state: 'waiting' | 'brought' | 'denied' | 'refused' | 'expired';
  readonly why: string | null;
  readonly scopes: readonly string[];
  readonly account: string | null;
  readonly startedAt: string;
  readonly expiresAt: string;
}

/** As long as a consent is good for, and a little more. */
const WAIT_SECONDS = 630;

function outcomeOf(row: Credential, consent: Consent, url: string): Outcome {
  const name = visible(credentialName(row));
  const why = visible(consent.why ?? 'no reason is given');
  const texts: Record<Consent['state'], string> = {
    brought: `${name} has its key${consent.account === null ? '' : `, of the account ${visible(consent.account)}`}.`,
    denied: 'The person did not agree: nothing was made.',
    refused: `Not taken: ${why}`,
    expired: `Nobody came back in time. Begin again: claviger credential consent ${name}`,
    waiting: `It is waited for until ${visible(consent.expiresAt)}.`,
  };
  const isGood = consent.state === 'brought' || consent.state === 'waiting';
  const brief = consent.state === 'waiting' ? url : row.id;
  return { data: { url, consent }, text: texts[consent.state], brief, exit: isGood ? 0 : 1 };
}

async function wait(context: Context, row: Credential, begun: Consent, seconds: number): Promise<Consent> {
  const api = await context.api();
  return follow<Consent>(context, {
    read: () => api.get<Consent>(`/v1/credentials/${row.id}/consent`),
    // Somebody who begins another one takes this one's place.
    isOver: (one) => one.state !== 'waiting' || one.startedAt !== begun.startedAt,
    show: (one) => (one.state === 'waiting' ? 'waiting for the person to agree …' : one.state),
    seconds,
  });
}

const consent: Command = {
  name: 'credential consent',
  about: 'let a person consent to an app, so that the credential gets its key: prints the address to open, and waits',
  more:
    'For user tokens of Mastodon and its like. The app is a credential of kind `app` and purpose `manage`, registered with ' +
    '`redirectUri` set to the address of this API’s `/v1/consent/callback`. The address is good for ten minutes and one answer.',
  arguments: [{ name: '<credential>', about: 'id, or `name`, `provider/name` or `environment/provider/name`' }],
  options: [
    { flags: '--app <credential>', about: 'the app to consent to; the credential’s issuer where it is left out' },
    { flags: '--scope <scope...>', about: 'what to ask for; everything that the app has where it is left out' },
    { flags: '--no-wait', about: 'print the address and return at once' },
  ],
  examples: [
    { line: 'claviger credential consent mastodon/bot', about: 'open what it prints, sign in, agree' },
    {
      line: 'claviger credential consent bot --app bot-app-2 --scope read:accounts --scope write:statuses',
      about: 'of a second app, and with less than all of its scopes',
    },
  ],
  async run(context, input) {
    const api = await context.api();
    const row = await api.credential(input.argument(0));
    const app = input.text('app');
    const scopes = input.list('scope');
    const body = {
      ...(app === null ? {} : { app: (await api.credential(app)).id }),
      ...(scopes.length === 0 ? {} : { scopes }),
    };
    const { url, consent: begun } = await api.post<{ url: string; consent: Consent }>(
      `/v1/credentials/${row.id}/consent`,
      body,
    );
    if (input.isOff('wait')) {
      const text = `Open this, sign in and agree:\n${visible(url)}`;
      return { data: { url, consent: begun }, text, brief: url };
    }
    context.emit(`Open this, sign in and agree:\n${visible(url)}`, { url });
    const last = await wait(context, row, begun, WAIT_SECONDS);
    const isOurs = last.startedAt === begun.startedAt;
    return outcomeOf(row, isOurs ? last : { ...begun, state: 'refused', why: 'somebody began another one' }, url);
  },
};

export const consentCommands: readonly Command[] = [consent];
