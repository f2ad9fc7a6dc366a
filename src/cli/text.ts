const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Takes two columns on a terminal. Close to UAX #11, which names and descriptions seldom test. */
const WIDE = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}/u;

const MARK = /^\p{M}+$/u;

/** `text` without what would steer a terminal: whoever names a key must not move an operator's cursor. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, "\ufffd");
}

/** How many columns a terminal needs for `text`. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** `text`, filled with blanks up to `width` columns. */
export function fill(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

/** `text` in at most `width` columns, its end replaced by an ellipsis where it is longer. */
export function clip(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const character of text) {
    used += columnsOf(character);
    if (used > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

function columnsOf(character: string): number {
  if (MARK.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
