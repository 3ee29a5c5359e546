// Passphrase: where a region allows 8 to 64 characters in place of six digits.
// All fields stand on the page at once; one button seals and sends.
import { same, wipe } from "./bytes";
import { readDigits } from "./digits";
import { button, hasMouse, make, say } from "./dom";
import type { Role, Step } from "./flow";
import { broken } from "./rules";
import { sealerFor, type PadConfig } from "./pad";
import { Sender } from "./sender";
import type { Texts } from "./texts";

const FIELDS = { current: ["current"], new: ["new", "again"], change: ["old", "new", "again"] } as const;
const MAX_BYTES = 254;

/** What a passphrase's spelling lacks, or null. Six digits are a PIN and fine. */
export function fault(text: string): "fill" | "length" | "tooLong" | null {
  if (text === "") return "fill";
  if (/^[0-9]{6}$/.test(text)) return null;
  const characters = Array.from(text).length;
  if (characters < 8 || characters > 64) return "length";
  return new TextEncoder().encode(text).length > MAX_BYTES ? "tooLong" : null;
}

/** One spelling per passphrase: NFC; a PIN typed with digits of another script is the PIN. */
export function canonical(text: string): string {
  const digits = readDigits(text);
  return digits !== null && digits.length === 6 && text.length === 6 ? digits : text.normalize("NFC");
}

export class PassphrasePad {
  private readonly fields: Partial<Record<Step, HTMLInputElement>> = {};
  private readonly message: HTMLElement;
  private readonly status = make("p", { class: "pad-status", role: "status" });
  private readonly offerArea = make("div", { class: "pad-offer" });
  private readonly submit: HTMLButtonElement;
  private readonly sender: Sender;
  private readonly t: Texts;
  private busy = false;
  private generation = 0;

  constructor(private readonly config: PadConfig) {
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
    this.focus();
  }

  // As in the digit pad: a phone's keyboard would rise over the page.
  private focus(): void {
    const first = this.fields[FIELDS[this.config.mode][0]];
    if (first && hasMouse()) first.focus();
  }

  /** Forgets everything that was typed or sealed. */
  reset(): void {
    this.generation++;
    this.sender.reset();
    this.each((field) => (field.value = ""));
    this.alert("");
    say(this.status, "");
    this.status.classList.remove("pad-status-busy");
    this.offerArea.textContent = "";
    this.lock(false);
  }

  private makeField(step: Step): HTMLElement {
    const id = `pad-${step}`;
    const field = make("input", {
      id,
      class: "field-input",
      type: "password",
      autocomplete: "off",
      autocapitalize: "off",
      autocorrect: "off",
      spellcheck: "false",
      "aria-describedby": `${this.config.describedBy} ${id}-help pad-message`.trim(),
    });
    this.fields[step] = field;
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.pressed(event);
    });
    const label = make("label", { class: "field-label", for: id }, this.t.passphraseLabel[step]);
    const eye = button(this.t.show, "field-eye", () => {
      const shown = field.type === "text";
      field.type = shown ? "password" : "text";
      eye.setAttribute("aria-pressed", shown ? "false" : "true");
      say(eye, shown ? this.t.show : this.t.hide);
    });
    eye.setAttribute("aria-pressed", "false");
    eye.setAttribute("aria-controls", id);
    const words = step === "again" ? this.t.againHelp : this.t.passphraseHelp;
    const help = make("p", { class: "pad-help", id: `${id}-help` }, words);
    return make("div", { class: "field" }, label, make("div", { class: "field-row" }, field, eye), help);
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
      this.alert(wrong.text);
      wrong.field.focus();
      return;
    }
    const generation = this.generation;
    this.lock(true);
    this.alert("");
    say(this.status, this.t.sealing);
    try {
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

  // Takes the values out of the fields at once, and wipes its own copies.
  private async seal(): Promise<Partial<Record<Role, string>>> {
    const sealer = sealerFor(this.config.key, this.config.aad);
    const envelopes: Partial<Record<Role, string>> = {};
    const secrets: [Role, Uint8Array][] = [];
    for (const role of ["current", "old", "new"] as const) {
      const field = this.fields[role];
      if (field) secrets.push([role, bytes(field.value)]);
    }
    this.each((field) => {
      field.value = "";
      field.type = "password";
    });
    try {
      for (const [role, secret] of secrets) envelopes[role] = await sealer(role, secret);
    } finally {
      secrets.forEach(([, secret]) => wipe(secret));
    }
    return envelopes;
  }

  private check(): { text: string; field: HTMLInputElement } | null {
    for (const step of FIELDS[this.config.mode]) {
      const field = this.fields[step] as HTMLInputElement;
      if (step === "again") continue;
      const found = fault(canonical(field.value));
      if (found) return { text: this.t[found], field };
    }
    const first = this.fields.new;
    const second = this.fields.again;
    if (!first || !second) return null;
    const a = bytes(first.value);
    const b = bytes(second.value);
    const agree = same(a, b);
    const rules = a.length === 6 ? broken(a.map((c) => c - 48), this.config.rules) : [];
    wipe(a);
    wipe(b);
    const rule = rules[0];
    if (rule) return { text: this.t.refused[rule], field: first };
    return agree ? null : { text: this.t.differ, field: second };
  }

  private alert(text: string): void {
    this.message.className = text ? "pad-message pad-message-bad" : "pad-message";
    this.message.textContent = text;
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

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(canonical(text));
}
