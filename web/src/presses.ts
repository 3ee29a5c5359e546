// Presses: tells digits that a person typed from digits that a program put into
// the field. Six typed ones are sent by themselves; anything else waits for a
// press on a button, so that no password manager, paste, dictation, undo or
// restored page spends one of the holder's tries.
//
// The rule: a digit was typed if it came by
//   - a trusted press on one of the pad's own keys, or
//   - a trusted key that names the digit, not repeated by being held, or
//   - one trusted character of text (insertText) after a trusted key of its own.
//     Soft keyboards do not name the key (229, "Unidentified"); such characters
//     must be a plausible time apart, since a keyboard that fills in a stored
//     password commits them all at once.
// and if the field then holds exactly one digit more than before. Once something
// else has come into the field, it stays "filled" until it is empty.
// No DOM and no digits here: only lengths.

// Milliseconds. Two thumbs are slower; a program in a loop is faster.
const PLAUSIBLE = 15;

/** What is needed of a KeyboardEvent. */
export interface Key {
  isTrusted: boolean;
  repeat: boolean;
  key: string;
  timeStamp: number;
}

/** What is needed of an InputEvent. Old browsers know no inputType. */
export interface Change {
  isTrusted: boolean;
  inputType?: string;
  data?: string | null;
  timeStamp: number;
}

/**
 * typed: by a press. erased: something was taken away. added: one more
 * character, but not by a press. filled: several at once, or by a script.
 */
export type How = "typed" | "erased" | "added" | "filled";

export class Presses {
  private length = 0; // what the field held when it was last heard of
  private foreign = false; // some of it nobody typed
  private key: Key | null = null; // trusted, and no text has come of it yet
  private lastText = -Infinity; // when the last text of a nameless key came

  /** Whether every digit in the field was typed. */
  get byHand(): boolean {
    return !this.foreign;
  }

  /** A key goes down in the field. */
  keydown(event: Key): void {
    this.key = event.isTrusted && !event.repeat ? event : null;
  }

  /** A digit of the pad's own keys, or a key outside the field; `before` is the field's length. */
  pressed(trusted: boolean, before: number): void {
    if (!trusted || before !== this.length) this.foreign = true;
    this.settle(before + 1, trusted);
  }

  /** The field's text changed; `length` is what it holds now. */
  changed(event: Change, length: number): How {
    const grew = length - this.length;
    const typed = this.isTyped(event) && (grew === 1 || length === 1);
    this.key = null;
    if (typed) {
      this.settle(length, true);
      return "typed";
    }
    if (grew < 0 && event.isTrusted && /^delete/.test(event.inputType || "")) {
      this.settle(length, false);
      return "erased";
    }
    this.foreign = true;
    this.settle(length, false);
    return grew === 1 && event.isTrusted ? "added" : "filled";
  }

  /** The pad itself set the field to so many digits, of those that were there. */
  kept(length: number): void {
    this.settle(length, false);
  }

  private isTyped(event: Change): boolean {
    const key = this.key;
    if (!key || !event.isTrusted) return false;
    const named = key.key.length === 1;
    if (event.inputType === undefined) return named;
    if (event.inputType !== "insertText" || typeof event.data !== "string" || event.data.length !== 1) return false;
    if (named) return true;
    const since = event.timeStamp - this.lastText;
    this.lastText = event.timeStamp;
    return since >= PLAUSIBLE;
  }

  // A field that was emptied, or whose only digit was just typed, holds nothing foreign.
  private settle(length: number, typed: boolean): void {
    this.length = length;
    if (length === 0 || (length === 1 && typed)) this.foreign = false;
  }
}
