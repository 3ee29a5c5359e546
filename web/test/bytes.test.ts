import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBase64URL, same, toBase64URL, wipe } from "../src/bytes";

test("base64url agrees with Node's for every length to 70", () => {
  for (let n = 0; n <= 70; n++) {
    const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 89 + n * 7) & 255);
    const text = toBase64URL(bytes);
    assert.equal(text, Buffer.from(bytes).toString("base64url"));
    assert.deepEqual(fromBase64URL(text), bytes);
  }
});

test("base64url is strict", () => {
  for (const bad of ["A", "AAAAA", "A=", "AA==", "A+", "A/", "AB", "AAB", "A A", "é"]) {
    assert.throws(() => fromBase64URL(bad), undefined, bad);
  }
});

test("same compares content and length", () => {
  const a = Uint8Array.of(1, 2, 3);
  assert.equal(same(a, Uint8Array.of(1, 2, 3)), true);
  assert.equal(same(a, Uint8Array.of(1, 2, 4)), false);
  assert.equal(same(a, Uint8Array.of(0, 2, 3)), false);
  assert.equal(same(a, Uint8Array.of(1, 2)), false);
});

test("wipe leaves zeros and takes nothing for an answer", () => {
  const a = Uint8Array.of(1, 2, 3);
  wipe(a);
  assert.deepEqual(a, new Uint8Array(3));
  wipe(null);
});
