// Passphrase: ordinary fields for 8 to 64 characters, where six digits go in as well.
// All stand on the page at once; one button seals and sends. Keys are left to the
// keyboard: nothing is read but the fields' values, and not while a word is composed. A
// hidden field takes no Chinese from most keyboards, so a button shows it.
import { same, wipe } from "./bytes";
import { button, hasMouse, make, say } from "./dom";
import type { Judgement, Role, Step } from "./flow";
import type { PadConfig } from "./pad";
import { sealerFor } from "./pad";
import { canonical, fault, isPIN, lengthOf, sealed, weakness } from "./passphraserules";
import type { PassphraseTexts } from "./passphrasetexts";
import { broken } from "./rules";
import { Sender } from "./sender";
import type { Texts } from "./texts";

const FIELDS = { current: ["current"], new: ["new", "again"], change: ["old", "new", "again"] } as const;

/** What the page says of passphrases. */
export interface Offer {
  first: boolean; // the fields for a passphrase stand there first
  chosen: boolean; // a new PIN may be a passphrase
  shared: boolean; // the device is not the holder's own: nothing is to be kept on it
  lang: string | undefined;
}

interface Wrong {
  text: string;
  field: HTMLInputElement;
}

export class PassphrasePad {
  private readonly fields: Partial<Record<Step, HTMLInputElement>> = {};
  // Of each field: shows or hides it. The two entries of a new one go together.
  private readonly shows: Partial<Record<Step, (on: boolean) => void>> = {};
  private readonly message: HTMLElement;
  private readonly status = make("p", { class: "pad-status", role: "status" });
  private readonly offerArea = make("div", { class: "pad-offer" });
  private readonly count = make("p", { class: "pad-count", role: "status" });
  private readonly submit: HTMLButtonElement;
  private readonly sender: Sender;
  private readonly t: Texts;
  private busy = false;
  private composing = false;
  private generation = 0;
  private readonly hidden = (): void => this.hide();

  constructor(
    private readonly config: PadConfig,
    private readonly words: PassphraseTexts,
    private readonly offer: Offer,
  ) {
    this.t = config.texts;
    const root = config.root;
    this.message = make("p", { class: "pad-message", id: "pad-message", role: "alert" });
    this.submit = button(this.t.submit[config.mode], "btn btn-primary", (event) => this.pressed(event));
    root.textContent = "";
    for (const step of FIELDS[config.mode]) root.appendChild(this.makeField(step));
    for (const part of [this.message, this.status, this.offerArea, this.submit]) root.appendChild(part);
    root.classList.add("pad-ready", "pad-words");
    this.sender = new Sender(config.form, config.mode, this.t, {
      status: (text, waiting) => {
        this.lock(true);
        say(this.status, text);
        this.status.classList.toggle("pad-status-busy", waiting);
      },
      offer: (node) => {
        this.offerArea.textContent = "";
        if (node) this.offerArea.appendChild(node).focus();
      },
    }, config.resume);
    this.lock(false);
    // What is shown is hidden when the page goes to the background.
    document.addEventListener("visibilitychange", this.hidden);
    if (hasMouse()) this.begin();
  }

  /** Goes to the first field; on a phone that raises its keyboard, so only after a press. */
  begin(): void {
    const first = this.fields[FIELDS[this.config.mode][0]];
    if (first) first.focus();
  }

  /** Forgets everything that was typed or sealed. */
  reset(): void {
    this.generation++;
    this.sender.reset();
    this.each((field) => (field.value = ""));
    this.hide();
    this.alert("");
    say(this.count, "");
    say(this.status, "");
    this.status.classList.remove("pad-status-busy");
    this.offerArea.textContent = "";
    this.lock(false);
  }

  /** Gives its place up, with nothing kept; false while something is on its way. */
  close(): boolean {
    if (this.busy) return false;
    this.reset();
    this.sender.close();
    document.removeEventListener("visibilitychange", this.hidden);
    return true;
  }

  private makeField(step: Step): HTMLElement {
    const id = `pad-${step}`;
    const kind = step === "new" || step === "again" ? "new-password" : "current-password";
    const field = make("input", {
      id,
      class: "field-input",
      type: "password",
      // On a device of one's own a password manager is welcome; it never submits by itself.
      autocomplete: this.offer.shared ? "off" : kind,
      autocapitalize: "off",
      autocorrect: "off",
      spellcheck: "false",
      enterkeyhint: "done",
      "aria-describedby": `${this.config.describedBy} ${id}-help pad-message`.trim(),
    });
    this.fields[step] = field;
    field.addEventListener("compositionstart", () => (this.composing = true));
    field.addEventListener("compositionend", () => {
      this.composing = false;
      this.typed(step);
    });
    field.addEventListener("input", () => this.typed(step));
    field.addEventListener("keydown", (event) => this.key(event));
    const eye = this.makeEye(step, field, id);
    const label = make("label", { class: "field-label", for: id }, this.words.label[step]);
    const help = make("p", { class: "pad-help", id: `${id}-help` }, this.helpOf(step));
    const box = make("div", { class: "field" }, label, make("div", { class: "field-row" }, field, eye), help);
    if (step === "new") box.appendChild(this.count);
    return box;
  }

  private helpOf(step: Step): string {
    switch (step) {
      case "current":
        return this.words.help + this.config.note;
      case "old":
        return this.words.help;
      case "new":
        return this.offer.chosen ? this.words.newHelp : this.words.newDigits;
      case "again":
        return this.t.againHelp;
    }
  }

  private makeEye(step: Step, field: HTMLInputElement, id: string): HTMLButtonElement {
    this.shows[step] = (on) => {
      field.type = on ? "text" : "password";
      eye.setAttribute("aria-pressed", on ? "true" : "false");
      say(eye, on ? this.words.hide : this.words.show);
    };
    const together: Step[] = step === "new" || step === "again" ? ["new", "again"] : [step];
    const eye = button(this.words.show, "field-eye", () => this.show(together, field.type === "password"));
    // The field keeps the focus, and a phone its keyboard.
    eye.addEventListener("mousedown", (event) => {
      if (document.activeElement === field) event.preventDefault();
    });
    eye.setAttribute("aria-pressed", "false");
    eye.setAttribute("aria-controls", id);
    return eye;
  }

  private show(steps: readonly Step[], on: boolean): void {
    for (const step of steps) (this.shows[step] as (on: boolean) => void)(on);
  }

  private hide(): void {
    this.show(FIELDS[this.config.mode], false);
  }

  // Enter that ends a word of an input method is not meant for the form; some
  // browsers tell it by the key code alone.
  private key(event: KeyboardEvent): void {
    if (event.key !== "Enter") return;
    if (this.composing || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.pressed(event);
  }

  // What is said while one types: how long it is, in words.
  private typed(step: Step): void {
    if (this.composing) return;
    const field = this.fields[step] as HTMLInputElement;
    field.removeAttribute("aria-invalid");
    this.alert("");
    if (step !== "new") return;
    if (this.config.refusal) this.config.refusal.style.visibility = "hidden";
    say(this.count, this.lengthWords(canonical(field.value)));
  }

  private lengthWords(one: string): string {
    const n = lengthOf(one);
    if (!this.offer.chosen || n === 0 || isPIN(one)) return "";
    if (n < 8) return this.words.missing(n, 8 - n);
    return n > 64 ? this.words.over(n) : this.words.enough(n);
  }

  // A password manager fills the field in, and some press the button, too.
  private pressed(event: Event): void {
    if (event.isTrusted) void this.send();
    else this.alert(this.t.byHand);
  }

  private async send(): Promise<void> {
    if (this.busy) return;
    const wrong = this.check();
    if (wrong) {
      this.refuse(wrong);
      return;
    }
    const generation = this.generation;
    this.lock(true);
    this.alert("");
    try {
      const found = await this.judge();
      if (generation !== this.generation) return;
      if (found.kind === "moved") {
        this.sender.look(); // the server shows the page that counts
        return;
      }
      if (found.kind === "weak") {
        this.again(found.reason);
        return;
      }
      say(this.status, this.t.sealing);
      const envelopes = await this.seal();
      if (generation !== this.generation) return;
      this.sender.arm(envelopes);
      this.sender.send();
    } catch {
      if (generation !== this.generation) return;
      this.reset();
      this.alert(this.t.sealFailed);
    }
  }

  // Only the server knows the holder's numbers and the long list. Without its answer
  // the entry goes on, and it judges when the PIN is set.
  private async judge(): Promise<Judgement> {
    const field = this.fields.new;
    if (!field || !this.config.judge) return { kind: "unknown" };
    say(this.status, this.t.judging);
    const secret = sealed(field.value);
    try {
      return await this.config.judge(await sealerFor(this.config.key, this.config.aad)("check", secret));
    } finally {
      wipe(secret);
    }
  }

  // A new one is to be chosen; the old one need not be typed again.
  private again(reason: string): void {
    const field = this.fields.new as HTMLInputElement;
    for (const step of ["new", "again"] as const) (this.fields[step] as HTMLInputElement).value = "";
    say(this.status, "");
    say(this.count, "");
    this.lock(false);
    this.refuse({ text: reason, field });
  }

  private refuse(wrong: Wrong): void {
    this.alert(wrong.text);
    wrong.field.setAttribute("aria-invalid", "true");
    wrong.field.focus();
  }

  // Takes the values out of the fields at once, and wipes its own copies.
  private async seal(): Promise<Partial<Record<Role, string>>> {
    const sealer = sealerFor(this.config.key, this.config.aad);
    const envelopes: Partial<Record<Role, string>> = {};
    const secrets: [Role, Uint8Array][] = [];
    for (const role of ["current", "old", "new"] as const) {
      const field = this.fields[role];
      if (field) secrets.push([role, sealed(field.value)]);
    }
    this.each((field) => (field.value = ""));
    this.hide();
    try {
      for (const [role, secret] of secrets) envelopes[role] = await sealer(role, secret);
    } finally {
      secrets.forEach(([, secret]) => wipe(secret));
    }
    return envelopes;
  }

  private check(): Wrong | null {
    for (const step of FIELDS[this.config.mode]) {
      const field = this.fields[step] as HTMLInputElement;
      if (step === "again") continue;
      const one = canonical(field.value);
      const found = one === "" ? null : fault(one, step === "new" && !this.offer.chosen);
      if (found || one === "") return { text: found ? this.words.fault[found] : this.words.fill, field };
    }
    const first = this.fields.new;
    const second = this.fields.again;
    if (!first || !second) return null;
    const why = this.weak(canonical(first.value));
    if (why) return { text: why, field: first };
    return alike(first, second) ? null : { text: this.t.differ, field: second };
  }

  private weak(one: string): string {
    const old = this.fields.old;
    if (old && alike(old, this.fields.new as HTMLInputElement)) return this.t.sameAsOld;
    if (isPIN(one)) {
      const rule = broken(Array.from(one, Number), this.config.rules)[0];
      return rule ? this.t.refused[rule] : "";
    }
    const weak = weakness(one);
    return weak ? this.words.weak[weak] : "";
  }

  private alert(text: string): void {
    this.message.className = text ? "pad-message pad-message-bad" : "pad-message";
    if (this.message.textContent !== text) this.message.textContent = text;
  }

  private lock(on: boolean): void {
    this.busy = on;
    this.config.root.setAttribute("aria-busy", on ? "true" : "false");
    this.each((field) => (field.readOnly = on));
    this.submit.hidden = on;
  }

  private each(f: (field: HTMLInputElement) => void): void {
    for (const step of FIELDS[this.config.mode]) f(this.fields[step] as HTMLInputElement);
  }
}

/** Whether two fields hold the same PIN or passphrase. */
function alike(a: HTMLInputElement, b: HTMLInputElement): boolean {
  const [x, y] = [a, b].map((field) => new TextEncoder().encode(canonical(field.value))) as [Uint8Array, Uint8Array];
  const out = same(x, y);
  wipe(x);
  wipe(y);
  return out;
}
