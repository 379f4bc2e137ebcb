// The configuration file of a call. A file that is named and cannot be read is a wrong call here; for a server it would be an outage.
import { type LoadedConfig, loadConfig } from '../config/load.io.ts';
import { Failure } from '../model/failure.ts';

/** Loads a configuration. Throws `invalid`, with the file's name, for whatever is wrong with it. */
export async function loadConfiguration(
  file: string | null,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<LoadedConfig> {
  try {
    return await loadConfig(file, { environment });
  } catch (error) {
    if (!Failure.is(error) || error.errors.length > 0 || file === null) throw error;
    const detail = error.message.replace('the configuration file ', '');
    throw new Failure('invalid', 'the configuration file is not accepted', {
      cause: error.cause,
      errors: [{ pointer: file, detail }],
    });
  }
}
