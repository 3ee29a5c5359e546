// Hints: why the server would refuse a new PIN. The names and meanings are those
// of the server's rules (internal/pin); a test compares the two over all PINs there
// are. The list of common PINs comes when the pad can be used already (list.ts);
// until then, and for the rules that need personal facts (birthday, ID number, phone,
// card number), the server alone judges. It has the last word in any case.

export type Rule = "repeat" | "steps" | "halves" | "pairs" | "triples" | "mirror" | "keypad" | "love" | "year" | "date" | "common";

/** What the first digits can show already. */
export type Obvious = Exclude<Rule, "keypad" | "common">;

export const RULES: readonly Rule[] = ["repeat", "steps", "halves", "pairs", "triples", "mirror", "keypad", "love", "year", "date", "common"];

// Of the strong list alone.
const STRONG: readonly Rule[] = ["love", "year", "date"];

/** A set of PINs: bit n % 8 of byte n / 8 stands for n. */
export type PINSet = Uint8Array;

/** What applies where the pad stands. */
export interface Rules {
  readonly enabled: readonly Rule[];
  common: PINSet | null; // null: it has not come
}

type Digits = ArrayLike<number>; // six values from 0 to 9

const CHECKS: Record<Exclude<Rule, "common">, (d: Digits) => boolean> = {
  repeat,
  steps,
  halves: (d) => runs(d, 0) && runs(d, 3) && !steps(d),
  pairs: (d) => (eq(d, 0, 1) && eq(d, 2, 3) && eq(d, 4, 5)) || everyOther(d),
  triples: (d) => (alike(d, 0) && alike(d, 3)) || (eq(d, 0, 3) && eq(d, 1, 4) && eq(d, 2, 5)),
  mirror: (d) => eq(d, 0, 5) && eq(d, 1, 4) && eq(d, 2, 3),
  keypad: (d) => path(d) || (line(d, 0) && line(d, 3)) || longLine(d) || corners(d),
  love: (d) => says(d, 0, LOVE) || says(d, 3, LOVE) || says(d, 0, FOREVER) || says(d, 2, FOREVER),
  year: (d) => isYear(d),
  date: (d) => isDay(two(d, 0), two(d, 2), two(d, 4)),
};

/** The rules that six digits break, in the order in which the server names them. */
export function broken(digits: Digits, rules: Rules): Rule[] {
  return digits.length === 6 ? rules.enabled.filter((rule) => breaks(digits, rule, rules.common)) : [];
}

function breaks(digits: Digits, rule: Rule, common: PINSet | null): boolean {
  if (rule !== "common") return CHECKS[rule](digits);
  const n = Array.from(digits).reduce((sum, digit) => sum * 10 + digit, 0);
  return common !== null && ((common[n >> 3] as number) & (1 << (n & 7))) !== 0;
}

/**
 * The first rule that the digits so far are heading for: they fit a pattern
 * that some ending would complete. Null while that is open. Shapes on the
 * keypad are left out: nearly any two neighbours could still become one.
 */
export function heading(digits: Digits, rules: Rules): Obvious | null {
  const on = (rule: Rule): boolean => rules.enabled.indexOf(rule) >= 0;
  // These say all with their beginning.
  if (on("love") && ((digits.length >= 3 && says(digits, 0, LOVE)) || (digits.length >= 4 && says(digits, 0, FOREVER)))) return "love";
  if (on("year") && digits.length >= 4 && isYear(digits)) return "year";
  const obvious = rules.enabled.filter((rule): rule is Obvious => rule !== "keypad" && rule !== "common");
  if (digits.length === 4 && (alike(digits, 0) || digitSteps(digits))) return ending(digits, obvious.filter((rule) => rule === "repeat" || rule === "steps"));
  return digits.length === 5 ? ending(digits, obvious) : null;
}

function ending(digits: Digits, rules: readonly Obvious[]): Obvious | null {
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

function two(d: Digits, i: number): number {
  return at(d, i) * 10 + at(d, i + 1);
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

function steps(d: Digits): boolean {
  return digitSteps(d) || countsByTwos(d);
}

function digitSteps(d: Digits): boolean {
  for (let i = 1; i < d.length - 1; i++) if (step(d, i) !== step(d, 0)) return false;
  return step(d, 0) !== 0;
}

// Three numbers of two digits that count by 1, 10 or 11, up or down.
function countsByTwos(d: Digits): boolean {
  const by = (two(d, 2) - two(d, 0) + 100) % 100;
  return (two(d, 4) - two(d, 2) + 100) % 100 === by && [1, 10, 11, 99, 90, 89].indexOf(by) >= 0;
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

// 520 and 521 sound like "I love you", 1314 like "for ever".
const LOVE = [[5, 2, 0], [5, 2, 1]];
const FOREVER = [[1, 3, 1, 4]];

function says(d: Digits, from: number, words: readonly (readonly number[])[]): boolean {
  return words.some((word) => word.every((digit, i) => at(d, from + i) === digit));
}

function isYear(d: Digits): boolean {
  const year = two(d, 0) * 100 + two(d, 2);
  return year >= 1950 && year <= 2029;
}

// Of the years 1930 to 2029 every fourth is a leap year, 2000 among them.
function isDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  if (month === 2) return day <= 28 || (day === 29 && year % 4 === 0);
  return day <= ([4, 6, 9, 11].indexOf(month) >= 0 ? 30 : 31);
}

/** The rules of one of the server's lists: "strong", or absent, has all of them, "basic" none of the strong list's own. */
export function rulesOf(list: string | undefined): Rules {
  return { enabled: list === "basic" ? RULES.filter((rule) => STRONG.indexOf(rule) < 0) : RULES, common: null };
}
