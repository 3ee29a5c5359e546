import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf, askOnce, DeskFlow, statement, whileBusy, type Answer, type Place, type Words } from "../src/deskflow";
import { canKeep, deskKey, type DeskKey } from "../src/deskkey";

/** A pad over given answers: what it asked, showed and opened. */
function pad(answers: (Partial<Answer> | { next: string } | object | Error)[]) {
  const asked: { to: string; fields: Record<string, string> }[] = [];
  const shown: [string, Words][] = [];
  const went: string[] = [];
  const key: DeskKey = { id: "key", sign: (text) => Promise.resolve(`signed ${text.replace(/\n/g, "|")}`) };
  const place: Place = {
    post: (to, fields) => {
      asked.push({ to, fields });
      const answer = answers.shift();
      return answer instanceof Error || !answer ? Promise.reject(answer || new Error("no answer")) : Promise.resolve(answer);
    },
    show: (screen, words) => shown.push([screen, words]),
    go: (to) => went.push(to),
  };
  return { flow: new DeskFlow(key, place), asked, shown, went, key, place };
}

test("a pad signs the challenge that it was given, and nothing without one", async () => {
  const p = pad([{ state: "again", challenge: "c1" }, { state: "blank", agency: "湖州社保中心", clock: "20:44", challenge: "c2" }, { state: "blank", challenge: "c3" }]);
  assert.equal(await p.flow.turn(), 2000);
  await p.flow.turn();
  assert.deepEqual(p.asked.map((a) => a.fields.signature), ["", "signed liuma/1/desk-pad|ask|c1|", "signed liuma/1/desk-pad|ask|c2|"]);
  assert.equal(p.shown[0]![0], "blank");
  assert.equal(p.shown[0]![1].agency, "湖州社保中心");
});

test("a pad that nobody paired asks for a number once, keeps it, and asks anew when somebody presses", async () => {
  const p = pad([
    { state: "again", challenge: "c" }, { state: "number", number: "ABCD-EFGH", challenge: "c" },
    { state: "number", challenge: "c" },
    { state: "number", over: true, challenge: "c" },
    { state: "number", over: true, challenge: "c" },
    { state: "number", number: "JKMN-PQRS", challenge: "c" },
  ]);
  for (let i = 0; i < 4; i++) await p.flow.turn();
  p.flow.offer();
  await p.flow.turn();
  assert.deepEqual(p.shown.map(([screen, words]) => [screen, words.number]),
    [["number", "ABCD-EFGH"], ["number", "ABCD-EFGH"], ["offer", ""], ["offer", ""], ["number", "JKMN-PQRS"]]);
  assert.deepEqual(p.asked.map((a) => a.fields.offer), ["1", "1", "", "", "", "1"]);
});

test("a pad that lost its pairing says so", async () => {
  const p = pad([{ state: "again", challenge: "c" }, { state: "blank", challenge: "c" }, { state: "number", lost: true, number: "ABCD-EFGH", challenge: "c" }]);
  await p.flow.turn();
  await p.flow.turn();
  assert.deepEqual(p.shown.map(([screen]) => screen), ["blank", "lost"]);
});

test("a ticket is begun once, under its own signature, and nothing is asked after that", async () => {
  const p = pad([{ state: "again", challenge: "c1" }, { state: "ticket", ticket: "0a", challenge: "c2" }, { next: "/c/abc" }]);
  await p.flow.turn();
  assert.deepEqual(p.went, ["/c/abc"]);
  assert.equal(p.asked[2]!.to, "begin");
  assert.deepEqual([p.asked[2]!.fields.ticket, p.asked[2]!.fields.signature], ["0a", "signed liuma/1/desk-pad|begin|c2|0a"]);
  await p.flow.turn();
  assert.equal(p.asked.length, 3);
});

test("a ticket that is refused leaves the pad blank, and it goes on asking", async () => {
  const p = pad([{ state: "again", challenge: "c" }, { state: "ticket", ticket: "0a", agency: "湖州", challenge: "c" }, { code: "ticket_ended" } as object, { state: "again", challenge: "c" }, { state: "blank", challenge: "c" }]);
  await p.flow.turn();
  await p.flow.turn();
  assert.deepEqual([p.shown.map(([screen]) => screen), p.went], [["blank", "blank"], []]);
});

test("a ceremony of this browser goes on after a reload", async () => {
  const p = pad([{ state: "again", challenge: "c" }, { state: "busy", next: "/c/abc", challenge: "c" }]);
  await p.flow.turn();
  assert.deepEqual([p.went, p.shown], [["/c/abc"], []]);
});

test("without answers a pad waits longer, says so, and leads nowhere", async () => {
  const p = pad([]);
  const pauses = [];
  for (let i = 0; i < 9; i++) pauses.push(await p.flow.turn());
  assert.deepEqual([pauses[0], pauses[8]], [2000, 15000]);
  assert.deepEqual([p.shown[0]![0], p.shown.length, p.went.length], ["offline", 7, 0]);
});

test("an address of another site, and an unknown state, are no answers", () => {
  for (const given of [null, "blank", {}, { state: "pin" }, { state: "busy", next: "https://example.cn/" }, { state: "busy", next: "//example.cn" }, { state: "busy", next: "/\\example.cn" }]) {
    assert.equal(answerOf(given), null);
  }
});

test("a page of a ceremony ends with its ticket, and stays without an answer", () => {
  const after = (state: Answer["state"]) => whileBusy({ state });
  assert.deepEqual([whileBusy(null), after("busy"), after("again"), after("cookies")], ["stay", "stay", "stay", "stay"]);
  assert.deepEqual([after("blank"), after("ticket"), after("number")], ["look", "look", "look"]);
});

test("a page of a ceremony asks with a challenge of its own", async () => {
  const p = pad([{ state: "again", challenge: "c1" }, { state: "busy" }]);
  assert.equal((await askOnce(p.key, p.place.post))!.state, "busy");
  assert.equal(p.asked[1]!.fields.signature, "signed liuma/1/desk-pad|ask|c1|");
  assert.equal(await askOnce(p.key, pad([new Error("offline")]).place.post), null);
});

/** An IndexedDB with one store, as much of it as the key needs. */
function database(broken = false) {
  const rows = new Map<string, unknown>();
  const request = <T>(result: T) => {
    const r = { result, error: new Error("broken"), onsuccess: null as null | (() => void), onerror: null as null | (() => void), onupgradeneeded: null as null | (() => void) };
    setImmediate(() => {
      if (r.onupgradeneeded) r.onupgradeneeded();
      if (broken) r.onerror!();
      else r.onsuccess!();
    });
    return r;
  };
  const store = { get: (name: string) => request(rows.get(name)), put: (value: unknown, name: string) => request(rows.set(name, value) && name) };
  const db = { createObjectStore: () => store, transaction: () => ({ objectStore: () => store }) };
  return { rows, indexedDB: { open: () => request(db) } };
}

test("the key signs what its public half checks, stays the same, and cannot be read out", async () => {
  const world = database();
  Object.assign(globalThis, { self: globalThis, indexedDB: world.indexedDB });
  assert.ok(canKeep());
  const key = await deskKey();
  const again = await deskKey();
  assert.equal(again.id, key.id);
  const text = statement("begin", "challenge", "0a");
  assert.equal(text, "liuma/1/desk-pad\nbegin\nchallenge\n0a");
  const raw = Buffer.from(key.id, "base64url");
  assert.equal(raw.length, 65);
  const kind = { name: "ECDSA", namedCurve: "P-256" };
  const open = await crypto.subtle.importKey("raw", raw, kind, true, ["verify"]);
  const good = await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, open, Buffer.from(await key.sign(text), "base64url"), Buffer.from(text));
  assert.ok(good);
  const pair = world.rows.get("pad") as CryptoKeyPair;
  assert.equal(pair.privateKey.extractable, false);
  await assert.rejects(crypto.subtle.exportKey("pkcs8", pair.privateKey));
});

test("a key that can be read out is not used", async () => {
  const world = database();
  Object.assign(globalThis, { self: globalThis, indexedDB: world.indexedDB });
  const open = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  world.rows.set("pad", open);
  await deskKey();
  assert.notEqual(world.rows.get("pad"), open);
});

test("where no key can be kept there is no pad", async () => {
  Object.assign(globalThis, { self: globalThis, indexedDB: undefined });
  assert.equal(canKeep(), false);
  Object.assign(globalThis, { indexedDB: database(true).indexedDB });
  await assert.rejects(deskKey());
});
