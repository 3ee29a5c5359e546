// Hints: which pattern would make the server refuse a new PIN. The names are
// the server's rule codes. A hint must never refuse what the server accepts;
// what needs personal facts (birthday, ID number, phone, card number) only the
// server can know, and it remains the judge.

export type Rule = "repeat" | "steps" | "pairs" | "triples" | "mirror" | "keypad" | "common";

export const RULES: readonly Rule[] = ["repeat", "steps", "pairs", "triples", "mirror", "keypad", "common"];

// Lines of the phone keypad, read in either direction; two lines make a PIN.
const LINES = ["123", "456", "789", "147", "258", "369", "159", "357"];

// The most chosen PINs that no pattern above catches.
const COMMON = new Set([
  "520520", "521521", "131452", "520131", "521131", "147896", "142536", "102030",
  "010203", "246810", "696969", "098765", "124578", "134679", "123451", "007007",
]);

/** The rules that six digits break, in a stable order. `digits` are 0 to 9. */
export function broken(digits: ArrayLike<number>, enabled: readonly Rule[] = RULES): Rule[] {
  if (digits.length !== 6) return [];
  return enabled.filter((rule) => breaks(rule, digits));
}

/**
 * The first rule that the digits so far are heading for: every digit already
 * fits a pattern and some ending would complete it. Null while that is open.
 */
export function heading(digits: ArrayLike<number>, enabled: readonly Rule[] = RULES): Rule | null {
  if (digits.length === 4) return firstEnding(digits, enabled.filter((r) => r === "repeat" || r === "steps"));
  if (digits.length === 5) return firstEnding(digits, enabled.filter((r) => r !== "keypad" && r !== "common"));
  return null;
}

function firstEnding(digits: ArrayLike<number>, rules: readonly Rule[]): Rule | null {
  const missing = 6 - digits.length;
  for (const rule of rules) {
    for (let tail = 0; tail < Math.pow(10, missing); tail++) {
      const whole = Array.from(digits);
      for (let place = missing - 1; place >= 0; place--) {
        whole.push(Math.floor(tail / Math.pow(10, place)) % 10);
      }
      if (breaks(rule, whole)) return rule;
    }
  }
  return null;
}

function breaks(rule: Rule, d: ArrayLike<number>): boolean {
  const at = (i: number): number => d[i] as number;
  const eq = (...pairs: [number, number][]): boolean => pairs.every(([i, j]) => at(i) === at(j));
  switch (rule) {
    case "repeat":
      return eq([0, 1], [1, 2], [2, 3], [3, 4], [4, 5]);
    case "steps":
      return steps(d);
    case "pairs":
      return eq([0, 1], [2, 3], [4, 5]) || eq([0, 2], [2, 4], [1, 3], [3, 5]);
    case "triples":
      return eq([0, 1], [1, 2], [3, 4], [4, 5]) || eq([0, 3], [1, 4], [2, 5]);
    case "mirror":
      return eq([0, 5], [1, 4], [2, 3]);
    case "keypad":
      return isLine(at(0), at(1), at(2)) && isLine(at(3), at(4), at(5));
    case "common":
      return COMMON.has(Array.from(d).join(""));
  }
}

// Up or down by one, nine and zero being neighbours.
function steps(d: ArrayLike<number>): boolean {
  const step = ((d[1] as number) - (d[0] as number) + 10) % 10;
  if (step !== 1 && step !== 9) return false;
  for (let i = 2; i < d.length; i++) {
    if (((d[i] as number) - (d[i - 1] as number) + 10) % 10 !== step) return false;
  }
  return true;
}

function isLine(a: number, b: number, c: number): boolean {
  return LINES.indexOf(`${a}${b}${c}`) >= 0 || LINES.indexOf(`${c}${b}${a}`) >= 0;
}

/** Reads the server's list of rules that apply; absent means all. */
export function parseRules(list: string | undefined): readonly Rule[] {
  if (list === undefined) return RULES;
  const names = list.split(/\s+/);
  return RULES.filter((rule) => names.indexOf(rule) >= 0);
}
