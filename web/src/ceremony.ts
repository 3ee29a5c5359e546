// Ceremony: the script of a ceremony's pages. It begins the ceremony as soon as
// its page is visible, offers more time before it ends, and counts down until a
// one-time code can be sent again. It is separate from the pad's script, so
// that it works where that does not; and every page works without it, for each
// of them has a plain form.

const OFFER_TIME = 120000; // milliseconds before the end at which more time is offered
const BEGIN_AGAIN = 2000; // milliseconds after which a begin without an answer is tried once more

/** The answer to a form that asks for more time. */
interface MoreTime {
  expires: string;
  now: string;
}

/** Sends a form and stays on the page. */
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

function begin(form: HTMLFormElement, triesLeft: number): void {
  post(form).then(
    (answer) => {
      // 409: cookies are blocked, so the form itself has to go.
      if (answer.status === 204) location.replace(form.getAttribute("data-next") || "");
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

// When the holder comes back from the channel, a browser may show the page as
// it was left. Only the server knows the state of the ceremony, so it is asked.
// A page that answered a post would be posted again, so that one stays.
window.addEventListener("pageshow", (event) => {
  if (event.persisted && navigator.onLine !== false && !document.querySelector("input[name=hand]")) location.reload();
});

const landing = document.querySelector<HTMLFormElement>("form[data-begin]");
const ending = document.querySelector<HTMLElement>("[data-expires]");
document.querySelectorAll<HTMLButtonElement>("button[data-ready]").forEach(countDown);
if (landing && "fetch" in window) whenSeen(() => begin(landing, 1));
if (ending && "fetch" in window) watchEnd(ending);
export {};
