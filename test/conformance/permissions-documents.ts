// The operations that providers' own documents name: method and path, nothing else. The rows of the permission matrices (permissions.test.ts).
// Read from OpenAPI and Swagger documents, from the fenced request lines of GitLab's pages, and from the calls in two vendors' own clients. The
// documents are not ours to ship: they lie in ../shared beside the checkout (CLAVIGER_SHARED names another folder); where one is absent, there
// are no operations, and the caller says so aloud. Not here: schemas of bodies (test/support/openapi.ts).
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';

const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');

/** One operation of a document; parameters stand in braces. */
export interface DocumentedOperation {
  readonly method: string;
  readonly path: string;
}

interface Source {
  readonly file: string;
  /** What stands before every path. */
  readonly base: string;
  readonly form: 'openapi' | 'gitlab-page' | 'client';
}

export interface DocumentSet {
  readonly provider: string;
  /** What the rows come from, for the name of the test. */
  readonly of: string;
  readonly sources: readonly Source[];
  /** Whether the catalogue has every operation. False where it is another vendor's document, whose server has more than the API that both speak. */
  readonly isWhole: boolean;
}

function openApi(provider: string, ...sources: readonly (readonly [file: string, base: string])[]): DocumentSet {
  const read = sources.map(([file, base]) => ({ file: `specs/${file}`, base, form: 'openapi' as const }));
  return { provider, of: 'its document', isWhole: true, sources: read };
}

/** A document of which only what is about keys was kept: the rest of the rows is the catalogue's. */
function extract(provider: string, ...sources: readonly (readonly [file: string, base: string])[]): DocumentSet {
  const more = sources.map(([file, base]) => [`more/${provider}/${file}`, base] as const);
  return { ...openApi(provider, ...more), of: 'the extract of its document' };
}

/** Cachet's own document could not be had: this one was written from its sources. */
function described(provider: string, file: string, base: string): DocumentSet {
  return { ...openApi(provider, [`cachet/${file}`, base]), of: 'a description made from its sources' };
}

function client(provider: string, base: string, files: readonly string[]): DocumentSet {
  const sources = files.map((file) => ({ file: `specs/more/${provider}/${file}.ts`, base, form: 'client' as const }));
  return { provider, of: 'its own client’s part about keys', isWhole: true, sources };
}

const TOKEN_FILES = ['tokens', 'tokens-value', 'tokens-permission-groups'];

/** Providers that are not named here publish nothing that a program could read. */
export const DOCUMENTS: readonly DocumentSet[] = [
  openApi('neon', ['neon/neon-api-v2.openapi.yaml', '/api/v2']),
  openApi('prefect-cloud', ['prefect/prefect-cloud.openapi.json', '']),
  openApi('prefect-server', ['prefect/prefect-server.openapi.json', '/api']),
  openApi('sure', ['sure/sure-api.openapi.yaml', '']),
  openApi('plaid', ['plaid/plaid-2020-09-14.openapi.yml', '']),
  openApi('mastodon', ['mastodon/mastodon.openapi.json', '']),
  { ...openApi('mastodon', ['gotosocial/gotosocial.swagger.yaml', '']), of: 'GoToSocial’s document', isWhole: false },
  described('cachet', 'cachet-v3.subset.openapi.json', '/api'),
  described('cachet-v2', 'cachet-v2.subset.openapi.json', '/api/v1'),
  extract('openai', ['openai-keys.extract.openapi.json', '/v1']),
  extract('supabase', ['management-keys.extract.openapi.json', '']),
  extract('grafana', ['serviceaccounts.extract.swagger.json', '/api']),
  extract('sendgrid', ['tsg_api_keys_v3.json', ''], ['tsg_scopes_v3.json', '']),
  extract('datadog', ['datadog-v1-validate.extract.openapi.json', ''], ['datadog-v2-keys.extract.openapi.json', '']),
  extract('twilio', ['iam-v1-keys.extract.openapi.json', ''], ['accounts-v1-authtokens.extract.openapi.json', '']),
  {
    provider: 'gitlab',
    of: 'its pages on tokens',
    isWhole: true,
    sources: ['personal', 'project'].map((one) => ({
      file: `specs/more/gitlab/doc_api_${one}_access_tokens.md`,
      base: '/api/v4',
      form: 'gitlab-page' as const,
    })),
  },
  client('anthropic', '', ['api-keys', 'federation-issuers', 'federation-rules', 'service-accounts']),
  client(
    'cloudflare',
    '/client/v4',
    ['account', 'user'].flatMap((owner) => TOKEN_FILES.map((file) => `${owner}-${file}`)),
  ),
];

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'] as const;

function fromOpenApi(text: string, isJson: boolean): DocumentedOperation[] {
  const document = (isJson ? JSON.parse(text) : parse(text)) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  return Object.entries(document.paths).flatMap(([template, item]) =>
    METHODS.filter((method) => item[method] !== undefined).map((method) => ({
      method: method.toUpperCase(),
      path: template,
    })),
  );
}

/** `GET /personal_access_tokens/:id` alone on its line, with or without the first slash and a query. */
function fromGitlabPage(text: string): DocumentedOperation[] {
  const lines = [...text.matchAll(/^(GET|POST|PUT|PATCH|DELETE) \/?([\w/:]+)(?:\?\S*)?$/gm)];
  return lines.map(([, method, target]) => ({
    method: method!,
    path: `/${target!.replaceAll(/:(\w+)/g, '{$1}')}`,
  }));
}

const CLIENT_METHODS: Readonly<Record<string, string>> = { getAPIList: 'GET' };

/** `this._client.post(path`/user/tokens/${tokenID}/value`, …)`, wherever the line breaks. */
function fromClient(text: string): DocumentedOperation[] {
  const calls = [...text.matchAll(/_client\.(\w+)\(\s*(?:path)?(?:`([^`]*)`|'([^']*)')/g)];
  return calls.map(([, called, template, literal]) => ({
    method: CLIENT_METHODS[called!] ?? called!.toUpperCase(),
    path: (template ?? literal!).replaceAll(/\$\{(\w+)\}/g, '{$1}'),
  }));
}

/** The operations of a set, each once; null where one of its files is absent. */
export function operationsOf(set: DocumentSet): readonly DocumentedOperation[] | null {
  const found = new Map<string, DocumentedOperation>();
  for (const { file, base, form } of set.sources) {
    const full = path.join(shared, file);
    if (!existsSync(full)) return null;
    const text = readFileSync(full, 'utf8');
    const read =
      form === 'openapi'
        ? fromOpenApi(text, file.endsWith('.json'))
        : form === 'client'
          ? fromClient(text)
          : fromGitlabPage(text);
    if (read.length === 0) throw new Error(`${file} names no operation: it is read wrongly`);
    for (const { method, path: template } of read) {
      found.set(`${method} ${base}${template}`, { method, path: `${base}${template}` });
    }
  }
  return [...found.values()];
}

/** What a test says that skips. */
export function absent(set: DocumentSet): string {
  const files = set.sources.map((one) => one.file).filter((file) => !existsSync(path.join(shared, file)));
  return `NOT CHECKED against ${set.of}: ${files.join(', ')} is not in ${shared}`;
}
