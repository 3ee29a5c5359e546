// View: the look of the digit pad. It holds no digits except in the entry
// field, and decides nothing.
import { button, hasMouse, make, say, takesText } from "./dom";
import type { Texts } from "./texts";

export const LENGTH = 6;
const PEEK = 3000; // milliseconds that digits stay visible
const ids = { next: 0 };

export interface ViewEvents {
  changed(pasted: boolean): void;
  previous(): void;
  restart(): void;
}

export class View {
  readonly field: HTMLInputElement;
  private readonly step = make("p", { class: "pad-step" });
  private readonly label: HTMLLabelElement;
  private readonly help: HTMLElement;
  private readonly boxes: HTMLElement[] = [];
  private readonly entry: HTMLElement;
  private readonly message: HTMLElement;
  private readonly count = make("p", { class: "sr-only", "aria-live": "polite", "aria-atomic": "true" });
  private readonly status = make("p", { class: "pad-status", role: "status" });
  private readonly sayArea = make("div", { class: "pad-say" });
  private readonly offerArea = make("div", { class: "pad-offer" });
  private readonly tools: HTMLElement;
  private readonly keys: HTMLElement;
  private readonly final: HTMLElement;
  private readonly peekButton: HTMLButtonElement;
  private readonly keysButton: HTMLButtonElement;
  private readonly previousButton: HTMLButtonElement;
  private readonly finishButton = make("button", { type: "submit", class: "btn btn-primary" });
  private peekTimer = 0;
  private peeking = false;
  private locked = false;

  constructor(
    private readonly root: HTMLElement,
    private readonly t: Texts,
    private readonly events: ViewEvents,
    describedBy: string,
    long: boolean, // long messages may come: keep room for two lines
  ) {
    const id = `pad-${++ids.next}`;
    this.label = make("label", { class: "pad-label", for: `${id}-field` });
    this.help = make("p", { class: "pad-help", id: `${id}-help` });
    this.message = make("p", { class: "pad-message", id: `${id}-message`, role: "alert" });
    this.field = make("input", {
      id: `${id}-field`,
      class: "pad-field",
      type: "password",
      inputmode: "numeric",
      pattern: "[0-9]*",
      autocomplete: "off",
      autocapitalize: "off",
      autocorrect: "off",
      spellcheck: "false",
      enterkeyhint: "done",
      "aria-describedby": `${describedBy} ${id}-help ${id}-message`.trim(),
    });
    this.entry = this.makeEntry();
    this.peekButton = button(t.show, "pad-tool", () => this.peek(!this.peeking));
    this.peekButton.setAttribute("aria-pressed", "false");
    this.keysButton = button(t.systemKeys, "pad-tool pad-tool-keys", () => this.useKeys(this.keys.hidden === true));
    this.previousButton = button(t.previous, "pad-tool", () => {
      if (!this.locked) events.previous();
    });
    this.tools = make("div", { class: "pad-tools" }, this.previousButton, this.peekButton, this.keysButton);
    this.keys = this.makeKeys();
    this.final = make("div", { class: "pad-final" }, this.finishButton, button(t.restart, "btn btn-plain", () => events.restart()));
    this.final.hidden = true;
    root.textContent = "";
    this.sayArea.appendChild(this.message);
    this.sayArea.appendChild(this.status);
    for (const part of [this.step, this.label, this.help, this.entry, this.count, this.sayArea, this.offerArea,
      this.tools, this.keys, this.final]) root.appendChild(part);
    root.classList.add("pad-ready");
    if (long) root.classList.add("pad-long");
    document.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("paste", (event) => this.onPaste(event));
    // Hides the digits when the page goes to the background.
    document.addEventListener("visibilitychange", () => this.peek(false));
  }

  /** Shows a step's prompt with an empty field. */
  ask(label: string, help: string, step: string, canGoBack: boolean): void {
    say(this.step, step);
    this.step.hidden = step === "";
    say(this.label, label);
    say(this.help, help);
    this.previousButton.hidden = !canGoBack;
    this.lock(false);
    this.final.hidden = true;
    this.label.hidden = this.help.hidden = this.entry.hidden = this.tools.hidden = false;
    this.root.classList.remove("pad-confirm");
    this.sayArea.style.minHeight = "";
    this.empty();
    this.say("");
    this.offer(null);
    this.useKeys(true, false);
  }

  /** Reads the digits out of the field into an array that the caller wipes, and empties the field. */
  take(): Uint8Array {
    const out = new Uint8Array(LENGTH);
    for (let i = 0; i < LENGTH; i++) out[i] = this.field.value.charCodeAt(i);
    this.field.value = "";
    this.peek(false);
    this.paint(LENGTH);
    return out;
  }

  /** Empties the field and the boxes. */
  empty(): void {
    this.field.value = "";
    this.peek(false);
    this.refresh();
  }

  /** Paints the boxes after the field's value. */
  refresh(): void {
    const n = this.field.value.length;
    this.paint(n);
    say(this.count, n > 0 ? this.t.entered(n) : "");
  }

  /** Locks entry while something is under way. */
  lock(on: boolean): void {
    this.locked = on;
    this.root.setAttribute("aria-busy", on ? "true" : "false");
    this.field.readOnly = on;
    // Not the disabled attribute: that would throw the focus off the key.
    this.root.querySelectorAll(".key, .pad-tool").forEach((key) => {
      key.setAttribute("aria-disabled", on ? "true" : "false");
    });
  }

  /** An error, spoken at once. */
  alert(text: string): void {
    this.root.classList.add("pad-bad");
    this.message.className = "pad-message pad-message-bad";
    this.message.textContent = text;
    this.status.textContent = "";
    // Keeps its height when typing takes the words away, so no key moves then.
    this.sayArea.style.minHeight = `${this.sayArea.offsetHeight}px`;
  }

  /** A hint while typing, below an error in rank. */
  hint(text: string): void {
    this.root.classList.remove("pad-bad");
    this.message.className = "pad-message";
    say(this.message, text);
  }

  /** What is going on; `waiting` turns a wheel beside it. */
  say(text: string, waiting = false): void {
    this.hint("");
    say(this.status, text);
    this.status.classList.toggle("pad-status-busy", waiting);
  }

  /** Announces the emptied field. */
  announce(text: string): void {
    say(this.count, text);
  }

  offer(node: HTMLElement | null): void {
    this.offerArea.textContent = "";
    // While there is one thing to press, nothing else stands there.
    this.keys.hidden = this.tools.hidden = node !== null || this.entry.hidden;
    if (!node) return;
    this.offerArea.appendChild(node);
    node.focus();
  }

  /** The last look: both entries agree, one button sends. */
  confirm(title: string, help: string, finish: string): void {
    this.lock(false);
    this.root.classList.add("pad-confirm");
    this.step.hidden = true;
    this.entry.hidden = this.tools.hidden = this.keys.hidden = this.label.hidden = true;
    say(this.help, help);
    this.say(title);
    say(this.finishButton, finish);
    this.final.hidden = false;
    this.finishButton.focus();
  }

  /** While the form is on its way, nothing can be pressed. */
  sending(): void {
    this.lock(true);
    this.final.hidden = true;
  }

  /** On a computer the field takes the focus; on a phone that would raise its keyboard over the page. */
  focus(): void {
    if (hasMouse() || document.activeElement === this.field) this.field.focus();
  }

  private makeEntry(): HTMLElement {
    const row = make("div", { class: "pad-boxes", "aria-hidden": "true" });
    for (let i = 0; i < LENGTH; i++) {
      const box = make("span", { class: "box" });
      this.boxes.push(box);
      row.appendChild(box);
    }
    this.field.addEventListener("input", (event) => {
      if (this.locked) return;
      this.events.changed((event as InputEvent).inputType === "insertFromPaste");
    });
    return make("div", { class: "pad-entry" }, row, this.field);
  }

  private makeKeys(): HTMLElement {
    const keys = make("div", { class: "keys", role: "group", "aria-label": this.t.keypad });
    for (const digit of "123456789") keys.appendChild(this.digitKey(digit));
    keys.appendChild(button(this.t.clear, "key key-word", () => this.clear()));
    keys.appendChild(this.digitKey("0"));
    keys.appendChild(button(this.t.back, "key key-word", () => this.backspace()));
    return keys;
  }

  private digitKey(digit: string): HTMLButtonElement {
    return button(digit, "key", () => this.type(digit));
  }

  private type(digit: string): void {
    if (this.locked) return;
    this.field.value += digit;
    this.events.changed(false);
  }

  private clear(): void {
    if (this.locked) return;
    this.empty();
    this.hint("");
    this.announce(this.t.cleared);
  }

  private backspace(): void {
    if (this.locked) return;
    this.field.value = this.field.value.slice(0, -1);
    this.events.changed(false);
    if (this.field.value === "") this.announce(this.t.cleared);
  }

  // A physical keyboard works wherever the focus is: no click is needed first,
  // and a phone, or a small window, gives the field no focus by itself.
  private onKey(event: KeyboardEvent): void {
    if (this.entry.hidden || takesText(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[0-9]$/.test(event.key)) this.type(event.key);
    else if (event.key === "Backspace") this.backspace();
    else return;
    event.preventDefault();
  }

  private onPaste(event: ClipboardEvent): void {
    if (this.entry.hidden || this.locked || takesText(event.target) || !event.clipboardData) return;
    event.preventDefault();
    this.field.value = event.clipboardData.getData("text/plain");
    this.events.changed(true);
  }

  // own: our keys; else the phone's, which the focused field raises.
  private useKeys(own: boolean, moveFocus = true): void {
    if (this.locked) return;
    this.keys.hidden = !own;
    say(this.keysButton, own ? this.t.systemKeys : this.t.ownKeys);
    if (!moveFocus) return;
    if (own) this.field.blur();
    else this.field.focus();
  }

  private peek(on: boolean): void {
    window.clearTimeout(this.peekTimer);
    this.peeking = on && !this.locked;
    this.peekButton.setAttribute("aria-pressed", this.peeking ? "true" : "false");
    say(this.peekButton, this.peeking ? this.t.hide : this.t.show);
    if (this.peeking) this.peekTimer = window.setTimeout(() => this.peek(false), PEEK);
    this.paint(this.field.value.length);
  }

  private paint(n: number): void {
    this.boxes.forEach((box, i) => {
      box.className = i < n ? "box box-full" : i === n ? "box box-next" : "box";
      say(box, this.peeking && i < n ? this.field.value.charAt(i) : "");
    });
  }
}
