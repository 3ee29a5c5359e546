// Flow: which PIN is asked for next, and its sealing. No DOM here. A Flow
// always wipes every array of digits that it is given; it keeps only the first
// entry of a new PIN, until the second.
import { same, wipe } from "./bytes";
import { broken, type Rule, type Rules } from "./rules";

export type Mode = "current" | "new" | "change";
export type Role = "current" | "old" | "new" | "check";
export type Step = "current" | "old" | "new" | "again";

export type Answer =
  | { kind: "next"; step: Step }
  | { kind: "weak"; rules: Rule[] }
  | { kind: "refused"; reason: string }
  | { kind: "same" } // as the old one
  | { kind: "moved" } // the page is old
  | { kind: "differ" }
  | { kind: "done" };

/** Seals one secret in its role; the caller wipes the secret. */
export type Sealer = (role: Role, secret: Uint8Array) => Promise<string>;

/**
 * Asks the server about a new PIN, sealed in the role "check". It never rejects;
 * unknown: nobody can say now.
 */
export type Judge = (envelope: string) => Promise<Judgement>;
export type Judgement = { kind: "good" | "unknown" | "moved" } | { kind: "weak"; reason: string };

const STEPS: Record<Mode, readonly Step[]> = {
  current: ["current"],
  new: ["new", "again"],
  change: ["old", "new", "again"],
};

export class Flow {
  private index = 0;
  private held: Uint8Array | null = null;
  // The old PIN as typed, until the new one was compared with it.
  private old: Uint8Array | null = null;
  /** Whether the server accepts the new PIN, as far as it was asked. */
  judged = false;
  // Raised by reset: the result of a seal that is under way is then dropped.
  private generation = 0;
  /** The envelopes sealed so far, by role. */
  readonly envelopes: Partial<Record<Role, string>> = {};

  constructor(
    readonly mode: Mode,
    private readonly sealer: Sealer,
    private readonly rules: Rules,
    private readonly judge: Judge | null = null,
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
        this.old = ascii.slice();
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
    if (this.step === "old") this.forgetOld();
    return true;
  }

  /** Back to the first step, with nothing kept. */
  reset(): void {
    this.generation++;
    this.index = 0;
    this.forgetNew();
    this.forgetOld();
    delete this.envelopes.current;
  }

  private forgetOld(): void {
    wipe(this.old);
    this.old = null;
    delete this.envelopes.old;
  }

  private forgetNew(): void {
    wipe(this.held);
    this.held = null;
    this.judged = false;
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

  // Only the server knows the holder's birthday and numbers. It is asked before
  // the second entry, so that nobody learns a PIN that is then refused; without
  // its answer the entry goes on, and it judges when the PIN is set.
  private async hold(ascii: Uint8Array): Promise<Answer> {
    const rules = broken(ascii.map((c) => c - 48), this.rules);
    if (rules.length > 0) {
      wipe(ascii);
      return { kind: "weak", rules };
    }
    if (this.old && same(this.old, ascii)) {
      wipe(ascii);
      return { kind: "same" };
    }
    const generation = this.generation;
    try {
      const found: Judgement = this.judge ? await this.judge(await this.sealer("check", ascii)) : { kind: "unknown" };
      if (generation !== this.generation) return { kind: "next", step: this.step };
      if (found.kind === "weak") return { kind: "refused", reason: found.reason };
      if (found.kind === "moved") return { kind: "moved" };
      this.judged = found.kind === "good";
      this.held = ascii.slice();
    } finally {
      wipe(ascii);
    }
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
    wipe(this.old);
    this.old = null;
    return answer;
  }
}
