// What the Go tests ask of the script's own code, over standard input and
// output: sealing, the rules over every PIN, and the sentences.
import { readFileSync, writeSync } from "node:fs";
import { fromBase64URL } from "../src/bytes";
import type { Role } from "../src/flow";
import { readList } from "../src/list";
import { sealerFor } from "../src/pad";
import { canonical, fault, weakness } from "../src/passphraserules";
import { broken, RULES, rulesOf } from "../src/rules";
import { sealKey } from "../src/seal";
import { texts } from "../src/texts";

interface SealRequest {
  kid: string;
  key: string;
  aad: Partial<Record<Role, string>>;
  role: Role;
  secret: string;
}

async function sealOne(): Promise<void> {
  const request = JSON.parse(readFileSync(0, "utf8")) as SealRequest;
  const aad: Partial<Record<Role, Uint8Array>> = {};
  for (const role of Object.keys(request.aad) as Role[]) aad[role] = fromBase64URL(request.aad[role] as string);
  const sealer = sealerFor(sealKey(request.kid, request.key), aad);
  process.stdout.write(await sealer(request.role, new TextEncoder().encode(request.secret)));
}

// Two bytes for each PIN from 000000, the lower first: bit i for rule i of RULES. The
// list's file is on standard input.
function allRules(list: string): void {
  const out = new Uint16Array(1e6);
  const rules = rulesOf(list);
  rules.common = readList(new Uint8Array(readFileSync(0)), list);
  const digits = new Uint8Array(6);
  for (let n = 0; n < out.length; n++) {
    for (let i = 5, rest = n; i >= 0; i--, rest = Math.floor(rest / 10)) digits[i] = rest % 10;
    for (const rule of broken(digits, rules)) out[n] = (out[n] as number) | (1 << RULES.indexOf(rule));
  }
  const bytes = new Uint8Array(out.buffer);
  for (let done = 0; done < bytes.length; ) done += writeSync(1, bytes, done);
}

// Of each text of a list: its spelling, and what the page says against it.
function passphrases(): void {
  const texts = JSON.parse(readFileSync(0, "utf8")) as string[];
  const answers = texts.map((text) => {
    const one = canonical(text);
    return { one, fault: fault(one) || "", weak: fault(one) ? "" : weakness(one) || "" };
  });
  process.stdout.write(JSON.stringify(answers));
}

// Of every character but surrogates, between letters: its spelling, and the page's fault.
function characters(): void {
  const answers: Record<string, string> = {};
  for (let c = 1; c < 0x110000; c++) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const one = canonical(`lotus ${String.fromCodePoint(c)} pond`);
    if (one === "lotus  pond") answers[c] = "dropped";
    else if (fault(one)) answers[c] = fault(one) as string;
  }
  process.stdout.write(JSON.stringify(answers));
}

// The sentences as the script reads them from a page, by the rule.
function sentences(): void {
  process.stdout.write(JSON.stringify({ rules: RULES, said: texts("zh", "", readFileSync(0, "utf8")).refused }));
}

const command = process.argv[2];
if (command === "seal") void sealOne();
else if (command === "rules") allRules(process.argv[3] as string);
else if (command === "sentences") sentences();
else if (command === "passphrases") passphrases();
else if (command === "characters") characters();
else process.exit(2);
