// Passphrase rules: how a passphrase is spelt, and what the page can say of it by
// itself. The spelling and the two rules are those of the server (internal/pin); a
// test compares them. What needs facts or lists the server judges, which also has the
// last word.
import { readDigits } from "./digits";

const LEAST = 8;
const MOST = 64;
const MAX_BYTES = 254;
const UNFORESEEN = 7;

const SPACES = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g;
// Those of emoji, of ideographs and of Mongolian.
const SELECTORS = /[\u180b-\u180d\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;
// Control and private characters, what displays may ignore, and what shows as empty room.
const UNREADABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{DI}\u2800\ufffc\u{13441}\u{13442}\u{16fe4}\u{1d159}]/u;
// What is not assigned only a browser can say that knows the server's Unicode, 15: a face
// of that year tells. In older ones the server says it.
const UNASSIGNED = /\p{Cn}/u;
const KNOWS = !UNASSIGNED.test("\u{1fae8}");

const ROWS = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm"];

export type Fault = "too_short" | "too_long" | "too_wide" | "character" | "not_six_digits";
export type Weak = "repeat" | "steps";

/** The one spelling of what was typed: NFKC, plain spaces, none around it. Six digits of any script are the PIN. */
export function canonical(text: string): string {
  const digits = readDigits(text);
  if (digits !== null && digits.length === 6 && text.length === 6) return digits;
  return text.replace(SPACES, " ").replace(SELECTORS, "").normalize("NFKC").replace(/^ +| +$/g, "");
}

/** The bytes to seal: as typed, in NFC, for a passphrase that was set when that was its spelling. */
export function sealed(text: string): Uint8Array {
  const one = canonical(text);
  const typed = new TextEncoder().encode(text.replace(SPACES, " ").normalize("NFC"));
  return isPIN(one) || typed.length > MAX_BYTES ? new TextEncoder().encode(one) : typed;
}

export function isPIN(one: string): boolean {
  return /^[0-9]{6}$/.test(one);
}

/** How many characters a text in its one spelling has. */
export function lengthOf(one: string): number {
  return Array.from(one).length;
}

/** What keeps a text, in its one spelling, from being a passphrase or a PIN; null: nothing. */
export function fault(one: string, digitsOnly = false): Fault | null {
  if (isPIN(one)) return null;
  if (digitsOnly) return "not_six_digits";
  const characters = Array.from(one);
  if (UNREADABLE.test(one) || (KNOWS && UNASSIGNED.test(one))) return "character";
  if (characters.length < LEAST) return "too_short";
  if (characters.length > MOST) return "too_long";
  return new TextEncoder().encode(one).length > MAX_BYTES ? "too_wide" : null;
}

/** Why a passphrase in its one spelling is easy to guess, as far as a page knows; null: no reason here. */
export function weakness(one: string): Weak | null {
  const letters = Array.from(one, lower);
  if (repeats(letters)) return "repeat";
  return unforeseen(letters) < UNFORESEEN ? "steps" : null;
}

/** One character in lower case, where that is one character too. */
function lower(c: string): string {
  const small = c.toLowerCase();
  return Array.from(small).length === 1 ? small : c;
}

/** No more than two different characters, or one piece over and over. */
function repeats(s: string[]): boolean {
  if (new Set(s).size <= 2) return true;
  for (let piece = 1; piece <= s.length / 2; piece++) {
    if (s.every((c, i) => i < piece || c === s[i - piece])) return true;
  }
  return false;
}

/** How many characters do not simply continue the two before them. */
function unforeseen(s: string[]): number {
  let n = Math.min(2, s.length);
  for (let i = 2; i < s.length; i++) {
    if (!continues(s[i - 2] as string, s[i - 1] as string, s[i] as string)) n++;
  }
  return n;
}

function continues(a: string, b: string, c: string): boolean {
  const step = code(b) - code(a);
  if (step === code(c) - code(b) && Math.abs(step) <= 2) return true;
  return ROWS.some((row) => {
    const [i, j, k] = [row.indexOf(a), row.indexOf(b), row.indexOf(c)];
    return i >= 0 && j >= 0 && k >= 0 && j - i === k - j && Math.abs(j - i) === 1;
  });
}

function code(c: string): number {
  return c.codePointAt(0) as number;
}
