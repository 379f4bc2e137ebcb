// What stands have in common: keys of a twin as an operator stores them, requests of an application, and who of a twin's keys lives.
import type { KitControl, KitKey } from '../../twins/kit.ts';
import type { Ask, Door, NamedKey, StoredKey, Texts } from './stand.ts';

const JSON_TYPE = { 'content-type': 'application/json' } as const;
/** What a request takes at the provider. */
export const LATENCY_MS = 5;

export function stored(key: KitKey, settings: Texts = {}, isNameless = false): StoredKey {
  return { kind: key.kind, parts: key.parts, providerKeyId: isNameless ? null : key.id, settings };
}

export function beside(name: string, purpose: NamedKey['purpose'], key: StoredKey): NamedKey {
  return { name, purpose, ...key };
}

export function asked(headers: Texts, method: string, url: string, body: object | null = null): Ask {
  const typed = body === null ? headers : { ...headers, ...JSON_TYPE };
  return { method, url, headers: typed, body: body === null ? null : JSON.stringify(body) };
}

export const bearer = ({ bound }: Door) => ({ authorization: `Bearer ${bound}` });

export function aliveIn<State>(control: KitControl<State>, isOurs: (key: KitKey) => boolean): number {
  return control.keys.all().filter((key) => isOurs(key) && control.isAlive(key.id)).length;
}

/** Ends all living keys but the newest, as a person does who looks at the list. */
export function endAllButNewest<State>(control: KitControl<State>, isOurs: (key: KitKey) => boolean): void {
  const living = control.keys.all().filter((key) => isOurs(key) && control.isAlive(key.id));
  for (const key of living.slice(0, -1)) control.endByHand(key.id);
}

/** Ends the key that has these parts, as a person does. */
export function discard<State>(control: KitControl<State>, parts: Texts): void {
  const key = control.keys.byText(Object.values(parts).at(-1) ?? '');
  if (key === null) throw new Error('the twin has no such key');
  control.endByHand(key.id);
}
