// What is said when something fails: what happened, which fields are wrong, and what to do about it. Never a stack, never a value
// that was given. Internal errors are the exception: they are bugs, and say where to report them.
import { Failure } from '../model/failure.ts';
import { type Exit, exitOf, isUnreachable } from './exit.ts';
import type { Paint } from './paint.ts';
import { jsonText, visible } from './text.ts';

export interface ErrorReport {
  readonly exit: Exit;
  readonly code: string;
  readonly message: string;
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
  readonly hint: string | null;
}

function hintOf(error: Failure): string | null {
  if (isUnreachable(error)) {
    return error.code === 'upstream-ambiguous'
      ? 'The request may have been carried out: look before you repeat it.'
      : 'Is the server running, and is this its address? `claviger doctor` looks on this machine.';
  }
  if (error.errors.length > 0) return null;
  switch (error.code) {
    case 'unauthenticated':
      return 'The token is missing, wrong, expired or revoked: see --token-file and CLAVIGER_TOKEN_FILE.';
    case 'denied':
      return '`claviger whoami` shows what this token may do.';
    case 'sealed':
      return 'Unseal the server: `claviger unseal`.';
    case 'rate-limited':
    case 'unavailable':
      return error.retryAfterSeconds === null ? null : `Try again in ${error.retryAfterSeconds} s.`;
    default:
      return null;
  }
}

/** The report of whatever was thrown. */
export function reportOf(error: unknown): ErrorReport {
  const exit = exitOf(error);
  if (Failure.is(error)) {
    const { code, message, errors } = error;
    return { exit, code: isUnreachable(error) ? 'unreachable' : code, message, errors, hint: hintOf(error) };
  }
  // The message of an unknown error may hold anything: only its kind and its system code are shown.
  const known = error instanceof Error ? error : null;
  const system = known !== null && 'code' in known ? ` (${String(known.code)})` : '';
  const message = `an unexpected ${known?.name ?? 'error'}${system}`;
  return { exit, code: 'internal', message, errors: [], hint: 'This is a bug: set CLAVIGER_DEBUG=1 to see where.' };
}

/** Lines for a person. */
export function renderReport(report: ErrorReport, paint: Paint): string {
  const lines = [`${paint('red', 'error:')} ${visible(report.message)}`];
  for (const { pointer, detail } of report.errors) {
    const place = pointer === '' ? '' : `${paint('bold', visible(pointer))}  `;
    lines.push(`  ${place}${visible(detail)}`);
  }
  if (report.hint !== null) lines.push(`${paint('cyan', 'hint:')} ${report.hint}`);
  return `${lines.join('\n')}\n`;
}

/** One JSON value for programs, on standard error: standard output holds results alone. */
export function reportJson(report: ErrorReport): string {
  return `${jsonText({ error: report }, 0)}\n`;
}
