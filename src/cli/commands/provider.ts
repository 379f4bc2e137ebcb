// The providers that this server knows: kinds of keys, and the actions that grants name.
import { Failure } from '../../model/failure.ts';
import type { Command } from '../command.ts';
import { visible } from '../text.ts';

interface ProviderEntry {
  readonly name: string;
  readonly title?: string;
  readonly origin?: string;
  readonly kinds: readonly {
    readonly name: string;
    readonly title?: string;
    readonly parts: readonly string[];
    readonly rotation: string;
    readonly settings: Readonly<Record<string, { required: boolean; about: string }>>;
  }[];
  readonly actions: readonly {
    readonly name: string;
    readonly effect: string;
    readonly mints: boolean;
    readonly parameters: readonly string[];
  }[];
}

const list: Command = {
  name: 'provider list',
  about: 'the providers, and the kinds of keys that each issues',
  examples: [{ line: 'claviger provider list', about: 'what --provider and --kind take' }],
  async run(context) {
    const api = await context.api();
    const items = await api.whole<ProviderEntry>('/v1/providers');
    const text = context.view.table(
      [
        { title: 'provider' },
        { title: 'kind' },
        { title: 'rotation' },
        { title: 'settings', least: 10 },
        { title: 'title', least: 10 },
      ],
      items.flatMap((provider) =>
        provider.kinds.map((kind) => [
          provider.name,
          kind.name,
          kind.rotation,
          Object.entries(kind.settings)
            .map(([name, { required }]) => (required ? name : `[${name}]`))
            .join(' ') || '–',
          kind.title ?? '',
        ]),
      ),
      'This server knows no provider.',
    );
    return { data: { items }, text, brief: items.map((provider) => visible(provider.name)).join('\n') };
  },
};

const actions: Command = {
  name: 'provider actions',
  about: 'the actions of a provider: what grants name',
  arguments: [{ name: '<provider>', about: '`claviger provider list`' }],
  options: [{ flags: '--match <text>', about: 'only those whose name holds this' }],
  examples: [{ line: 'claviger provider actions neon --match branch', about: 'what can be granted about branches' }],
  async run(context, input) {
    const api = await context.api();
    const items = await api.whole<ProviderEntry>('/v1/providers');
    const provider = items.find((one) => one.name === input.argument(0));
    if (provider === undefined) throw new Failure('not-found', 'there is no such provider: `claviger provider list`');
    const wanted = input.text('match') ?? '';
    const found = provider.actions.filter((action) => action.name.includes(wanted));
    const text = context.view.table(
      [{ title: 'action' }, { title: 'effect' }, { title: 'parameters', least: 12 }, { title: 'mints' }],
      found.map((action) => [
        action.name,
        action.effect,
        action.parameters.join(' ') || '–',
        action.mints ? 'only by its full name' : '–',
      ]),
      'It has no such action.',
    );
    return { data: { items: found }, text, brief: found.map((action) => visible(action.name)).join('\n') };
  },
};

export const providerCommands: readonly Command[] = [list, actions];
