// The smallest declaration of a provider that is whole, for tests of what else one may say: one kind, which a person makes, and its probe.
import type { DeclarationInput } from '../../src/providers/declaration.ts';

export type DeclaredKindInput = DeclarationInput['kinds'][number];

export const PROBE: DeclaredKindInput['probe'] = {
  request: { method: 'GET', path: '/me' },
  answers: [{ status: 200, name: 'me', when: { json: { '/id': { exists: true } } }, as: 'alive' }],
};

/** With more about its kind, or of the whole. */
export function declarationWith(
  more: Partial<DeclaredKindInput>,
  of: Partial<DeclarationInput> = {},
): DeclarationInput {
  return {
    name: 'example',
    title: 'Example',
    origin: 'https://api.example.com',
    console: 'https://example.com/keys',
    kinds: [
      {
        name: 'key',
        title: 'Key',
        places: [{ in: 'header', name: 'X-Key' }],
        rotation: 'assisted',
        byHand: { url: 'https://example.com/keys', issue: ['Make a key.'], revoke: null },
        probe: PROBE,
        ...more,
      },
    ],
    ...of,
  };
}
