package miniapp

import (
	"slices"
	"strings"
)

// Next steps, beside starting an action.
const (
	doAgain    = "again"    // the same action anew, under a new number
	doResume   = "resume"   // go on with this one
	doAsk      = "ask"      // ask for the result
	doEvidence = "evidence" // to the identity check, and then on
	doCounter  = "counter"  // the documents to bring to an agency
)

// way is one thing to do next, with the words on its button.
type way struct {
	Do  string
	Say text
}

// said is what this app does about some error codes of the authority that a person
// can act on, or about a few of its own. The sentences are in the catalogue under
// the first code: outcome.CODE.title, .next and, where the authority says until
// when, .until. outcome.CODE.ACTION.next is for one action only.
type said struct {
	codes string   // with blanks between
	ways  []string // what to do next, the most likely first: the keys of "way."
	open  bool     // not over: the person may go on
}

// halfProved is of this app: the service wants PIN and evidence, and the answer proves
// only one of them.
const halfProved = "half_proved"

// failed is said of an error code that means a mistake of this app; the log has the
// cause.
const failed = "failed"

// allSaid lists what is said, the first code of each naming its sentences.
func allSaid() []said { return slices.Concat(saidOfAnswers(), saidOfHolders()) }

// saidOfAnswers is about how it went: left, lost, late, or too little.
func saidOfAnswers() []said {
	return []said{
		{codes: "left_by_holder", ways: []string{doAgain}},
		{codes: "ceremony_expired request_uri_invalid", ways: []string{doAgain}},
		{codes: "ceremony_elsewhere ceremony_moved", ways: []string{doResume, doAsk}, open: true},
		{codes: "pending", ways: []string{doResume, doAsk}, open: true},
		{codes: "returning", ways: []string{doResume, doAsk, doAgain}, open: true},
		{codes: "not_returned", ways: []string{doAgain}},
		{codes: "enrolled", ways: []string{actionLink}},
		{codes: "too_many_requests", ways: []string{doAgain}},
		{codes: "unreachable unavailable busy change_under_way temporarily_unavailable", ways: []string{doAsk}, open: true},
		{codes: "not_found undecided", ways: []string{doAgain}},
		{codes: "late", ways: []string{doAgain}},
		{codes: halfProved, ways: []string{doAgain, doCounter}},
		{codes: "receipt_stale code_invalid", ways: []string{doAgain}},
		{codes: "state"},
	}
}

// saidOfHolders is about the holder's PIN, card, face and phone.
func saidOfHolders() []said {
	return []said{
		// The PIN and its lock.
		{codes: "wrong_pin", ways: []string{doAgain, actionReset}},
		{codes: "locked", ways: []string{actionReset, doCounter}},
		{codes: "blocked", ways: []string{actionReset, doCounter}},
		{codes: "pin_reset", ways: []string{doAgain, actionFreeze}},
		{codes: "reset_planned", ways: []string{actionFreeze}},
		{codes: "pin_not_yet", ways: []string{actionFreeze, doCounter}},
		{codes: "pin_stopped", ways: []string{doCounter}},
		{codes: "weak_pin pin_format", ways: []string{doAgain}},
		// How the card stands.
		{codes: "loss_reported", ways: []string{doCounter}},
		{codes: "frozen", ways: []string{actionUnfreeze, doCounter}},
		{codes: "not_frozen"},
		{codes: "cancelled", ways: []string{doCounter}},
		{codes: "refused", ways: []string{doAgain}},
		{codes: "already_enrolled", ways: []string{actionLink}},
		{codes: "card_restored", ways: []string{doCounter}},
		{codes: "card_closed", ways: []string{doCounter}},
		{codes: "link_limit"},
		{codes: "links_full", ways: []string{doAgain}},
		{codes: "too_many_open", ways: []string{doAgain}},
		{codes: "not_in_registry"},
		// The identity check.
		{codes: "evidence_required", ways: []string{doEvidence, doCounter}, open: true},
		{codes: "ration_spent", ways: []string{doAgain}},
		{codes: "slow_down", ways: []string{doEvidence, doAgain}, open: true},
		{codes: "evidence_invalid evidence_used challenge_expired", ways: []string{doEvidence, doCounter}, open: true},
		{codes: "face_mismatch", ways: []string{doEvidence, doCounter}, open: true},
		// The bound phone.
		{codes: "phone_bound_lately", ways: []string{doCounter}},
		{codes: "card_contested", ways: []string{doCounter}},
		{codes: "number_correcting", ways: []string{doCounter}},
		{codes: "phone_unconfirmed", ways: []string{doCounter}},
		{codes: "phone_not_bound", ways: []string{doCounter}},
		{codes: "phone_invalid phone_same", ways: []string{doAgain}},
		{codes: "online_recovery_off", ways: []string{doCounter}},
		// One-time codes, and numbers that the holder typed.
		{codes: "phone_code_wrong phone_code_format phone_code_superseded phone_code_expired", ways: []string{doResume}, open: true},
		{codes: "phone_codes_spent", ways: []string{doCounter}},
		{codes: "phone_code_link_limit phone_codes_kept phone_code_channel_limit", ways: []string{doCounter}},
		{codes: "phone_code_too_soon phone_code_limit phone_numbers_limit", ways: []string{doCounter}},
		{codes: "card_number_wrong card_numbers_spent card_number_needed", ways: []string{doAgain, doCounter}},
		{codes: "pin_too_old", ways: []string{doAgain}},
		{codes: "document_invalid document_state_missing"},
		{codes: "guardian_needed", ways: []string{doCounter}},
		{codes: "consent_required", ways: []string{doAgain}},
		{codes: "birthday_unknown", ways: []string{doCounter}},
		{codes: "id_number_invalid id_number_15_digits"},
	}
}

// of explains the error code or verdict of an action.
func (c *catalogue) of(code, action string) outcome {
	all := allSaid()
	what := said{codes: failed, ways: []string{doAgain}}
	if i := slices.IndexFunc(all, func(s said) bool { return slices.Contains(strings.Fields(s.codes), code) }); i >= 0 {
		what = all[i]
	} else {
		code = failed
	}
	if code == "pin_reset" && action == actionChange {
		what.ways = []string{actionFreeze} // the PIN is a new one: nothing is left to do
	}
	key, _, _ := strings.Cut(what.codes, " ")
	o := outcome{Code: code, Open: what.open}
	o.Title, o.Next, o.UntilIs = c.part(key, action, "title"), c.part(key, action, "next"), c.part(key, action, "until")
	for _, do := range what.ways {
		o.Ways = append(o.Ways, way{Do: do, Say: c.say("way." + do)})
	}
	return o
}

// part is a sentence about a code: that of the action, or that of all. There is none
// for until where the code has no time.
func (c *catalogue) part(code, action, part string) text {
	for _, key := range []string{"outcome." + code + "." + action + "." + part, "outcome." + code + "." + part} {
		if c.has(key) {
			return c.say(key)
		}
	}
	return text{}
}

// done is the sentence after a success.
func (c *catalogue) done(action string) outcome {
	return outcome{OK: true, Title: c.say("done." + action + ".title"), Next: c.say("done." + action + ".next")}
}
