// Draw: a good PIN, drawn on the device for who had two of their own refused. It
// is one of all that the rules accept, each as likely as the others; it is neither
// kept nor sent before the holder takes it.
import { broken, rulesOf, type Rules } from "./rules";

const PINS = 1000000;
// Numbers from here on would make the first PINs likelier than the others.
const FAIR = Math.floor(0x100000000 / PINS) * PINS;

/** Fills an array with random numbers, as crypto.getRandomValues does. */
export type Random = (into: Uint32Array<ArrayBuffer>) => void;

/**
 * Draws six digits that break no rule, neither of those given nor of the strong
 * list: a birthday or a year is never offered, whatever the policy permits.
 */
export function draw(rules: Rules, random: Random = (into) => void crypto.getRandomValues(into)): Uint8Array {
  const strong: Rules = { enabled: rulesOf("strong").enabled, common: rules.common };
  const number = new Uint32Array(1);
  const digits = new Uint8Array(6);
  for (;;) {
    random(number);
    const drawn = number[0] as number;
    if (drawn >= FAIR) continue;
    for (let i = 5, rest = drawn % PINS; i >= 0; i--, rest = Math.floor(rest / 10)) digits[i] = rest % 10;
    if (broken(digits, strong).length === 0) {
      number[0] = 0;
      return digits;
    }
  }
}
