// Dom: makes elements without markup strings, so that a strict content policy
// (no inline script, no inline style, trusted types) has nothing to refuse.

type Attributes = Record<string, string>;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const name of Object.keys(attributes)) node.setAttribute(name, attributes[name] as string);
  for (const child of children) {
    node.appendChild(typeof child === "string" ? document.createTextNode(child) : child);
  }
  return node;
}

export function button(text: string, className: string, press: (event: MouseEvent) => void): HTMLButtonElement {
  const node = make("button", { type: "button", class: className }, text);
  node.addEventListener("click", press);
  return node;
}

/** Sets the text only where it changes: a live region repeats a text that is set again. */
export function say(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Whether a mouse leads: there, taking the focus does not raise a keyboard over the page. */
export function hasMouse(): boolean {
  return !!window.matchMedia && window.matchMedia("(hover: hover) and (pointer: fine) and (min-width: 40rem)").matches;
}

/** Whether the element takes typed text: a field, also the pad's, but not a checkbox. */
export function takesText(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !/^(checkbox|radio|button|submit|reset)$/.test(target.type);
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName));
}
