// Tokens of principals. A token's text is shown once, when it is issued: here, or in a file of mode 0600 that --out names.
import { Failure } from '../../model/failure.ts';
import { Secret } from '../../model/secret.ts';
import { idSegment } from '../api.ts';
import { brokerOrigin, clientSentence, providerAddress } from '../broker-address.ts';
import type { Command, Input, Outcome } from '../command.ts';
import type { Context } from '../context.ts';
import { showOnce } from '../disclose.ts';
import type { Credential, Token } from '../rows.ts';

const OUT = { flags: '--out <file>', about: 'write the token into this new file of mode 0600 and do not show it' };

interface Issued {
  readonly token: Token;
  /** Null where the server had answered this request before: a token is shown once. */
  readonly text: string | null;
  readonly replaces?: Token;
}

async function issuedOutcome(context: Context, input: Input, issued: Issued): Promise<Outcome> {
  const { text, ...rest } = issued;
  if (text === null) {
    return { data: rest, text: `Token ${issued.token.id} was issued before; its text is not shown again.`, exit: 1 };
  }
  const secret = new Secret(text);
  const out = input.text('out');
  if (out !== null) {
    await context.machine.files.writePrivate(out, new Secret(`${showOnce(secret)}\n`));
    return {
      data: { ...rest, out },
      text: `Issued ${issued.token.id}; its text is in the file.`,
      brief: issued.token.id,
    };
  }
  context.note(`Token ${issued.token.id}. It is shown this once:`);
  return { data: { ...rest, text: showOnce(secret) }, text: showOnce(secret) };
}

/** Found out before anything is issued: afterwards the only copy of the token would have no place to go. */
async function refuseTaken(context: Context, input: Input): Promise<void> {
  const out = input.text('out');
  if (out !== null && (await context.machine.files.exists(out))) {
    throw new Failure('conflict', 'the file of --out is already there');
  }
}

const issue: Command = {
  name: 'token issue',
  about: 'issue a token for a principal; its text is shown this once',
  arguments: [{ name: '<principal>', about: 'id or name' }],
  options: [
    {
      flags: '--credential <credential>',
      about: 'bind it: it opens this credential alone, at the root of the broker’s paths',
    },
    { flags: '--network <cidr...>', about: 'accept it only from these networks' },
    { flags: '--expires-in <duration>', about: 'how long it lives; for ever where it is left out' },
    { flags: '--note <text>', about: 'where it is used' },
    OUT,
  ],
  examples: [
    {
      line: 'claviger token issue billing-service --credential prod/neon/billing',
      about: 'for an SDK that wants a key',
    },
    { line: 'claviger token issue ines --expires-in 30d --out ines.token', about: 'into a file, not onto the screen' },
  ],
  async run(context, input) {
    const api = await context.api();
    const expiresInSeconds = input.seconds('expiresIn');
    const credential = input.text('credential');
    const { id } = await api.principal(input.argument(0));
    const bound = credential === null ? null : await api.credential(credential);
    await refuseTaken(context, input);
    // Before anything is issued: nothing may stand between a token and its being shown.
    const where = context.isJson || context.isQuiet ? null : await whereTo(context, bound);
    const issued = await api.post<Issued>(`/v1/principals/${id}/tokens`, {
      ...(bound === null ? {} : { credential: bound.id }),
      ...(input.list('network').length === 0 ? {} : { networks: input.list('network') }),
      ...(expiresInSeconds === null ? {} : { expiresInSeconds }),
      ...(input.text('note') === null ? {} : { note: input.text('note') }),
    });
    if (where !== null) context.note(where);
    return issuedOutcome(context, input, issued);
  },
};

/** Where an application sends the token: its base URL. */
async function whereTo(context: Context, bound: Credential | null): Promise<string> {
  const origin = (await brokerOrigin(context, null)) ?? '<address of the broker>';
  if (bound === null) {
    return `For an application: its address is ${origin}/<provider>/<credential>, and the provider’s own paths follow it.`;
  }
  return clientSentence(origin, await providerAddress(context, bound.provider));
}

function stateOf(token: Token, now: number): string {
  if (token.revokedAt !== null) return 'revoked';
  if (token.expiresAt !== null && Date.parse(token.expiresAt) <= now) return 'expired';
  return 'live';
}

const list: Command = {
  name: 'token list',
  about: 'the tokens of a principal; never their text',
  arguments: [{ name: '<principal>', about: 'id or name' }],
  examples: [{ line: 'claviger token list billing-service', about: 'by their last four characters' }],
  async run(context, input) {
    const api = await context.api();
    const { id } = await api.principal(input.argument(0));
    const { items } = await api.list<Token>(`/v1/principals/${id}/tokens`);
    const now = context.machine.now();
    const text = context.view.table(
      [
        { title: 'id' },
        { title: 'ends in' },
        { title: 'state' },
        { title: 'credential', least: 12 },
        { title: 'expires', least: 20 },
        { title: 'note', least: 6 },
      ],
      items.map((token) => [
        token.id,
        token.hint,
        stateOf(token, now),
        token.credentialId ?? 'any that is granted',
        context.view.when(token.expiresAt),
        token.note,
      ]),
      'It has no tokens.',
    );
    return { data: { items }, text, brief: items.map((token) => token.id).join('\n') };
  },
};

const TOKEN = { name: '<token-id>', about: 'id of the token: `claviger token list`' };

const rotate: Command = {
  name: 'token rotate',
  about: 'issue the token that takes the place of this one, which goes on for a while',
  arguments: [TOKEN],
  options: [{ flags: '--overlap <duration>', about: 'how long the old one goes on; 1h where it is left out' }, OUT],
  examples: [
    { line: 'claviger token rotate tok_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4 --overlap 24h', about: 'a day to change over' },
  ],
  async run(context, input) {
    const api = await context.api();
    const overlapSeconds = input.seconds('overlap');
    const body = overlapSeconds === null ? {} : { overlapSeconds };
    await refuseTaken(context, input);
    const issued = await api.post<Issued>(`/v1/tokens/${idSegment('token', input.argument(0))}/rotate`, body);
    return issuedOutcome(context, input, issued);
  },
};

const revoke: Command = {
  name: 'token revoke',
  about: 'end a token now',
  arguments: [TOKEN],
  examples: [
    { line: 'claviger token revoke tok_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4', about: 'holds from the next request on' },
  ],
  async run(context, input) {
    const api = await context.api();
    const token = await api.post<Token>(`/v1/tokens/${idSegment('token', input.argument(0))}/revoke`);
    return { data: token, text: `Revoked ${token.id}.`, brief: token.id };
  },
};

export const tokenCommands: readonly Command[] = [issue, list, rotate, revoke];
