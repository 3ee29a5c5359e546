// Desk: the script of a desk pad (柜台设备). On the pad's own page it shows what the
// server's answers permit, blank between tickets, and begins the ceremony of a ticket
// that the clerk sent. On a ceremony's pages it ends the showing when the ticket ends,
// and leaves nothing behind: the page is emptied as it is left, so that the back
// button finds nothing on it.
import { askOnce, DeskFlow, whileBusy, type Place, type Screen, type Words } from "./deskflow";
import { canKeep, deskKey, type DeskKey } from "./deskkey";

const NO_ANSWER_AFTER = 8000; // milliseconds after which an answer is not waited for
const WATCH = 3000; // milliseconds between two questions of a ceremony's page
const TOUCHES = ["pointerdown", "touchstart", "keydown", "scroll"]; // that somebody is there

/** Posts fields to the pad's addresses. */
const post: Place["post"] = (to, fields) => {
  const body = new URLSearchParams();
  Object.keys(fields).forEach((name) => body.append(name, fields[name] as string));
  const answer = fetch(`/desk/${to}`, { method: "POST", credentials: "same-origin", headers: { Accept: "application/json" }, body })
    .then((got) => (got.status < 500 && got.status !== 429 ? got.json() : Promise.reject(new Error(String(got.status)))));
  const late = new Promise<never>((_, reject) => window.setTimeout(() => reject(new Error("late")), NO_ANSWER_AFTER));
  return Promise.race([answer, late]);
};

/** Shows one part of the pad's page and hides the others. */
function show(root: HTMLElement, screen: Screen | "unfit", words: Words): void {
  root.querySelectorAll<HTMLElement>("[data-screen]").forEach((part) => {
    part.hidden = part.getAttribute("data-screen") !== screen;
  });
  put(root, "[data-number]", words.number);
  put(root, "[data-agency]", words.agency);
  put(root, "[data-clock]", words.clock);
}

// Only what changes is written: a screen reader would say the rest again.
function put(root: HTMLElement, where: string, text: string | undefined): void {
  root.querySelectorAll<HTMLElement>(where).forEach((node) => {
    if (node.textContent !== (text || "")) node.textContent = text || "";
  });
}

/** The pad's own page. */
async function stand(root: HTMLElement): Promise<void> {
  const key = await ownKey();
  if (!key) return show(root, "unfit", {});
  const flow = new DeskFlow(key, {
    post,
    show: (screen, words) => show(root, screen, words),
    go: (to) => location.replace(to),
  });
  root.querySelectorAll("[data-offer]").forEach((button) => button.addEventListener("click", () => flow.offer()));
  const turn = async (): Promise<void> => {
    // A page that nobody can see begins nothing.
    const pause = document.visibilityState === "hidden" ? WATCH : await flow.turn();
    window.setTimeout(() => void turn(), pause);
  };
  await turn();
}

/** The key of this browser; null where it can have none. */
async function ownKey(): Promise<DeskKey | null> {
  if (!canKeep() || !("fetch" in window) || !("URLSearchParams" in window)) return null;
  try {
    return await deskKey();
  } catch {
    return null;
  }
}

/** A page of a ceremony that still runs. */
async function watch(clear: HTMLFormElement): Promise<void> {
  const key = await ownKey();
  if (!key) return clear.submit();
  const turn = async (): Promise<void> => {
    if (whileBusy(await askOnce(key, post)) === "look") location.replace(ceremonyAddress());
    else window.setTimeout(() => void turn(), WATCH);
  };
  window.setTimeout(() => void turn(), WATCH);
}

/** Where this page's ceremony is shown: the page may be the answer to a form. */
function ceremonyAddress(): string {
  const at = /^\/c\/[a-z0-9]+/.exec(location.pathname);
  return at ? at[0] : "/desk";
}

/** A page in the middle that nobody touches: it asks whether anybody is there, and is cleared. */
function watchIdle(box: HTMLElement, clear: HTMLFormElement): void {
  const button = box.querySelector("button");
  let timer = 0;
  const seconds = (name: string): number => Number(box.getAttribute(name)) * 1000;
  const ask = (): void => {
    box.hidden = false;
    if (button) button.focus();
    timer = window.setTimeout(() => clear.submit(), seconds("data-more"));
  };
  const again = (): void => {
    window.clearTimeout(timer);
    box.hidden = true;
    timer = window.setTimeout(ask, seconds("data-idle"));
  };
  for (const touch of TOUCHES) window.addEventListener(touch, again, { passive: true, capture: true });
  again();
}

/** A page at the end: it is cleared some seconds after the last touch. */
function clearLater(clear: HTMLFormElement, seconds: number): void {
  let timer = 0;
  const again = (): void => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => clear.submit(), seconds * 1000);
  };
  for (const touch of TOUCHES) window.addEventListener(touch, again, { passive: true });
  again();
}

function start(): void {
  const root = document.querySelector<HTMLElement>("[data-desk]");
  const clear = document.querySelector<HTMLFormElement>("form[data-clear]");
  if (root) void stand(root);
  if (!clear) return;
  const idle = document.querySelector<HTMLElement>("[data-idle]");
  if (idle) watchIdle(idle, clear);
  const seconds = Number(clear.getAttribute("data-clear"));
  if (seconds > 0) clearLater(clear, seconds);
  else void watch(clear);
  window.addEventListener("pagehide", () => {
    document.querySelectorAll("main, header").forEach((part) => (part.textContent = ""));
  });
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
