package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/pin"
)

// direction says which of two settings of a value is stricter.
type direction int

const (
	less     direction = iota // the smaller number, the shorter time
	more                      // the larger number, the longer time
	on                        // true
	off                       // false: true permits something, and a region may permit it
	sooner                    // the shorter time, where zero means never; a region may choose freely
	list                      // the list that refuses more; the nation's layer may pick any
	proofs                    // the variant with more proofs (steps.go)
	nation                    // the shorter time; only the nation's layer sets it, because it applies to the whole service
	named                     // false; it is true where a region permits it AND the channel's own layer sets it
	free                      // neither: a region chooses within bounds, a channel does not set it
	shorter                   // the shorter time, where zero means as configured; a channel does not set it
	lowered                   // the smaller number; a channel does not set it
	onlyCode                  // no file sets it; tests and the demo do
)

// value is one member of a Policy, with its name in files and explanations. Only the
// table of values knows all of them.
type value struct {
	name string // in snake case, dotted: "limits.attempts"
	// at returns the place of the value in a Policy: an *int, *bool, *time.Duration, *Variant,
	// *pin.List, *Sentence, *Agents or *string (a telephone number).
	at       func(*Policy) any
	stricter direction
}

// values lists the members of a Policy in the order of its fields.
func values() []value {
	rows := []value{
		{"limits.attempts", func(p *Policy) any { return &p.Limits.Attempts }, less},
		{"limits.window", func(p *Policy) any { return &p.Limits.Window }, more},
		{"limits.lock_for", func(p *Policy) any { return &p.Limits.LockFor }, more},
		{"limits.failures", func(p *Policy) any { return &p.Limits.Failures }, less},
		{"pin.birthday", func(p *Policy) any { return &p.PIN.Birthday }, on},
		{"pin.id_number", func(p *Policy) any { return &p.PIN.IDNumber }, on},
		{"pin.phone", func(p *Policy) any { return &p.PIN.Phone }, on},
		{"pin.card_number", func(p *Policy) any { return &p.PIN.CardNumber }, on},
		{"pin.current", func(p *Policy) any { return &p.PIN.Current }, on},
		{"pin.repeat", func(p *Policy) any { return &p.PIN.Repeat }, on},
		{"pin.steps", func(p *Policy) any { return &p.PIN.Steps }, on},
		{"pin.pairs", func(p *Policy) any { return &p.PIN.Pairs }, on},
		{"pin.triples", func(p *Policy) any { return &p.PIN.Triples }, on},
		{"pin.mirror", func(p *Policy) any { return &p.PIN.Mirror }, on},
		{"pin.keypad", func(p *Policy) any { return &p.PIN.Keypad }, on},
		{"pin.common", func(p *Policy) any { return &p.PIN.Common }, on},
		{"pin.list", func(p *Policy) any { return &p.PIN.List }, list},
		{"pin.run", func(p *Policy) any { return &p.PIN.Run }, less},
		{"passphrase", func(p *Policy) any { return &p.Passphrase }, off},
		{"challenge_ttl", func(p *Policy) any { return &p.ChallengeTTL }, less},
		{"receipt_ttl", func(p *Policy) any { return &p.ReceiptTTL }, less},
		{"evidence_max_age", func(p *Policy) any { return &p.EvidenceMaxAge }, less},
		{"seal_key_life", func(p *Policy) any { return &p.SealKeyLife }, nation},
		{"remind_after", func(p *Policy) any { return &p.RemindAfter }, sooner},
		{"force_after", func(p *Policy) any { return &p.ForceAfter }, sooner},
		{"recovery.hold", func(p *Policy) any { return &p.Recovery.Hold }, more},
		{"recovery.unconfirmed", func(p *Policy) any { return &p.Recovery.Unconfirmed }, less},
		{"recovery.unconfirmed_evidence", func(p *Policy) any { return &p.Recovery.UnconfirmedEvidence }, less},
		{"recovery.card_number", func(p *Policy) any { return &p.Recovery.CardNumber }, off},
	}
	rows = append(rows, stepValues()...)
	rows = append(rows,
		value{"evidence_alone", func(p *Policy) any { return &p.EvidenceAlone }, named},
		value{"loss_report", func(p *Policy) any { return &p.LossReport }, free},
		value{"agents", func(p *Policy) any { return &p.Agents }, free},
		value{"hotline", func(p *Policy) any { return &p.Hotline }, free})
	rows = append(rows, rationValues()...)
	return append(rows,
		value{"codes.hour", func(p *Policy) any { return &p.Codes.Hour }, less},
		value{"codes.day", func(p *Policy) any { return &p.Codes.Day }, less},
		value{"codes.other_numbers", func(p *Policy) any { return &p.Codes.OtherNumbers }, off},
		value{"counter.look_ups", func(p *Policy) any { return &p.Counter.LookUps }, lowered},
		value{"counter.tickets", func(p *Policy) any { return &p.Counter.Tickets }, lowered},
		value{"counter.pair", func(p *Policy) any { return &p.Counter.Pair }, lowered},
		value{"refusal_pace", func(p *Policy) any { return &p.RefusalPace }, more},
		value{"minors.alone", func(p *Policy) any { return &p.Minors.Alone }, more},
		value{"notices.reminder", func(p *Policy) any { return &p.Notices.Reminder }, free},
		value{"notices.every_use", func(p *Policy) any { return &p.Notices.EveryUse }, free},
		value{"texts.zh", func(p *Policy) any { return &p.Texts.ZH }, free},
		value{"texts.en", func(p *Policy) any { return &p.Texts.EN }, free},
		value{"retention.ceremonies", func(p *Policy) any { return &p.Retention.Ceremonies }, shorter},
		value{"allow_stand_in_evidence", func(p *Policy) any { return &p.AllowStandInEvidence }, onlyCode})
}

func stepValues() []value {
	var rows []value
	for i, a := range (&Steps{}).acts() {
		rows = append(rows, value{"steps." + string(a.action), func(p *Policy) any { return p.Steps.acts()[i].is }, proofs})
	}
	return rows
}

// action returns the act that a value of direction proofs is about.
func (v value) action() liuma.Action { return liuma.Action(strings.TrimPrefix(v.name, "steps.")) }

// mayLoosen reports whether a layer may set the value less strictly than the layers
// above it.
func (v value) mayLoosen(l Layer) bool {
	return v.choosable() || v.stricter == list && l == LayerNational
}

// instead says what to do if a layer may not set the value in this way, when the
// value's name does not make that clear.
func (v value) instead() string {
	if v.stricter == list {
		return "; only a layer of the nation may pick the basic list: write it there, or leave it out here"
	}
	return ""
}

// choosable reports whether a region may set the value differently from the layers
// above it, also less strictly.
func (v value) choosable() bool {
	return v.stricter == off || v.stricter == sooner || v.stricter == named || v.stricter == free
}

func rationValues() []value {
	var rows []value
	for i, r := range (&Rations{}).named() {
		rows = append(rows,
			value{r.name + ".hour", func(p *Policy) any { return &p.Rations.named()[i].is.Hour }, less},
			value{r.name + ".day", func(p *Policy) any { return &p.Rations.named()[i].is.Day }, less})
	}
	return rows
}

// FromValues returns the national policy with these values, by name, as an explanation
// writes them.
func FromValues(texts map[string]string) (Policy, error) {
	p := National()
	for _, v := range values() {
		text, ok := texts[v.name]
		if !ok || v.stricter == onlyCode || text == v.text(&p) {
			continue
		}
		if err := v.set(&p, text); err != nil {
			return Policy{}, fmt.Errorf("%s: %w", v.name, err)
		}
	}
	return p, nil
}

// text returns the value of p as files write it.
func (v value) text(p *Policy) string {
	switch is := v.at(p).(type) {
	case *int:
		return strconv.Itoa(*is)
	case *bool:
		return strconv.FormatBool(*is)
	case *time.Duration:
		switch {
		case *is == 0 && v.mayBeNever():
			return "never"
		case *is == 0 && v.stricter == shorter:
			return "configured"
		}
		return timeText(*is)
	case *Variant:
		return string(*is)
	case *pin.List:
		return string(*is)
	case *Sentence:
		return string(*is)
	case *Agents:
		return is.text()
	case *string:
		return *is
	}
	panic("policy: a value of a kind that no file can write: " + v.name)
}

// mayBeNever reports whether zero means never for this time.
func (v value) mayBeNever() bool { return v.stricter == sooner || v.stricter == free }

// set puts text, as files write it, into p.
func (v value) set(p *Policy, text string) error {
	switch is := v.at(p).(type) {
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil || strconv.Itoa(n) != text {
			return fmt.Errorf("%q, want a whole number", text)
		}
		*is = n
	case *bool:
		switch text {
		case "true", "false":
			*is = text == "true"
		default:
			return fmt.Errorf("%q, want true or false", text)
		}
	case *time.Duration:
		d, err := parseTime(text)
		if text == "never" && v.mayBeNever() || text == "configured" && v.stricter == shorter {
			d, err = 0, nil
		}
		if err != nil {
			return err
		}
		*is = d
	case *Variant:
		if _, ok := proofsOf(v.action(), Variant(text)); !ok || text == "" {
			return fmt.Errorf("%q, want one of %s", text, names(v.action()))
		}
		*is = Variant(text)
	case *pin.List:
		if !slices.Contains(pin.Lists(), pin.List(text)) {
			return fmt.Errorf("%q, want one of %v", text, pin.Lists())
		}
		*is = pin.List(text)
	case *Sentence:
		if err := Sentence(text).valid(); err != nil {
			return err
		}
		*is = Sentence(text)
	case *Agents:
		a, err := parseAgents(text)
		if err != nil {
			return err
		}
		*is = a
	case *string:
		if err := validHotline(text); err != nil {
			return err
		}
		*is = text
	}
	return nil
}

// timeText writes a time as parseTime reads it: in days if it is a whole number of
// days.
func timeText(d time.Duration) string {
	const day = 24 * time.Hour
	if d > 0 && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

// parseTime reads a time as Go writes it ("36h", "90s"), or in days ("3d").
func parseTime(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 100*365 {
			return 0, fmt.Errorf("%q, want a time such as 3d, 36h or 90s", text)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || text == "0" {
		return 0, fmt.Errorf("%q, want a time such as 3d, 36h or 90s", text)
	}
	return d, nil
}

// looser reports whether p is less strict than above in this value.
func (v value) looser(p, above *Policy) bool {
	if v.stricter == free || v.stricter == named {
		return false
	}
	switch is := v.at(p).(type) {
	case *int:
		return v.below(int64(*is), int64(*v.at(above).(*int)))
	case *time.Duration:
		return v.below(int64(*is), int64(*v.at(above).(*time.Duration)))
	case *bool:
		other := *v.at(above).(*bool)
		return *is != other && *is == (v.stricter == off)
	case *pin.List:
		return !is.Covers(*v.at(above).(*pin.List))
	case *Variant:
		return !covers(v.action(), *is, *v.at(above).(*Variant))
	}
	return true
}

func (v value) below(n, above int64) bool {
	switch v.stricter {
	case less, nation, lowered:
		return n > above
	case more:
		return n < above
	case sooner, shorter:
		return above != 0 && (n == 0 || n > above)
	}
	return n != above
}

// copied copies the value of from into p.
func (v value) copied(p, from *Policy) {
	switch is := v.at(p).(type) {
	case *int:
		*is = *v.at(from).(*int)
	case *bool:
		*is = *v.at(from).(*bool)
	case *time.Duration:
		*is = *v.at(from).(*time.Duration)
	case *Variant:
		*is = *v.at(from).(*Variant)
	case *pin.List:
		*is = *v.at(from).(*pin.List)
	case *Sentence:
		*is = *v.at(from).(*Sentence)
	case *Agents:
		*is = *v.at(from).(*Agents)
	case *string:
		*is = *v.at(from).(*string)
	}
}

// same reports whether two policies have the same value.
func (v value) same(p, other *Policy) bool {
	switch is := v.at(p).(type) {
	case *int:
		return *is == *v.at(other).(*int)
	case *bool:
		return *is == *v.at(other).(*bool)
	case *time.Duration:
		return *is == *v.at(other).(*time.Duration)
	case *Variant:
		return *is == *v.at(other).(*Variant)
	case *pin.List:
		return *is == *v.at(other).(*pin.List)
	case *Sentence:
		return *is == *v.at(other).(*Sentence)
	case *Agents:
		return *is == *v.at(other).(*Agents)
	case *string:
		return *is == *v.at(other).(*string)
	}
	return false
}

// tightened makes p at least as strict in this value as from, and never less strict
// than it was.
func (v value) tightened(p, from *Policy) {
	if is, ok := v.at(p).(*Variant); ok {
		*is = both(v.action(), *is, *v.at(from).(*Variant))
		return
	}
	v.copied(p, from)
}

// Stricter returns p with every value of other that is stricter. Values that a region chooses
// freely (hotline, loss_report, agents), a value that needs a channel's own layer
// (evidence_alone) and values for the whole service stay as in p.
func (p Policy) Stricter(other Policy) Policy {
	other.Began = p.Began
	if p == other { // usually: the card's own region asks
		return p
	}
	return p.tighter(other, nation, named)
}

// Under returns p for a channel under another channel: every value is at least as strict as
// the other channel's, including values that need a channel's own layer.
func (p Policy) Under(above Policy) Policy {
	above.Began = p.Began
	if p == above {
		return p
	}
	return p.tighter(above)
}

// tighter returns p after tighten. Its copies are on the heap, since values point into them;
// so its callers compare first, with copies that are not.
func (p Policy) tighter(other Policy, but ...direction) Policy {
	p.tighten(&other, values(), but...)
	return p
}

// tighten makes p as strict as other in every value that can be stricter, except values of
// the given directions.
func (p *Policy) tighten(other *Policy, values []value, but ...direction) {
	for i := range values {
		v := &values[i]
		if v.stricter == onlyCode || slices.Contains(but, v.stricter) {
			continue
		}
		if is, ok := v.at(p).(*bool); ok && v.stricter == named {
			*is = *is && *v.at(other).(*bool)
			continue
		}
		if v.looser(p, other) {
			v.tightened(p, other)
		}
	}
}

// errLooser means that a layer permits something that the layer above it does not.
var errLooser = errors.New("looser than the layer above it")
