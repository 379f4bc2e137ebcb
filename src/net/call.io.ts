// Sends one request of our own to a provider, with the key in its place, and brings back the whole answer: the `Call` of the
// provider contract. One deadline over everything, one connection for each request, no redirects, identity encoding, a cap on
// the answer, and the key taken out of whatever comes back. Not here: the broker's traffic, retries (the rotator's).
import type { Dispatcher } from 'undici';
import type { Clock } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import type { Acting, Call, Parts, ProviderAnswer, ProviderRequest, ProviderSettings } from '../providers/provider.ts';
import type { DispatcherFor } from './dial.io.ts';
import { injectSecrets, placed } from './inject.ts';
import { createScrubber } from './scrub.ts';
import { upstreamFailure } from './upstream-failure.ts';

export interface CallOptions {
  readonly dispatcherFor: DispatcherFor;
  readonly settings: ProviderSettings;
  readonly clock: Clock;
  /** For the User-Agent: `claviger/<version>`. */
  readonly version: string;
  /** From the call to the last byte of the answer, milliseconds. */
  readonly deadlineMs?: number;
  /** Most bytes of an answer's body. */
  readonly answerBytesMax?: number;
}

const TEXT_BYTES_MAX = 65_536;

type Headers = Record<string, string | string[] | undefined>;

/** At most 64 KiB of UTF-8, cut between characters. */
function cut(text: string): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(TEXT_BYTES_MAX)).read);
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function readAnswer(status: number, headers: Headers, body: Buffer, scrub: (text: string) => string): ProviderAnswer {
  const text = scrub(new TextDecoder().decode(body));
  const clean = Object.entries(headers).map(([name, value]) => [
    name.toLowerCase(),
    scrub(Array.isArray(value) ? value.join(', ') : (value ?? '')),
  ]);
  return { status, headers: Object.fromEntries(clean), json: parseJson(text), text: cut(text) };
}

/**
 * A `Call` towards the origin of these settings. Each secret is written into its place; the others where one may stand must be
 * empty in the request. Every status is an answer, redirects too. Rejects with Failure
 * - `invalid` where the request or the origin is not fit to be sent (nothing was sent),
 * - `upstream-unavailable` where no byte of the request was sent: name, guard, connection, TLS, deadline before any of it ended,
 * - `upstream-ambiguous` where it may have been: the effect is unknown,
 * - `upstream-rejected` where an answer came that cannot be read: longer than the cap, or compressed. The effect is unknown too.
 * After a crash nothing is left behind here; what the provider did is for the caller's journal to find out.
 */
export function createCall(options: CallOptions): Call {
  const { dispatcherFor, settings, clock, version, deadlineMs = 10_000, answerBytesMax = 1_048_576 } = options;

  return async function call(request: ProviderRequest, acting: Acting, target?: Parts): Promise<ProviderAnswer> {
    const wire = injectSecrets(request, acting, target);
    const scrub = createScrubber(placed(request, acting, target));
    const dispatcher = dispatcherFor(settings.origin, settings, 'fresh');
    const startedAt = clock.monotonic();

    return new Promise<ProviderAnswer>((resolve, reject) => {
      let controller: Dispatcher.DispatchController | null = null;
      let isSettled = false;
      let status = 0;
      let headers: Headers = {};
      let size = 0;
      const chunks: Buffer[] = [];

      function fail(failure: Failure): void {
        if (isSettled) return;
        isSettled = true;
        clearTimeout(timer);
        reject(failure);
        controller?.abort(failure);
      }

      const timer = setTimeout(() => {
        const elapsedMs = Math.round(clock.monotonic() - startedAt);
        const cause = new Error(`no whole answer after ${elapsedMs} ms`);
        fail(
          controller === null
            ? new Failure('upstream-unavailable', 'the upstream could not be reached in time', { cause })
            : new Failure('upstream-ambiguous', 'the upstream did not answer in time', { cause }),
        );
      }, deadlineMs);

      const handler: Dispatcher.DispatchHandler = {
        // Called right before the first byte is written: from here on the request may arrive.
        onRequestStart(started) {
          if (isSettled) started.abort(new Error('the deadline has passed'));
          else controller = started;
        },
        onResponseStart(_controller, statusCode, answerHeaders) {
          if (statusCode < 200) return;
          status = statusCode;
          headers = answerHeaders;
          const encoding = first(headers['content-encoding'])?.toLowerCase() ?? 'identity';
          if (encoding !== 'identity')
            fail(new Failure('upstream-rejected', 'the upstream compressed its answer unasked'));
          if (Number(first(headers['content-length'])) > answerBytesMax) failTooLong();
        },
        onResponseData(_controller, chunk) {
          size += chunk.length;
          if (size > answerBytesMax) failTooLong();
          else chunks.push(chunk);
        },
        onResponseEnd() {
          if (isSettled) return;
          isSettled = true;
          clearTimeout(timer);
          resolve(readAnswer(status, headers, Buffer.concat(chunks), scrub));
        },
        onResponseError(_controller, error) {
          fail(upstreamFailure(error, controller !== null));
        },
      };

      function failTooLong(): void {
        fail(new Failure('upstream-rejected', `the upstream's answer is longer than ${answerBytesMax} bytes`));
      }

      const own = ['user-agent', `claviger/${version}`, 'accept-encoding', 'identity'];
      dispatcher.dispatch(
        { method: wire.method, path: wire.path, headers: [...own, ...wire.headers], body: wire.body },
        handler,
      );
    });
  };
}
