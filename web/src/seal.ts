// Sealing: HPKE (RFC 9180) in base mode to the authority's seal key, on the
// device. DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM. The plaintext is
// a uint16 big-endian length, the secret, and zeros up to 256 bytes, so that
// the ciphertext says nothing about the secret's length.
import {
  AEAD_AES_128_GCM,
  CipherSuite,
  KDF_HKDF_SHA256,
  KEM_DHKEM_P256_HKDF_SHA256,
} from "hpke";
import { fromBase64URL, toBase64URL, wipe } from "./bytes";

export const INFO = "liuma/1/pin-envelope";
const PADDED = 256;

/** Where to seal to: the key's id and its 65 bytes (uncompressed P-256). */
export interface SealKey {
  kid: string;
  key: Uint8Array;
}

/** Pads to 256 bytes. The caller wipes both its secret and the result. */
export function pad(secret: Uint8Array): Uint8Array {
  if (secret.length < 1 || secret.length > PADDED - 2) throw new Error("secret: bad length");
  const out = new Uint8Array(PADDED);
  out[0] = secret.length >> 8;
  out[1] = secret.length & 0xff;
  out.set(secret, 2);
  return out;
}

/**
 * Seals a secret and returns the envelope as JSON, {"kid","enc","ct"}, the last
 * two base64url without padding. `aad` is made by the server and taken as is.
 * The secret is not wiped here.
 */
export async function seal(to: SealKey, aad: Uint8Array, secret: Uint8Array): Promise<string> {
  const suite = new CipherSuite(KEM_DHKEM_P256_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_128_GCM);
  const padded = pad(secret);
  try {
    const key = await suite.DeserializePublicKey(to.key);
    const sealed = await suite.Seal(key, padded, { aad, info: ascii(INFO) });
    return JSON.stringify({
      kid: to.kid,
      enc: toBase64URL(sealed.encapsulatedSecret),
      ct: toBase64URL(sealed.ciphertext),
    });
  } finally {
    wipe(padded);
  }
}

/** Reads the key that the server put on the page. */
export function sealKey(kid: string, key: string): SealKey {
  const bytes = fromBase64URL(key);
  if (kid === "" || bytes.length !== 65 || bytes[0] !== 4) throw new Error("seal key: malformed");
  return { kid, key: bytes };
}

/** Whether this web view can seal at all. WebCrypto exists in secure contexts only. */
export function canSeal(): boolean {
  const c = self.crypto as Crypto | undefined;
  return !!c && !!c.subtle && typeof c.getRandomValues === "function";
}

function ascii(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}
