package registry

import (
	"time"

	"github.com/liuma-pin/liuma"
)

// Born is the birthday as 20060102, or "" if it is not known. The birthday in the
// document's number takes precedence over the registry's, except for an old permanent
// residence number, which leaves the century open.
func (f Facts) Born() string {
	if f.BirthDate != "" && DocumentOf(f.IDNumber).Type != liuma.DocumentIDNumber {
		return f.BirthDate
	}
	return bornIn(f.IDNumber)
}

// OfAge reports whether a person born on a day (20060102) has completed so many years
// at a time, by the calendar of China (UTC+8). By law a year of age is complete when
// the birthday is over: a person born on 5 May 2012 is 14 from 6 May 2026 on. If the
// month has no such day, its last day counts: a person born on 29 February 2012 is 14
// from 1 March 2026 on. If the day cannot be read, the answer is false.
func OfAge(born string, years int, at time.Time) bool {
	day, err := time.Parse(bornForm, born)
	if err != nil {
		return false
	}
	birthday := time.Date(day.Year()+years, day.Month(), day.Day(), 0, 0, 0, 0, time.UTC)
	if birthday.Month() != day.Month() { // 29 February in a year without it
		birthday = birthday.AddDate(0, 0, -1)
	}
	return at.In(time.FixedZone("", 8*60*60)).Format(bornForm) > birthday.Format(bornForm)
}

// parseBirthDate reads a date as registries write it, folded: 20060102, 2006/1/2,
// 2006.1.2, 2006年1月2日.
func parseBirthDate(folded string) (string, bool) {
	for _, form := range []string{bornForm, "2006/1/2", "2006.1.2", "2006年1月2日"} {
		if day, err := time.Parse(form, folded); err == nil {
			return day.Format(bornForm), day.Year() >= 1850 && day.Year() <= 2100
		}
	}
	return "", false
}
