// Text on a terminal: how wide it is, how it is cut and padded, and how text that other people wrote is made harmless. A provider's
// name for a key may hold escape sequences that move the cursor, set the window's title or type into the shell, and
// bidirectional marks that reverse what is read; all of them become visible text here.
// Follows Unicode Standard Annex #11 (East Asian Width) in what a terminal needs of it. Not here: colours (paint.ts).

/** C0 and C1 controls, DEL, line and paragraph separators, bidirectional and invisible marks, tags, lone surrogates. */
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]|\p{Cs}/gu;

/** A joiner between two pictographs belongs to an emoji; anywhere else it hides something. */
const EMOJI_JOINED = /(?<=\p{Extended_Pictographic}|\ufe0f|\p{Emoji_Modifier})\u200d(?=\p{Extended_Pictographic})/u;

/** The text with everything that is not to be seen spelt out: `\u{1b}`. Harmless on a terminal, on one line. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (character, at: number) => {
    if (character === '\u200d' && isJoiner(text, at)) return character;
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

function isJoiner(text: string, at: number): boolean {
  // A window of code units around it is enough for the look-behind and the look-ahead.
  const window = text.slice(Math.max(0, at - 2), at + 3);
  const match = EMOJI_JOINED.exec(window);
  return match !== null && match.index === Math.min(2, at);
}

/** As `visible`, but line ends stay line ends: for text that is printed as a block, such as a signed note. */
export function visibleBlock(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/** Characters that take two columns: East Asian wide and full-width ones. */
const WIDE =
  /[\u1100-\u115f\u231a\u231b\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]|[\u{16fe0}-\u{18aff}]|[\u{1b000}-\u{1b2fb}]|[\u{1f200}-\u{1f2ff}]|[\u{20000}-\u{3fffd}]/u;
const EMOJI = /\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|^\p{Regional_Indicator}/u;
const COMBINING = /^(?:\p{M}|\u200d|\ufe0f)+$/u;

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

function widthOfGrapheme(grapheme: string): number {
  if (COMBINING.test(grapheme)) return 0;
  return WIDE.test(grapheme) || EMOJI.test(grapheme) ? 2 : 1;
}

const PLAIN = /^[\x20-\x7e]*$/;

/** Columns that visible text takes on a terminal. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += widthOfGrapheme(segment);
  return width;
}

/** Visible text in at most `columns` columns; what is cut off is told by an ellipsis. Never cuts a character in two. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  if (columns < 1) return '';
  let kept = '';
  let width = 0;
  for (const { segment } of segmenter.segment(text)) {
    const next = width + widthOfGrapheme(segment);
    if (next > columns - 1) break;
    kept += segment;
    width = next;
  }
  return `${kept}…`;
}

/** Visible text padded on the right to `columns`. */
export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)));
}

/** JSON for people and programs: escapes, losslessly, what JSON itself lets through and a terminal would obey. */
export function jsonText(value: unknown, indent = 2): string {
  const text = JSON.stringify(value, null, indent) ?? 'null';
  return text.replace(HIDDEN, (character) => {
    if (character === '\n') return character;
    let escaped = '';
    for (let i = 0; i < character.length; i++) {
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
    }
    return escaped;
  });
}
