// Sentences: the look-up in the catalogue of ../../locale, one file a language. The
// build gives each module that imports "locale:sentences" those that it names.
import type zh from "../../locale/zh-CN.json";

export type Key = Extract<keyof typeof zh, `pad.${string}` | `pin.${string}`>;

export type Say = (key: Key, values?: Record<string, string | number>) => string;

/** The language of the files for a tag such as "en-GB"; Chinese if there is none. */
function languageOf(files: Record<string, unknown>, tag: string | undefined): string {
  const base = (tag || "").toLowerCase().split("-")[0];
  return Object.keys(files).find((name) => name.toLowerCase().split("-")[0] === base) || "zh-CN";
}

/** Marks of the Unicode bidirectional algorithm: what stands between the first and the last is laid out by itself. */
const [LEFT_TO_RIGHT, FIRST_STRONG, POP] = ["\u2066", "\u2068", "\u2069"];

/** The direction in which the page is written; tests have no page. */
export function pageDirection(): string {
  return typeof document === "undefined" ? "" : document.documentElement.dir;
}

/**
 * Says sentences in a language. What it lacks is said in Chinese. On a page that is
 * written from the right (page is its direction), a Chinese sentence keeps its own
 * direction, and so does each value in a sentence of the language.
 */
export function speaker(files: Record<string, Record<string, string>>, tag: string | undefined, page: string): Say {
  const own = files[languageOf(files, tag)] || {};
  return (key, values = {}) => {
    const turned = page === "rtl";
    const ours = turned && own._dir === "rtl" && !!own[key];
    const said = (own[key] || files["zh-CN"]?.[key] || "").replace(/\{([a-z_]+)\}/g, (all, name: string) => {
      const value = String(values[name] ?? all);
      return ours ? FIRST_STRONG + value + POP : value;
    });
    return turned && !ours ? LEFT_TO_RIGHT + said + POP : said;
  };
}
