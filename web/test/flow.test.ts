import assert from "node:assert/strict";
import { test } from "node:test";
import { Flow, type Judgement, type Role } from "../src/flow";
import { rulesOf } from "../src/rules";

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const zeros = new Uint8Array(6);

// Records what it was given, as text, so that a test can see it after the wipe.
function recorder() {
  const seen: string[] = [];
  const sealer = async (role: Role, secret: Uint8Array): Promise<string> => {
    seen.push(`${role}:${Buffer.from(secret).toString()}`);
    return `envelope-${role}-${seen.length}`;
  };
  return { seen, sealer };
}

test("current: one PIN, sealed and wiped", async () => {
  const { seen, sealer } = recorder();
  const flow = new Flow("current", sealer, rulesOf("strong"));
  const pin = ascii("907352");
  assert.deepEqual(await flow.accept(pin), { kind: "done" });
  assert.deepEqual(seen, ["current:907352"]);
  assert.deepEqual(pin, zeros);
  assert.deepEqual(flow.envelopes, { current: "envelope-current-1" });
});

test("current: rules for new PINs do not apply to an old one", async () => {
  const { sealer } = recorder();
  assert.equal((await new Flow("current", sealer, rulesOf("strong")).accept(ascii("123456"))).kind, "done");
});

test("new: twice the same, sealed once", async () => {
  const { seen, sealer } = recorder();
  const flow = new Flow("new", sealer, rulesOf("strong"));
  const first = ascii("907352");
  const second = ascii("907352");
  assert.deepEqual(await flow.accept(first), { kind: "next", step: "again" });
  assert.deepEqual(first, zeros);
  assert.deepEqual(seen, []);
  assert.deepEqual(await flow.accept(second), { kind: "done" });
  assert.deepEqual(second, zeros);
  assert.deepEqual(seen, ["new:907352"]);
  assert.equal((flow as unknown as { held: unknown }).held, null);
});

test("new: a different second entry starts over and seals nothing", async () => {
  const { seen, sealer } = recorder();
  const flow = new Flow("new", sealer, rulesOf("strong"));
  await flow.accept(ascii("907352"));
  const second = ascii("907353");
  assert.deepEqual(await flow.accept(second), { kind: "differ" });
  assert.deepEqual(second, zeros);
  assert.equal(flow.step, "new");
  assert.deepEqual(seen, []);
  assert.deepEqual(flow.envelopes, {});
});

test("new: a pattern is refused at the first entry, and wiped", async () => {
  const { seen, sealer } = recorder();
  const flow = new Flow("new", sealer, rulesOf("strong"));
  const weak = ascii("118844");
  assert.deepEqual(await flow.accept(weak), { kind: "weak", rules: ["pairs"] });
  assert.deepEqual(weak, zeros);
  assert.equal(flow.step, "new");
  assert.deepEqual(seen, []);
});

test("change: old, new, again; a slip in the new one keeps the old", async () => {
  const { seen, sealer } = recorder();
  const flow = new Flow("change", sealer, rulesOf("strong"));
  assert.equal(flow.stepCount, 3);
  assert.deepEqual(await flow.accept(ascii("402817")), { kind: "next", step: "new" });
  await flow.accept(ascii("907352"));
  assert.deepEqual(await flow.accept(ascii("907353")), { kind: "differ" });
  await flow.accept(ascii("907352"));
  assert.deepEqual(await flow.accept(ascii("907352")), { kind: "done" });
  assert.deepEqual(seen, ["old:402817", "new:907352"]);
  assert.deepEqual(flow.envelopes, { old: "envelope-old-1", new: "envelope-new-2" });
});

test("change: stepping back to the old PIN forgets its envelope", async () => {
  const { sealer } = recorder();
  const flow = new Flow("change", sealer, rulesOf("strong"));
  await flow.accept(ascii("402817"));
  assert.equal(flow.back(), true);
  assert.equal(flow.step, "old");
  assert.deepEqual(flow.envelopes, {});
  assert.equal(flow.back(), false);
});

test("done, then choosing again: the new envelope goes, the old stays", async () => {
  const { sealer } = recorder();
  const flow = new Flow("change", sealer, rulesOf("strong"));
  for (const pin of ["402817", "907352", "907352"]) await flow.accept(ascii(pin));
  flow.back();
  assert.equal(flow.step, "new");
  assert.deepEqual(flow.envelopes, { old: "envelope-old-1" });
});

test("reset drops a seal that is under way", async () => {
  let finish: (envelope: string) => void = () => undefined;
  const flow = new Flow("current", () => new Promise((resolve) => (finish = resolve)), rulesOf("strong"));
  const pin = ascii("907352");
  const answer = flow.accept(pin);
  flow.reset();
  finish("late");
  assert.equal((await answer).kind, "next");
  assert.deepEqual(flow.envelopes, {});
  assert.deepEqual(pin, zeros);
});

test("a seal that fails still wipes", async () => {
  const flow = new Flow("current", () => Promise.reject(new Error("no")), rulesOf("strong"));
  const pin = ascii("907352");
  await assert.rejects(flow.accept(pin));
  assert.deepEqual(pin, zeros);
  assert.equal(flow.step, "current");
});

test("new: the server is asked after the first entry", async () => {
  const asked: string[] = [];
  const found: Judgement[] = [{ kind: "weak", reason: "your birthday" }, { kind: "moved" }, { kind: "good" }, { kind: "unknown" }];
  const { seen, sealer } = recorder();
  const flow = new Flow("new", sealer, rulesOf("strong"), async (envelope) => {
    asked.push(envelope);
    return found.shift()!;
  });
  assert.deepEqual(await flow.accept(ascii("886260")), { kind: "refused", reason: "your birthday" });
  assert.deepEqual(await flow.accept(ascii("907352")), { kind: "moved" });
  assert.equal(flow.step, "new");
  assert.deepEqual(await flow.accept(ascii("907352")), { kind: "next", step: "again" });
  assert.equal(flow.judged, true);
  flow.back();
  assert.equal(flow.judged, false);
  assert.deepEqual(await flow.accept(ascii("907352")), { kind: "next", step: "again" });
  assert.deepEqual([flow.judged, asked.length], [false, 4]);
  assert.deepEqual(await flow.accept(ascii("907352")), { kind: "done" });
  assert.deepEqual(Object.keys(flow.envelopes), ["new"]);
  assert.deepEqual(seen.map((s) => s.split(":")[0]), ["check", "check", "check", "check", "new"]);
});

test("new: a pattern is refused without asking the server", async () => {
  const { sealer } = recorder();
  const flow = new Flow("new", sealer, rulesOf("strong"), () => Promise.reject(new Error("asked")));
  assert.equal((await flow.accept(ascii("111111"))).kind, "weak");
});

test("change: a new PIN that is the old one is refused at once", async () => {
  const { sealer } = recorder();
  const flow = new Flow("change", sealer, rulesOf("strong"));
  await flow.accept(ascii("907352"));
  const again = ascii("907352");
  assert.deepEqual(await flow.accept(again), { kind: "same" });
  assert.deepEqual([again, flow.step], [zeros, "new"]);
  assert.deepEqual(await flow.accept(ascii("481629")), { kind: "next", step: "again" });
});
