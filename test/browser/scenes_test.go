package browser

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
)

// adder puts a page into the gallery.
type adder func(name string, a liuma.Action, s authority.Step, code liuma.Code, more func(*authority.Page))

// addRecovery adds the pages of the bound phone: codes, a PIN set anew,
// another phone, freezing, and what can be set at the end.
func addRecovery(add adder) {
	const reset, rebind, unfreeze, verify = liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze, liuma.ActionVerify
	const confirm, code, evidence, phone = authority.StepConfirm, authority.StepCode, authority.StepEvidence, authority.StepPhone
	const pad, done, refused = authority.StepPIN, authority.StepDone, authority.StepRefused
	sent := func(left int, ready time.Duration) func(*authority.Page) {
		return func(p *authority.Page) {
			p.CodeSentAt, p.ResendAt, p.CodesLeft = galleryNow.Add(-15*time.Second), galleryNow.Add(ready), left
		}
	}
	forgot := func(more func(*authority.Page)) func(*authority.Page) {
		return func(p *authority.Page) {
			p.Began, p.CanRemember, p.CodesLeft = verify, true, 5
			if more != nil {
				more(p)
			}
		}
	}
	add("reset-confirm", reset, confirm, "", nil)
	add("code-first", reset, code, "", forgot(nil))
	add("code", reset, code, "", forgot(sent(5, 45*time.Second)))
	add("code-wrong", reset, code, liuma.CodePhoneCodeWrong, forgot(sent(3, 0)))
	add("code-soon", reset, code, liuma.CodePhoneCodeSoon, forgot(sent(5, 45*time.Second)))
	add("code-limit", reset, code, liuma.CodePhoneCodeLimit, forgot(sent(4, 11*time.Hour)))
	add("code-expired", reset, code, liuma.CodePhoneCodeExpired, func(p *authority.Page) {
		p.CodeSentAt, p.CodesLeft = galleryNow.Add(-11*time.Minute), 5
	})
	add("code-spent", reset, code, liuma.CodePhoneCodesSpent, func(p *authority.Page) { p.Until = galleryNow.Add(23 * time.Hour) })
	add("code-enroll", liuma.ActionEnroll, code, "", sent(5, 0))
	add("evidence", reset, evidence, liuma.CodeEvidenceRequired, forgot(nil))
	add("evidence-card-number", reset, evidence, liuma.CodeEvidenceRequired, func(p *authority.Page) { p.CardNoAllowed = true })
	add("evidence-card-number-wrong", reset, evidence, liuma.CodeCardNoWrong, func(p *authority.Page) { p.CardNoAllowed = true })
	add("reset-pin", reset, pad, "", forgot(nil))
	add("reset-planned", reset, refused, liuma.CodeResetPlanned, func(p *authority.Page) { p.Until = galleryNow.Add(24 * time.Hour) })
	add("reset-done", reset, done, "", func(p *authority.Page) { p.EveryUse, p.DeviceOffer = new(bool), true })
	add("reset-end", reset, authority.StepReset, liuma.CodePINReset, nil)
	add("was-reset", verify, pad, "", func(p *authority.Page) { p.WasReset = true })
	add("no-reset-pad", verify, pad, "", func(p *authority.Page) { p.ResetRefused = liuma.CodePhoneStale })
	add("no-reset-locked", verify, refused, liuma.CodeLocked, func(p *authority.Page) {
		p.Until = galleryNow.Add(11 * time.Hour)
		p.ResetRefused, p.ResetRefusedUntil = liuma.CodePhoneLate, galleryNow.Add(50*time.Hour)
	})
	for _, why := range []liuma.Code{liuma.CodePhoneNone, liuma.CodePhoneLate, liuma.CodePhoneStale, liuma.CodeOnlineOff} {
		add("reset-refused-"+string(why), reset, refused, why, nil)
	}
	add("rebind-confirm", rebind, confirm, "", nil)
	add("rebind-pin", rebind, pad, "", nil)
	add("rebind-evidence", rebind, evidence, liuma.CodeEvidenceRequired, nil)
	add("rebind-phone", rebind, phone, "", nil)
	add("rebind-phone-invalid", rebind, phone, liuma.CodePhoneInvalid, nil)
	add("rebind-code", rebind, code, "", sent(5, 0))
	add("rebind-done", rebind, done, "", nil)
	add("unfreeze-confirm", unfreeze, confirm, "", nil)
	add("unfreeze-code", unfreeze, code, "", sent(5, 0))
	add("unfreeze-pin", unfreeze, pad, "", nil)
	add("unfreeze-done", unfreeze, done, "", nil)
	add("unfreeze-not-frozen", unfreeze, refused, liuma.CodeNotFrozen, nil)
	add("pin-reset", verify, refused, liuma.CodePINReset, nil)
	add("lane-closed", verify, refused, liuma.CodeBlocked, func(p *authority.Page) { p.LaneClosed = true })
	add("lane-reopen", verify, pad, "", func(p *authority.Page) { p.LaneClosed, p.DeviceKnown = true, true })
	add("settings", verify, done, "", func(p *authority.Page) {
		on := true
		p.EveryUse, p.CodesLeft, p.RemindChange = &on, 5, true
	})
	add("settings-code", verify, done, liuma.CodePhoneCodeWrong, func(p *authority.Page) {
		p.EveryUse = new(bool)
		sent(4, 0)(p)
	})
	add("settings-known", verify, done, "", func(p *authority.Page) { p.EveryUse, p.DeviceKnown = new(bool), true })
}

// besides are the addresses that show no step of a ceremony.
func besides() []scene {
	return []scene{
		{"no-reset", "/c/noresetpad?ask=reset"}, {"no-reset-until", "/c/noresetlocked?ask=reset"},
		{"freeze-sure", "/c/verifypin?ask=freeze"}, {"official", "/"}, {"freeze", "/freeze"},
		{"link-invalid", "/authorize"}, {"landing", "/authorize?client_id=zj-hrss&request_uri=urn:x"},
	}
}
