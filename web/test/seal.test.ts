import assert from "node:assert/strict";
import { test } from "node:test";
import { AEAD_AES_128_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_P256_HKDF_SHA256 } from "hpke";
import { INFO, pad, seal, sealKey } from "../src/seal";
import { fromBase64URL, toBase64URL } from "../src/bytes";

const suite = new CipherSuite(KEM_DHKEM_P256_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_128_GCM);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

test("padding: length, secret, zeros, always 256 bytes", () => {
  const padded = pad(utf8("907352"));
  assert.equal(padded.length, 256);
  assert.deepEqual([...padded.slice(0, 8)], [0, 6, ...utf8("907352")]);
  assert.ok(padded.slice(8).every((b) => b === 0));
  assert.equal(pad(new Uint8Array(254)).length, 256);
  assert.throws(() => pad(new Uint8Array(0)));
  assert.throws(() => pad(new Uint8Array(255)));
});

test("an envelope opens with the key, the info and the associated data", async () => {
  const pair = await suite.GenerateKeyPair();
  const key = sealKey("k-1", toBase64URL(await suite.SerializePublicKey(pair.publicKey)));
  const aad = utf8("associated");
  const envelope = JSON.parse(await seal(key, aad, utf8("907352")));
  assert.deepEqual(Object.keys(envelope), ["kid", "enc", "ct"]);
  assert.equal(envelope.kid, "k-1");
  const enc = fromBase64URL(envelope.enc);
  const ct = fromBase64URL(envelope.ct);
  assert.equal(enc.length, 65);
  assert.equal(ct.length, 256 + 16);
  const plain = await suite.Open(pair, enc, ct, { aad, info: utf8(INFO) });
  assert.deepEqual(plain, pad(utf8("907352")));
  await assert.rejects(suite.Open(pair, enc, ct, { aad: utf8("other"), info: utf8(INFO) }));
  const twice = JSON.parse(await seal(key, aad, utf8("907352")));
  assert.notEqual(twice.ct, envelope.ct);
});

test("a malformed key is refused", async () => {
  assert.throws(() => sealKey("", toBase64URL(new Uint8Array(65).fill(4))));
  assert.throws(() => sealKey("k", toBase64URL(new Uint8Array(64).fill(4))));
  assert.throws(() => sealKey("k", toBase64URL(new Uint8Array(65).fill(3))));
  // The right shape, but no point of the curve.
  await assert.rejects(seal(sealKey("k", toBase64URL(new Uint8Array(65).fill(4))), new Uint8Array(1), utf8("907352")));
});
