// The grants of documents, tried on this machine: without a server, a database or a network. The providers are those of the program, and a user's own
// where a configuration names their directory; who owns its files is for the server to mind, since no key goes anywhere here.
// Not here: what the documents mean (access/document-rows.ts).
import { documentsOf, documentsSchema } from '../../access/api-apply.ts';
import { rowsOfDocuments } from '../../access/document-rows.ts';
import type { Expectation, Verdict } from '../../access/expectation.ts';
import { tryGrants } from '../../access/try-grants.ts';
import { DECLARATION_BYTES_MAX, readDeclaration } from '../../config/declarations.ts';
import { describePosition } from '../../config/document.ts';
import { Failure } from '../../model/failure.ts';
import * as registry from '../../providers/index.ts';
import type { Provider } from '../../providers/provider.ts';
import type { Context } from '../context.ts';
import { type Documents, readDocuments } from '../documents.ts';
import { createLookalike } from '../lookalike.ts';
import { visible } from '../text.ts';

/**
 * Reads the documents at these paths and gives the function that decides cases on them. Throws `invalid` with everything that is wrong with the
 * documents, each with its file and place.
 */
export async function createOfflineTrial(
  context: Context,
  paths: readonly string[],
): Promise<(given: readonly Expectation[]) => readonly Verdict[]> {
  const { machine } = context;
  const providers = await providersOf(context);
  const looksSecret = createLookalike(providers.values());
  const documents = await readDocuments(machine.files, paths, looksSecret);
  const now = machine.now();
  const rows = located(documents, () =>
    rowsOfDocuments(documentsOf(parsed(documents)), providers, {
      clock: { now: () => now, monotonic: () => 0 },
      random: { bytes: (length) => machine.randomBytes(length) },
    }),
  );
  return (given) => tryGrants(rows, given, now);
}

function located<T>(documents: Documents, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw Failure.is(error) ? documents.located(error) : error;
  }
}

/** The documents as `apply` takes them, defaults filled in. */
function parsed(documents: Documents): ReturnType<typeof documentsSchema.parse> {
  const read = documentsSchema.safeParse(documents.lists);
  if (read.success) return read.data;
  const errors = read.error.issues.flatMap((issue) => {
    const pointer = ['', 'documents', ...issue.path.map(String)].join('/');
    if (issue.code !== 'unrecognized_keys') return [{ pointer, detail: issue.message }];
    return issue.keys.map((key) => ({ pointer: `${pointer}/${key}`, detail: 'not known here' }));
  });
  throw new Failure('invalid', 'the documents cannot be applied', { errors });
}

/** Declarations that a directory may hold, as at the start of a server. */
const DECLARATIONS_MAX = 256;

async function providersOf(context: Context): Promise<ReadonlyMap<string, Provider>> {
  const providers = new Map<string, Provider>(Object.values(registry).map((provider) => [provider.name, provider]));
  const file = await context.configFile();
  const directory = file === null ? null : (await context.config()).config.providersDirectory;
  if (directory === null || directory === undefined) return providers;
  const { files } = context.machine;
  const listed = (await files.list(directory)) ?? [];
  const names = listed.filter((name) => /^[^.].*\.(?:yaml|yml|json)$/.test(name));
  const errors: { pointer: string; detail: string }[] = [];
  if (names.length > DECLARATIONS_MAX) throw new Failure('invalid', `more than ${DECLARATIONS_MAX} declarations`);
  for (const name of names) {
    const bytes = await files.read(`${directory}/${name}`, DECLARATION_BYTES_MAX);
    const reading = readDeclaration(new TextDecoder().decode(bytes));
    if (reading.is === 'read') {
      if (!providers.has(reading.provider.name)) providers.set(reading.provider.name, reading.provider);
      continue;
    }
    for (const { pointer, message, position } of reading.problems) {
      errors.push({ pointer: `${visible(name)}${pointer}`, detail: `${describePosition(position)}${message}` });
    }
  }
  if (errors.length === 0) return providers;
  throw new Failure('invalid', 'the providers of the configuration are not accepted', { errors });
}
