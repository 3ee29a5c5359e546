package admin_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/locale"
)

// TestAlarmsHaveSentences in each language, and every kind that the program writes is
// listed.
func TestAlarmsHaveSentences(t *testing.T) {
	listed := map[string]bool{}
	for _, kind := range admin.AlarmKinds() {
		listed[kind] = true
		for _, l := range []locale.Lang{locale.Chinese, locale.English} {
			if e := locale.In(l).Alarm(kind, "x", 3); e.What == "" || e.Next == "" {
				t.Errorf("%s has no sentences in %s: %+v", kind, l, e)
			}
		}
	}
	code, err := os.ReadFile("alarms.go")
	if err != nil {
		t.Fatal(err)
	}
	written := regexp.MustCompile(`Kind: "([a-z_]+)"`).FindAllStringSubmatch(string(code), -1)
	if len(written) < 15 {
		t.Errorf("only %d kinds were read", len(written))
	}
	for _, m := range written {
		if !listed[m[1]] {
			t.Errorf("%s is no kind of AlarmKinds", m[1])
		}
	}
}
