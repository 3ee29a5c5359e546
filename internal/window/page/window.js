// The window asks its own server what each party saw and what came by text
// message, and writes it down. Nothing here builds markup from strings.

const often = 900; // ms between two questions
const kept = 80; // events kept in a column
const phoneWidth = 390;
const phoneHeight = 844;

const find = (selector) => document.querySelector(selector);

/** el makes an element with a class and text. */
function el(name, className, text) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text) e.textContent = text;
  return e;
}

function time(at) {
  const d = new Date(at);
  const two = (n) => String(n).padStart(2, "0");
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

const telling = new Set(["outcome", "verdict", "tally", "spend", "blinded point", "verifier", "ct", "refused", "error"]);

function eventItem(event) {
  const item = el("li", "event event-new");
  item.append(el("p", "event-time", event.who ? `${time(event.at)} · ${event.who}` : time(event.at)));
  const title = el("p", "event-title", event.title.ZH);
  const en = el("span", "en", event.title.EN);
  en.lang = "en";
  title.append(en);
  item.append(title);
  if (event.facts.length > 0) {
    const list = el("dl", "facts");
    for (const fact of event.facts) {
      const line = el("div");
      line.append(el("dt", "", fact.name), el("dd", telling.has(fact.name) ? "strong" : "", fact.value));
      list.append(line);
    }
    item.append(list);
  }
  return item;
}

function writeEvents(events) {
  const follow = find("[data-follow]").checked;
  for (const event of events) {
    const column = find(`[data-party="${CSS.escape(event.party)}"]`);
    if (!column) continue;
    column.append(eventItem(event));
    while (column.children.length > kept) column.firstElementChild.remove();
    if (follow) column.scrollTop = column.scrollHeight;
  }
}

function writeMessages(messages) {
  const inbox = find("[data-inbox]");
  find("[data-inbox-empty]").hidden = messages.length > 0;
  const have = inbox.querySelectorAll(".sms").length;
  for (const message of messages.slice(have)) {
    const one = el("div", "sms");
    one.append(el("p", "sms-from", `${time(message.at)} → ${message.to}`), el("p", "sms-text", message.text));
    inbox.append(one);
    inbox.scrollTop = inbox.scrollHeight;
  }
}

async function ask(address) {
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

let after = 0;

async function look() {
  try {
    if (!document.hidden) {
      const [saw, sms] = await Promise.all([ask(`/saw.json?after=${after}`), ask("/sms.json")]);
      writeEvents(saw.events);
      if (saw.events.length > 0) after = saw.events[saw.events.length - 1].seq;
      writeMessages(sms.messages);
    }
    find("[data-trouble]").hidden = true;
  } catch {
    find("[data-trouble]").hidden = false;
  }
  find("[data-clock]").textContent = time(new Date()).slice(0, 5);
  setTimeout(look, often);
}

// The phone opens at the right edge of the screen, as large as a phone. Where
// pop-ups are refused, the link opens a tab by itself.
for (const link of document.querySelectorAll("[data-phone]")) {
  link.addEventListener("click", (event) => {
    const left = Math.max(0, window.screenX + window.outerWidth - phoneWidth - 24);
    const opened = window.open(link.href, link.target, `popup,width=${phoneWidth},height=${phoneHeight},left=${left},top=${window.screenY + 60}`);
    if (opened) event.preventDefault();
  });
}

find("[data-clear]").addEventListener("click", () => {
  for (const column of document.querySelectorAll("[data-party]")) column.replaceChildren();
});

look();
