import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

// The built script of the ceremony's pages, on a page that is made up of what
// it looks for. It is run by npm from the web folder.
const name = readdirSync("dist").find((file) => /^ceremony\..*\.js$/.test(file));
const source = readFileSync(`dist/${name}`, "utf8");

interface Parts {
  landing?: object;
  ending?: object;
  buttons?: object[];
  forms?: object[];
  hidden?: boolean;
  state?: "loading" | "interactive";
  answers?: (number | Error)[];
  field?: { value: string }; // that takes the address's fragment
  hash?: string;
}

/** A page on which time passes only when it is told to. */
class Page {
  now = Date.parse("2026-05-06T12:44:00Z");
  sent: string[] = [];
  went: string[] = [];
  heard: Record<string, ((event: object) => void)[]> = {};
  timers: { at: number; act: () => void }[] = [];
  document: { visibilityState: string; readyState: string };

  constructor(parts: Parts) {
    const answers = parts.answers || [];
    const listen = (event: string, act: (event: object) => void): void => {
      (this.heard[event] = this.heard[event] || []).push(act);
    };
    const found: Record<string, object | undefined> = { "form[data-begin]": parts.landing, "[data-expires]": parts.ending, "input[data-fragment]": parts.field };
    this.document = {
      visibilityState: parts.hidden ? "hidden" : "visible",
      readyState: parts.state || "complete",
      addEventListener: listen,
      removeEventListener: (event: string) => delete this.heard[event],
      querySelector: (what: string) => found[what] || null,
      querySelectorAll: (what: string) => (what === "button[data-ready]" ? parts.buttons : what === "form[data-once]" ? parts.forms : null) || [],
      documentElement: { lang: "zh-CN" },
      createElement: () => ({ setAttribute: () => undefined, addEventListener: () => undefined, focus: () => undefined }),
    } as { visibilityState: string; readyState: string };
    const clock = { now: () => this.now, parse: Date.parse };
    const later = (act: (...args: unknown[]) => void, after: number, ...args: unknown[]): number =>
      this.timers.push({ at: this.now + after, act: () => act(...args) });
    const fetch = (to: string): Promise<object> => {
      this.sent.push(to);
      const answer = answers.shift();
      return typeof answer === "number" ? Promise.resolve({ status: answer, ok: answer < 400 }) : Promise.reject(answer);
    };
    const world: Record<string, unknown> = {
      document: this.document, Date: clock, setTimeout: later, clearTimeout: (n: number) => { if (n) this.timers[n - 1]!.at = Infinity; },
      addEventListener: listen, fetch, URLSearchParams, FormData: class { forEach(): void {} },
      history: { pushState: () => undefined, replaceState: (_: unknown, __: string, to: string) => this.went.push(`now ${to}`) },
      location: { hash: parts.hash || "", pathname: "/counter", search: "", replace: (to: string) => this.went.push(to), reload: () => this.went.push("reload") }, navigator: { onLine: true },
    };
    world.window = world;
    vm.runInContext(source, vm.createContext(world));
  }

  /** Lets time pass, and whatever waits for it happen. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      await new Promise((done) => setImmediate(done));
      const next = this.timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.now = next.at;
      next.at = Infinity;
      next.act();
    }
    this.now = end;
  }
}

/** An element with attributes. */
function element(attributes: Record<string, string>, more: object = {}) {
  return { hidden: true, disabled: false, textContent: "", getAttribute: (n: string) => attributes[n] ?? null, ...more };
}

const landing = (sent: string[]) => element({ "data-next": "/c/x" }, { action: "/c/x/begin", submit: () => sent.push("submit") });

test("a page without anything to do is left alone", async () => {
  const page = new Page({});
  await page.pass(3600000);
  assert.deepEqual([page.sent, page.went], [[], []]);
});

test("a ceremony begins once its page is looked at, and goes on", async () => {
  const page = new Page({ landing: landing([]), hidden: true, answers: [204] });
  await page.pass(60000);
  assert.deepEqual(page.sent, []);
  page.document.visibilityState = "visible";
  page.heard.visibilitychange!.forEach((act) => act({}));
  await page.pass(0);
  assert.deepEqual([page.sent, page.went], [["/c/x/begin"], ["/c/x"]]);
});

test("the next page waits for this one's files, and not for ever", async () => {
  const page = new Page({ landing: landing([]), state: "interactive", answers: [204] });
  await page.pass(5000);
  assert.deepEqual([page.sent, page.went], [["/c/x/begin"], []]);
  page.heard.load!.forEach((act) => act({}));
  await page.pass(60000);
  assert.deepEqual(page.went, ["/c/x"]);
  const stuck = new Page({ landing: landing([]), state: "interactive", answers: [204] });
  await stuck.pass(60000);
  assert.deepEqual(stuck.went, ["/c/x"]);
});

test("a script that comes before the page's end waits for that alone", async () => {
  const page = new Page({ landing: landing([]), state: "loading", answers: [204] });
  await page.pass(1000);
  assert.deepEqual(page.sent, []);
  page.document.readyState = "interactive";
  page.heard.readystatechange!.forEach((act) => act({}));
  await page.pass(0);
  assert.deepEqual(page.sent, ["/c/x/begin"]);
});

test("where cookies are blocked the form itself goes", async () => {
  const submitted: string[] = [];
  const page = new Page({ landing: landing(submitted), answers: [409] });
  await page.pass(0);
  assert.deepEqual([submitted, page.went], [["submit"], []]);
});

test("a begin without an answer is tried once more, and no oftener", async () => {
  const page = new Page({ landing: landing([]), answers: [new Error("offline"), new Error("offline"), 204] });
  await page.pass(1999);
  assert.equal(page.sent.length, 1);
  await page.pass(60000);
  assert.deepEqual([page.sent.length, page.went], [2, []]);
});

test("the button for another code waits by the server's clock", async () => {
  const button = element({ "data-ready": "2026-05-06T09:00:45Z", "data-now": "2026-05-06T09:00:00Z", "data-wait": "in {n} s" }, { textContent: "Send" });
  const page = new Page({ buttons: [button] });
  assert.deepEqual([button.disabled, button.textContent], [true, "in 45 s"]);
  await page.pass(44000);
  assert.deepEqual([button.disabled, button.textContent], [true, "in 1 s"]);
  await page.pass(1000);
  assert.deepEqual([button.disabled, button.textContent], [false, "Send"]);
});

test("more time is offered two minutes before the end, and the end leads on", async () => {
  const form = { addEventListener: () => undefined };
  const box = element({ "data-expires": "2026-05-06T10:15:00Z", "data-now": "2026-05-06T10:00:00Z", "data-next": "/c/x" }, { querySelector: () => form });
  const page = new Page({ ending: box });
  await page.pass(779999);
  assert.equal(box.hidden, true);
  await page.pass(1);
  assert.equal(box.hidden, false);
  await page.pass(120999);
  assert.deepEqual(page.went, []);
  await page.pass(1);
  assert.deepEqual(page.went, ["/c/x"]);
});

test("a page that the browser kept asks the server anew", () => {
  const page = new Page({});
  page.heard.pageshow!.forEach((act) => act({ persisted: false }));
  assert.deepEqual(page.went, []);
  page.heard.pageshow!.forEach((act) => act({ persisted: true }));
  assert.deepEqual(page.went, ["reload"]);
});

/** A form of a ceremony with one button, and what was put into it. */
function onceForm(action: string) {
  const heard: ((event: object) => void)[] = [];
  const button = { disabled: false, textContent: "Send", firstElementChild: null, name: "", value: "" };
  const form = {
    action,
    added: [] as { textContent?: string }[],
    getAttribute: () => action,
    addEventListener: (_: string, act: (event: object) => void) => heard.push(act),
    querySelector: (what: string) => (what === "button" ? button : null),
    appendChild: (node: { textContent?: string }) => form.added.push(node),
  };
  const submit = (): boolean => {
    let prevented = false;
    heard.forEach((act) => act({ preventDefault: () => (prevented = true) }));
    return prevented;
  };
  return { form, button, submit };
}

test("a form goes once, and its button is off and says so", async () => {
  const { form, button, submit } = onceForm("/c/x/agree");
  const page = new Page({ forms: [form], answers: [new Error("the network died")] });
  assert.equal(submit(), true);
  assert.deepEqual([button.disabled, button.textContent], [true, "正在提交，请稍候…"]);
  assert.equal(submit(), true);
  await page.pass(1000);
  assert.equal(page.sent.length, 1);
  assert.match(form.added[0]!.textContent!, /还不知道/);
  await page.pass(60000);
  assert.equal(page.sent.length, 1);
});

test("a code behind the # goes into its field and out of the address; anything else stays out", () => {
  const field = { value: "" };
  const page = new Page({ field, hash: "#ABCD-2345" });
  assert.deepEqual([field.value, page.went], ["ABCD-2345", ["now /counter"]]);
  for (const hash of ["", "#", "#<script>", "#" + "A".repeat(21)]) {
    const other = { value: "" };
    assert.deepEqual([new Page({ field: other, hash }).went, other.value], [[], ""]);
  }
});

test("the way back and forms of other pages go as plain forms, once", async () => {
  for (const action of ["/c/x/return", "/freeze"]) {
    const { form, button, submit } = onceForm(action);
    const page = new Page({ forms: [form] });
    assert.equal(submit(), false);
    await page.pass(0);
    assert.deepEqual([submit(), button.disabled, page.sent.length], [true, true, 0]);
  }
});
