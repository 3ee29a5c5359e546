// Bytes: base64url without padding, constant-time comparison, wiping.

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Encodes without padding. Own table: btoa needs a binary string that cannot be wiped. */
export function toBase64URL(bytes: Uint8Array): string {
  let out = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out += alphabet.charAt(group >> 18) + alphabet.charAt((group >> 12) & 63);
    if (left > 1) out += alphabet.charAt((group >> 6) & 63);
    if (left > 2) out += alphabet.charAt(group & 63);
  }
  return out;
}

/** Decodes strictly: no padding, no other alphabet, no stray bits. */
export function fromBase64URL(text: string): Uint8Array {
  if (text.length % 4 === 1) throw new Error("base64url: bad length");
  const out = new Uint8Array(Math.floor((text.length * 3) / 4));
  let buffer = 0;
  let bits = 0;
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    const value = alphabet.indexOf(text.charAt(i));
    if (value < 0) throw new Error("base64url: bad character");
    buffer = ((buffer << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[n++] = (buffer >> bits) & 0xff;
    }
  }
  if ((buffer & ((1 << bits) - 1)) !== 0) throw new Error("base64url: stray bits");
  return out;
}

/** Compares in a time that depends on the lengths alone. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

/** Overwrites with zeros. */
export function wipe(bytes: Uint8Array | null | undefined): void {
  if (bytes) bytes.fill(0);
}
