import assert from "node:assert/strict";
import { test } from "node:test";
import { canonical, fault, lengthOf, sealed, weakness, type Fault, type Weak } from "../src/passphraserules";

test("a passphrase is six digits or 8 to 64 characters", () => {
  const faults: [string, Fault | null][] = [
    ["", "too_short"], ["907352", null], ["90735", "too_short"], ["9073521", "too_short"], ["abcdefg", "too_short"],
    ["abcdefgh", null], ["八个汉字也是密码", null], ["😀".repeat(63), null], ["x".repeat(64), null],
    ["x".repeat(65), "too_long"], ["😀".repeat(64), "too_wide"], ["😀".repeat(63) + "春", "too_wide"],
    ["tab\there ok", "character"], ["zero\u200bwidth", "character"], ["\ud800 alone is none", "character"],
  ];
  for (const [text, want] of faults) assert.equal(fault(text), want, JSON.stringify(text));
  assert.equal(fault("lotus kettle", true), "not_six_digits");
  assert.equal(fault("907352", true), null);
  assert.equal(lengthOf("😀".repeat(9)), 9);
});

test("one spelling per passphrase", () => {
  for (const [text, want] of [
    ["９０７３５２", "907352"], ["٩٠٧٣٥٢", "907352"], ["cafe\u0301 au lait", "caf\u00e9 au lait"], ["Ｔｅａ，　三杯！ ", "Tea, 三杯!"],
    ["lucky\u2764\ufe0fhorse", "lucky\u2764horse"], [" 907352 ", "907352"], ["①②③", "123"],
  ] as const) assert.equal(canonical(text), want);
});

// A passphrase that was set in NFC is proved by the bytes of that time, so what was typed is sealed.
test("what was typed is sealed, in NFC", () => {
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  assert.equal(text(sealed("Ｔｅａ，　三杯茶水！")), "Ｔｅａ， 三杯茶水！");
  assert.equal(text(sealed("cafe\u0301 au lait")), "caf\u00e9 au lait");
  assert.equal(text(sealed("９０７３５２")), "907352");
  assert.equal(sealed("ｗ".repeat(64)).length, 192);
  assert.equal(text(sealed("ｗ\ufe0f".repeat(50))), "w".repeat(50)); // too long for an envelope as typed
});

test("what a page can say of a passphrase by itself", () => {
  const all: [string, Weak | null][] = [
    ["four unrelated words", null], ["春眠不觉晓处处闻啼鸟", null], ["vvvvvvvvvvv", "repeat"], ["zebrazebra", "repeat"], ["XkxxKkxkxx", "repeat"],
    ["bcdefghijk", "steps"], ["ZyXwVuTsRq", "steps"], ["1qaz2wsx3edc", "steps"], ["24681357", "steps"],
  ];
  for (const [text, want] of all) assert.equal(weakness(text), want, text);
});
