// Guide: what the guide's page does beside being read: it reads a chapter aloud, where
// the browser has a voice of the page's language, and prints. Without script, or without
// a voice, the buttons stay hidden.

/** Whether a voice speaks the language of the page, whatever its region. */
function speaks(voice: SpeechSynthesisVoice, lang: string): boolean {
  const language = (tag: string): string => tag.replace(/[-_].*/, "").toLowerCase();
  return language(voice.lang) === language(lang);
}

/** Has a button read its chapter, and stop when it is pressed again or another one is. */
function bind(button: HTMLButtonElement, buttons: HTMLButtonElement[], lang: string): void {
  const start = button.textContent || "";
  button.setAttribute("aria-pressed", "false");
  const rest = (b: HTMLButtonElement): void => {
    b.setAttribute("aria-pressed", "false");
    b.textContent = b.getAttribute("data-start");
  };
  button.setAttribute("data-start", start);
  button.addEventListener("click", () => {
    const speaking = button.getAttribute("aria-pressed") === "true";
    speechSynthesis.cancel();
    buttons.forEach(rest);
    const part = button.closest("[data-speak-part]");
    if (speaking || !part) return;
    button.setAttribute("aria-pressed", "true");
    button.textContent = button.getAttribute("data-stop");
    const says = Array.from(part.querySelectorAll("h2, p")).filter((node) => !node.querySelector("a"));
    says.forEach((node, i) => {
      const said = new SpeechSynthesisUtterance(node.textContent || "");
      said.lang = lang;
      said.rate = 0.9; // for the old
      const mine = (): boolean => button.getAttribute("aria-pressed") === "true";
      if (i === says.length - 1) said.onend = () => mine() && rest(button);
      said.onerror = () => mine() && rest(button);
      speechSynthesis.speak(said);
    });
  });
}

function start(page: Document): void {
  const tools = page.querySelector<HTMLElement>("[data-tools]");
  const print = page.querySelector<HTMLElement>("[data-print]");
  if (!tools || !print) return;
  if (typeof window.print === "function" && !/MicroMessenger/i.test(navigator.userAgent)) {
    tools.hidden = false; // inside that app printing does nothing
    print.addEventListener("click", () => window.print());
  }
  if (!("speechSynthesis" in window)) return;
  const buttons = Array.from(page.querySelectorAll<HTMLButtonElement>("[data-speak]"));
  const lang = page.documentElement.lang;
  let bound = false;
  const offer = (): void => {
    if (bound || !speechSynthesis.getVoices().some((voice) => speaks(voice, lang))) return;
    bound = true;
    buttons.forEach((button) => {
      button.hidden = false;
      bind(button, buttons, lang);
    });
  };
  offer(); // some browsers have their voices at once, others later
  if ("onvoiceschanged" in speechSynthesis) speechSynthesis.addEventListener("voiceschanged", offer);
  window.addEventListener("pagehide", () => speechSynthesis.cancel());
}

start(document);
