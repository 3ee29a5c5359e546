// Builds dist/ from src/: one script, one stylesheet, each named by its content,
// and manifest.json, which tells the Go side those names. The same sources give
// the same bytes on every machine; a Go test beside this file holds dist/ to it.
//
//   node build.mjs              dist/ and the gallery
//   node build.mjs --out DIR    the same into DIR/dist and DIR/gallery
//   node build.mjs --tests      the unit tests, as test/built/*.test.mjs
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as esbuild from "esbuild";
import { gallery } from "./gallery/pages.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { out: { type: "string", default: here }, tests: { type: "boolean" } } });

// WebViews of 2018. The style targets are what esbuild lowers the sheet for.
const script = ["es2018"];
const style = ["chrome64", "safari11.1", "ios11.3"];

async function assets() {
  const common = { bundle: true, minify: true, write: false, legalComments: "none", charset: "utf8", logLevel: "warning", absWorkingDir: here };
  const banner = { js: "/* Contains hpke by Filip Skokan, MIT licence: see licenses.txt beside this file. */" };
  const js = await esbuild.build({ ...common, banner, entryPoints: ["src/main.ts"], format: "iife", target: script });
  const css = await esbuild.build({ ...common, entryPoints: ["src/style.css"], target: style });
  return {
    "pad.js": js.outputFiles[0].contents,
    "page.css": css.outputFiles[0].contents,
    // The script contains hpke, whose licence wants to travel with it.
    "licenses.txt": Buffer.from("hpke\n\n" + readFileSync(join(here, "node_modules/hpke/LICENSE.md"), "utf8")),
  };
}

function writeAssets(dir, files) {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const manifest = {};
  for (const [name, bytes] of Object.entries(files)) {
    const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
    const [stem, extension] = name.split(".");
    manifest[name] = `${stem}.${hash}.${extension}`;
    writeFileSync(join(dir, manifest[name]), bytes);
  }
  writeFileSync(join(dir, "manifest.json"), JSON.stringify(manifest, null, 2) + "\n");
  return manifest;
}

function writeGallery(dir, manifest) {
  mkdirSync(dir, { recursive: true });
  for (const name of readdirSync(dir)) if (name.endsWith(".html")) rmSync(join(dir, name));
  const icon = (name) => readFileSync(join(here, "icons", `${name}.svg`), "utf8").trim();
  for (const [name, html] of Object.entries(gallery(manifest, icon))) writeFileSync(join(dir, name), html);
}

async function tests() {
  const names = readdirSync(join(here, "test")).filter((name) => name.endsWith(".ts"));
  const outdir = join(here, "test", "built");
  rmSync(outdir, { recursive: true, force: true });
  await esbuild.build({
    entryPoints: names.map((name) => join(here, "test", name)),
    bundle: true,
    outdir,
    platform: "node",
    format: "esm",
    target: "node18",
    outExtension: { ".js": ".mjs" },
    logLevel: "warning",
  });
}

if (values.tests) {
  await tests();
} else {
  const manifest = writeAssets(join(values.out, "dist"), await assets());
  writeGallery(join(values.out, "gallery"), manifest);
}
