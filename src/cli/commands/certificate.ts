// Certificates of death: showing them, keeping them, and checking them without any server.
import { Failure } from '../../model/failure.ts';
import type { Json } from '../../model/json.ts';
import { idSegment } from '../api.ts';
import { certificateText } from '../certificate-text.ts';
import type { Command } from '../command.ts';
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

const show: Command = {
  name: 'certificate show',
  about: 'a certificate: its verdict, and each refusal with the controls beside it',
  more: 'What can be checked without us is the signed note: `--signed` prints it byte for byte. Looking at it here checks no signature.',
  arguments: [{ name: '<certificate-id>', about: 'id of the certificate: `claviger certificate list`' }],
  options: [{ flags: '--signed', about: 'the signed note itself, to be kept: what `certificate verify` checks' }],
  examples: [
    { line: 'claviger certificate show crt_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4', about: 'what it rests on' },
    {
      line: 'claviger certificate show crt_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4 --signed > billing-1.certificate',
      about: 'keep it; `certificate verify` needs nothing but this file and the key',
    },
  ],
  async run(context, input) {
    const api = await context.api();
    const path = `/v1/certificates/${idSegment('certificate', input.argument(0))}`;
    const row = await api.get<Certificate>(path);
    // A file or a pipe gets the exact bytes, a terminal what cannot harm it.
    const exact = row.note.replace(/\n$/, '');
    const note = context.machine.stdout.isTty ? visibleBlock(exact) : exact;
    if (input.isOn('signed')) return { data: row, text: note };
    context.note(`To keep and to check it: claviger certificate show ${row.id} --signed > ${row.id}.certificate`);
    return { data: row, text: certificateText(row.statement, context.view), brief: note };
  },
};

export function certificateCommands(primitives: Primitives): readonly Command[] {
  const verify: Command = {
    name: 'certificate verify',
    about: 'check a certificate without any server: its signature, and that it is one',
    arguments: [{ name: '<file>', about: 'the certificate, as `certificate show --signed` gives it' }],
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
      const text = `${context.view.paint('green', 'genuine')}\n${certificateText(fields, context.view)}`;
      return { data: { verified: true, statement: fields }, text, brief: 'genuine' };
    },
  };
  return [list, show, verify];
}
