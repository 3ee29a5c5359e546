import assert from "node:assert/strict";
import { test } from "node:test";
import { onlyDigits, readDigits } from "../src/digits";
import { Early } from "../src/early";
import { Presses, type Change, type Key } from "../src/presses";

const key = (name: string, more: Partial<Key> = {}): Key => ({ isTrusted: true, repeat: false, key: name, timeStamp: 0, ...more });
const text = (data: string | null, at: number, more: Partial<Change> = {}): Change =>
  ({ isTrusted: true, inputType: "insertText", data, timeStamp: at, ...more });

test("digits of every script are read, and anything else is no PIN", () => {
  for (const pin of ["907352", "90 73-52", "９０７３５２", "٩٠٧٣٥٢", "۹۰۷۳۵۲", "९०७३५२", "๙๐๗๓๕๒", "九〇七三五二", "九零七三五二", "\u200e907352\u00a0", "907.352"]) {
    assert.equal(readDigits(pin), "907352", pin);
  }
  for (const other of ["Wang880626!", "密码：880626", "8806２6a", "①②③④⑤⑥", "²³", "88,06", "+880626", "😀"]) assert.equal(readDigits(other), null, other);
  assert.equal(readDigits(""), "");
  assert.equal(onlyDigits("90x٧"), "907");
});

test("digits after keys of their own are typed", () => {
  const p = new Presses();
  for (let n = 1; n <= 6; n++) {
    p.keydown(key("1"));
    assert.equal(p.changed(text("1", n), n), "typed"); // a named key needs no time
  }
  assert.equal(p.byHand, true);
});

test("digits of a nameless key are typed if they are a plausible time apart", () => {
  for (const [apart, typed] of [[40, true], [15, true], [3, false], [0, false]] as const) {
    const p = new Presses();
    for (let n = 1; n <= 6; n++) {
      p.keydown(key("Unidentified"));
      p.changed(text("1", 1000 + n * apart), n);
    }
    assert.equal(p.byHand, typed, `${apart} ms`);
  }
});

test("what no key caused is not typed", () => {
  const ways: Record<string, (p: Presses) => void> = {
    "a fill by a script": (p) => p.changed({ isTrusted: false, timeStamp: 0 }, 6),
    "the browser's autofill": (p) => {
      p.keydown(key("Unidentified"));
      p.changed({ isTrusted: true, timeStamp: 0 }, 6);
    },
    "dictation": (p) => p.changed(text("880626", 0), 6),
    "one character without a key": (p) => {
      for (let n = 1; n <= 6; n++) p.changed(text("8", n * 100), n);
    },
    "two characters after one key": (p) => {
      p.keydown(key("8"));
      p.changed(text("8", 0), 1);
      p.changed(text("8", 100), 2);
    },
    "a key of a script": (p) => {
      for (let n = 1; n <= 6; n++) {
        p.keydown(key("8", { isTrusted: false }));
        p.changed(text("8", n * 100), n);
      }
    },
    "a held key": (p) => {
      for (let n = 1; n <= 6; n++) {
        p.keydown(key("8", { repeat: n > 1 }));
        p.changed(text("8", n * 100), n);
      }
    },
    "the last digit only": (p) => {
      p.changed(text("88062", 0), 5);
      p.keydown(key("6"));
      p.changed(text("6", 100), 6);
    },
    "a value set without an event": (p) => {
      p.keydown(key("6"));
      p.changed(text("6", 100), 6);
    },
    "a pad key that a script presses": (p) => p.pressed(false, 0),
    "a pad key over a value set without an event": (p) => p.pressed(true, 5),
    "undo": (p) => p.changed(text(null, 0, { inputType: "historyUndo" }), 6),
    "drag and drop": (p) => p.changed(text("880626", 0, { inputType: "insertFromDrop" }), 6),
    "one dropped digit": (p) => p.changed(text("8", 0, { inputType: "insertFromDrop" }), 1),
  };
  for (const name of Object.keys(ways)) {
    const p = new Presses();
    ways[name]!(p);
    assert.equal(p.byHand, false, name);
  }
});

test("an emptied field is open to the hand again, and deleting digits changes nothing", () => {
  const p = new Presses();
  p.changed(text("880626", 0), 6);
  assert.equal(p.changed(text(null, 0, { inputType: "deleteContentBackward" }), 5), "erased");
  assert.equal(p.byHand, false);
  p.kept(0);
  p.pressed(true, 0);
  assert.equal(p.byHand, true);
});

test("early digits are kept in order, or none is", () => {
  const early = new Early();
  for (const digit of ["4", "8", "2", "", "1"]) early.add(digit);
  assert.deepEqual(early.take(), ["4", "8", "1"]);
  assert.deepEqual(early.take(), []);
  for (const digit of "1234567") early.add(digit);
  assert.equal(early.take(), null);
  early.add("1");
  early.spoil();
  assert.equal(early.take(), null);
});
