package main

import (
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
)

// printRations prints the clients' use of their rations, and which clients are near a
// limit or were refused.
func printRations(t *terminal, r admin.Rations) error {
	say := t.shown()
	if err := t.row(say.StatusRations(), say.StatusRationsUsed()); err != nil {
		return err
	}
	for _, total := range r.Totals {
		if total.Day == 0 && total.Refused == 0 {
			continue
		}
		if err := t.line("    " + padded(total.Act, 14) + " " + say.StatusRation(num(total.Hour), num(total.Day))); err != nil {
			return err
		}
	}
	for _, u := range r.High {
		word := say.StatusHigh()
		if u.Refused > 0 || u.Alarm != nil {
			word = say.StatusSpent()
		}
		line := say.StatusRationOf(fmt.Sprintf("%s:%s", u.Kind, u.Client), u.Act, num(u.Hour), num(u.OfHour), num(u.Day), num(u.OfDay), num(u.Refused))
		if u.Alarm != nil {
			line = say.StatusRationAlarm(line, u.Alarm.Format(time.RFC3339))
		}
		if err := t.note(word, line); err != nil {
			return err
		}
	}
	return nil
}
