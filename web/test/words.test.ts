import assert from "node:assert/strict";
import { test } from "node:test";
import { left } from "../src/countdown";
import { passphraseTexts } from "../src/passphrasetexts";
import { RULES } from "../src/rules";
import { speaker } from "../src/sentences";
import { texts } from "../src/texts";

const minute = 60_000;
const hour = 60 * minute;

test("time left is rounded up, in both languages", () => {
  assert.equal(left(12 * hour + 27.5 * minute, texts("zh-CN").left), "还有 12 小时 28 分钟");
  assert.equal(left(12 * hour + 27.5 * minute, texts("en").left), "12 h 28 min left");
  assert.equal(left(24 * hour, texts("zh-CN").left), "还有 24 小时");
  assert.equal(left(61_000, texts("zh-CN").left), "还有 2 分钟");
  assert.equal(left(59_001, texts("zh-CN").left), "还有 60 秒");
  assert.equal(left(1, texts("en").left), "1 s left");
  assert.equal(left(72 * hour, texts("zh-CN").left), "还有 72 小时");
  assert.equal(left(73 * hour, texts("zh-CN").left), "");
  assert.equal(left(0, texts("zh-CN").left), "");
  assert.equal(left(-5, texts("en").left), "");
});

// Every leaf of one language has its counterpart, and none is empty.
test("the two languages say the same things", () => {
  const shape = (value: unknown, path = ""): string[] => {
    if (typeof value === "string") {
      assert.notEqual(value.trim(), "", path);
      return [path];
    }
    if (typeof value === "function") return [`${path}()`];
    return Object.entries(value as object).flatMap(([key, inner]) => shape(inner, `${path}.${key}`));
  };
  const told = RULES.map((rule) => `${rule} why not ${rule}`).join("\n"); // as a page brings them
  assert.equal(texts("en", "", told).refused.halves, "why not halves");
  assert.deepEqual(shape(texts("en", "", told)).sort(), shape(texts("zh-CN", "", told)).sort());
  assert.deepEqual(shape(passphraseTexts("en")).sort(), shape(passphraseTexts("zh-CN")).sort());
  assert.match(texts("en-GB").label.current, /PIN/);
  assert.match(texts(undefined).label.current, /密码/);
  assert.match(texts("bo").label.current, /密码/);
  assert.match(texts("en", "0571-12333").noCryptoNext, / 0571-12333 /);
});

test("on a page from right to left what it lacks keeps its direction, and so do values", () => {
  const files = {
    "zh-CN": { _dir: "ltr", "pad.done": "输好了。", "pad.step": "第 {number} 步" },
    ug: { _dir: "rtl", "pad.step": "{number}-قەدەم" },
  };
  const say = speaker(files, "ug", "rtl");
  assert.equal(say("pad.done"), "\u2066输好了。\u2069");
  assert.equal(say("pad.step", { number: 1 }), "\u20681\u2069-قەدەم");
  assert.equal(speaker(files, "bo", "rtl")("pad.done"), "\u2066输好了。\u2069");
  assert.equal(speaker(files, "zh-CN", "ltr")("pad.step", { number: 1 }), "第 1 步");
});
