import assert from "node:assert/strict";
import { test } from "node:test";
import { broken, heading, parseRules, RULES, type Rule } from "../src/rules";

const digits = (text: string): number[] => Array.from(text, Number);

const cases: [string, Rule[]][] = [
  ["111111", ["repeat", "pairs", "triples", "mirror"]],
  ["123456", ["steps", "keypad"]],
  ["890123", ["steps"]],
  ["543210", ["steps"]],
  ["210987", ["steps"]],
  ["112233", ["pairs"]],
  ["121212", ["pairs"]],
  ["111222", ["triples"]],
  ["123123", ["triples", "keypad"]],
  ["580580", ["triples"]],
  ["123321", ["mirror", "keypad"]],
  ["740047", ["mirror"]],
  ["147258", ["keypad"]],
  ["963852", ["keypad"]],
  ["159357", ["keypad"]],
  ["131452", ["common"]],
  ["907352", []],
  ["402817", []],
];

for (const [pin, want] of cases) {
  test(`${pin} breaks ${want.join(", ") || "nothing"}`, () => {
    assert.deepEqual(broken(digits(pin)), want);
  });
}

test("only the rules that apply are asked", () => {
  assert.deepEqual(broken(digits("123456"), parseRules("repeat keypad nonsense")), ["keypad"]);
  assert.deepEqual(broken(digits("123456"), parseRules("")), []);
  assert.deepEqual(parseRules(undefined), RULES);
});

test("hints come while typing, not before the digits show a pattern", () => {
  const hints: [string, Rule | null][] = [
    ["1", null], ["123", null], ["1234", "steps"], ["12345", "steps"], ["8901", "steps"],
    ["1111", "repeat"], ["12346", null], ["1122", null], ["11223", "pairs"], ["12121", "pairs"],
    ["12312", "triples"], ["74004", "mirror"], ["9073", null], ["90735", null],
  ];
  for (const [typed, want] of hints) assert.equal(heading(digits(typed)), want, typed);
});

test("a hint never refuses most of the PINs there are", () => {
  let refused = 0;
  for (let n = 0; n < 1e6; n++) {
    if (broken(digits(String(n).padStart(6, "0"))).length > 0) refused++;
  }
  assert.ok(refused > 3000 && refused < 6000, `${refused} refused`);
});
