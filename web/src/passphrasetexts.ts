// Passphrase texts: what the pad says where passphrases may be typed. Why one is
// refused it says in the server's own sentences.
import files from "locale:sentences";
import type { Step } from "./flow";
import type { Fault, Weak } from "./passphraserules";
import { pageDirection, speaker } from "./sentences";

export interface PassphraseTexts {
  label: Record<Step, string>;
  help: string; // six digits go in here, too
  newHelp: string;
  newDigits: string; // where the new one is to be six digits
  show: string;
  hide: string;
  fill: string;
  missing(count: number, missing: number): string;
  enough(count: number): string;
  over(count: number): string;
  fault: Record<Fault, string>;
  weak: Record<Weak, string>;
  use: Record<"current" | "new" | "change", string>; // the way from six digits
  digits: Record<"current" | "new" | "change", string>; // and back
}

/** The texts of a language. What a language lacks is said in Chinese. */
export function passphraseTexts(tag: string | undefined): PassphraseTexts {
  const say = speaker(files, tag, pageDirection());
  return {
    label: {
      current: say("pad.passphrase_label.current"),
      old: say("pad.passphrase_label.old"),
      new: say("pad.passphrase_label.new"),
      again: say("pad.passphrase_label.again"),
    },
    help: say("pad.passphrase_help"),
    newHelp: say("pad.passphrase_new_help"),
    newDigits: say("pad.passphrase_new_digits"),
    show: say("pad.passphrase_show"),
    hide: say("pad.hide"),
    fill: say("pad.fill"),
    missing: (count, missing) => say("pad.passphrase_missing", { count, missing }),
    enough: (count) => say("pad.passphrase_enough", { count }),
    over: (count) => say("pad.passphrase_over", { count }),
    fault: {
      too_short: say("pin.format.passphrase_too_short"),
      too_long: say("pin.format.passphrase_too_long"),
      too_wide: say("pin.format.passphrase_too_wide"),
      character: say("pin.format.passphrase_character"),
      not_six_digits: say("pin.format.not_six_digits"),
    },
    weak: { repeat: say("pin.passphrase.repeat"), steps: say("pin.passphrase.steps") },
    use: { current: say("pad.passphrase_use.current"), new: say("pad.passphrase_use.new"), change: say("pad.passphrase_use.change") },
    digits: { current: say("pad.digits_use.current"), new: say("pad.digits_use.new"), change: say("pad.digits_use.change") },
  };
}
