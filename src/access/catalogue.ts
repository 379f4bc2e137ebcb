// The action catalogue as it stands in the control log: so that a decision can be made again from the log alone, whatever
// release reads it. One line of text for each action keeps even the largest provider's within one entry.
import type { Row } from '../model/change.ts';
import { Failure } from '../model/failure.ts';
import type { Action, Provider } from '../providers/provider.ts';

export interface CatalogueRow extends Row {
  readonly provider: string;
  /** `name effect METHOD path [query=a,b] [slashes=a] [mints] [redirect] [upgrade] [first-frame=pointer,subprotocol]` */
  readonly actions: readonly string[];
}

export const catalogueTable = {
  naturalKey: (row: CatalogueRow) => row.provider,
  parent: () => null,
  isLive: () => true,
};

export function formatAction(action: Action): string {
  const parts = [action.name, action.effect, action.method, action.path];
  if (action.query !== undefined && action.query.length > 0) parts.push(`query=${action.query.join(',')}`);
  if (action.slashes !== undefined && action.slashes.length > 0) parts.push(`slashes=${action.slashes.join(',')}`);
  if (action.mints === true) parts.push('mints');
  if (action.foreignRedirect === 'pass') parts.push('redirect');
  if (action.upgrade === 'websocket') parts.push('upgrade');
  if (action.firstFrame !== undefined) {
    const { pointer, subprotocol } = action.firstFrame;
    parts.push(`first-frame=${pointer},${subprotocol}`);
  }
  return parts.join(' ');
}

/** Reads a line of a catalogue. Throws `corrupt` for one that this program did not write. */
export function parseAction(text: string): Action {
  const [name, effect, method, path, ...flags] = text.split(' ');
  if (name === undefined || path === undefined || !/^(?:read|write|delete)$/.test(effect ?? '')) {
    throw new Failure('corrupt', 'an action of the catalogue cannot be read');
  }
  const list = (flag: string) =>
    flags
      .find((text) => text.startsWith(`${flag}=`))
      ?.slice(flag.length + 1)
      .split(',');
  const query = list('query');
  const slashes = list('slashes');
  const [pointer, subprotocol] = list('first-frame') ?? [];
  return {
    name,
    effect: effect as Action['effect'],
    method: method as Action['method'],
    path,
    ...(query === undefined ? {} : { query }),
    ...(slashes === undefined ? {} : { slashes }),
    ...(flags.includes('mints') ? { mints: true } : {}),
    ...(flags.includes('redirect') ? { foreignRedirect: 'pass' as const } : {}),
    ...(flags.includes('upgrade') ? { upgrade: 'websocket' as const } : {}),
    ...(pointer === undefined || subprotocol === undefined ? {} : { firstFrame: { pointer, subprotocol } }),
  };
}

export function catalogueLines(provider: Provider): string[] {
  return provider.actions.map(formatAction);
}
