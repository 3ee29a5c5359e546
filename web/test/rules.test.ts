import assert from "node:assert/strict";
import { test } from "node:test";
import { draw } from "../src/draw";
import { readList } from "../src/list";
import { broken, heading, RULES, rulesOf, type Rule } from "../src/rules";

const digits = (text: string): number[] => Array.from(text, Number);

// That all of them mean what the server means is shown by a Go test beside.
const cases: [string, Rule[]][] = [
  ["700077", ["repeat"]],
  ["890123", ["steps", "date"]],
  ["246802", ["steps"]],
  ["101112", ["steps", "date"]],
  ["118844", ["pairs"]],
  ["472472", ["triples"]],
  ["481184", ["mirror"]],
  ["147258", ["keypad"]],
  ["258036", ["keypad"]],
  ["123321", ["halves", "mirror", "keypad"]],
  ["333234", ["halves"]],
  ["123789", ["halves", "keypad"]],
  ["131452", ["love"]],
  ["839520", ["love"]],
  ["199047", ["year"]],
  ["850307", ["date"]],
  ["840229", ["date"]],
  ["850229", []],
  ["907352", []],
  ["402817", []],
];

for (const [pin, want] of cases) {
  test(`${pin} breaks ${want.join(", ") || "nothing"}`, () => {
    assert.deepEqual(broken(digits(pin), rulesOf("strong")), want);
  });
}

test("the basic list has neither love numbers nor years nor dates", () => {
  for (const pin of ["131452", "199047", "850307"]) assert.deepEqual(broken(digits(pin), rulesOf("basic")), [], pin);
  assert.deepEqual(broken(digits("123456"), rulesOf("basic")), ["steps", "keypad"]);
  assert.deepEqual(rulesOf(undefined).enabled, RULES);
});

test("a list is read as it was written, and refused when it was not", () => {
  const list = new Uint8Array([3, 2, 0x80 | 68, 7]); // 0 in both, 1, 483 (966 = 68 + 7 * 128, less the mark)
  const strong = readList(list, "strong");
  const rules = rulesOf("strong");
  rules.common = strong;
  const has = (set: Uint8Array, n: number): boolean => ((set[n >> 3] as number) & (1 << (n & 7))) !== 0;
  assert.deepEqual([0, 1, 483, 482].map((n) => has(strong, n)), [true, true, true, false]);
  assert.deepEqual([0, 1, 483].map((n) => has(readList(list, "basic"), n)), [true, false, false]);
  assert.deepEqual(broken(digits("000483"), rules), ["common"]);
  for (const bad of [[], [0], [1], [0x80], [2, 0x80, 0x80], [0xff, 0xff, 0xff, 0xff, 1], [0xfe, 0xff, 0xff, 0x7f]]) {
    assert.throws(() => readList(new Uint8Array(bad), "strong"), String(bad));
  }
});

test("a PIN is drawn fairly, and never one that is refused", () => {
  const rules = rulesOf("basic");
  const from = (...numbers: number[]): number => {
    const rest = numbers.slice();
    const drawn = draw(rules, (into) => (into[0] = rest.shift() as number));
    assert.equal(rest.length, 0);
    return Number(Array.from(drawn).join(""));
  };
  assert.equal(from(907352), 907352);
  assert.equal(from(4293 * 1e6 + 907352), 907352);
  assert.equal(from(4294 * 1e6 + 495172, 402817), 402817, "a number that would make some likelier");
  assert.equal(from(850307, 199047, 123456, 402817), 402817, "a date, a year and a pattern, though basic permits two");
  const seen: number[] = Array(10).fill(0);
  for (let i = 0; i < 20000; i++) seen[draw(rules)[0] as number]!++;
  // Of each first digit about a tenth; 1 and 2 begin more years, 5 more love numbers.
  for (const n of seen) assert.ok(n > 1500 && n < 2500, String(seen));
});

test("hints come while typing, not before the digits show a pattern", () => {
  const hints: [string, Rule | null][] = [
    ["1", null], ["123", null], ["1234", "steps"], ["12345", "steps"], ["8901", "steps"],
    ["1111", "repeat"], ["1122", null], ["11834", null], ["11884", "pairs"], ["47247", "triples"],
    ["74004", "mirror"], ["9073", null], ["90735", null], ["520", "love"], ["1314", "love"],
    ["52", null], ["87152", "love"], ["1990", "year"], ["2035", null], ["85030", "date"], ["8503", null], ["1470", "steps"], ["14703", "steps"],
  ];
  for (const [typed, want] of hints) assert.equal(heading(digits(typed), rulesOf("strong")), want, typed);
});
