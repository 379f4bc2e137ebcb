// A Call for tests: sends a provider's request with `fetch`, one connection's worth of care and no more. The real one, with deadlines,
// caps and the address guard, is src/net; this one shares its contract, so that members can be tested without it.
import { Failure } from '../../src/model/failure.ts';
import type { Json } from '../../src/model/json.ts';
import { injectSecrets } from '../../src/net/inject.ts';
import type { Call } from '../../src/providers/provider.ts';

/** Long enough never to decide a test: a twin that means to hang cuts the connection itself. */
const DEADLINE_MS = 30_000;
const TEXT_MAX = 65_536;
/** Causes at which nothing was sent. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

/** Calls one origin. */
export function directCall(origin: string): Call {
  return async (request, acting, target) => {
    const wire = injectSecrets(request, acting, target);
    const pairs = wire.headers.flatMap((name, i) => (i % 2 === 0 ? [[name, wire.headers[i + 1]!] as const] : []));
    try {
      const response = await fetch(origin + wire.path, {
        method: wire.method,
        headers: Object.fromEntries(pairs),
        body: wire.body,
        redirect: 'manual',
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        json: jsonOf(text),
        text: text.slice(0, TEXT_MAX),
      };
    } catch (error) {
      const code = ((error as Error).cause as { code?: string } | undefined)?.code ?? '';
      throw NOT_SENT.has(code)
        ? new Failure('upstream-unavailable', 'the provider could not be reached', { cause: error })
        : new Failure('upstream-ambiguous', 'the provider did not answer', { cause: error });
    }
  };
}
