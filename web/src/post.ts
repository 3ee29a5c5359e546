// Post: sends a form by script and stays on the page, so that a network that
// dies leaves the holder on our page and not on the browser's. It sends once and
// never again by itself.

/** What became of a form. */
export type Outcome =
  | { kind: "next"; to: string; hand: string } // the server has it: go there
  | { kind: "said"; text: string } // the server refused the form as such
  | { kind: "lost" }; // nobody knows whether it arrived

/** Whether forms can be sent by script here; else they go as plain forms. */
export function canPost(): boolean {
  return "fetch" in window && "URLSearchParams" in window && "forEach" in FormData.prototype;
}

export function post(form: HTMLFormElement, extra?: HTMLButtonElement): Promise<Outcome> {
  const body = new URLSearchParams();
  // Our forms carry no files, so every value is a string.
  new FormData(form).forEach((value, name) => body.append(name, value as string));
  if (extra && extra.name) body.append(extra.name, extra.value);
  return fetch(form.action, { method: "POST", credentials: "same-origin", headers: { Accept: "application/json" }, body })
    .then((answer) => answer.json())
    .then(
      (given: { next?: string; hand?: string; text?: string }): Outcome => {
        if (given.next && /^\/[^/\\]/.test(given.next)) return { kind: "next", to: given.next, hand: given.hand || "" };
        return given.text ? { kind: "said", text: given.text } : { kind: "lost" };
      },
      // Also an answer that is no JSON: a proxy's own page says nothing of what the server did.
      (): Outcome => ({ kind: "lost" }),
    );
}

/** Goes to a page; where cookies are blocked, the hand travels there in a form. */
export function go(to: string, hand: string): void {
  if (!hand) {
    // To the address of this page a browser goes without a step of the history,
    // and the back button would then leave the ceremony.
    if (to === location.pathname + location.search) history.pushState(null, "");
    location.assign(to);
    return;
  }
  const form = document.createElement("form");
  const input = document.createElement("input");
  form.method = "post";
  form.action = to;
  input.type = "hidden";
  input.name = "hand";
  input.value = hand;
  form.appendChild(input);
  document.body.appendChild(form);
  form.submit();
}

/** Whether the server can be reached now: asked before a page is left for the browser's own. */
export function reachable(): Promise<boolean> {
  if (navigator.onLine === false) return Promise.resolve(false);
  return fetch("/healthz", { method: "HEAD", credentials: "omit", cache: "no-store" }).then(() => true, () => false);
}

/** The hand that a form carries where cookies are blocked. */
export function handIn(form: HTMLFormElement): string {
  const input = form.querySelector<HTMLInputElement>("input[name=hand]");
  return input ? input.value : "";
}
