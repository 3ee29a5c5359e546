// Builds dist/ from src/: five scripts, two stylesheets and the list of common PINs, each named by its
// content, and manifest.json, which tells the Go side those names. The same
// sources give the same bytes on every machine; a Go test beside this file holds
// dist/ to it.
//
//   node build.mjs              dist/
//   node build.mjs --out DIR    the same into DIR/dist
//   node build.mjs --tests      the unit tests, as test/built/*.test.mjs
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { out: { type: "string", default: here }, tests: { type: "boolean" } } });

// WebViews of 2018. The style targets are what esbuild lowers the sheet for.
const script = ["es2018"];
const style = ["chrome64", "safari11.1", "ios11.3"];

// sentences puts the catalogue's languages into a bundle: of each, the sentences
// whose keys the importing module names. A sentence of the pad that no such module
// names would be translated for nothing, so the build stops.
const speakers = ["texts.ts", "formtexts.ts", "passphrasetexts.ts"];
const sentences = {
  name: "sentences",
  setup(build) {
    build.onResolve({ filter: /^locale:sentences$/ }, ({ importer }) => ({ path: importer, namespace: "locale" }));
    build.onLoad({ filter: /.*/, namespace: "locale" }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      const everywhere = speakers.map((name) => readFileSync(join(here, "src", name), "utf8")).join("\n");
      const folder = join(here, "..", "locale");
      const files = {};
      for (const name of readdirSync(folder).filter((name) => name.endsWith(".json")).sort()) {
        const all = Object.entries(JSON.parse(readFileSync(join(folder, name), "utf8")));
        const unused = all.filter(([key]) => key.startsWith("pad.") && !everywhere.includes(`"${key}"`));
        if (unused.length > 0) throw new Error(`${name}: ${speakers.join(" and ")} do not say ${unused[0][0]}`);
        files[name.replace(".json", "")] = Object.fromEntries(all.filter(([key]) => key === "_dir" || source.includes(`"${key}"`)));
      }
      return { contents: JSON.stringify(files), loader: "json" };
    });
  },
};

async function assets() {
  const common = { bundle: true, plugins: [sentences], minify: true, write: false, legalComments: "none", charset: "utf8", logLevel: "warning", absWorkingDir: here };
  const banner = { js: "/* Contains hpke by Filip Skokan, MIT licence: see licenses.txt beside this file. */" };
  const pad = await esbuild.build({ ...common, banner, entryPoints: ["src/main.ts"], format: "iife", target: script });
  const ceremony = await esbuild.build({ ...common, entryPoints: ["src/ceremony.ts"], format: "iife", target: script });
  const desk = await esbuild.build({ ...common, entryPoints: ["src/console.ts"], format: "iife", target: script });
  const deskPad = await esbuild.build({ ...common, entryPoints: ["src/desk.ts"], format: "iife", target: script });
  const guide = await esbuild.build({ ...common, entryPoints: ["src/guide.ts"], format: "iife", target: script });
  const deskStyle = await esbuild.build({ ...common, entryPoints: ["src/console.css"], target: style });
  const css = await esbuild.build({ ...common, entryPoints: ["src/style.css"], target: style });
  return {
    "pad.js": pad.outputFiles[0].contents,
    "ceremony.js": ceremony.outputFiles[0].contents,
    "deskpad.js": deskPad.outputFiles[0].contents,
    "guide.js": guide.outputFiles[0].contents,
    "console.js": desk.outputFiles[0].contents,
    "console.css": deskStyle.outputFiles[0].contents,
    "page.css": css.outputFiles[0].contents,
    // What the pad asks for where a PIN is set, as go generate made it.
    "common.list": readFileSync(join(here, "..", "internal/pin/data/common.list")),
    // The pad contains hpke, and the list is made from counts, whose licences want to travel with them.
    "licenses.txt": Buffer.from("hpke\n\n" + readFileSync(join(here, "node_modules/hpke/LICENSE.md"), "utf8") +
      "\ncommon.list\n\n" + readFileSync(join(here, "..", "internal/pin/data/LICENSE-Pwdb-Public.txt"), "utf8")),
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
}

async function tests() {
  const names = readdirSync(join(here, "test")).filter((name) => name.endsWith(".ts"));
  const outdir = join(here, "test", "built");
  rmSync(outdir, { recursive: true, force: true });
  await esbuild.build({
    entryPoints: names.map((name) => join(here, "test", name)),
    bundle: true,
    plugins: [sentences],
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
  writeAssets(join(values.out, "dist"), await assets());
}
