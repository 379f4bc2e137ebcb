// Certificates of death: showing them, keeping them, and checking them without any server.
import { Failure } from '../../model/failure.ts';
import type { Json } from '../../model/json.ts';
import { idSegment } from '../api.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { openCertificate, type Primitives } from '../proof.ts';
import type { Certificate } from '../rows.ts';
import { visibleBlock } from '../text.ts';
import { keyText } from './audit.ts';

const NOTE_BYTES_MAX = 1_048_576;

const list: Command = {
  name: 'certificate list',
  about: 'certificates of death, the newest first',
  options: [{ flags: '--credential <credential>', about: 'only of this credential' }],
  examples: [{ line: 'claviger certificate list --credential billing', about: 'every version that is proven dead' }],
  async run(context, input) {
    const api = await context.api();
    const credential = input.text('credential');
    const query = { credential: credential === null ? null : (await api.credential(credential)).id };
    const { items } = await api.list<Certificate>('/v1/certificates', query);
    const text = context.view.table(
      [{ title: 'issued', least: 20 }, { title: 'credential' }, { title: 'version' }, { title: 'id' }],
      items.map((row) => [context.view.when(row.issuedAt), row.credentialId, row.versionId, row.id]),
      'There are no certificates yet.',
    );
    return { data: { items }, text, brief: items.map((row) => row.id).join('\n') };
  },
};

/** What a certificate says, in words. */
function statementText(context: Context, fields: Readonly<Record<string, Json>>): string {
  const object = (value: Json | undefined) =>
    (typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}) as Readonly<
      Record<string, Json>
    >;
  const text = (value: Json | undefined) =>
    typeof value === 'string' || typeof value === 'number' ? String(value) : '–';
  const time = (value: Json | undefined) => context.view.when(typeof value === 'string' ? value : null);
  const credential = object(fields['credential']);
  const version = object(fields['version']);
  const refusals = Array.isArray(fields['refusals']) ? (fields['refusals'] as readonly Json[]) : [];
  return context.view.fields([
    ['credential', `${text(credential['environment'])}/${text(credential['provider'])}/${text(credential['name'])}`],
    ['kind', `${text(credential['kind'])} at ${text(credential['origin'])}`],
    ['version', `${text(version['number'])} (${text(version['id'])})`],
    ['provider key', text(version['providerKeyId'])],
    ['reason', `${text(fields['reason'])}, requested by ${text(fields['requestedBy'])}`],
    ['requested', time(fields['requestedAt'])],
    ['provider asked', time(fields['revokeCalledAt'])],
    [
      `refusals`,
      refusals
        .map((refusal) => {
          const refused = object(object(refusal)['refused']);
          return `${time(refused['at'])}  ${text(refused['status'])}  ${text(refused['signature'])}`;
        })
        .join('\n') || 'none',
    ],
    ['issued', time(fields['issuedAt'])],
    ['instance', text(fields['instance'])],
  ]);
}

const show: Command = {
  name: 'certificate show',
  about: 'a certificate, in the form that can be checked: a signed note',
  arguments: [{ name: '<certificate-id>', about: 'id of the certificate: `claviger certificate list`' }],
  examples: [
    {
      line: 'claviger certificate show crt_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4 > billing-1.certificate',
      about: 'keep it; `certificate verify` needs nothing but this file and the key',
    },
  ],
  async run(context, input) {
    const api = await context.api();
    const path = `/v1/certificates/${idSegment('certificate', input.argument(0))}`;
    const row = await api.get<Certificate>(path);
    // A file or a pipe gets the exact bytes, a person what they say.
    if (!context.machine.stdout.isTty) return { data: row, text: row.note.replace(/\n$/, '') };
    context.note(`The form that can be checked: claviger certificate show ${row.id} > ${row.id}.certificate`);
    return { data: row, text: statementText(context, row.statement), brief: visibleBlock(row.note).replace(/\n$/, '') };
  },
};

export function certificateCommands(primitives: Primitives): readonly Command[] {
  const verify: Command = {
    name: 'certificate verify',
    about: 'check a certificate without any server: its signature, and that it is one',
    arguments: [{ name: '<file>', about: 'the certificate, as `certificate show` gives it' }],
    options: [{ flags: '--key <vkey>', about: 'verifier key that you trust: its text, or a file that holds it' }],
    examples: [
      {
        line: 'claviger certificate verify billing-1.certificate --key control.vkey',
        about: 'exit code 1 where it is not genuine',
      },
    ],
    async run(context, input) {
      const vkey = await keyText(context, input.required('key'));
      const note = await context.machine.files.read(input.argument(0), NOTE_BYTES_MAX);
      let fields: Readonly<Record<string, Json>>;
      try {
        fields = openCertificate(note, vkey, primitives);
      } catch (error) {
        if (!Failure.is(error, 'corrupt')) throw error;
        const text = `${context.view.paint('red', 'NOT GENUINE')}: ${error.message}`;
        return { data: { verified: false, problem: error.message }, text, brief: 'not genuine', exit: 1 };
      }
      const text = `${context.view.paint('green', 'genuine')}\n${statementText(context, fields)}`;
      return { data: { verified: true, statement: fields }, text, brief: 'genuine' };
    },
  };
  return [list, show, verify];
}
