// Countdown: <time data-until="RFC 3339" data-now="RFC 3339"> gets the time
// that is left written behind it. The element's own text, the time itself,
// stays: a page without script shows only that.
import { texts, type Texts } from "./texts";

/** The time left in words; empty when it is over, or so far that the date says it better. Rounded up, so it never promises too early. */
export function left(milliseconds: number, words: Texts["left"]): string {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds <= 0 || seconds > 259200) return ""; // three days
  if (seconds <= 60) return words.seconds(seconds);
  const minutes = Math.ceil(seconds / 60);
  const h = Math.floor(minutes / 60);
  const m = minutes % 60;
  if (h && m) return words.hoursMinutes(h, m);
  return h ? words.hours(h) : words.minutes(m);
}

/** Starts every countdown of the page. */
export function startCountdowns(root: Document): void {
  root.querySelectorAll<HTMLElement>("time[data-until]").forEach((node) => start(root, node));
}

function start(root: Document, node: HTMLElement): void {
  const until = Date.parse(node.dataset.until || "");
  if (isNaN(until)) return;
  // A phone's clock may be wrong by hours: count from the server's now.
  const serverNow = Date.parse(node.dataset.now || "");
  const skew = isNaN(serverNow) ? 0 : serverNow - Date.now();
  const t = texts(node.lang || root.documentElement.lang).left;
  const words = root.createElement("span");
  words.className = "left";
  node.insertAdjacentElement("afterend", words);
  node.insertAdjacentText("afterend", " ");
  const tick = (): void => {
    const remaining = until - (Date.now() + skew);
    words.textContent = left(remaining, t);
    if (remaining <= 0) {
      root.querySelectorAll<HTMLElement>("[data-when-over]").forEach((n) => (n.hidden = false));
      root.querySelectorAll<HTMLElement>("[data-until-over]").forEach((n) => (n.hidden = true));
      return;
    }
    setTimeout(tick, remaining > 61000 ? Math.min(remaining % 60000 || 60000, 60000) : 1000);
  };
  tick();
}
