// A provider's request as a twin of the kit receives it, without a socket: for tests that set the twin's clock and look at what it does.

import type { Json } from '../../src/model/json.ts';
import { injectSecrets } from '../../src/net/inject.ts';
import type { Acting, Parts, ProviderRequest } from '../../src/providers/provider.ts';
import type { KitRequest } from '../../twins/kit.ts';

/** The request with its secrets in their places. Throws as injecting does. */
export function kitRequestOf(request: ProviderRequest, acting: Acting, target?: Parts): KitRequest {
  const { method, path, headers, body } = injectSecrets(request, acting, target);
  const lines = headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]!] as const] : []));
  const [pathname = '', query = ''] = path.split('?');
  const isForm = lines.some(([name, value]) => name === 'content-type' && value.includes('form'));
  const form = (text: string): Json => Object.fromEntries(new URLSearchParams(text));
  return {
    method,
    path: pathname,
    query: new URLSearchParams(query),
    headers: Object.fromEntries(lines),
    body: body === null ? null : isForm ? form(body) : (JSON.parse(body) as Json),
    remoteAddress: '127.0.0.1',
  };
}
