package main

import (
	"fmt"
	"io"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
)

// printRations prints what clients did of what they may do only so often, and
// which of them come near to it or were refused.
func printRations(w io.Writer, r admin.Rations) error {
	if _, err := fmt.Fprintln(w, "  rations       used within an hour and a day, by all clients"); err != nil {
		return err
	}
	for _, t := range r.Totals {
		if t.Day == 0 && t.Refused == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "    %-14s %d, %d\n", t.Act, t.Hour, t.Day); err != nil {
			return err
		}
	}
	for _, u := range r.High {
		word, alarm := "HIGH ", ""
		if u.Refused > 0 || u.Alarm != nil {
			word = "SPENT"
		}
		if u.Alarm != nil {
			alarm = ", alarm at " + u.Alarm.Format(time.RFC3339)
		}
		if _, err := fmt.Fprintf(w, "    %s        %s:%s %s: %d of %d an hour, %d of %d a day, refused %d times%s\n",
			word, u.Kind, u.Client, u.Act, u.Hour, u.OfHour, u.Day, u.OfDay, u.Refused, alarm); err != nil {
			return err
		}
	}
	return nil
}
