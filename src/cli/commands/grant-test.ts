// `claviger grant test`: a table of expectations against grants, for a pipeline: those of a running server, or those of documents that nobody has applied
// yet. What is shown and how it ends; reading the files is grant-cases.ts, deciding is access/try-grants.ts, on the server or here.
import { EXPECTATIONS_MAX, type Verdict } from '../../access/expectation.ts';
import { Failure } from '../../model/failure.ts';
import type { Command, Outcome } from '../command.ts';
import type { Context } from '../context.ts';
import { jsonText } from '../text.ts';
import { type GrantCases, type PlacedCase, readGrantCases } from './grant-cases.ts';
import { createOfflineTrial } from './grant-test-offline.ts';

interface Tried {
  readonly one: PlacedCase;
  readonly verdict: Verdict;
}

/** Asks for all cases, as many at once as a request may hold. */
async function tryAll(
  { cases, located }: GrantCases,
  ask: (given: readonly PlacedCase['given'][]) => Promise<readonly Verdict[]>,
): Promise<readonly Tried[]> {
  const tried: Tried[] = [];
  for (let first = 0; first < cases.length; first += EXPECTATIONS_MAX) {
    const part = cases.slice(first, first + EXPECTATIONS_MAX);
    try {
      const verdicts = await ask(part.map(({ given }) => given));
      if (verdicts.length !== part.length) throw new Failure('corrupt', 'the server answered for other cases');
      tried.push(...part.map((one, i) => ({ one, verdict: verdicts[i]! })));
    } catch (error) {
      throw Failure.is(error) ? located(error, first) : error;
    }
  }
  return tried;
}

function placeOf({ file, index, line }: PlacedCase): string {
  return line === null ? `${file} #${index + 1}` : `${file}:${line}`;
}

function askedOf({ given }: PlacedCase): string {
  if (given.request !== undefined) return given.request;
  return `${given.action ?? ''}${given.parameters === undefined ? '' : ` ${jsonText(given.parameters, 0)}`}`;
}

function expectedOf({ given }: PlacedCase): string {
  return given.why === undefined ? given.expect : `${given.expect} ${given.why}`;
}

function gotOf({ decision, reason }: Verdict): string {
  return reason === null ? decision : `${decision} ${reason}`;
}

/** The grant that decided: its id, and what it allows; the name that its document has where it has one. */
function grantOf({ grant }: Verdict): string {
  if (grant === null) return 'none';
  const name = grant.managedBy === null ? grant.id : `${grant.managedBy} ${grant.id}`;
  return `${name}: ${grant.actions.join(' ')}`;
}

function outcomeOf({ view }: Context, tried: readonly Tried[]): Outcome {
  const failed = tried.filter(({ verdict }) => !verdict.holds);
  const held = tried.length - failed.length;
  const table = view.table(
    [
      { title: 'case', least: 12 },
      { title: 'as', least: 8 },
      { title: 'credential', least: 8 },
      { title: 'asked', least: 16 },
      { title: 'expected', least: 8 },
      { title: 'got', least: 8 },
      { title: 'decided by', least: 12 },
      { title: 'note', least: 8 },
    ],
    failed.map(({ one, verdict }) => [
      placeOf(one),
      one.given.as,
      one.given.credential,
      askedOf(one),
      expectedOf(one),
      gotOf(verdict),
      grantOf(verdict),
      one.given.note ?? '',
    ]),
    '',
  );
  const summary = `${held} of ${tried.length} expectations hold${failed.length === 0 ? '' : `; ${failed.length} fail`}.`;
  return {
    data: {
      cases: tried.length,
      failed: failed.length,
      items: tried.map(({ one, verdict }) => ({
        file: one.file,
        index: one.index,
        line: one.line,
        ...one.given,
        ...verdict,
      })),
    },
    text: failed.length === 0 ? summary : `${table}\n\n${summary}`,
    brief: failed.map(({ one }) => placeOf(one)).join('\n'),
    exit: failed.length === 0 ? 0 : 1,
  };
}

export const grantTest: Command = {
  name: 'grant test',
  about: 'hold grants against a table of what must be allowed and what refused',
  more:
    'A file is a list of cases: `as` (principal), `credential` (`provider/name`, `provider/name@environment`), `request` (`GET /api/v2/projects`) or ' +
    '`action` with `parameters`, `from` (address), `at` (time), `expect` (`allow`, `deny`), `why` (reason of the refusal), `note`. Nothing is sent to ' +
    'a provider, recorded as a use, or taken from a rate. With --policy the grants are those of files for `apply`, and no server is needed. Exit code 1 ' +
    'where an expectation fails.',
  arguments: [{ name: '<file...>', about: 'YAML or JSON files of cases' }],
  options: [
    {
      flags: '--policy <path...>',
      about: 'try the grants of these files (or directories with .yaml files) for `apply`, not those of a server',
    },
  ],
  examples: [
    { line: 'claviger grant test examples/grants.test.yaml', about: 'the grants in force, in a nightly job' },
    {
      line: 'claviger grant test examples/grants.test.yaml --policy examples/grants.policy.yaml',
      about: 'the grants that a pull request would bring, without a server',
    },
  ],
  async run(context, input) {
    const cases = await readGrantCases(context.machine.files, input.allArguments());
    const policy = input.list('policy');
    if (policy.length > 0) {
      const trial = await createOfflineTrial(context, policy);
      return outcomeOf(context, await tryAll(cases, (given) => Promise.resolve(trial(given))));
    }
    const api = await context.api();
    const ask = async (given: readonly PlacedCase['given'][]) => {
      const { items } = await api.post<{ items: readonly Verdict[] }>('/v1/grants/test', { cases: given });
      return items;
    };
    return outcomeOf(context, await tryAll(cases, ask));
  },
};
