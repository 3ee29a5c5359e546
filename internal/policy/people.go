package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// The range of ages from which a layer may let people act alone: not below MinAlone,
// the national value, and not above MaxAlone, when people are of age.
const (
	MinAlone = 14
	MaxAlone = 18
)

// Minors sets the age from which a person needs no guardian.
type Minors struct {
	// Alone is that age, in completed years: a younger person enrolls and links at a
	// counter, with a guardian. National: 14. Layers may raise it, to 18.
	Alone int
}

func (m Minors) validate() error {
	if m.Alone < MinAlone || m.Alone > MaxAlone {
		return fmt.Errorf("minors.alone: %d, want %d to %d", m.Alone, MinAlone, MaxAlone)
	}
	return nil
}

// Notices says which notices are sent that protect nobody. There is no value for other
// notices: in every region the bound phone is told when something was set, changed,
// reset, linked, frozen, locked or corrected.
type Notices struct {
	// Reminder sends a text when a PIN is as old as RemindAfter; the page shows the
	// reminder in any case. National: on.
	Reminder bool
	// EveryUse lets a bound phone get a notice of every use, until the holder switches
	// that off. National: off, until the holder switches it on.
	EveryUse bool
}

func nationalNotices() Notices { return Notices{Reminder: true} }

// Sentence is a region's own sentence on pages.
type Sentence string

// maxSentence bounds a sentence, in characters: it then takes four lines on a small
// phone.
const maxSentence = 100

// sentenceMarks are the signs that a sentence may contain besides letters and digits. Of
// these only the full stop occurs in addresses, and no letter or digit may follow it
// directly.
const sentenceMarks = " ,.;!?'()\"-，。、；：！？（）“”‘’《》—…·"

// valid accepts a sentence that is short, contains no address and is readable: no link,
// no long number (those belong into the hotline) and no invisible characters.
func (s Sentence) valid() error {
	runes, digits := []rune(string(s)), 0
	if len(runes) > maxSentence {
		return fmt.Errorf("a sentence of %d characters, want at most %d", len(runes), maxSentence)
	}
	if strings.TrimSpace(string(s)) != string(s) || strings.Contains(string(s), "  ") {
		return errors.New("a sentence begins and ends without a blank, and has no two together")
	}
	for i, c := range runes {
		latin := c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c))
		if !latin && !unicode.Is(unicode.Han, c) && !strings.ContainsRune(sentenceMarks, c) {
			return fmt.Errorf("%q, which no sentence may have", c)
		}
		if latin && i > 0 && (runes[i-1] == '.' || runes[i-1] == '。') {
			return errors.New("a sentence has no address: put a blank after the full stop")
		}
		if digits++; !unicode.IsDigit(c) {
			digits = 0
		}
		if digits > 5 {
			return errors.New("a sentence has no long number: the region's telephone number is \"hotline\"")
		}
	}
	for _, word := range strings.FieldsFunc(strings.ToLower(string(s)), func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsLetter(c) }) {
		if word == "www" || word == "http" || word == "https" {
			return errors.New("a sentence has no address")
		}
	}
	return nil
}

// Texts are a region's own sentence to its holders, on the page about the region and wherever a
// page sends them to a counter. Empty: no sentence. The wordings of notices are in the
// configuration (docs/NOTICES.md), because each must fit into short messages.
type Texts struct{ ZH, EN Sentence }

func (t Texts) validate() error {
	errs := []error{under("texts.zh", t.ZH.valid()), under("texts.en", t.EN.valid())}
	if (t.ZH == "") != (t.EN == "") {
		errs = append(errs, errors.New("texts: in one language alone; a reader of the other would miss it"))
	}
	return errors.Join(errs...)
}

func under(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// MinCeremonies is the shortest time for which a ceremony is kept after its end, the same
// as in the configuration. A holder who lost the way back can find the ceremony for that
// long.
const MinCeremonies = 24 * time.Hour

// Retention says which data a region keeps for a shorter time than the configuration. No
// region can shorten what the audit record, a channel's business numbers or a consent
// need.
type Retention struct {
	// Ceremonies is how long ceremonies are kept after their end: from 1 day on. Zero: as
	// configured; a longer time than configured has no effect. Layers may only shorten it.
	Ceremonies time.Duration
}

func (r Retention) validate() error {
	if r.Ceremonies != 0 && (r.Ceremonies < MinCeremonies || r.Ceremonies > MaxRemindAfter) {
		return fmt.Errorf("retention.ceremonies: %v, want 1d to 10 years", r.Ceremonies)
	}
	return nil
}
