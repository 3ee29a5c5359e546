// Passphrase choice: the pad of six digits or the fields for a passphrase, and a
// button from one to the other. Which of them stands there first says nothing of a
// card to who does not know it: the server begins with six digits for everybody.
import { button, make } from "./dom";
import { Pad, type PadConfig } from "./pad";
import { type Offer, PassphrasePad } from "./passphrase";
import { passphraseTexts, type PassphraseTexts } from "./passphrasetexts";

export class PassphraseChoice {
  private pad: Pad | PassphrasePad;
  private readonly t: PassphraseTexts;
  // Tells the server what the entry was typed in, so that its next page begins so.
  private readonly kind = make("input", { type: "hidden", name: "words", value: "0" });

  constructor(
    private readonly config: PadConfig,
    private readonly offer: Offer,
  ) {
    this.t = passphraseTexts(offer.lang);
    config.form.appendChild(this.kind);
    config.root.tabIndex = -1; // takes the focus when the button that had it is gone
    this.pad = this.make(offer.first);
  }

  reset(): void {
    this.pad.reset();
  }

  private make(words: boolean): Pad | PassphrasePad {
    const root = this.config.root;
    root.className = "pad";
    this.kind.value = words ? "1" : "0";
    const pad = words ? new PassphrasePad(this.config, this.t, this.offer) : new Pad(this.config);
    const text = (words ? this.t.digits : this.t.use)[this.config.mode];
    root.appendChild(button(text, "pad-tool pad-switch", () => this.turn(!words)));
    return pad;
  }

  private turn(words: boolean): void {
    if (!this.pad.close()) return; // something is on its way
    this.pad = this.make(words);
    this.pad.begin();
  }
}
