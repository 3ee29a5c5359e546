package config

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/liuma-pin/liuma/locale"
)

// Retention says how long the database keeps requests, ceremonies and the audit
// record. What is kept less long than this may be missed by a channel, an auditor
// or a court, so each has a least time.
type Retention struct {
	// Requests is how long a request is kept, and with it its business number and
	// what a channel may ask by it. 30d or longer. Default 180d.
	Requests Days `yaml:"requests"`
	// Ceremonies is how long a ceremony is kept after it ended. 1d or longer, and no
	// longer than Requests. Default 7d.
	Ceremonies Days `yaml:"ceremonies"`
	// Record is how long entries of the audit record are kept in the database. They
	// leave it only after 'liuma audit archive' wrote them to a file. 183d or longer.
	// Default 3y.
	Record Days `yaml:"record"`
	// Letters is how long a letter is kept after it was posted or came back. 30d or
	// longer. Default 90d.
	Letters Days `yaml:"letters"`
}

// Days is a number of days, written like "180d"; 365 of them like "1y".
type Days int

// Least and default times, in days.
const (
	leastRequests, leastCeremonies, leastRecord, leastLetters = 30, 1, 183, 30
	mostDays                                                  = 100 * 365
)

// DefaultRetention are the values that apply if the file does not set them.
func DefaultRetention() Retention {
	return Retention{Requests: 180, Ceremonies: 7, Record: 3 * 365, Letters: 90}
}

func (r Retention) validate() error {
	var errs []error
	for _, d := range []struct {
		name         string
		given, least Days
	}{{"requests", r.Requests, leastRequests}, {"ceremonies", r.Ceremonies, leastCeremonies}, {"record", r.Record, leastRecord}, {"letters", r.Letters, leastLetters}} {
		if d.given < d.least || d.given > mostDays {
			errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigRetention(d.name, strconv.Itoa(int(d.least))) }))
		}
	}
	if r.Ceremonies > r.Requests {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigRetentionOrder() }))
	}
	return errors.Join(errs...)
}

// Duration returns the same time as a time.Duration.
func (d Days) Duration() time.Duration { return time.Duration(d) * 24 * time.Hour }

func (d Days) String() string {
	if d > 0 && d%365 == 0 {
		return strconv.Itoa(int(d/365)) + "y"
	}
	return strconv.Itoa(int(d)) + "d"
}

// UnmarshalYAML reads a whole number of days or years.
func (d *Days) UnmarshalYAML(b []byte) error {
	var s string
	if err := yaml.Unmarshal(b, &s); err != nil {
		return err
	}
	digits, unit := strings.TrimRight(s, "dy"), Days(1)
	if strings.HasSuffix(s, "y") {
		unit = 365
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || len(s) != len(digits)+1 || strings.HasPrefix(digits, "+") {
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigDays(strconv.Quote(s)) })
	}
	*d = Days(n) * unit
	return nil
}

// MarshalYAML writes days, or years where they are whole.
func (d Days) MarshalYAML() ([]byte, error) { return []byte(d.String()), nil }
