import assert from "node:assert/strict";
import { test } from "node:test";
import { broken, heading, parseRules, RULES, type Rule } from "../src/rules";

const digits = (text: string): number[] => Array.from(text, Number);

// That all of them mean what the server means is shown by a Go test beside.
const cases: [string, Rule[]][] = [
  ["700077", ["repeat"]],
  ["890123", ["steps"]],
  ["246802", ["steps"]],
  ["101112", ["steps"]],
  ["118844", ["pairs"]],
  ["472472", ["triples"]],
  ["481184", ["mirror"]],
  ["147258", ["keypad"]],
  ["258036", ["keypad"]],
  ["123321", ["steps", "mirror", "keypad"]],
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
    ["1111", "repeat"], ["1122", null], ["11834", null], ["11884", "pairs"], ["47247", "triples"],
    ["74004", "mirror"], ["9073", null], ["90735", null], ["1470", "steps"], ["14703", "steps"],
  ];
  for (const [typed, want] of hints) assert.equal(heading(digits(typed)), want, typed);
});
