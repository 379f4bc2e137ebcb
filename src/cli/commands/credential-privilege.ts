// What `claviger credential show` says of a key's scopes: those it has against those its grants need. The comparison is access/privilege.ts.
import type { Privilege } from '../../access/privilege.ts';

/** A line each; what says nothing is left out. */
export function privilegeFields(privilege: Privilege | null): readonly (readonly [string, string | null])[] {
  if (privilege === null) return [];
  const { held, needed, neededOneOf, everything, reveals, unused, broader, missing, missingOneOf, unknownActions } =
    privilege;
  const { suggested } = privilege;
  const left = unknownActions.count - unknownActions.names.length;
  const isSame = held !== null && suggested !== null && held.join(' ') === suggested.join(' ');
  return [
    ['privilege', `${privilege.verdict}: ${privilege.why}`],
    ['scopes held', held === null ? null : held.join(' ')],
    ['scopes needed', [...needed, ...neededOneOf.map(choice)].join(' ') || null],
    ['everything', everything.join(' ') || null],
    ['opens secrets', reveals.join(' ') || null],
    ['missing', [...missing, ...missingOneOf.map(choice)].join(' ') || null],
    ['unused', unused.join(' ') || null],
    ['broader', broader.map(({ scope, neededOf }) => `${scope}, for ${neededOf.join(' ')}`).join('\n') || null],
    [
      'not known',
      unknownActions.count === 0 ? null : `${unknownActions.names.join(' ')}${left > 0 ? ` and ${left} more` : ''}`,
    ],
    ['for the next key', suggested === null || isSame ? null : `scopes=${suggested.join(' ')}`],
  ];
}

function choice(set: readonly string[]): string {
  return `(${set.join(' or ')})`;
}
