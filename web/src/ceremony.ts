// Ceremony: the script of a ceremony's pages. It begins the ceremony as soon as
// its page is visible, offers more time before it ends, counts down until a
// one-time code can be sent again, sends forms once, fills in a ticket's code, and goes on from a ticket's number. It is separate from the
// pad's script, so that it works where that does not; and every page works
// without it, for each of them has a plain form.
import { formTexts, type FormTexts } from "./formtexts";
import { canPost, go, handIn, post as sendForm, reachable } from "./post";

const OFFER_TIME = 120000; // milliseconds before the end at which more time is offered
const NO_ANSWER_AFTER = 25000; // milliseconds after which a form's answer is not waited for
const BEGIN_AGAIN = 2000; // milliseconds after which a begin without an answer is tried once more
const WAITS_EVERY = 2500; // milliseconds between two questions of the page of a number
const WAITS_AFTER_FAULT = 8000; // the same, after one that had no answer
const LOADED_BY = 8000; // milliseconds after which the next page does not wait for this one's files

/** The answer to a form that asks for more time. */
interface MoreTime {
  expires: string;
  now: string;
}

/** Sends a form whose answer is not a page. */
function post(form: HTMLFormElement): Promise<Response> {
  const body = new URLSearchParams();
  // Our forms carry no files, so every value is a string.
  new FormData(form).forEach((value, name) => body.append(name, value as string));
  return fetch(form.action, { method: "POST", credentials: "same-origin", headers: { Accept: "application/json" }, body });
}

/** The value of an attribute that holds a moment (RFC 3339), in milliseconds. */
function moment(node: Element, name: string): number {
  return Date.parse(node.getAttribute(name) || "");
}

/** Whether the page is visible: a prerendered page is not yet. */
function seen(): boolean {
  return document.visibilityState !== "hidden" && !(document as { prerendering?: boolean }).prerendering;
}

function whenSeen(act: () => void): void {
  if (seen()) return act();
  document.addEventListener("visibilitychange", function once() {
    if (!seen()) return;
    document.removeEventListener("visibilitychange", once);
    act();
  });
}

/**
 * Waits for the files of this page. The next page needs them too, and a browser that
 * leaves a page drops what is still on its way, to ask for all of it once more.
 */
function whenLoaded(act: () => void): void {
  if (document.readyState === "complete") return act();
  let gone = false;
  const once = (): void => {
    if (!gone) act();
    gone = true;
  };
  window.addEventListener("load", once);
  setTimeout(once, LOADED_BY);
}

function begin(form: HTMLFormElement, triesLeft: number): void {
  post(form).then(
    (answer) => {
      // 409: cookies are blocked, so the form itself has to go.
      if (answer.status === 204) whenLoaded(() => location.replace(form.getAttribute("data-next") || ""));
      else if (answer.status === 409) form.submit();
    },
    () => {
      if (triesLeft > 0) setTimeout(begin, BEGIN_AGAIN, form, triesLeft - 1);
    },
  );
}

/** Shows the box that offers more time when the end is near, and leaves the page when it is over. */
function watchEnd(box: HTMLElement): void {
  const form = box.querySelector("form");
  let timers: number[] = [];
  const schedule = (expires: number, now: number): void => {
    const left = expires - now;
    timers.forEach((timer) => clearTimeout(timer));
    timers = [
      window.setTimeout(() => (box.hidden = false), Math.max(left - OFFER_TIME, 0)),
      window.setTimeout(() => location.replace(box.getAttribute("data-next") || ""), left + 1000),
    ];
  };
  schedule(moment(box, "data-expires"), moment(box, "data-now"));
  if (!form) return;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    post(form)
      .then((answer): Promise<MoreTime> => (answer.ok ? answer.json() : Promise.reject()))
      .then((given) => {
        if (!given.expires) throw new Error("no more time"); // the form's own answer says why
        const expires = Date.parse(given.expires);
        const now = Date.parse(given.now);
        box.hidden = true;
        // A ceremony that has all the time there is gets no more.
        form.hidden = expires - now <= OFFER_TIME;
        schedule(expires, now);
      })
      .catch(() => form.submit());
  });
}

/**
 * Keeps the button that sends a new code off until a code can be sent, and says
 * how long that takes. The phone's clock may be wrong, so only the server's two
 * moments are compared.
 */
function countDown(button: HTMLButtonElement): void {
  const words = button.textContent;
  const waiting = button.getAttribute("data-wait") || "";
  const end = Date.now() + moment(button, "data-ready") - moment(button, "data-now");
  const tick = (): void => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? waiting.replace("{n}", String(left)) : words;
    if (left > 0) setTimeout(tick, 1000);
  };
  tick();
}

/**
 * Sends a form once: the second press of a double click, or of Enter, finds the
 * button off. A form of a ceremony goes by script, so that a network that dies
 * leaves the page here, with a way to look at what became of it.
 */
function sendOnce(form: HTMLFormElement): void {
  const words = formTexts(document.documentElement.lang);
  const button = form.querySelector<HTMLButtonElement>("button");
  // The way back to the channel answers with a page.
  const at = /^\/c\/[a-z0-9]+(?=\/(?!return$))/.exec(form.getAttribute("action") || "");
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent || !at || !canPost()) {
      if (sent) event.preventDefault();
      sent = true;
      // Not before the browser has read the form: a button that is off is not sent.
      setTimeout(off, 0, button, words.sent);
      return;
    }
    event.preventDefault();
    sent = true;
    const lost = (text: string): void => offerLook(form, text, words, at[0]);
    const timer = window.setTimeout(lost, NO_ANSWER_AFTER, words.lostForm);
    const going = sendForm(form, button || undefined);
    off(button, words.sent);
    void going.then((outcome) => {
      clearTimeout(timer);
      if (outcome.kind === "next") go(outcome.to, outcome.hand);
      else lost(outcome.kind === "said" ? outcome.text : words.lostForm);
    });
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) sent = false; // the page is loaded anew, unless that cannot be done
  });
}

/** Turns a button off and lets it say why. One that shows a setting keeps its words. */
function off(button: HTMLButtonElement | null, words: string): void {
  if (!button) return;
  button.disabled = true;
  if (!button.firstElementChild) button.textContent = words;
}

/** Says that nobody knows what became of a form, and leads to what the server knows. */
function offerLook(form: HTMLFormElement, text: string, words: FormTexts, to: string): void {
  if (form.querySelector("[role=alert]")) return;
  const said = document.createElement("p");
  const look = document.createElement("button");
  said.setAttribute("role", "alert");
  said.className = "notice notice-warn below";
  said.textContent = text;
  look.type = "button";
  look.className = "btn btn-primary";
  look.textContent = words.seeResult;
  look.addEventListener("click", () => {
    look.disabled = true;
    void reachable().then((yes) => {
      look.disabled = false;
      if (yes) go(to, handIn(form));
      else said.textContent = words.stillOffline;
    });
  });
  form.appendChild(said);
  form.appendChild(look);
  look.focus();
}

// When the holder comes back from the channel, or presses the back button, a
// browser may show the page as it was left: its pad is older than the ceremony.
// Only the server knows the state, so it is asked as soon as it can be. A page
// that answered a post would be posted again, so that one stays, and the server
// refuses its pad uncounted.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted || document.querySelector("input[name=hand]")) return;
  if (navigator.onLine !== false) location.reload();
  else window.addEventListener("online", () => location.reload());
});

/**
 * Puts the code that a QR carried behind the # of the address into its field, and takes
 * it out of the address: no server saw it there, and no history is to keep it.
 */
function takeFragment(field: HTMLInputElement): void {
  const code = location.hash.slice(1);
  if (!/^[0-9A-Za-z -]{1,20}$/.test(code)) return;
  field.value = code;
  history.replaceState(null, "", location.pathname + location.search);
}

/**
 * The page of a number that a supervisor is to see: asks whether it still waits, and
 * looks at what became of it when it does not. Without an answer it stays.
 */
function watchNumber(address: string): void {
  const ask = (): void => {
    if (!seen()) return void setTimeout(ask, WAITS_EVERY);
    fetch(address, { credentials: "same-origin", cache: "no-store" }).then(
      (answer) => {
        // 200: it does not wait any more. Other answers are the network's, or a full server's.
        if (answer.status === 200) location.replace(address.replace(/\/waits$/, ""));
        else setTimeout(ask, answer.status === 204 ? WAITS_EVERY : WAITS_AFTER_FAULT);
      },
      () => setTimeout(ask, WAITS_AFTER_FAULT),
    );
  };
  setTimeout(ask, WAITS_EVERY);
}

function start(): void {
  const number = document.querySelector<HTMLElement>("[data-waits]");
  const fragment = document.querySelector<HTMLInputElement>("input[data-fragment]");
  const landing = document.querySelector<HTMLFormElement>("form[data-begin]");
  const ending = document.querySelector<HTMLElement>("[data-expires]");
  document.querySelectorAll<HTMLButtonElement>("button[data-ready]").forEach(countDown);
  document.querySelectorAll<HTMLFormElement>("form[data-once]").forEach(sendOnce);
  if (fragment) takeFragment(fragment);
  if (number && "fetch" in window && !document.querySelector("input[name=hand]")) watchNumber(number.getAttribute("data-waits") || "");
  if (landing && "fetch" in window) whenSeen(() => begin(landing, 1));
  if (ending && "fetch" in window) watchEnd(ending);
}

// The landing page does not wait for its other files before it runs this one, which
// then may come before the page's end. DOMContentLoaded would wait for them.
if (document.readyState === "loading") document.addEventListener("readystatechange", start, { once: true });
else start();
