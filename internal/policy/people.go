package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Ages from which a layer may let people act alone: never below the first, which is the
// nation's, nor above the second, when they are of age.
const (
	MinAlone = 14
	MaxAlone = 18
)

// Minors says from which age a person needs no guardian.
type Minors struct {
	// Alone is that age, in completed years: who is younger enrolls and links at a
	// counter, with a guardian. National: 14. Layers may raise it, to 18.
	Alone int
}

func (m Minors) validate() error {
	if m.Alone < MinAlone || m.Alone > MaxAlone {
		return fmt.Errorf("minors.alone: %d, want %d to %d", m.Alone, MinAlone, MaxAlone)
	}
	return nil
}

// Notices says which of the notices that protect nobody are sent. There is no value for
// any other: what was set, changed, reset, linked, frozen, locked or corrected is told
// to the bound phone in every region.
type Notices struct {
	// Reminder sends a text when a PIN is as old as RemindAfter; the page says it in any
	// case. National: on.
	Reminder bool
	// EveryUse lets a phone that is bound get a notice of every use, until its holder
	// switches them off. National: off, until the holder switches them on.
	EveryUse bool
}

func nationalNotices() Notices { return Notices{Reminder: true} }

// Sentence is a region's own sentence on pages.
type Sentence string

// maxSentence bounds a sentence, in characters: on a small phone it takes four lines.
const maxSentence = 100

// sentenceMarks are the signs that may stand in a sentence beside letters and digits. None
// of them belongs to an address but the full stop, after which no letter or digit of an
// address may come.
const sentenceMarks = " ,.;!?'()\"-，。、；：！？（）“”‘’《》—…·"

// valid takes a sentence that is short, leads nowhere and can be read: no link and no
// long number, which are the hotline's place, and nothing that is not seen.
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

// Texts are what a region says to its holders in its own words, on the page about the
// region and wherever a page sends them to a counter. Empty: nothing. The notices' wordings are
// the configuration's (docs/NOTICES.md), since each has to fit into short messages.
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

// MinCeremonies is the shortest time for which a ceremony is kept after its end: as that of
// the configuration. Whoever lost the way back finds it for so long.
const MinCeremonies = 24 * time.Hour

// Retention says what a region keeps shorter than the configuration does. What the record,
// a channel's business numbers and a consent need is no region's to shorten.
type Retention struct {
	// Ceremonies are kept for so long after their end: from 1 day on. Zero: as configured,
	// which a longer time does not lengthen. Layers may only shorten it.
	Ceremonies time.Duration
}

func (r Retention) validate() error {
	if r.Ceremonies != 0 && (r.Ceremonies < MinCeremonies || r.Ceremonies > MaxRemindAfter) {
		return fmt.Errorf("retention.ceremonies: %v, want 1d to 10 years", r.Ceremonies)
	}
	return nil
}
