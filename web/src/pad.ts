// Pad: joins field, flow and sender for six-digit PINs.
import { wipe } from "./bytes";
import { onlyDigits, readDigits } from "./digits";
import { draw } from "./draw";
import { Early } from "./early";
import { Flow, type Answer, type Judge, type Mode, type Role } from "./flow";
import type { How } from "./presses";
import { heading, type Rule, type Rules } from "./rules";
import { seal, type SealKey } from "./seal";
import { Sender } from "./sender";
import type { Texts } from "./texts";
import { LENGTH, View } from "./view";

// Long enough to see that six dots are full before the page moves on.
const MOMENT = 400;
// After so many refusals a PIN is offered.
const ENOUGH = 2;

export interface PadConfig {
  root: HTMLElement;
  form: HTMLFormElement;
  mode: Mode;
  key: SealKey;
  aad: Partial<Record<Role, Uint8Array>>;
  rules: Rules;
  resume: string;
  judge: Judge | null; // asks the server about a new PIN; null: it cannot be asked
  refusal: HTMLElement | null; // what the page says against the last new PIN
  describedBy: string;
  note: string; // stands behind the help of a current PIN, such as the tries left
  texts: Texts;
}

/** Makes the sealer that binds each role to the server's bytes for it. */
export function sealerFor(key: SealKey, aad: Partial<Record<Role, Uint8Array>>) {
  return (role: Role, secret: Uint8Array): Promise<string> => {
    const bound = aad[role];
    if (!bound) return Promise.reject(new Error("associated data missing"));
    return seal(key, bound, secret);
  };
}

export class Pad {
  private readonly view: View;
  private readonly flow: Flow;
  private readonly sender: Sender;
  private readonly t: Texts;
  private readonly early = new Early();
  // Raised by reset, so that work begun before it ends without effect.
  private generation = 0;
  // New PINs that were refused on this page, with the one that it begins with.
  private refusals: number;

  constructor(private readonly config: PadConfig) {
    this.t = config.texts;
    this.refusals = config.refusal ? 1 : 0;
    this.flow = new Flow(config.mode, sealerFor(config.key, config.aad), config.rules, config.judge);
    this.view = new View(config.root, this.t, {
      changed: (how) => this.changed(how),
      early: (digit) => this.cameEarly(digit),
      stray: () => this.early.spoil(),
      previous: () => this.previous(),
      restart: () => this.restart(),
      finish: () => this.sender.send(),
    }, config.describedBy, config.mode !== "current");
    this.sender = new Sender(config.form, config.mode, this.t, {
      status: (text, waiting) => {
        this.view.sending();
        this.view.say(text, waiting);
      },
      offer: (node) => this.view.offer(node),
    }, config.resume);
    this.ask();
    this.view.focus();
  }

  /** Forgets everything: digits, envelopes, and that anything was sent. */
  reset(): void {
    this.generation++;
    this.flow.reset();
    this.sender.reset();
    this.early.clear();
    this.ask();
  }

  /** Gives its place up to fields for a passphrase, with nothing kept; false while something is on its way. */
  close(): boolean {
    if (this.sender.busy || this.view.busy) return false;
    this.reset();
    this.view.close();
    this.sender.close();
    return true;
  }

  /** Goes to the pad after a press. */
  begin(): void {
    this.config.root.focus();
    this.view.focus();
  }

  private ask(): void {
    const step = this.flow.step;
    const auto = this.t.auto + this.config.note;
    const help = { current: auto, old: this.t.oldHelp, new: this.t.newHelp, again: this.t.againHelp }[step];
    const count = this.flow.stepCount > 1 ? this.t.step(this.flow.stepNumber, this.flow.stepCount) : "";
    this.view.ask(this.t.label[step], help, count, this.flow.stepNumber > 1);
  }

  private changed(how: How): void {
    const text = this.view.field.value;
    const digits = readDigits(text);
    if (digits === null) {
      // A slip of the finger costs the one character, all else the whole text.
      this.view.put(how === "typed" ? onlyDigits(text) : "");
      this.view.alert(how === "typed" ? this.t.onlyDigits : this.t.notDigits);
      return;
    }
    if (digits.length > LENGTH || (how === "filled" && digits.length !== LENGTH)) {
      this.view.empty();
      this.view.alert(this.t.notSix);
      return;
    }
    this.view.put(digits);
    // The message of the step before stays until typing starts.
    if (digits.length > 0) this.comment(digits);
    if (digits.length < LENGTH) return;
    if (this.view.byHand) void this.complete(this.view.take());
    else this.view.holdFilled(this.t.useFilled[this.flow.step], () => void this.complete(this.view.take()));
  }

  // What is to be said while a PIN is typed: where it is heading, and no longer
  // what was wrong with the one before.
  private comment(digits: string): void {
    const chosen = this.flow.step === "new";
    const rule = chosen ? heading(Array.from(digits, Number), this.config.rules) : null;
    this.view.hint(rule ? this.t.heading[rule] : "");
    // The box keeps its place while digits are typed, so that no key moves.
    if (chosen && this.config.refusal) this.config.refusal.style.visibility = "hidden";
  }

  // A digit while the field is locked. Before the PIN goes by itself it can only
  // mean that the six digits are not those that the holder means; between two
  // steps it belongs to the next.
  private cameEarly(digit: string): void {
    if (this.sender.busy) return; // the page says that it is being sent
    if (this.config.mode !== "current") {
      this.early.add(digit);
      return;
    }
    if (digit === "") return;
    this.reset();
    this.view.alert(this.t.extra);
  }

  private async complete(digits: Uint8Array): Promise<void> {
    const generation = this.generation;
    this.view.offer(null);
    this.view.lock(true);
    this.view.say(this.flow.step === "new" && this.config.judge ? this.t.judging : this.t.sealing, true);
    try {
      await pause(MOMENT);
      if (generation !== this.generation) return;
      const answer = await this.flow.accept(digits);
      if (generation === this.generation) this.answered(answer);
    } catch {
      if (generation !== this.generation) return;
      this.flow.reset();
      this.early.clear();
      this.ask();
      this.view.alert(this.t.sealFailed);
    } finally {
      wipe(digits);
    }
  }

  private answered(answer: Answer): void {
    if (answer.kind === "done") {
      this.finished();
      return;
    }
    if (answer.kind === "moved") {
      this.sender.look(); // the server shows the page that counts
      return;
    }
    if (answer.kind === "next" && this.config.refusal) this.config.refusal.hidden = true;
    this.ask();
    let why = "";
    if (answer.kind === "weak") why = this.t.refused[answer.rules[0] as Rule];
    if (answer.kind === "refused") why = answer.reason;
    if (answer.kind === "same") why = this.t.sameAsOld;
    if (answer.kind === "differ") why = this.t.differ;
    else if (why) this.refusals++;
    const early = this.early.take();
    if (why || !early) {
      // What came early was meant for a step that does not come now.
      this.view.alert(early && early.length === 0 ? why : `${why} ${this.t.dropped}`.trim());
    } else {
      for (const digit of early) this.view.replay(digit);
    }
    if (why && answer.kind !== "differ" && this.refusals >= ENOUGH) this.offerDrawn();
    else this.view.focus();
  }

  // Who had two refused is offered one that was drawn here. It goes nowhere
  // before the holder takes it, and then the way of a typed one.
  private offerDrawn(): void {
    const digits = draw(this.config.rules);
    this.view.offerDrawn(digits, {
      use: () => {
        const ascii = digits.map((d) => d + 48);
        wipe(digits);
        void this.complete(ascii);
      },
      another: () => {
        wipe(digits);
        this.offerDrawn();
      },
      own: () => {
        wipe(digits);
        this.view.offer(null);
        this.view.focus();
      },
    });
  }

  private finished(): void {
    this.sender.arm(this.flow.envelopes);
    const mode = this.config.mode;
    if (mode === "current") {
      this.sender.send();
      return;
    }
    // Only a PIN that will be taken is worth remembering.
    this.view.confirm(this.t.done, (this.flow.judged ? this.t.doneHelp : this.t.doneHelpOpen)[mode], this.t.finish[mode]);
    const early = this.early.take();
    if (!early || early.length > 0) this.view.alert(this.t.dropped);
  }

  private previous(): void {
    if (this.flow.back()) this.ask();
    this.view.focus();
  }

  // From the last look back to choosing: the old PIN need not be typed again.
  private restart(): void {
    this.sender.reset();
    this.flow.back();
    this.ask();
    this.view.focus();
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => window.setTimeout(resolve, milliseconds));
}
