package ceremony

// The templates of notices that the acts queue. Each has its wording in package
// notify and a row in docs/NOTICES.md.
const (
	noticeUsedAlone    = "used_alone"
	noticePINSet       = "pin_set"
	noticePINChanged   = "pin_changed"
	noticePINReset     = "pin_reset"
	noticePhoneOld     = "phone_changed_old"
	noticePhoneNew     = "phone_changed_new"
	noticeBoth         = "phone_pin_changed"
	noticeLinked       = "channel_linked"
	noticeUnfrozen     = "card_unfrozen"
	noticeRemind       = "rotation_reminder"
	noticeEveryUse     = "every_use"
	noticeEveryUseOff  = "every_use_off"
	noticeResetPlanned = "reset_planned"
)

// languageOf returns one of the two languages of messages.
func languageOf(s string) string {
	if s == "en" {
		return "en"
	}
	return "zh-CN"
}
