// Sender: posts the form, once. It fills the hidden fields, holds the post
// while the phone is offline, and never sends one envelope twice: when no
// answer comes, it offers the server's view of the ceremony instead.
import { button, make } from "./dom";
import type { Mode, Role } from "./flow";
import type { Texts } from "./texts";

const FIELDS: Record<Role, string> = { current: "pin", old: "old_pin", new: "new_pin" };
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
  private timers: number[] = [];

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
    // Enter in a field would post the form without envelopes, and a second
    // press would post it twice.
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.ready) this.send();
    });
    window.addEventListener("online", () => {
      if (this.ready && !this.sent) this.board.status(t.online, false);
    });
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
    this.timers.push(window.setTimeout(() => this.giveUp(), NO_ANSWER_AFTER));
    HTMLFormElement.prototype.submit.call(this.form);
  }

  /** Empties the fields and forgets that anything was sent. */
  reset(): void {
    this.timers.forEach((timer) => window.clearTimeout(timer));
    this.timers = [];
    this.ready = false;
    this.sent = false;
    for (const role of ROLES[this.mode]) {
      const input = this.inputs[role];
      if (input) input.value = "";
    }
  }

  // The envelope may have arrived or not. Only the server knows, so ask it.
  private giveUp(): void {
    this.board.status(this.t.noAnswer, false);
    this.board.offer(
      button(this.t.seeResult, "btn btn-primary", () => {
        if (this.resume) location.replace(this.resume);
        else location.reload();
      }),
    );
  }
}
