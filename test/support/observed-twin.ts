// A twin whose every exchange is shown to a check: for providers whose official document is no OpenAPI 3 document (a Swagger file, types
// of the official client, a page), or leaves out what a twin answers deliberately. What is left out is listed where the twin is made.
// Where a document is OpenAPI 3 and says everything, kit-twin.ts alone does.
import type { ProviderTwin } from '../conformance/provider.ts';
import type { Exchange, OpenApiDocument } from './openapi.ts';

export interface Observation {
  /** What is wrong with an exchange; null where the document is absent. Exchanges without an answer are not shown. */
  readonly check: ((exchange: Exchange) => string[]) | null;
  /** What a test says when it skips. */
  readonly documentAbsent: string;
  /** Problems that are no mistakes, because the document leaves out what is answered: each must have a reason beside it. */
  readonly omitted: readonly RegExp[];
}

export function observedTwin(twin: ProviderTwin, { check, documentAbsent, omitted }: Observation): ProviderTwin {
  const problems: string[] = [];
  return {
    ...twin,
    async call(request, acting, target) {
      const answer = await twin.call(request, acting, target);
      const exchange: Exchange = {
        method: request.method,
        path: request.path,
        requestBody: request.json ?? null,
        status: answer.status,
        // What is not JSON at all is undefined, as for any other exchange.
        responseBody: answer.json === null && answer.text !== '' ? undefined : answer.json,
      };
      const found = check?.(exchange) ?? [];
      problems.push(...found.filter((one) => !omitted.some((pattern) => pattern.test(one))));
      return answer;
    },
    problems: () => (check === null ? null : problems),
    documentAbsent,
  };
}

/** Checks by the first document that knows the request; a request that none knows is a problem. Null where one is absent. */
export function byDocuments(documents: readonly (OpenApiDocument | null)[]): Observation['check'] {
  if (documents.some((one) => one === null)) return null;
  return (exchange) => {
    const pathname = exchange.path.split('?')[0]!;
    const known = documents.find((one) => one!.find(exchange.method, pathname) !== null);
    return known?.validateExchange(exchange) ?? [`${exchange.method} ${pathname}: no document knows it`];
  };
}
