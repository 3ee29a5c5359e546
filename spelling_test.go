package liuma_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
)

// TestSpellings: what is accepted is exactly what these regular expressions match: every text
// of up to three characters of those that matter, and long ones at the bounds.
func TestSpellings(t *testing.T) {
	letters := []string{"0", "1", "9", "/", ":", "a", "z", "`", "{", "A", "Z", "@", "[", "-", "_", ".", " ", "\n", "\x00", "é", "\xff", "五"}
	texts := []string{""}
	for from, n := 0, 0; n < 3; n++ {
		to := len(texts)
		for _, text := range texts[from:to] {
			for _, c := range letters {
				texts = append(texts, text+c)
			}
		}
		from = to
	}
	for _, n := range []int{4, 5, 6, 7, 8, 39, 40, 41, 63, 64, 65} {
		for _, c := range []string{"1", "0", "a", "A", "-", "."} {
			body := strings.Repeat(c, n-2)
			texts = append(texts, "1"+body+"1", "1"+body+"-", "-"+body+"1", "1"+body+"\n", "1"+body+"é", "1"+body+".")
		}
	}
	errOf := func(_ any, err error) error { return err }
	for _, c := range []struct {
		name, pattern string
		parse         func(string) error
	}{
		{"channel", `^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$`, func(s string) error { return errOf(liuma.ParseChannelID(s)) }},
		{"staff", `^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$`, func(s string) error { return errOf(liuma.ParseStaffID(s)) }},
		{"agency", `^(?:[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?)?$`, func(s string) error { return errOf(liuma.ParseAgency(s)) }},
		{"business number", `^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`, func(s string) error { return errOf(liuma.ParseBusinessNo(s)) }},
		{"region", `^(?:[1-9][0-9](?:[0-9]{2}){0,2})?$`, func(s string) error { return errOf(liuma.ParseRegion(s)) }},
	} {
		re := regexp.MustCompile(c.pattern)
		for _, text := range texts {
			if err := c.parse(text); (err == nil) != re.MatchString(text) {
				t.Errorf("%s %q: %v", c.name, text, err)
			}
		}
	}
}
