// Colours: a few, and only where somebody looks. NO_COLOR (no-color.org) and `--no-color` are respected, `TERM=dumb` too.

export const INKS = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const satisfies Record<string, readonly [number, number]>;
export type Ink = keyof typeof INKS;

/** Colours a text that is already visible (text.ts), or leaves it as it is. */
export type Paint = (ink: Ink, text: string) => string;

export function createPaint(isOn: boolean): Paint {
  if (!isOn) return (_, text) => text;
  return (ink, text) => (text === '' ? '' : `\u001b[${INKS[ink][0]}m${text}\u001b[${INKS[ink][1]}m`);
}

/** Whether to colour what goes to a stream. */
export function wantsColour(input: {
  readonly isTty: boolean;
  readonly isForbidden: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}): boolean {
  if (input.isForbidden || !input.isTty) return false;
  return (input.env['NO_COLOR'] ?? '') === '' && input.env['TERM'] !== 'dumb';
}
