package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
)

// TestRetention: days and years are read, and a time that is too short, or not
// written so, is refused.
func TestRetention(t *testing.T) {
	if c, err := config.Parse([]byte("log: info\n")); err != nil || c.Retention != (config.Retention{Requests: 180, Ceremonies: 7, Record: 1095, Letters: 90}) {
		t.Errorf("default %+v, %v", c.Retention, err)
	}
	c, err := config.Parse([]byte("retention: {requests: 1y, ceremonies: 1d, record: 183d, letters: 30d}\n"))
	if err != nil || c.Retention != (config.Retention{Requests: 365, Ceremonies: 1, Record: 183, Letters: 30}) || c.Retention.Requests.Duration() != 8760*time.Hour {
		t.Errorf("%+v, %v", c.Retention, err)
	}
	for text, want := range map[string]string{
		"requests: 29d": "retention.requests", "ceremonies: 0d": "retention.ceremonies", "record: 182d": "retention.record", "letters: 29d": "retention.letters",
		"{requests: 30d, ceremonies: 31d}": "no more than", "record: 101y": "100y",
		"record: 200": "want a number of days", "record: 4000h": "want a number of days", "record: 1dy": "want a number of days",
		"record: -1y": "want a number of days", "record: +1y": "want a number of days", "record: d": "want a number of days",
		"record: 99999999999d": "want a number of days", "rec: 3y": "unknown field",
	} {
		if !strings.HasPrefix(text, "{") {
			text = "{" + text + "}"
		}
		if _, err := config.Parse([]byte("retention: " + text + "\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
