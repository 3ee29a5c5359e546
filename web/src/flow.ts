// Flow: which PIN is asked for next, and its sealing. No DOM here. A Flow
// always wipes every array of digits that it is given; it keeps only the first
// entry of a new PIN, until the second.
import { same, wipe } from "./bytes";
import { broken, type Rule } from "./rules";

export type Mode = "current" | "new" | "change";
export type Role = "current" | "old" | "new";
export type Step = "current" | "old" | "new" | "again";

export type Answer =
  | { kind: "next"; step: Step }
  | { kind: "weak"; rules: Rule[] }
  | { kind: "differ" }
  | { kind: "done" };

/** Seals one secret in its role; the caller wipes the secret. */
export type Sealer = (role: Role, secret: Uint8Array) => Promise<string>;

const STEPS: Record<Mode, readonly Step[]> = {
  current: ["current"],
  new: ["new", "again"],
  change: ["old", "new", "again"],
};

export class Flow {
  private index = 0;
  private held: Uint8Array | null = null;
  // Raised by reset: the result of a seal that is under way is then dropped.
  private generation = 0;
  /** The envelopes sealed so far, by role. */
  readonly envelopes: Partial<Record<Role, string>> = {};

  constructor(
    readonly mode: Mode,
    private readonly sealer: Sealer,
    private readonly rules: readonly Rule[],
  ) {}

  get step(): Step {
    return STEPS[this.mode][this.index] as Step;
  }

  get stepNumber(): number {
    return this.index + 1;
  }

  get stepCount(): number {
    return STEPS[this.mode].length;
  }

  /** Takes six ASCII digits. Rejects only when sealing fails; the step is then asked again. */
  async accept(ascii: Uint8Array): Promise<Answer> {
    switch (this.step) {
      case "current":
        return this.sealAs("current", ascii);
      case "old":
        return this.sealAs("old", ascii);
      case "new":
        return this.hold(ascii);
      case "again":
        return this.compare(ascii);
    }
  }

  /** One step back, for "I mistyped". Returns false at the first step. */
  back(): boolean {
    if (this.index === 0) return false;
    this.index--;
    this.forgetNew();
    if (this.step === "old") delete this.envelopes.old;
    return true;
  }

  /** Back to the first step, with nothing kept. */
  reset(): void {
    this.generation++;
    this.index = 0;
    this.forgetNew();
    delete this.envelopes.current;
    delete this.envelopes.old;
  }

  private forgetNew(): void {
    wipe(this.held);
    this.held = null;
    delete this.envelopes.new;
  }

  private async sealAs(role: Role, secret: Uint8Array): Promise<Answer> {
    const generation = this.generation;
    try {
      const envelope = await this.sealer(role, secret);
      if (generation === this.generation) this.envelopes[role] = envelope;
    } finally {
      wipe(secret);
    }
    if (generation !== this.generation) return { kind: "next", step: this.step };
    if (this.index + 1 === this.stepCount) return { kind: "done" };
    this.index++;
    return { kind: "next", step: this.step };
  }

  private hold(ascii: Uint8Array): Answer {
    const rules = broken(ascii.map((c) => c - 48), this.rules);
    if (rules.length > 0) {
      wipe(ascii);
      return { kind: "weak", rules };
    }
    this.held = ascii.slice();
    wipe(ascii);
    this.index++;
    return { kind: "next", step: this.step };
  }

  private async compare(ascii: Uint8Array): Promise<Answer> {
    const first = this.held;
    if (!first || !same(first, ascii)) {
      wipe(ascii);
      this.back();
      return { kind: "differ" };
    }
    const answer = await this.sealAs("new", ascii);
    wipe(first);
    this.held = null;
    return answer;
  }
}
