// The files of `claviger grant test`: lists of cases, as YAML or as JSON, which is YAML. Read whole, held against the form of a case, every problem with
// its file, line and column; and put together, each case with the place that it came from, so that what the server finds wrong can be said the same
// way. No message repeats a value. Not here: the form (access/expectation.ts), what becomes of the cases (grant-test.ts).
import { z } from 'zod';
import { type Expectation, expectationSchema } from '../../access/expectation.ts';
import {
  type ConfigDocument,
  describePosition,
  type Place,
  type Problem,
  readDocument,
} from '../../config/document.ts';
import { describeIssue, problemsOf } from '../../config/problems.ts';
import { Failure } from '../../model/failure.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Files } from '../context.ts';
import { createLookalike } from '../lookalike.ts';
import { visible } from '../text.ts';

const FILE_BYTES_MAX = 524_288;
const FILES_MAX = 200;
/** Of one call, in all files. */
export const CASES_MAX = 10_000;

/** A case and where it stands. */
export interface PlacedCase {
  readonly given: Expectation;
  readonly file: string;
  /** Its index in the file. */
  readonly index: number;
  /** Null where the file does not say. */
  readonly line: number | null;
}

export interface GrantCases {
  readonly cases: readonly PlacedCase[];
  /** The same failure with pointers into the files, where it points at the cases from `first` on. */
  located(failure: Failure, first: number): Failure;
}

const casesSchema = z.array(expectationSchema).min(1).max(CASES_MAX);
let made: JsonObject | null = null;

/** The JSON Schema of a file (draft 2020-12), for the names of its keys. */
function casesJsonSchema(): JsonObject {
  made ??= JSON.parse(JSON.stringify(z.toJSONSchema(casesSchema, { io: 'input' }))) as JsonObject;
  return made;
}

/** Forms that have words of their own keep them. */
function describe(issue: z.core.$ZodRawIssue): string | undefined {
  return issue.code === 'custom' || issue.code === 'invalid_format' ? undefined : describeIssue(issue);
}

/** Reads all files. Throws `invalid` with every problem in every one of them. */
export async function readGrantCases(files: Files, paths: readonly string[]): Promise<GrantCases> {
  if (paths.length > FILES_MAX) throw new Failure('invalid', `more than ${FILES_MAX} files`);
  const errors: { pointer: string; detail: string }[] = [];
  const cases: PlacedCase[] = [];
  const places = new Map<string, ReadonlyMap<string, Place>>();
  for (const path of paths) {
    const file = visible(path);
    const document = readText(await files.read(path, FILE_BYTES_MAX));
    const read = casesOf(document);
    errors.push(
      ...read.problems.map(({ pointer, message, position }) => ({
        pointer: `${file}${pointer}`,
        detail: `${describePosition(position)}${message}`,
      })),
    );
    places.set(file, read.places);
    for (const [index, given] of read.cases.entries()) {
      cases.push({ given, file, index, line: read.places.get(`/${index}`)?.value.line ?? null });
    }
  }
  if (errors.length > 0) throw new Failure('invalid', 'the files are not accepted', { errors });
  if (cases.length > CASES_MAX) throw new Failure('invalid', `more than ${CASES_MAX} cases`);
  return { cases, located: (failure, first) => located(failure, first, cases, places) };
}

function readText(bytes: Uint8Array): ConfigDocument {
  try {
    return readDocument(new TextDecoder('utf-8', { fatal: true }).decode(bytes), FILE_BYTES_MAX);
  } catch {
    return { is: 'refused', problems: [{ pointer: '', message: 'not UTF-8', position: null }] };
  }
}

interface ReadCases {
  readonly cases: readonly Expectation[];
  readonly problems: readonly Problem[];
  readonly places: ReadonlyMap<string, Place>;
}

function casesOf(document: ConfigDocument): ReadCases {
  if (document.is === 'refused') return { cases: [], problems: document.problems, places: new Map() };
  const { value, places } = document;
  const secrets = secretPointers(value, '').map((pointer) => ({
    pointer,
    message: 'this looks like a secret: it never stands in these files, and this one should be rotated',
    position: places.get(pointer)?.value ?? null,
  }));
  const parsed = casesSchema.safeParse(value, { error: describe });
  if (parsed.success) return { cases: parsed.data, problems: secrets, places };
  const problems = problemsOf(parsed.error.issues, { value, places, schema: casesJsonSchema() });
  return { cases: [], problems: [...secrets, ...problems], places };
}

/** Our own tokens and what vendors mark as theirs. Not every kind's format: an id in a path may look like somebody's key. */
const looksSecret = createLookalike([]);

/** Where text that looks like a secret stands, in a request's parts too. The reader of documents bounds how deep they are. */
function secretPointers(value: unknown, pointer: string): string[] {
  if (typeof value === 'string') return value.split(/[\s/?&=]+/).some(looksSecret) ? [pointer] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => secretPointers(child, `${pointer}/${key}`));
}

const IN_CASES = /^\/cases\/([0-9]{1,6})((?:\/.*)?)$/;

function located(
  failure: Failure,
  first: number,
  cases: readonly PlacedCase[],
  places: ReadonlyMap<string, ReadonlyMap<string, Place>>,
): Failure {
  const errors = failure.errors.map(({ pointer, detail }) => {
    const match = IN_CASES.exec(pointer);
    const one = match === null ? undefined : cases[first + Number(match[1])];
    if (match === null || one === undefined) return { pointer, detail };
    const inFile = `/${one.index}${match[2]!}`;
    const known = places.get(one.file);
    const place = known?.get(inFile) ?? known?.get(`/${one.index}`);
    return { pointer: `${one.file}${inFile}`, detail: `${describePosition(place?.value ?? null)}${detail}` };
  });
  return new Failure(failure.code, failure.message, { cause: failure.cause, errors });
}
