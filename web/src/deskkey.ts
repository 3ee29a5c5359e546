// Desk key: the key of a desk pad. WebCrypto makes it in this browser, it can sign
// and cannot be read out, and IndexedDB keeps it for this address alone. Whoever
// wipes the browser's data has another pad, which is paired anew.
import { toBase64URL } from "./bytes";

const DATABASE = "liuma-desk";
const KEYS = "keys";
const NAME = "pad";
const KIND = { name: "ECDSA", namedCurve: "P-256" };
const PATIENCE = 5000; // milliseconds after which a database that says nothing counts as none

export interface DeskKey {
  /** The public key: 65 bytes, base64url. */
  readonly id: string;
  /** Signs a text: ES256, base64url of r and s. */
  sign(text: string): Promise<string>;
}

/** Whether this browser can make such a key and keep it. */
export function canKeep(): boolean {
  const c = self.crypto as Crypto | undefined;
  return !!c && !!c.subtle && "indexedDB" in self && !!self.indexedDB;
}

/** The key of this browser: the one that it keeps, or a new one. Rejects where none can be kept. */
export async function deskKey(): Promise<DeskKey> {
  const db = await opened();
  const kept = (await asked(db.transaction(KEYS, "readonly").objectStore(KEYS).get(NAME))) as unknown;
  const pair = isPair(kept) ? kept : await made(db);
  const id = toBase64URL(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  return {
    id,
    sign: async (text) => {
      const signed = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, bytesOf(text));
      return toBase64URL(new Uint8Array(signed));
    },
  };
}

/** Makes a key and keeps it, unless another window of this browser was faster. */
async function made(db: IDBDatabase): Promise<CryptoKeyPair> {
  const fresh = (await crypto.subtle.generateKey(KIND, false, ["sign", "verify"])) as CryptoKeyPair;
  const keys = db.transaction(KEYS, "readwrite").objectStore(KEYS);
  const other = (await asked(keys.get(NAME))) as unknown;
  if (isPair(other)) return other;
  await asked(keys.put(fresh, NAME));
  return fresh;
}

/** A pair whose private half can sign and not be read out. */
function isPair(value: unknown): value is CryptoKeyPair {
  const pair = value as Partial<CryptoKeyPair> | undefined;
  return !!pair && !!pair.publicKey && !!pair.privateKey && pair.privateKey.extractable === false;
}

function opened(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(KEYS);
  return asked(request);
}

/** The result of a request to the database. */
function asked<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("desk: the database says nothing")), PATIENCE);
    const over = (act: () => void) => () => {
      clearTimeout(late);
      act();
    };
    request.onsuccess = over(() => resolve(request.result));
    request.onerror = over(() => reject(request.error));
  });
}

/** The bytes of a text of ASCII, as challenges and identifiers are. */
function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}
