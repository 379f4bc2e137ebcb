// Grants tried without a request: decides each case as the broker would, on rows that are given, and says whether it is as expected. The policy is
// made afresh from the rows that the cases name, and its grants have no rate: so nothing of the live policy can be spent or changed, nothing is
// recorded, nothing is sent. What a case cannot ask about: tokens (their own networks and ends), rates, and whether the vault is open.
// A test holds this against the broker's `plan` (test/conformance/permission-cases.test.ts).
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { type Address, parseAddress } from '../model/address.ts';
import { emptyRows, type Noun, type Row, type Rows } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import { allRows } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { matchAction, NO_VALUES, pathProblem, readQuery } from './action.ts';
import type { CompiledGrant } from './authorize.ts';
import type { CatalogueRow } from './catalogue.ts';
import type { Expectation, Verdict } from './expectation.ts';
import { parametersOf } from './manage-grants.ts';
import { decideUse, type LiveCredential, type LiveToken, type Policy, policyOf, tokenProblem } from './policy.ts';
import type { GrantRow, PrincipalRow } from './principal.ts';

interface Wrong {
  readonly pointer: string;
  readonly detail: string;
}

/** A case whose names lead somewhere. */
interface Placed {
  readonly given: Expectation;
  readonly pointer: string;
  readonly principal: PrincipalRow;
  readonly credential: CredentialRow;
}

type Judged = Omit<Verdict, 'holds'>;

/**
 * Decides every case. Throws `invalid` with a pointer below `/cases` for each name that leads nowhere: a principal, a credential, an action, a
 * parameter. Changes nothing. Costs one pass over the rows, and the compiling of the catalogues that are named.
 */
export function tryGrants(rows: Rows, cases: readonly Expectation[], now: UtcMs): readonly Verdict[] {
  const wrong: Wrong[] = [];
  const placed = placedIn(rows, cases, wrong);
  const policy = policyFor(rows, placed);
  const verdicts = placed.map((one) => verdictOn(policy, one, now, wrong));
  if (wrong.length > 0) throw new Failure('invalid', 'cases name what is not there', { errors: wrong });
  return verdicts;
}

const SPACE = 'default';

function mountOf(row: CredentialRow): string {
  return `${row.provider}/${row.name}@${row.environment}`;
}

function placedIn(rows: Rows, cases: readonly Expectation[], wrong: Wrong[]): Placed[] {
  const principals = new Map(
    allRows<PrincipalRow>(rows, 'principal')
      .filter((row) => row.space === SPACE)
      .map((row) => [row.name, row]),
  );
  const credentials = new Map(
    allRows<CredentialRow>(rows, 'credential')
      .filter((row) => row.space === SPACE)
      .map((row) => [mountOf(row), row]),
  );
  return cases.flatMap((given, i) => {
    const pointer = `/cases/${i}`;
    const principal = principals.get(given.as);
    const mount = given.credential.includes('@') ? given.credential : `${given.credential}@default`;
    const credential = credentials.get(mount);
    if (principal === undefined) wrong.push({ pointer: `${pointer}/as`, detail: 'there is no such principal' });
    if (credential === undefined)
      wrong.push({ pointer: `${pointer}/credential`, detail: 'there is no such credential' });
    return principal === undefined || credential === undefined ? [] : [{ given, pointer, principal, credential }];
  });
}

/** A policy of what the cases name and nothing else. */
function policyFor(rows: Rows, placed: readonly Placed[]): Policy {
  const principals = new Set(placed.map(({ principal }) => principal.id));
  const credentials = new Set(placed.map(({ credential }) => credential.id));
  const providers = new Set(placed.map(({ credential }) => credential.provider));
  const chosen = emptyRows();
  const take = <R extends Row>(noun: Noun, keep: (row: R) => boolean, changed: (row: R) => R = (row) => row) => {
    for (const row of allRows<R>(rows, noun)) if (keep(row)) chosen.get(noun)!.set(row.id, changed(row));
  };
  take<CatalogueRow>('catalogue', (row) => providers.has(row.provider));
  take<PrincipalRow>('principal', (row) => principals.has(row.id));
  take<CredentialRow>('credential', (row) => credentials.has(row.id));
  take<VersionRow>('version', (row) => row.state === 'current' && credentials.has(row.credentialId));
  take<GrantRow>(
    'grant',
    (row) => principals.has(row.principalId) && credentials.has(row.credentialId),
    (row) => ({ ...row, rate: null }),
  );
  return policyOf(chosen, 0);
}

/** What would stand behind a token of the principal's that is bound to nothing. */
function callerOf(principal: PrincipalRow): LiveToken {
  return {
    row: {
      id: '',
      rowVersion: 1,
      principalId: principal.id,
      hash: '',
      hint: '',
      note: '',
      credentialId: null,
      networks: [],
      createdAt: 0,
      expiresAt: null,
      revokedAt: null,
      replacedBy: null,
    },
    networks: [],
    principal,
  };
}

interface Asking {
  readonly policy: Policy;
  readonly token: LiveToken;
  readonly credential: LiveCredential;
  readonly at: UtcMs;
  readonly address: Address | null;
}

function verdictOn(policy: Policy, one: Placed, now: UtcMs, wrong: Wrong[]): Verdict {
  const { given, pointer } = one;
  const asking: Asking = {
    policy,
    token: callerOf(one.principal),
    credential: policy.credentials.get(one.credential.id)!,
    at: given.at === undefined ? now : Date.parse(given.at),
    address: given.from === undefined ? null : parseAddress(given.from),
  };
  const judged =
    given.request === undefined ? judgeAction(asking, given, pointer, wrong) : judgeRequest(asking, given.request);
  const isAsExpected = judged.decision === given.expect && (given.why ?? judged.reason) === judged.reason;
  return { ...judged, holds: isAsExpected };
}

function refused(reason: string, action: string | null = null): Judged {
  return { decision: 'deny', reason, action, grant: null };
}

/** The same steps in the same order as the broker's, from the path on. */
function judgeRequest(asking: Asking, request: string): Judged {
  const { policy, token, credential, at } = asking;
  const problem = tokenProblem(token, at, asking);
  if (problem !== null) return refused(problem);
  const space = request.indexOf(' ');
  const [method, target] = [request.slice(0, space), request.slice(space + 1)];
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const bad = pathProblem(path);
  if (bad !== null) return refused(bad);
  const { catalogue } = credential;
  const holdsAny = policy.pairs.get(token.row.principalId)?.get(credential.row.id)?.grants.some(isInForce) === true;
  const match = catalogue === null ? null : matchAction(catalogue.compiled, method, path);
  if (match === null) return refused(holdsAny ? 'no-action' : 'no-grant');
  const query = readQuery(mark < 0 ? '' : target.slice(mark + 1), match.action.query ?? []);
  if (query.problem !== null) return refused(holdsAny ? query.problem : 'no-grant', match.action.name);
  return judgeUse(asking, match.action.name, { ...query.values, ...match.parameters });
}

function isInForce(grant: CompiledGrant): boolean {
  return grant.row.revokedAt === null;
}

function judgeAction(asking: Asking, given: Expectation, pointer: string, wrong: Wrong[]): Judged {
  const name = given.action ?? '';
  const action = asking.credential.catalogue?.actions.get(name);
  if (action === undefined) {
    wrong.push({ pointer: `${pointer}/action`, detail: 'the provider has no such action' });
    return refused('no-action');
  }
  const known = parametersOf(action);
  for (const parameter of Object.keys(given.parameters ?? {})) {
    if (known.includes(parameter)) continue;
    wrong.push({ pointer: `${pointer}/parameters/${parameter}`, detail: 'the action has no such parameter' });
  }
  return judgeUse(asking, name, given.parameters ?? NO_VALUES);
}

function judgeUse(asking: Asking, name: string, parameters: Readonly<Record<string, string>>): Judged {
  const { policy, token, credential, at, address } = asking;
  const action = credential.catalogue!.actions.get(name)!;
  const decision = decideUse(policy, { token, credential, action }, { parameters, address, at, monoMs: 0 });
  const row = decision.grant?.row ?? null;
  const grant =
    row === null ? null : { id: row.id, actions: [...row.actions], note: row.note, managedBy: row.managedBy };
  return {
    decision: decision.allowed ? 'allow' : 'deny',
    reason: decision.allowed ? null : decision.reason,
    action: name,
    grant,
  };
}
