// What a provider says, for tests of what is read out of it.
import type { Json } from '../../src/model/json.ts';
import type { ProviderAnswer } from '../../src/providers/provider.ts';

/** An answer with JSON as its body. */
export function answer(status: number, json: Json, headers: Readonly<Record<string, string>> = {}): ProviderAnswer {
  return { status, headers, json, text: JSON.stringify(json) };
}
