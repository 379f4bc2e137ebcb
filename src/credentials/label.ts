// The name that a minted key carries in the provider's own list: clv/<instance>/<credential>/<rotation>/<attempt>. It is what
// makes a sweep safe: only a key whose whole label parses, and whose every part is ours, is ever deleted without its
// bytes. At most 64 characters (the shortest limit met so far is Neon's), so ids are cut to their random tails.

export interface Label {
  /** 8 hex digits: which Claviger. Two installations on one account never touch each other's keys. */
  readonly instance: string;
  /** Last 16 hex digits of the credential's id. */
  readonly credential: string;
  /** Last 16 hex digits of the rotation's id. */
  readonly rotation: string;
  /** Which try of that rotation, from 1. */
  readonly attempt: number;
}

const LABEL = /^clv\/([0-9a-f]{8})\/([0-9a-f]{16})\/([0-9a-f]{16})\/([1-9][0-9]{0,3})$/;

export function formatLabel(label: Label): string {
  return `clv/${label.instance}/${label.credential}/${label.rotation}/${label.attempt}`;
}

/** The label a name carries, or null: a person's name for a key, another tool's, a cut or extended one. */
export function parseLabel(name: string): Label | null {
  const match = LABEL.exec(name);
  if (match === null) return null;
  return { instance: match[1]!, credential: match[2]!, rotation: match[3]!, attempt: Number(match[4]) };
}

/** The part of an id that goes into labels. */
export function labelPart(id: string): string {
  return id.slice(-16);
}
