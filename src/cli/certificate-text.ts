// A certificate of death as a person reads it: the verdict, whose key it was, and each refusal with the acceptances of a living key beside it.
// All of it from the signed statement, which may be anybody's file: nothing is taken for granted. Not here: signatures (proof.ts).
import type { Json } from '../model/json.ts';
import type { View } from './view.ts';

type Fields = Readonly<Record<string, Json>>;

function object(value: Json | undefined): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function text(value: Json | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '–';
}

/** UTC to the millisecond, as the order of three readings within a second needs it. Text that is no time is given back. */
function instant(value: Json | undefined): string {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? text(value) : new Date(at).toISOString().replace('T', ' ');
}

function timeOfDay(value: Json | undefined): string {
  return instant(value).replace(/^\d{4}-\d\d-\d\d /, '');
}

interface Refusal {
  readonly refused: Fields;
  readonly before: Fields;
  readonly after: Fields;
  readonly control: Fields;
}

function refusalsOf(statement: Fields): Refusal[] {
  const given = Array.isArray(statement['refusals']) ? (statement['refusals'] as readonly Json[]) : [];
  return given.map((one) => {
    const control = object(object(one)['control']);
    const refused = object(object(one)['refused']);
    return { refused, control, before: object(control['before']), after: object(control['after']) };
  });
}

/** A refusal counts only between two acceptances of a key that is known to live. */
function isBracketed({ refused, before, after }: Refusal): boolean {
  return refused['is'] === 'dead' && before['is'] === 'alive' && after['is'] === 'alive';
}

function verdictLine(refusals: readonly Refusal[], view: View): string {
  const counted = refusals.filter(isBracketed).length;
  if (counted > 0 && counted === refusals.length) {
    const times = counted === 1 ? 'once' : `${counted} times`;
    return `${view.paint('green', 'dead')}: the provider refused this key ${times}, each time between two acceptances of a key that lives`;
  }
  const what = refusals.length === 0 ? 'no refusal is named' : `${counted} of ${refusals.length} refusals count`;
  return `${view.paint('red', 'NOT PROVEN')}: ${what}; one counts only between two acceptances of a key that lives`;
}

function readingText(reading: Fields): string {
  return `${timeOfDay(reading['at'])} ${text(reading['is'])} ${text(reading['status'])}`;
}

/** Lines for a person: the verdict first. */
export function certificateText(statement: Fields, view: View): string {
  const credential = object(statement['credential']);
  const version = object(statement['version']);
  const refusals = refusalsOf(statement);
  const time = (value: Json | undefined) => view.when(typeof value === 'string' ? value : null);
  const fields = view.fields([
    ['credential', `${text(credential['environment'])}/${text(credential['provider'])}/${text(credential['name'])}`],
    ['kind', `${text(credential['kind'])} at ${text(credential['origin'])}`],
    ['version', `${text(version['number'])} (${text(version['id'])})`],
    ['provider key', text(version['providerKeyId'])],
    ['reason', `${text(statement['reason'])}, requested by ${text(statement['requestedBy'])}`],
    ['requested', time(statement['requestedAt'])],
    ['provider asked', time(statement['revokeCalledAt'])],
    ['certified', time(statement['issuedAt'])],
    ['instance', text(statement['instance'])],
  ]);
  const table = view.table(
    [
      { title: 'refused at' },
      { title: 'status' },
      { title: 'signature', least: 12 },
      { title: 'control before' },
      { title: 'control after' },
      { title: 'control', least: 10 },
    ],
    refusals.map(({ refused, control, before, after }) => [
      instant(refused['at']),
      text(refused['status']),
      text(refused['signature']),
      readingText(before),
      readingText(after),
      text(control['version']),
    ]),
    'It names no refusal.',
  );
  return `${verdictLine(refusals, view)}\n\n${fields}\n\n${table}`;
}
