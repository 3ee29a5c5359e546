// Form texts: what a page says of a form that is on its way, or whose answer did
// not come. They are apart from the pad's, so that pages without a pad load
// these alone.
import files from "locale:sentences";
import { pageDirection, speaker } from "./sentences";

export interface FormTexts {
  sent: string; // on the button of a form that is on its way
  lostForm: string;
  stillOffline: string;
  seeResult: string;
}

/** The texts of a language. What a language lacks is said in Chinese. */
export function formTexts(tag: string | undefined): FormTexts {
  const say = speaker(files, tag, pageDirection());
  return {
    sent: say("pad.sent"),
    lostForm: say("pad.lost_form"),
    stillOffline: say("pad.still_offline"),
    seeResult: say("pad.see_result"),
  };
}
