import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

// The built pad, in a world without BigInt and what came after 2018. It is
// run by npm from the web folder.
test("the built pad loads where there is no BigInt", () => {
  const name = readdirSync("dist").find((file) => /^pad\..*\.js$/.test(file));
  const source = readFileSync(`dist/${name}`, "utf8");
  const waiting: string[] = [];
  const world = vm.createContext({
    document: { readyState: "loading", addEventListener: (event: string) => waiting.push(event) },
  });
  vm.runInContext(
    `self = this; delete this.BigInt; delete this.globalThis; delete String.prototype.replaceAll;
     delete Array.prototype.flat; delete Object.fromEntries; delete Promise.allSettled;`,
    world,
  );
  vm.runInContext(source, world);
  assert.deepEqual(waiting, ["DOMContentLoaded"]);
});
