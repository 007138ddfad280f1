/**
 * Text from outside as a terminal or a page may show it, on one line: controls (C0, DEL, C1), bidirectional and invisible characters,
 * line separators, tags and lone surrogates become `\u{…}`. Without it a span's name could write to the clipboard (OSC 52) or redraw the screen.
 */
export function printable(text: string): string {
  return text.replaceAll(UNSAFE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** Cc controls, Cf formats (bidi, zero width, tags), Zl and Zp separators, Cs lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
