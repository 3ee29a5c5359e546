// The window fetches the events of each side and the text messages from its own
// server, and shows them. Nothing here builds markup from strings.

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

// The sentences, in both languages. The one of the page comes first.
const words = JSON.parse(find("[data-words]").textContent);
const chineseFirst = document.documentElement.lang.startsWith("zh");

/** order puts the languages of a text in the order of the page. */
function order(text) {
  const zh = { text: text.ZH, lang: "zh-CN" };
  const en = { text: text.EN, lang: "en" };
  return chineseFirst ? [zh, en] : [en, zh];
}

/** say fills a sentence: a value is a text in both languages, or one for both. */
function say(key, values = {}) {
  const fill = (sentence, lang) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name][lang] ?? values[name]);
  return { ZH: fill(words[key].ZH, "ZH"), EN: fill(words[key].EN, "EN") };
}

/** sayFirst is a sentence in the language of the page. */
function sayFirst(key, values) {
  return order(say(key, values))[0].text;
}

// The phone is in China, as the texts' times are.
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(chineseFirst ? "zh-CN" : "en-GB", { timeZone: "Asia/Shanghai", month: "long", day: "numeric" });

function time(at) {
  return clock.format(new Date(at));
}

const telling = new Set(["outcome", "verdict", "tally", "spend", "blinded point", "verifier", "ct", "refused", "error", "code", "code (MAC)", "freeze code (MAC)"]);

function eventItem(event) {
  const item = el("li", "event event-new");
  item.append(el("p", "event-time", event.who ? `${time(event.at)} · ${event.who}` : time(event.at)));
  item.append(both("p", "event-title", event.title));
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

/** both makes a text with the other language beside it. */
function both(name, className, text) {
  const [first, second] = order(text);
  const e = el(name, className, first.text);
  const beside = el("span", "beside", second.text);
  beside.lang = second.lang;
  e.append(" ", beside);
  return e;
}

function copyButton(value) {
  const label = order(say("copy")).map((s) => s.text).join(" ");
  const button = el("button", "small", label);
  button.type = "button";
  button.setAttribute("aria-label", sayFirst("copy_what", { what: value }));
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(value);
      button.textContent = sayFirst("copied");
    } catch {
      button.textContent = sayFirst("copy_by_hand"); // no clipboard here: it is easy to read
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
  return button;
}

/** messageItem writes one text: whose, what it says, and what of it is to be typed. */
function messageItem(message, official) {
  const item = el("li", "sms sms-new");
  const from = el("p", "sms-from");
  from.append(both("span", "sms-whose", message.whose), el("span", "", `${message.to} · ${day.format(new Date(message.at))} ${time(message.at)}`));
  item.append(from);
  if (message.also.ZH) {
    item.append(both("p", "sms-thief", say("also_reads", { who: message.also })));
  }
  if (message.code) {
    const line = el("p", "sms-do");
    line.append(el("span", "sms-digits", message.code), copyButton(message.code));
    item.append(line);
  }
  if (message.call) {
    // The demo has no sound: the bubble shows what the call says.
    const line = el("p", "sms-ring");
    line.append(both("span", "sms-whose", say("rings")));
    item.append(line);
  }
  item.append(el("p", message.call ? "sms-text sms-spoken" : "sms-text", message.call ? "▶ “" + message.text + "”" : message.text));
  if (message.freeze) {
    const line = el("p", "sms-do");
    line.append(both("span", "sms-label", say("freeze_code")), el("span", "sms-digits sms-freeze", message.freeze), copyButton(message.freeze));
    item.append(line);
    if (official) {
      const hint = both("p", "sms-hint", say("not_you"));
      const link = el("a", "", sayFirst("open_official"));
      link.href = official;
      link.target = "liuma-official";
      openBeside(link);
      hint.append(" ", link);
      item.append(hint);
    }
  }
  return item;
}

const written = new Set(); // IDs of texts on the page

function writeMessages(messages) {
  const inbox = find("[data-inbox]");
  for (const message of messages) {
    if (written.has(message.id)) continue;
    written.add(message.id);
    inbox.prepend(messageItem(message, inbox.dataset.official));
    while (inbox.children.length > kept) inbox.lastElementChild.remove();
    inbox.scrollTop = 0;
  }
  inbox.hidden = inbox.children.length === 0;
  find("[data-inbox-empty]").hidden = !inbox.hidden;
}

// The guide ticks off the steps that the visitor has seen.
const signs = {
  apply: ["audit", "card.enrolled"],
  query: ["outcome", "right"],
  wrong: ["template", "pin_locked"],
  forget: ["audit", "pin.reset"],
  thief: ["error", "face_mismatch"],
};

function tick(events) {
  for (const [step, [name, value]] of Object.entries(signs)) {
    if (events.some((e) => e.facts.some((f) => f.name === name && f.value === value))) {
      find(`[data-step="${step}"]`).classList.add("step-done");
    }
  }
  for (const step of document.querySelectorAll(".step-now")) step.classList.remove("step-now");
  const next = find(".step:not(.step-done)");
  next?.classList.add("step-now");
  find("[data-after]").hidden = next !== null;
}

async function ask(address) {
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

/** lasts says how long seconds are, in its two largest units. */
function lasts(seconds) {
  const minutes = Math.round(seconds / 60);
  const units = [["days", Math.floor(minutes / 1440)], ["hours", Math.floor(minutes / 60) % 24], ["minutes", minutes % 60]];
  const parts = units.filter(([, n]) => n > 0).slice(0, 2).map(([unit, n]) => say(unit, { count: String(n) }));
  return { ZH: parts.map((p) => p.ZH).join(" "), EN: parts.map((p) => p.EN).join(" ") };
}

/** writeAhead says how far somebody here has set the demo's clock forward. */
function writeAhead(seconds) {
  const line = find("[data-ahead]");
  if (!line) return;
  line.hidden = !(seconds >= 30);
  if (line.hidden || line.dataset.ahead === String(Math.round(seconds / 60))) return;
  line.dataset.ahead = String(Math.round(seconds / 60));
  line.replaceChildren(both("span", "", say("ahead", { time: lasts(seconds) })));
}

/** writeTime shows the demo's time, which may be ahead of this machine's. */
function writeTime(now) {
  const at = now ? new Date(now) : new Date();
  find("[data-clock]").textContent = time(at).slice(0, 5);
  const date = find("[data-date]");
  if (date) date.textContent = day.format(at);
}

// The authority makes people wait: a minute between two codes, three days
// after a phone was changed. Here that is one press.
for (const button of document.querySelectorAll("[data-pass]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await fetch(`/pass?time=${button.dataset.pass}`, { method: "POST" });
    } finally {
      button.disabled = false;
    }
  });
}

// Three keepers, if there are: how each stands, and what a visitor may do to it.
const posts = document.querySelectorAll("[data-post]");

const postStates = { runs: "post_runs", mute: "post_mute", cut_off: "post_cut_off", killed: "post_killed", died: "post_died" };

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text; // a status that stays the same is not read out again
}

function writePosts(keepers) {
  for (const keeper of keepers) {
    const post = find(`[data-post="${CSS.escape(keeper.id)}"]`);
    if (!post) continue;
    post.dataset.state = keeper.state;
    const put = (name, text) => setText(post.querySelector(`[data-post-${name}]`), text);
    put("state", sayFirst(postStates[keeper.state]) + (keeper.why ? ` (${keeper.why})` : ""));
    put("seen", keeper.fault ? `${sayFirst("post_away")} (${keeper.fault})` : sayFirst("post_whole"));
    for (const name of ["sequence", "counted", "commits"]) put(name, keeper.own ? String(keeper.own[name]) : "–");
    put("last", keeper.last ? `${time(keeper.last.at)} ${order(keeper.last.title)[0].text}` : sayFirst("post_nothing"));
    const down = keeper.state === "killed" || keeper.state === "died";
    post.querySelector('[data-act="kill"]').disabled = down;
    post.querySelector('[data-act="cut"]').disabled = down || keeper.state === "cut_off";
    post.querySelector('[data-act="heal"]').disabled = keeper.state === "runs" || keeper.state === "mute";
  }
}

async function lookAtPosts() {
  if (posts.length > 0) writePosts((await ask("/keepers.json")).keepers);
}

for (const post of posts) {
  for (const button of post.querySelectorAll("[data-act]")) {
    button.addEventListener("click", async () => {
      const failed = find("[data-post-failed]");
      button.disabled = true;
      try {
        const answer = await fetch(`/keeper?id=${post.dataset.post}&do=${button.dataset.act}`, { method: "POST" });
        failed.hidden = answer.ok;
        await lookAtPosts();
      } catch {
        failed.hidden = false;
      }
      if (!failed.hidden) setText(failed, order(say("post_failed")).map((s) => s.text).join(" "));
    });
  }
}

let after = 0;

async function look() {
  try {
    if (!document.hidden) {
      const [saw, sms] = await Promise.all([ask(`/saw.json?after=${after}`), ask("/sms.json")]);
      writeEvents(saw.events);
      tick(saw.events);
      if (saw.events.length > 0) after = saw.events[saw.events.length - 1].seq;
      writeMessages(sms.messages);
      await lookAtPosts();
      writeTime(sms.now);
      writeAhead(sms.ahead);
    }
    find("[data-trouble]").hidden = true;
  } catch {
    find("[data-trouble]").hidden = false;
  }
  setTimeout(look, often);
}

// The phone opens at the right edge of the screen, as large as a phone. Where
// pop-ups are refused, or on a phone itself, the link opens a tab by itself.
function openBeside(link) {
  link.addEventListener("click", (event) => {
    if (window.innerWidth < 2 * phoneWidth) return;
    const left = Math.max(0, window.screenX + window.outerWidth - phoneWidth - 24);
    const opened = window.open(link.href, link.target, `popup,width=${phoneWidth},height=${phoneHeight},left=${left},top=${window.screenY + 60}`);
    if (opened) event.preventDefault();
  });
}
for (const link of document.querySelectorAll("[data-phone]")) openBeside(link);

find("[data-clear]").addEventListener("click", () => {
  for (const column of document.querySelectorAll("[data-party]")) column.replaceChildren();
});

look();
