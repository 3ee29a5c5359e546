// Sender: posts the form, once. It fills the hidden fields, holds the post
// while the phone is offline, and never sends one envelope twice: when no
// answer comes, it offers the server's view of the ceremony instead.
import { button, make } from "./dom";
import type { Mode, Role } from "./flow";
import { canPost, go, handIn, post, reachable } from "./post";
import type { Texts } from "./texts";

// The envelope of a check is not posted with them.
const FIELDS: Record<Role, string> = { current: "pin", old: "old_pin", new: "new_pin", check: "" };
const ROLES: Record<Mode, readonly Role[]> = { current: ["current"], new: ["new"], change: ["old", "new"] };

const SLOW_AFTER = 8000;
const NO_ANSWER_AFTER = 25000;

/** Where the sender speaks: a status line, and a place for at most one button. */
export interface Board {
  /** `waiting`: something is under way, as opposed to something to be done. */
  status(text: string, waiting: boolean): void;
  offer(button: HTMLElement | null): void;
}

export class Sender {
  private readonly inputs: Partial<Record<Role, HTMLInputElement>> = {};
  private ready = false; // envelopes are in the fields
  private sent = false; // the form is on its way: never again from this page
  private unknown = false; // it was sent, and no answer came
  private looking = false;
  private timers: number[] = [];
  // Raised by reset: an answer to what was sent before then counts for nothing.
  private generation = 0;

  constructor(
    private readonly form: HTMLFormElement,
    private readonly mode: Mode,
    private readonly t: Texts,
    private readonly board: Board,
    private readonly resume: string,
  ) {
    for (const role of ROLES[mode]) {
      const input = make("input", { type: "hidden", name: FIELDS[role], autocomplete: "off" });
      form.appendChild(input);
      this.inputs[role] = input;
    }
    // Enter in a field, or a program, would post the form without envelopes.
    form.addEventListener("submit", (event) => event.preventDefault());
    window.addEventListener("online", () => {
      if (this.unknown) this.look();
      else if (this.ready && !this.sent) this.board.status(t.online, false);
    });
  }

  /** Whether the form is on its way, or waits for the network. */
  get busy(): boolean {
    return this.ready;
  }

  /** Fills the fields; send may follow. */
  arm(envelopes: Partial<Record<Role, string>>): void {
    for (const role of ROLES[this.mode]) {
      const input = this.inputs[role];
      const envelope = envelopes[role];
      if (!input || !envelope) throw new Error("envelope missing");
      input.value = envelope;
    }
    this.ready = true;
  }

  send(): void {
    if (!this.ready || this.sent) return;
    if (navigator.onLine === false) {
      this.board.status(this.t.offline, false);
      this.board.offer(button(this.t.retry, "btn btn-primary", () => this.send()));
      return;
    }
    this.sent = true;
    this.board.offer(null);
    this.board.status(this.t.sending[this.mode], true);
    this.timers.push(window.setTimeout(() => this.board.status(this.t.slow, true), SLOW_AFTER));
    this.timers.push(window.setTimeout(() => this.notKnown(this.t.noAnswer), NO_ANSWER_AFTER));
    if (!canPost()) {
      HTMLFormElement.prototype.submit.call(this.form);
      return;
    }
    const generation = this.generation;
    void post(this.form).then((outcome) => {
      if (generation !== this.generation) return;
      if (outcome.kind === "next") go(outcome.to, outcome.hand);
      else this.notKnown(outcome.kind === "said" ? outcome.text : this.t.lost);
    });
  }

  /** Empties the fields and forgets that anything was sent. */
  reset(): void {
    this.generation++;
    this.stopTimers();
    this.ready = this.sent = this.unknown = false;
    for (const role of ROLES[this.mode]) {
      const input = this.inputs[role];
      if (input) input.value = "";
    }
  }

  /** Takes its fields out of the form: another sender comes. */
  close(): void {
    this.reset();
    for (const role of ROLES[this.mode]) {
      const input = this.inputs[role];
      if (input) this.form.removeChild(input);
    }
  }

  // The envelope may have arrived or not. Only the server knows, so ask it.
  private notKnown(text: string): void {
    this.stopTimers();
    this.unknown = true;
    this.board.status(text, false);
    this.board.offer(button(this.t.seeResult, "btn btn-primary", () => this.look()));
  }

  /** Goes to the server's view of the ceremony, unless there is no network. */
  look(): void {
    if (this.looking) return;
    const generation = this.generation;
    this.looking = true;
    this.board.status(this.t.looking, true);
    const there = canPost() ? reachable() : Promise.resolve(true);
    void there.then((yes) => {
      this.looking = false;
      if (generation !== this.generation) return;
      if (yes) go(this.resume || location.pathname, handIn(this.form));
      else this.notKnown(this.t.stillOffline);
    });
  }

  private stopTimers(): void {
    this.timers.forEach((timer) => window.clearTimeout(timer));
    this.timers = [];
  }
}
