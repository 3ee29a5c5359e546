// Desk flow: what a desk pad asks the server, and what it shows for an answer. No
// DOM here. Each question carries a signature of the pad's key over a challenge of
// the server's; what no answer permits is not shown, so without one the pad is blank.
import type { DeskKey } from "./deskkey";

const LABEL = "liuma/1/desk-pad";
const PAUSE = 2000; // milliseconds between two questions
const LONGEST = 15000; // the same, after questions that had no answer
const SILENT = 3; // questions without an answer after which the pad says that it has no connection

/** What the pad's page shows; each is a part of the page that the server drew. */
export type Screen = "number" | "lost" | "offer" | "blank" | "offline" | "cookies";

export interface Words {
  number?: string;
  agency?: string;
  clock?: string;
}

export interface Answer extends Words {
  state: "again" | "number" | "blank" | "ticket" | "busy" | "cookies";
  challenge?: string;
  lost?: boolean; // with number: this browser was paired before
  over?: boolean; // with number: the one that was offered last does not pair any more
  ticket?: string; // with ticket: the one that waits
  next?: string; // with busy: where this browser goes on
}

/** What the flow needs of the page around it. */
export interface Place {
  /** Posts fields; gives the answer's JSON, a refusal's too. Rejects where there is none. */
  post(to: "ask" | "begin", fields: Record<string, string>): Promise<unknown>;
  show(screen: Screen, words: Words): void;
  go(to: string): void;
}

/** The text that a pad signs: what for, over which challenge, and of which ticket. */
export function statement(what: "ask" | "begin", challenge: string, ticket = ""): string {
  return [LABEL, what, challenge, ticket].join("\n");
}

const STATES = ["again", "number", "blank", "ticket", "busy", "cookies"];

/** Reads an answer; null if it is none of the server's. */
export function answerOf(given: unknown): Answer | null {
  const answer = given as Partial<Answer> | null;
  if (!answer || typeof answer !== "object" || STATES.indexOf(String(answer.state)) < 0) return null;
  if (answer.next !== undefined && !ours(answer.next)) return null;
  return answer as Answer;
}

/** Whether an address is one of this site's. */
function ours(address: unknown): address is string {
  return typeof address === "string" && /^\/[^/\\]/.test(address);
}

export class DeskFlow {
  private challenge = "";
  private number = ""; // to be typed at the console, while it is offered
  private wanted = true; // a number: at first by itself, then when somebody asks for one
  private silent = 0;
  private gone = false;

  constructor(
    private readonly key: DeskKey,
    private readonly place: Place,
  ) {}

  /** Asks once, and shows the answer. Gives the milliseconds after which to ask again. */
  async turn(): Promise<number> {
    if (this.gone) return LONGEST;
    let answer: Answer | null = null;
    try {
      answer = await this.ask();
      if (answer && answer.state === "again") answer = await this.ask();
      if (answer && answer.state === "again") answer = null;
      if (answer && answer.state === "number" && this.lacksNumber(answer) && this.wanted) answer = await this.ask();
      if (answer && answer.state === "ticket") return await this.begin(answer);
    } catch {
      answer = null;
    }
    if (!answer) return this.heardNothing();
    this.silent = 0;
    this.display(answer);
    return PAUSE;
  }

  /** Somebody stands there and wants a number. */
  offer(): void {
    this.wanted = true;
  }

  /** Whether there is no number to show: none was offered, or it is over. */
  private lacksNumber(answer: Answer): boolean {
    if (answer.number) this.number = answer.number;
    else if (answer.over) this.number = "";
    return this.number === "";
  }

  private display(answer: Answer): void {
    if (answer.state !== "number") this.number = "";
    switch (answer.state) {
      case "number":
        this.lacksNumber(answer);
        if (this.number) this.wanted = false; // a device in the night asks for no others
        this.place.show(this.number ? (answer.lost ? "lost" : "number") : "offer", { number: this.number });
        return;
      case "busy":
        if (answer.next) this.leave(answer.next);
        return;
      case "cookies":
        this.place.show("cookies", {});
        return;
      default:
        this.place.show("blank", answer);
    }
  }

  private async ask(): Promise<Answer | null> {
    const signature = this.challenge === "" ? "" : await this.key.sign(statement("ask", this.challenge));
    const offer = this.wanted && this.number === "" ? "1" : "";
    const answer = answerOf(await this.place.post("ask", { key: this.key.id, challenge: this.challenge, signature, offer }));
    this.challenge = (answer && answer.challenge) || "";
    return answer;
  }

  /** Begins the ticket's ceremony in this browser. A refusal leaves the pad blank: the clerk has another way. */
  private async begin(answer: Answer): Promise<number> {
    const challenge = this.challenge;
    const ticket = answer.ticket || "";
    this.challenge = "";
    const signature = await this.key.sign(statement("begin", challenge, ticket));
    const given = (await this.place.post("begin", { key: this.key.id, challenge, signature, ticket })) as { next?: unknown; code?: unknown } | null;
    if (given && given.code) {
      this.silent = 0;
      this.place.show("blank", answer);
      return PAUSE * 3;
    }
    if (!given || !ours(given.next)) return this.heardNothing();
    this.silent = 0;
    this.leave(given.next);
    return LONGEST;
  }

  private leave(to: string): void {
    this.gone = true;
    this.place.go(to);
  }

  private heardNothing(): number {
    this.challenge = "";
    this.silent++;
    if (this.silent >= SILENT) this.place.show("offline", {});
    return Math.min(PAUSE * this.silent, LONGEST);
  }
}

/**
 * What a page of a ceremony on a pad does after an answer: stay while it goes on, and
 * look again at what became of it when it does not. Without an answer it stays: the
 * server refuses whatever it may not do.
 */
export function whileBusy(answer: Answer | null): "stay" | "look" {
  return answer && (answer.state === "blank" || answer.state === "ticket" || answer.state === "number") ? "look" : "stay";
}

/** Asks as a page of a ceremony does, with a challenge of its own; null without an answer. */
export async function askOnce(key: DeskKey, post: Place["post"]): Promise<Answer | null> {
  try {
    const first = answerOf(await post("ask", { key: key.id, challenge: "", signature: "" }));
    if (!first || first.state !== "again" || !first.challenge) return first && first.state === "cookies" ? first : null;
    const signature = await key.sign(statement("ask", first.challenge));
    return answerOf(await post("ask", { key: key.id, challenge: first.challenge, signature }));
  } catch {
    return null;
  }
}
