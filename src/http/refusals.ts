// The problems that Fastify and Node's HTTP parser find before a route is reached, in the terms of problem.ts.
import { type Problem, problem } from './problem.ts';

/** The problem behind an error of Fastify's, or null where the error is not one of them. */
export function fastifyProblem(error: unknown): Problem | null {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (typeof code !== 'string' || !code.startsWith('FST_')) return null;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return problem('too-large', 'a body has at most 1 MiB');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problem('unsupported-media-type');
    default:
      return typeof statusCode === 'number' && statusCode < 500 ? problem('malformed-request') : null;
  }
}

/** The problem behind an error of Node's parser. The connection is beyond use then. */
export function parserProblem(error: { readonly code?: string }): Problem {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return problem('headers-too-large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return problem('request-timeout');
    default:
      return problem('malformed-request');
  }
}
