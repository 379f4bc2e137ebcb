// The twin of a declaration as the conformance suite wants one, with whatever keys its kinds need. Says nothing of the service: twins/declared.ts.
import assert from 'node:assert/strict';
import type { DeclaredKind } from '../../src/providers/declaration.ts';
import { declarationOf } from '../../src/providers/declared.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { textOfForm } from '../../twins/declared.texts.ts';
import { type DeclaredTwinOptions, declaredTwin, newDeclaredParts } from '../../twins/declared.ts';
import type { KitControl, KitKey } from '../../twins/kit.ts';
import { type Prng, prng } from '../../twins/prng.ts';
import type { TwinFactory } from '../conformance/provider.ts';
import { kitTwin, secretParts } from './kit-twin.ts';

export interface DeclaredSuiteOptions extends DeclaredTwinOptions {
  /** Settings of the provider's kinds; one that is needed and not given is drawn from its form. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** The settings that a kind needs. */
export function declaredSettings(
  kind: DeclaredKind,
  random: Prng,
  given: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const chosen = Object.entries(kind.settings).flatMap(([name, { required, format, default: value }]) => {
    const isNeeded = required && value === undefined;
    const drawn = isNeeded ? (format === undefined ? 'some-id-1' : textOfForm(format, random)) : undefined;
    const text = given[name] ?? drawn;
    return text === undefined ? [] : [[name, text] as const];
  });
  return Object.fromEntries(chosen);
}

/** A factory of twins for a provider that is nothing but its declaration. */
export function declaredTwinOf(provider: Provider, options: DeclaredSuiteOptions = {}): TwinFactory {
  const declaration = declarationOf(provider);
  assert(declaration !== null, `${provider.name} is more than its declaration`);
  const random = prng(23);

  function mint(kind: string, control: KitControl<null>): KitKey {
    const declaredKind = declaration!.kinds.find((one) => one.name === kind)!;
    const parts = newDeclaredParts(declaredKind, random, options);
    // Where there can be only one, the next one ends it.
    if (declaredKind.activeMax === 1)
      for (const key of control.keys.all()) if (key.kind === kind && key.revokedAt === null) control.endByHand(key.id);
    return control.mint({ kind, name: 'by hand', account: 'account-1', scopes: declaredKind.scopes?.all ?? [], parts });
  }

  const settings = new Map(
    declaration.kinds.map((kind) => [kind.name, declaredSettings(kind, random, options.settings)]),
  );

  return () =>
    kitTwin({
      definition: declaredTwin(declaration, options),
      documents: [],
      issuer(kind, control) {
        const issuer = provider.kinds.find((one) => one.name === (kind.issuers[0] ?? kind.name))!;
        const publicParts = issuer.publicParts === undefined ? {} : { publicParts: issuer.publicParts };
        const known = control.keys.all().find((key) => key.kind === issuer.name);
        const parts = secretParts(known ?? mint(issuer.name, control));
        return { acting: { parts, places: issuer.places, ...publicParts }, settings: settings.get(kind.name)! };
      },
      byHand: (kind, control) => mint(kind.name, control),
    });
}
