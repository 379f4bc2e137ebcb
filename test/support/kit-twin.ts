// A twin of the kit as the conformance suite wants one: started, checked against the provider's own document, ended.
import { Secret } from '../../src/model/secret.ts';
import type { Acting, Kind, KindSettings, Parts } from '../../src/providers/provider.ts';
import type { FaultName } from '../../twins/faults.ts';
import { startTwin } from '../../twins/kit.io.ts';
import type { KitControl, KitDefinition, KitKey } from '../../twins/kit.ts';
import type { MadeKey, ProviderTwin } from '../conformance/provider.ts';
import { directCall } from './direct-call.ts';
import { loadOpenApi, type OpenApiDocument } from './openapi.ts';
import { twinFaults } from './twin-faults.ts';

export interface KitTwinOptions<State> {
  readonly definition: KitDefinition<State>;
  /** Documents of ../shared, each with what stands before its paths: `specs/more/…`. Empty: the provider publishes none. */
  readonly documents: readonly { readonly file: string; readonly base: string }[];
  /** Requests that no document knows: `POST /oauth/token`. */
  readonly undocumented?: readonly string[];
  /**
   * Statuses that the documents leave out, beside 429 and 5xx, which most of them do: 401 and 404, say. An answer with one of these is no
   * mistake of the twin, whatever its body; its request is looked at all the same.
   */
  readonly undocumentedStatuses?: readonly number[];
  readonly issuer: (
    kind: Kind,
    control: KitControl<State>,
  ) => { readonly acting: Acting; readonly settings: KindSettings };
  readonly byHand?: (kind: Kind, control: KitControl<State>) => KitKey;
  /** Faults that this provider's twin cannot have. */
  readonly without?: readonly FaultName[];
}

export function secretParts(key: Pick<KitKey, 'parts'>): Parts {
  return Object.fromEntries(Object.entries(key.parts).map(([name, text]) => [name, new Secret(text)]));
}

export async function kitTwin<State>(options: KitTwinOptions<State>): Promise<ProviderTwin> {
  const problems: string[] = [];
  const documents = options.documents.map(({ file, base }) => loadOpenApi(file, base));
  const known = documents.filter((one): one is OpenApiDocument => one !== null);
  const twin = await startTwin(options.definition, {
    onExchange(exchange) {
      const pathname = exchange.path.split('?')[0]!;
      if (options.undocumented?.includes(`${exchange.method} ${pathname}`)) return;
      const document = known.find((one) => one.find(exchange.method, pathname) !== null);
      const isLeftOut =
        exchange.status === 429 ||
        exchange.status >= 500 ||
        options.undocumentedStatuses?.includes(exchange.status) === true;
      if (document !== undefined) {
        const found = document.validateExchange(exchange);
        const aboutAnswer = / (?:status \d+|response body) is not documented$/;
        problems.push(...found.filter((one) => !(isLeftOut && aboutAnswer.test(one))));
      }
      if (document === undefined && known.length > 0)
        problems.push(`${exchange.method} ${pathname}: no document knows it`);
    },
  });
  const { control } = twin;
  const { byHand } = options;
  return {
    call: directCall(twin.origin),
    issuer: (kind) => options.issuer(kind, control),
    ...(byHand === undefined
      ? {}
      : {
          byHand: {
            issue(kind): MadeKey {
              const made = byHand(kind, control);
              return { parts: secretParts(made), providerKeyId: made.id };
            },
            end: (_kind, made) => control.endByHand(made.providerKeyId),
          },
        }),
    ...twinFaults(control, options.without),
    isAlive: (id) => control.isAlive(id),
    problems: () => (known.length < options.documents.length ? null : problems),
    documentAbsent: `NOT CHECKED: ${options.documents.map((one) => one.file).join(', ')} not in the shared folder`,
    close: twin.close,
  };
}
