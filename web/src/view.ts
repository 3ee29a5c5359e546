// View: the look of the digit pad. It holds no digits except in the entry
// field, and decides nothing.
import { button, hasMouse, make, say, takesText } from "./dom";
import { readDigits } from "./digits";
import { Presses, type How } from "./presses";
import type { Texts } from "./texts";

export const LENGTH = 6;
const PEEK = 3000; // milliseconds that digits stay visible
const ids = { next: 0 };

export interface ViewEvents {
  /** The field's text changed; how says by what. */
  changed(how: How): void;
  /** A digit was typed while the field is locked; empty: the last such digit was taken back. */
  early(digit: string): void;
  /** Something else came into the locked field. */
  stray(): void;
  previous(): void;
  restart(): void;
  finish(): void;
}

export class View {
  readonly field: HTMLInputElement;
  private readonly step = make("span", { class: "pad-step" });
  private readonly label: HTMLLabelElement;
  private readonly help: HTMLElement;
  private readonly boxes: HTMLElement[] = [];
  private readonly entry: HTMLElement;
  private readonly message: HTMLElement;
  private readonly count = make("p", { class: "sr-only", "aria-live": "polite", "aria-atomic": "true" });
  private readonly status = make("p", { class: "pad-status", role: "status" });
  private readonly sayArea = make("div", { class: "pad-say" });
  private readonly presses = new Presses();
  private readonly offerArea = make("div", { class: "pad-offer" });
  private readonly tools: HTMLElement;
  private readonly keys: HTMLElement;
  private readonly final: HTMLElement;
  private readonly peekButton: HTMLButtonElement;
  private readonly keysButton: HTMLButtonElement;
  private readonly previousButton: HTMLButtonElement;
  private readonly finishButton: HTMLButtonElement;
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
    this.finishButton = button("", "btn btn-primary", (event) => {
      if (event.isTrusted) events.finish();
      else this.say(t.byHand);
    });
    this.final = make("div", { class: "pad-final" }, this.finishButton, button(t.restart, "btn btn-plain", () => events.restart()));
    this.final.hidden = true;
    root.textContent = "";
    for (const part of [this.message, this.status, this.help]) this.sayArea.appendChild(part);
    const head = make("div", { class: "pad-head" }, this.step, " ", this.label);
    for (const part of [head, this.entry, this.count, this.sayArea, this.offerArea,
      this.keys, this.tools, this.final]) root.appendChild(part);
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
    // A shorter word in the help's place moves no key.
    this.sayArea.style.minHeight = `${this.sayArea.offsetHeight}px`;
  }

  /** Reads the digits out of the field into an array that the caller wipes, and empties the field. */
  take(): Uint8Array {
    const out = new Uint8Array(LENGTH);
    for (let i = 0; i < LENGTH; i++) out[i] = this.field.value.charCodeAt(i);
    this.field.value = "";
    this.presses.kept(0);
    this.peek(false);
    this.paint(LENGTH);
    return out;
  }

  /** Whether every digit in the field was typed. */
  get byHand(): boolean {
    return this.presses.byHand;
  }

  /** Empties the field and the boxes. */
  empty(): void {
    this.peek(false);
    this.put("");
  }

  /** Sets the field to digits that were in it already, in whatever script. */
  put(digits: string): void {
    this.field.value = digits;
    this.presses.kept(digits.length);
    this.refresh();
  }

  /** Types a digit that came early, as if it came now. */
  replay(digit: string): void {
    this.type(digit, true);
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
    // The field itself stays open: a read-only field takes a phone's keyboard
    // away, and digits that come early would be lost without a word.
    this.field.readOnly = false;
    // Not the disabled attribute: that would throw the focus off the key.
    this.root.querySelectorAll(".key, .pad-tool").forEach((key) => {
      key.setAttribute("aria-disabled", on ? "true" : "false");
    });
  }

  /** Whether something is under way. */
  get busy(): boolean {
    return this.locked;
  }

  /** Hears no key any more: another pad takes its place. */
  close(): void {
    this.entry.hidden = true;
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

  /** Whether an error stands there, which no key has taken away yet. */
  get alerted(): boolean {
    return this.root.classList.contains("pad-bad");
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

  /** The field is full of digits that nobody typed: a press on a button takes them. */
  holdFilled(words: string, act: () => void): void {
    const take = button(words, "btn btn-primary", (event) => {
      // Programs press buttons, too.
      if (event.isTrusted) act();
      else this.say(this.t.byHand);
    });
    this.say(this.t.filled);
    this.offer(make("div", {}, take, button(this.t.clear, "btn btn-plain", () => {
      this.offer(null);
      this.clear();
    })));
    this.tools.hidden = false; // to look at the digits
    take.focus();
  }

  /** A PIN that was drawn, large, and what can be done with it. */
  offerDrawn(digits: ArrayLike<number>, act: Record<"use" | "another" | "own", () => void>): void {
    const t = this.t.draw;
    const read = Array.from(digits);
    const title = make("p", { class: "pad-drawn-title", tabindex: "-1" }, t.title);
    // Read out digit by digit, and not as a number.
    const shown = make("p", { class: "pad-drawn" },
      make("span", { "aria-hidden": "true" }, read.join("")), make("span", { class: "sr-only" }, read.join(", ")));
    const use = button(t.use, "btn btn-primary", (event) => {
      // Programs press buttons, too.
      if (event.isTrusted) act.use();
      else this.say(this.t.byHand);
    });
    this.offer(make("div", {}, title, shown, make("p", { class: "pad-drawn-help" }, t.help), use,
      make("div", { class: "pad-tools" }, button(t.another, "pad-tool", act.another), button(t.own, "pad-tool", act.own))));
    title.focus();
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
    this.field.readOnly = true;
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
      const how = this.presses.changed(event as InputEvent, this.field.value.length);
      if (this.locked) this.tooEarly(how);
      else this.events.changed(how);
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
    const key = button(digit, "key", (event) => this.type(digit, event.isTrusted));
    // A key that is held is one press.
    key.addEventListener("keydown", (event) => {
      if (event.repeat) event.preventDefault();
    });
    return key;
  }

  private type(digit: string, trusted: boolean): void {
    if (this.locked) {
      if (trusted) this.events.early(digit);
      else this.events.stray();
      return;
    }
    this.presses.pressed(trusted, this.field.value.length);
    this.field.value += digit;
    this.events.changed(trusted ? "typed" : "added");
  }

  // While the pad turns to its next step the field is empty, so what is in it
  // came early.
  private tooEarly(how: How): void {
    const digit = readDigits(this.field.value);
    this.field.value = "";
    this.presses.kept(0);
    if (how === "typed" && digit !== null && digit.length <= 1) this.events.early(digit);
    else this.events.stray();
  }

  private clear(): void {
    if (this.locked) {
      this.events.stray(); // whatever came early was to be cleared
      return;
    }
    this.empty();
    this.hint("");
    this.announce(this.t.cleared);
  }

  private backspace(): void {
    if (this.locked) {
      this.events.early("");
      return;
    }
    this.put(this.field.value.slice(0, -1));
    this.events.changed("erased");
    if (this.field.value === "") this.announce(this.t.cleared);
  }

  // A physical keyboard works wherever the focus is: no click is needed first,
  // and a phone, or a small window, gives the field no focus by itself.
  private onKey(event: KeyboardEvent): void {
    if (this.entry.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    const digit = event.key.length === 1 ? readDigits(event.key) : null;
    if (event.target === this.field) {
      this.presses.keydown(event);
      if (event.repeat && digit) event.preventDefault(); // a key that is held is one press
      else if (this.locked && event.key === "Backspace") this.events.early("");
      return;
    }
    if (takesText(event.target)) return;
    if (digit) {
      if (!event.repeat) this.type(digit, event.isTrusted);
    } else if (event.key === "Backspace") {
      this.backspace();
    } else {
      // A blank presses what has the focus; letters are no digits, and that is said.
      if (event.key.length === 1 && event.key !== " " && !this.locked) this.alert(this.t.onlyDigits);
      return;
    }
    event.preventDefault();
  }

  private onPaste(event: ClipboardEvent): void {
    if (this.entry.hidden || takesText(event.target) || !event.clipboardData) return;
    event.preventDefault();
    if (this.locked) {
      this.events.stray();
      return;
    }
    this.field.value = event.clipboardData.getData("text/plain");
    this.presses.changed({ isTrusted: event.isTrusted, inputType: "insertFromPaste", timeStamp: event.timeStamp }, this.field.value.length);
    this.events.changed("filled");
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
