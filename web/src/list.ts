// List: the common PINs, as the server has them (internal/pin, common.list). It is
// fetched where a PIN is set, when the pad can be used already, and never waited
// for: until it has come, or where it does not come, the server alone judges by it.
import type { PINSet, Rules } from "./rules";

const PINS = 1000000;

/** Fetches the list and gives it to the rules. It never rejects: without the list the entry goes on. */
export function fetchList(address: string, list: string, rules: Rules): Promise<void> {
  if (!("fetch" in window)) return Promise.resolve();
  return fetch(address, { credentials: "same-origin" })
    .then((answer) => (answer.ok ? answer.arrayBuffer() : Promise.reject(new Error(String(answer.status)))))
    .then((bytes) => {
      rules.common = readList(new Uint8Array(bytes), list);
    })
    .catch(() => undefined);
}

/**
 * Reads one of the lists out of the file that has both: the PINs in order, as
 * unsigned varints, the distance from the one before (of the first, from -1),
 * doubled, and one more if the basic list has it too.
 */
export function readList(bytes: Uint8Array, list: string): PINSet {
  const set = new Uint8Array(PINS / 8);
  let at = -1;
  let entry = 0;
  let shift = 0;
  for (const byte of bytes) {
    entry += (byte & 127) * Math.pow(2, shift);
    shift += 7;
    if (byte >= 128 && shift < 28) continue;
    at += Math.floor(entry / 2);
    if (byte >= 128 || entry < 2 || at >= PINS) throw new Error("list: malformed");
    if (list !== "basic" || entry % 2 === 1) set[at >> 3] = (set[at >> 3] as number) | (1 << (at & 7));
    entry = shift = 0;
  }
  if (shift !== 0 || at < 0) throw new Error("list: cut short");
  return set;
}
