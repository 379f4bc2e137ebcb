// Bringing the key that a rotation waits for. Its parts never stand in arguments (parts-input.ts); whether it is the right one, the server says.
import { Failure } from '../../model/failure.ts';
import { idSegment } from '../api.ts';
import type { Command } from '../command.ts';
import { namesParts, PART_OPTIONS, readParts } from '../parts-input.ts';
import type { Rotation } from '../rows.ts';
import { BROUGHT_ISSUER, issuerNamed, kindOf } from './credential-input.ts';
import { FOLLOW_OPTIONS, followed, ROTATION, type RotationDetail, todoLines, waitOf } from './rotation-watch.ts';

export const bring: Command = {
  name: 'rotation bring',
  about: 'bring the key that a rotation waits for, and follow it',
  more:
    'The key comes from standard input, a file, a .env file or a prompt, never from an argument. It is taken if the provider accepts it and it is ' +
    'of the same account, none of the keys before it, and able to do no more than the one that it follows. Else the rotation waits on.',
  arguments: [ROTATION],
  options: [...PART_OPTIONS, BROUGHT_ISSUER, ...FOLLOW_OPTIONS],
  examples: [
    {
      line: 'claviger rotation bring rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
      about: 'says what to do at the provider, then asks for the key and does not show it',
    },
    {
      line: 'pass show cachet/new | claviger rotation bring rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4 --from-stdin',
      about: 'from a password manager',
    },
  ],
  async run(context, input) {
    const seconds = waitOf(input);
    const api = await context.api();
    const id = idSegment('rotation', input.argument(0));
    const detail = await api.get<RotationDetail>(`/v1/rotations/${id}`);
    const { state, credentialId } = detail.rotation;
    // Said before anybody types a key.
    if (state.end !== null || state.step !== 'await') throw new Failure('conflict', 'the rotation waits for no key');
    const credential = await api.credential(credentialId);
    const kind = await kindOf(context, credential.provider, credential.kind);
    if (!namesParts(input)) for (const line of todoLines(context, detail) ?? []) context.note(line);
    const issuer = await issuerNamed(api, input);
    const parts = await readParts(context, input, kind);
    const row = await api.post<Rotation>(`/v1/rotations/${id}/key`, { parts, ...issuer });
    context.note('The key is taken and stored.');
    return followed(context, row, { seconds, begun: 'Brought the key of' });
  },
};
