// Hints: which pattern would make the server refuse a new PIN. The names and
// meanings are those of the server's rules (internal/pin); a test compares the
// two over all PINs there are. Rules that need personal facts (birthday, ID
// number, phone, card number) or the long list of common PINs are checked by
// the server alone, which also has the last word.

export type Rule = "repeat" | "steps" | "pairs" | "triples" | "mirror" | "keypad" | "common";

export const RULES: readonly Rule[] = ["repeat", "steps", "pairs", "triples", "mirror", "keypad", "common"];

type Digits = ArrayLike<number>; // six values from 0 to 9

// A few that people choose for their sound or their date, caught by no pattern.
// Each is on the server's list; the list itself is too long for a page.
const COMMON = ["131452", "098765", "124578", "134679", "123451", "007007", "147896", "142536"];

const CHECKS: Record<Rule, (d: Digits) => boolean> = {
  repeat,
  steps: (d) => digitSteps(d) || countsByTwos(d) || (runs(d, 0) && runs(d, 3)),
  pairs: (d) => (eq(d, 0, 1) && eq(d, 2, 3) && eq(d, 4, 5)) || everyOther(d),
  triples: (d) => (alike(d, 0) && alike(d, 3)) || (eq(d, 0, 3) && eq(d, 1, 4) && eq(d, 2, 5)),
  mirror: (d) => eq(d, 0, 5) && eq(d, 1, 4) && eq(d, 2, 3),
  keypad: (d) => path(d) || (line(d, 0) && line(d, 3)) || longLine(d) || corners(d),
  common: (d) => COMMON.indexOf(Array.from(d).join("")) >= 0,
};

/** The rules that six digits break, in a stable order. */
export function broken(digits: Digits, enabled: readonly Rule[] = RULES): Rule[] {
  return digits.length === 6 ? enabled.filter((rule) => CHECKS[rule](digits)) : [];
}

/**
 * The first rule that the digits so far are heading for: they fit a pattern
 * that some ending would complete. Null while that is open. Shapes on the
 * keypad are left out: nearly any two neighbours could still become one.
 */
export function heading(digits: Digits, enabled: readonly Rule[] = RULES): Rule | null {
  const obvious = enabled.filter((rule) => rule === "repeat" || rule === "steps");
  if (digits.length === 4 && (alike(digits, 0) || digitSteps(digits))) return ending(digits, obvious);
  if (digits.length !== 5) return null;
  return ending(digits, enabled.filter((rule) => rule !== "keypad" && rule !== "common"));
}

function ending(digits: Digits, rules: readonly Rule[]): Rule | null {
  const missing = 6 - digits.length;
  for (const rule of rules) {
    for (let tail = 0; tail < Math.pow(10, missing); tail++) {
      const whole = Array.from(digits);
      if (missing === 2) whole.push(Math.floor(tail / 10));
      whole.push(tail % 10);
      if (CHECKS[rule](whole)) return rule;
    }
  }
  return null;
}

function at(d: Digits, i: number): number {
  return d[i] as number;
}

function eq(d: Digits, i: number, j: number): boolean {
  return at(d, i) === at(d, j);
}

function alike(d: Digits, i: number): boolean {
  return eq(d, i, i + 1) && eq(d, i, i + 2);
}

// The step from digit i to the next, 0 to 9, nine going on to zero.
function step(d: Digits, i: number): number {
  return (at(d, i + 1) - at(d, i) + 10) % 10;
}

// One digit four times in a row, or no more than two different digits.
function repeat(d: Digits): boolean {
  let longest = 1;
  let run = 1;
  const seen: number[] = [at(d, 0)];
  for (let i = 1; i < d.length; i++) {
    run = eq(d, i, i - 1) ? run + 1 : 1;
    longest = Math.max(longest, run);
    if (seen.indexOf(at(d, i)) < 0) seen.push(at(d, i));
  }
  return longest >= 4 || seen.length <= 2;
}

function digitSteps(d: Digits): boolean {
  for (let i = 1; i < d.length - 1; i++) if (step(d, i) !== step(d, 0)) return false;
  return step(d, 0) !== 0;
}

// Three numbers of two digits that count by 1, 10 or 11, up or down.
function countsByTwos(d: Digits): boolean {
  const two = (i: number): number => at(d, i) * 10 + at(d, i + 1);
  const by = (two(2) - two(0) + 100) % 100;
  return (two(4) - two(2) + 100) % 100 === by && [1, 10, 11, 99, 90, 89].indexOf(by) >= 0;
}

// Three digits that stay, rise or fall by one.
function runs(d: Digits, i: number): boolean {
  return step(d, i) === step(d, i + 1) && [0, 1, 9].indexOf(step(d, i)) >= 0;
}

function everyOther(d: Digits): boolean {
  return eq(d, 0, 2) && eq(d, 2, 4) && eq(d, 1, 3) && eq(d, 3, 5);
}

// The way from one key of a telephone to the next: rows down, columns right.
function move(d: Digits, i: number): [number, number] {
  const row = (n: number): number => (n === 0 ? 3 : Math.floor((n - 1) / 3));
  const column = (n: number): number => (n === 0 ? 1 : (n - 1) % 3);
  const from = at(d, i);
  const to = at(d, i + 1);
  return [row(to) - row(from), column(to) - column(from)];
}

// Neighbours on the keypad, diagonals included.
function touch(d: Digits, i: number): boolean {
  const [down, right] = move(d, i);
  return !eq(d, i, i + 1) && Math.abs(down) <= 1 && Math.abs(right) <= 1;
}

// From key to key, each directly above, below or beside the last.
function path(d: Digits): boolean {
  for (let i = 0; i < 5; i++) {
    const [down, right] = move(d, i);
    if (down * down + right * right !== 1) return false;
  }
  return true;
}

// Three keys in one straight line, each touching the next.
function line(d: Digits, i: number): boolean {
  const [down, right] = move(d, i);
  const [down2, right2] = move(d, i + 1);
  return touch(d, i) && down === down2 && right === right2;
}

// 2580 or 0852, with two keys that touch before or after.
function longLine(d: Digits): boolean {
  return (line(d, 0) && line(d, 1) && touch(d, 4)) || (line(d, 2) && line(d, 3) && touch(d, 0));
}

function corners(d: Digits): boolean {
  for (let i = 0; i < 6; i++) {
    if ([1, 3, 7, 9].indexOf(at(d, i)) < 0 || (i > 0 && eq(d, i, i - 1))) return false;
  }
  return true;
}

/** Reads the server's list of rules that apply; absent means all. */
export function parseRules(list: string | undefined): readonly Rule[] {
  if (list === undefined) return RULES;
  const names = list.split(/\s+/);
  return RULES.filter((rule) => names.indexOf(rule) >= 0);
}
