// Main: finds the pads that the server rendered and starts them. A page without
// script, or without WebCrypto, keeps its own words or gets clear ones.
import "./oldwebview";
import { fromBase64URL } from "./bytes";
import { startCountdowns } from "./countdown";
import { button, hasMouse, make } from "./dom";
import type { Mode, Role } from "./flow";
import { judgeAt } from "./judge";
import { fetchList } from "./list";
import { Pad, type PadConfig } from "./pad";
import { PassphraseChoice } from "./passphrasechoice";
import { rulesOf } from "./rules";
import { canSeal, INFO, sealKey } from "./seal";
import { texts, type Texts } from "./texts";

const ROLES: Record<Mode, readonly Role[]> = { current: ["current"], new: ["new"], change: ["old", "new"] };

interface Resettable {
  reset(): void;
}

function start(): void {
  startCountdowns(document);
  const notice = document.querySelector<HTMLElement>("[data-focus]");
  const root = document.querySelector<HTMLElement>("[data-pad]");
  const pad = root ? startPad(root) : null;
  // On a phone nothing else takes the focus, so a screen reader starts at the
  // refusal; on a computer the pad's field does, and it is described by it.
  if (notice && !(pad && hasMouse())) notice.focus();
  // After a refusal the holder knows already who asks for the PIN, so the page
  // scrolls down to the refusal and the keys.
  if (notice && root && root.getBoundingClientRect().bottom > window.innerHeight) notice.scrollIntoView();
  // A page that is kept for the back button keeps no digits and no envelope;
  // the ceremony's script loads it anew when it is shown again.
  window.addEventListener("pagehide", () => pad && pad.reset());
  window.addEventListener("pageshow", (event) => {
    if (event.persisted && pad) pad.reset();
  });
}

function startPad(root: HTMLElement): Resettable | null {
  const t = texts(root.dataset.lang || document.documentElement.lang, root.dataset.hotline, root.dataset.refusals);
  if (!canSeal()) {
    explain(root, t.noCrypto, t.noCryptoNext, null);
    return null;
  }
  let config: PadConfig;
  try {
    config = read(root, t);
  } catch {
    explain(root, t.broken, "", t);
    return null;
  }
  const data = root.dataset;
  const { list, lists } = data;
  if (list && lists && config.mode !== "current") afterLoad(() => void fetchList(lists, list, config.rules));
  if (!data.passphrase) return new Pad(config);
  return new PassphraseChoice(config, {
    first: data.passphrase === "first",
    chosen: data.chosen === "passphrase",
    shared: data.shared === "true",
    lang: data.lang || document.documentElement.lang,
  });
}

// When the page has all that it needs, so that nothing of it waits for this.
function afterLoad(act: () => void): void {
  if (document.readyState === "complete") act();
  else window.addEventListener("load", act);
}

function read(root: HTMLElement, t: Texts): PadConfig {
  const data = root.dataset;
  const mode = data.mode as Mode;
  const form = root.closest("form");
  const roles = ROLES[mode];
  if (!form || !roles || data.info !== INFO) throw new Error("pad: malformed");
  const given: Record<Role, string | undefined> = { current: data.aadCurrent, old: data.aadOld, new: data.aadNew, check: data.aadCheck };
  const aad: Partial<Record<Role, Uint8Array>> = {};
  for (const role of roles) {
    const text = given[role];
    if (!text) throw new Error("pad: associated data missing");
    aad[role] = fromBase64URL(text);
  }
  if (given.check) aad.check = fromBase64URL(given.check);
  return {
    root,
    form,
    mode,
    key: sealKey(data.kid || "", data.key || ""),
    aad,
    rules: rulesOf(data.list),
    resume: data.resume || "",
    judge: data.check && aad.check ? judgeAt(data.check, form) : null,
    refusal: mode === "current" ? null : document.querySelector<HTMLElement>("[data-weak]"),
    describedBy: data.describedby || "",
    note: data.note ? ` ${data.note}` : "",
    texts: t,
  };
}

function explain(root: HTMLElement, what: string, next: string, reload: Texts | null): void {
  const box = make("div", { class: "notice notice-refuse", role: "alert" }, make("p", { class: "notice-title" }, what));
  if (next) box.appendChild(make("p", {}, next));
  root.textContent = "";
  root.appendChild(box);
  if (reload) root.appendChild(button(reload.reload, "btn btn-primary", () => location.reload()));
  root.classList.add("pad-ready", "pad-none");
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
