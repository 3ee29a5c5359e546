// Judge: asks the server whether a new PIN would be accepted, before it is
// entered again. The server sees only the envelope, sets nothing, and says the
// reason. Where it cannot say (no network, too many questions), the entry goes
// on: it judges in any case when the PIN is set.
import type { Judge, Judgement } from "./flow";

const PATIENCE = 6000; // milliseconds after which the entry goes on without an answer

interface Answer {
  result?: string;
  title?: string;
  text?: string;
}

export function judgeAt(address: string, form: HTMLFormElement): Judge | null {
  if (!("fetch" in window)) return null;
  return (envelope) => {
    const body = new URLSearchParams();
    form.querySelectorAll<HTMLInputElement>("input[type=hidden]").forEach((input) => {
      // Not the envelopes to be set.
      if (!/pin$/.test(input.name)) body.append(input.name, input.value);
    });
    body.append("check", envelope);
    const answer = fetch(address, { method: "POST", credentials: "same-origin", headers: { Accept: "application/json" }, body })
      .then((response) => response.json())
      .then(judgementOf)
      .catch((): Judgement => ({ kind: "unknown" }));
    const late = new Promise<Judgement>((resolve) => window.setTimeout(resolve, PATIENCE, { kind: "unknown" }));
    return Promise.race([answer, late]);
  };
}

function judgementOf(given: Answer): Judgement {
  if (given.result === "weak") return { kind: "weak", reason: given.text || given.title || "" };
  return { kind: given.result === "good" || given.result === "moved" ? given.result : "unknown" };
}
