// Texts: everything the pad says. The sentences stand in ../../locale, one file a
// language; the build puts those that are named here into the script. A key that
// the Chinese file does not have does not compile.
import files from "locale:sentences";
import { RULES, type Obvious, type Rule } from "./rules";
import type { Step } from "./flow";
import { pageDirection, speaker } from "./sentences";

export interface Texts {
  label: Record<Step, string>;
  auto: string;
  newHelp: string;
  againHelp: string;
  oldHelp: string;
  step(number: number, count: number): string;
  entered(count: number): string;
  cleared: string;
  keypad: string;
  back: string;
  clear: string;
  show: string;
  hide: string;
  systemKeys: string;
  ownKeys: string;
  previous: string;
  done: string;
  doneHelp: Record<"new" | "change", string>;
  finish: Record<"new" | "change", string>;
  restart: string;
  submit: Record<"current" | "new" | "change", string>;
  sealing: string;
  sending: Record<"current" | "new" | "change", string>;
  slow: string;
  noAnswer: string;
  seeResult: string;
  offline: string;
  online: string;
  retry: string;
  differ: string;
  notSix: string;
  sealFailed: string;
  broken: string;
  reload: string;
  noCrypto: string;
  noCryptoNext: string;
  refused: Record<Rule, string>; // the server's own sentences, as the page brings them
  heading: Record<Obvious, string>;
  draw: Record<"title" | "help" | "use" | "another" | "own", string>; // the offer of a PIN that was drawn
  onlyDigits: string; // a letter was typed
  notDigits: string; // something with letters was filled in or pasted
  filled: string; // six digits came, but nobody typed them
  useFilled: Record<"current" | "old" | "new" | "again", string>; // the button that takes them
  byHand: string; // a program pressed the button
  extra: string; // a seventh digit before the entry was sent
  dropped: string; // digits that came too early
  judging: string;
  sameAsOld: string;
  doneHelpOpen: Record<"new" | "change", string>; // where the server was not asked
  lost: string;
  stillOffline: string;
  looking: string;
  left: { seconds(n: number): string; minutes(n: number): string; hours(n: number): string; hoursMinutes(h: number, m: number): string };
}

// A line each: the rule, a blank and the sentence. They come with pages on which a PIN
// is set, in the page's language alone: every page with a pad loads this script.
function refusals(lines: string): Record<Rule, string> {
  const said = {} as Record<Rule, string>;
  for (const rule of RULES) said[rule] = (lines.split("\n").find((line) => line.indexOf(rule + " ") === 0) || "").slice(rule.length + 1);
  return said;
}

/** The texts of a language. What a language lacks is said in Chinese. */
export function texts(tag: string | undefined, hotline = "", refused = ""): Texts {
  const say = speaker(files, tag, pageDirection());
  return {
    label: {
      current: say("pad.label.current"),
      old: say("pad.label.old"),
      new: say("pad.label.new"),
      again: say("pad.label.again"),
    },
    auto: say("pad.auto"),
    newHelp: say("pad.new_help"),
    againHelp: say("pad.again_help"),
    oldHelp: say("pad.old_help"),
    step: (n, of) => say("pad.step", { number: n, count: of }),
    entered: (n) => say("pad.entered", { count: n }),
    cleared: say("pad.cleared"),
    keypad: say("pad.keypad"),
    back: say("pad.back"),
    clear: say("pad.clear"),
    show: say("pad.show"),
    hide: say("pad.hide"),
    systemKeys: say("pad.system_keys"),
    ownKeys: say("pad.own_keys"),
    previous: say("pad.previous"),
    done: say("pad.done"),
    doneHelp: { new: say("pad.done_help.new"), change: say("pad.done_help.change") },
    finish: { new: say("pad.finish.new"), change: say("pad.finish.change") },
    restart: say("pad.restart"),
    submit: { current: say("pad.submit.current"), new: say("pad.submit.new"), change: say("pad.submit.change") },
    sealing: say("pad.sealing"),
    sending: { current: say("pad.sending.current"), new: say("pad.sending.new"), change: say("pad.sending.change") },
    slow: say("pad.slow"),
    noAnswer: say("pad.no_answer"),
    seeResult: say("pad.see_result"),
    offline: say("pad.offline"),
    online: say("pad.online"),
    retry: say("pad.retry"),
    differ: say("pad.differ"),
    notSix: say("pad.not_six"),
    sealFailed: say("pad.seal_failed"),
    broken: say("pad.broken", { hotline }),
    reload: say("pad.reload"),
    noCrypto: say("pad.no_crypto"),
    noCryptoNext: say("pad.no_crypto_next", { hotline }),
    refused: refusals(refused),
    heading: {
      repeat: say("pad.heading.repeat"),
      steps: say("pad.heading.steps"),
      halves: say("pad.heading.halves"),
      pairs: say("pad.heading.pairs"),
      triples: say("pad.heading.triples"),
      mirror: say("pad.heading.mirror"),
      love: say("pad.heading.love"),
      year: say("pad.heading.year"),
      date: say("pad.heading.date"),
    },
    draw: { title: say("pad.draw.title"), help: say("pad.draw.help"), use: say("pad.draw.use"), another: say("pad.draw.another"), own: say("pad.draw.own") },
    onlyDigits: say("pad.only_digits"),
    notDigits: say("pad.not_digits"),
    filled: say("pad.filled"),
    useFilled: { current: say("pad.use_filled.current"), old: say("pad.use_filled.old"), new: say("pad.use_filled.new"), again: say("pad.use_filled.again") },
    byHand: say("pad.by_hand"),
    extra: say("pad.extra"),
    dropped: say("pad.dropped"),
    judging: say("pad.judging"),
    sameAsOld: say("pad.same_as_old"),
    doneHelpOpen: { new: say("pad.done_help_open.new"), change: say("pad.done_help_open.change") },
    lost: say("pad.lost"),
    stillOffline: say("pad.still_offline"),
    looking: say("pad.looking"),
    left: {
      seconds: (seconds) => say("pad.left.seconds", { seconds }),
      minutes: (minutes) => say("pad.left.minutes", { minutes }),
      hours: (hours) => say("pad.left.hours", { hours }),
      hoursMinutes: (hours, minutes) => say("pad.left.hours_minutes", { hours, minutes }),
    },
  };
}
