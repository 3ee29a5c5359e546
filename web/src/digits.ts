// Digits: reads the digits of a text. Keyboards, dictation and password managers
// write them in many scripts; each is read as the digit that it is. Text with
// anything else in it is no PIN: to take the digits out of a password, as a
// password manager fills it in, would be to guess for the holder.

// The zeros of the decimal digits of Unicode's basic plane; nine others follow
// each. Listed, since web views of 2018 know no property escapes.
const ZEROS = [
  0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20, 0x1040,
  0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0,
  0xaa50, 0xabf0, 0xff10,
];

// Dictation in Chinese writes numbers so.
const CHINESE = "〇一二三四五六七八九";

// Blanks, invisible format characters, dashes and dots: what people and
// programs put between digits.
const SEPARATOR = /[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\-\u2010-\u2015\u2212\ufe58\ufe63\uff0d.\uff0e\u00b7\u3002\u30fb\uff65]/;

/** The value of a character that is a digit, else -1. */
function valueOf(character: string): number {
  const code = character.charCodeAt(0);
  for (const zero of ZEROS) {
    if (code >= zero && code < zero + 10) return code - zero;
  }
  return character === "零" ? 0 : CHINESE.indexOf(character);
}

/** The ASCII digits of a text; null if it holds anything but digits and separators. */
export function readDigits(text: string): string | null {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const value = valueOf(text.charAt(i));
    if (value >= 0) out += value;
    else if (!SEPARATOR.test(text.charAt(i))) return null;
  }
  return out;
}

/** The ASCII digits of a text, without whatever else is in it. */
export function onlyDigits(text: string): string {
  return Array.from(text, (c) => readDigits(c) || "").join("");
}
