// Pad: joins field, flow and sender for six-digit PINs.
import { wipe } from "./bytes";
import { Flow, type Answer, type Mode, type Role } from "./flow";
import { heading, type Rule } from "./rules";
import { seal, type SealKey } from "./seal";
import { Sender } from "./sender";
import type { Texts } from "./texts";
import { LENGTH, View } from "./view";

// Long enough to see that six dots are full before the page moves on.
const MOMENT = 400;

export interface PadConfig {
  root: HTMLElement;
  form: HTMLFormElement;
  mode: Mode;
  key: SealKey;
  aad: Partial<Record<Role, Uint8Array>>;
  rules: readonly Rule[];
  resume: string;
  describedBy: string;
  note: string; // stands behind the help of a current PIN, such as the tries left
  texts: Texts;
}

/** Keeps the ASCII digits of what was typed or pasted; full-width digits count. */
export function onlyDigits(text: string): string {
  return text
    .replace(/[\uff10-\uff19]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0))
    .replace(/[^0-9]/g, "");
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
  // Raised by reset, so that work begun before it ends without effect.
  private generation = 0;

  constructor(private readonly config: PadConfig) {
    this.t = config.texts;
    this.flow = new Flow(config.mode, sealerFor(config.key, config.aad), config.rules);
    this.view = new View(
      config.root,
      this.t,
      { changed: (pasted) => this.changed(pasted), previous: () => this.previous(), restart: () => this.restart() },
      config.describedBy,
      config.mode !== "current",
    );
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
    this.ask();
  }

  private ask(): void {
    const step = this.flow.step;
    const auto = this.t.auto + this.config.note;
    const help = { current: auto, old: this.t.oldHelp, new: this.t.newHelp, again: this.t.againHelp }[step];
    const count = this.flow.stepCount > 1 ? this.t.step(this.flow.stepNumber, this.flow.stepCount) : "";
    this.view.ask(this.t.label[step], help, count, this.flow.stepNumber > 1);
  }

  private changed(pasted: boolean): void {
    const digits = onlyDigits(this.view.field.value);
    if (digits.length > LENGTH || (pasted && digits.length !== LENGTH)) {
      this.view.empty();
      this.view.alert(this.t.notSix);
      return;
    }
    this.view.field.value = digits;
    this.view.refresh();
    if (digits.length === LENGTH) {
      void this.complete();
      return;
    }
    const typed = Array.from(digits, Number);
    const rule = this.flow.step === "new" ? heading(typed, this.config.rules) : null;
    // The message of the step before stays until typing starts.
    if (digits.length > 0) this.view.hint(rule ? this.t.heading[rule] : "");
  }

  private async complete(): Promise<void> {
    const generation = this.generation;
    const digits = this.view.take();
    this.view.lock(true);
    this.view.say(this.t.sealing, true);
    try {
      await pause(MOMENT);
      if (generation !== this.generation) return;
      const answer = await this.flow.accept(digits);
      if (generation === this.generation) this.answered(answer);
    } catch {
      if (generation !== this.generation) return;
      this.flow.reset();
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
    this.ask();
    if (answer.kind === "weak") this.view.alert(this.t.refused[answer.rules[0] as Rule]);
    if (answer.kind === "differ") this.view.alert(this.t.differ);
    this.view.focus();
  }

  private finished(): void {
    this.sender.arm(this.flow.envelopes);
    const mode = this.config.mode;
    if (mode === "current") this.sender.send();
    else this.view.confirm(this.t.done, this.t.doneHelp[mode], this.t.finish[mode]);
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
