// What the declarations of this folder share. They are the services that a personal-finance application of the maybe and sure family
// reads from: none is known to make keys by an API, so a person makes them, and Claviger stores, lends, watches and proves.
import type { DeclaredCondition } from '../declaration.ts';
import { holds } from '../declared-answers.ts';
import type { Kind, Liveness, ProbeInput, Provider } from '../provider.ts';

export const BEARER = { in: 'header', name: 'Authorization', scheme: 'Bearer' } as const;

/** None of them says how soon a key that was ended is refused, and nobody has measured it: a minute is taken. */
export const UNMEASURED_SECONDS = 60;

/** Where a provider's own form of a refusal is not known: any JSON object. Keeps out pages and empty answers of what stands in between. */
export const ANY_OBJECT = { json: { '': { is: 'object' } } } as const;

/** A refusal of a key that comes with status 200: only its body tells. */
export interface RefusalInBody {
  readonly name: string;
  readonly when: DeclaredCondition;
}

/**
 * The same provider, with refusals that it writes into an answer of status 200 read as death. A declaration cannot say this: it takes no 2xx
 * for death, which is right for everybody else.
 */
export function withRefusalsInBody(provider: Provider, refusals: readonly RefusalInBody[]): Provider {
  function heeding(kind: Kind): Kind {
    return {
      ...kind,
      probe: {
        ...kind.probe,
        read(answer, input: ProbeInput): Liveness {
          const verdict = kind.probe.read(answer, input);
          const refusal =
            answer.status === 200 ? refusals.find((one) => holds(one.when, answer.json, answer.text)) : undefined;
          if (refusal === undefined) return verdict;
          const signature = `${provider.name}.200.${refusal.name}`;
          return { is: 'dead', evidence: { ...verdict.evidence, signature } };
        },
      },
    };
  }
  return { ...provider, kinds: provider.kinds.map(heeding) };
}
