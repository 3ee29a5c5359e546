package main

import (
	"cmp"
	"regexp"

	"github.com/liuma-pin/liuma/locale"
)

// parserSaying is a sentence of the parser, which is always English, and the
// catalogue's sentence for it.
type parserSaying struct {
	form *regexp.Regexp
	say  func(w locale.Refused, named []string) string
}

// parserSayings are the sentences that people may see; a test makes the parser
// produce each.
func parserSayings() []parserSaying {
	say := func(form string, say func(w locale.Refused, named []string) string) parserSaying {
		return parserSaying{regexp.MustCompile(form), say}
	}
	return []parserSaying{
		say(`^(.*), did you mean (?:one of )?(.+)\?$`, func(w locale.Refused, n []string) string { return w.ParseMean(parserSaid(w, n[0]), n[1]) }),
		say(`^unknown flag (.+)$`, func(w locale.Refused, n []string) string { return w.ParseUnknownFlag(n[0]) }),
		say(`^unexpected (?:flag )?argument (.+)$`, func(w locale.Refused, n []string) string { return w.ParseUnexpected(n[0]) }),
		say(`^missing flags: (.+)$`, func(w locale.Refused, n []string) string { return w.ParseMissingFlags(n[0]) }),
		say(`^missing positional arguments (.+)$`, func(w locale.Refused, n []string) string { return w.ParseMissingArguments(n[0]) }),
		say(`^expected one of (.+)$`, func(w locale.Refused, n []string) string { return w.ParseExpectedOne(n[0]) }),
		say(`^(.+) must be one of (.+) but got (".*")$`, func(w locale.Refused, n []string) string { return w.ParseMustBe(n[0], n[1], n[2]) }),
		say(`^(.+) and (.+) can't be used together$`, func(w locale.Refused, n []string) string { return w.ParseTogether(n[0], n[1]) }),
		say(`^(.+?): expected string value but got .*EOL.*$`, func(w locale.Refused, n []string) string { return w.ParseNoValue(n[0]) }),
		say(`^(.+?): expected a valid \d+ bit u?int but got (".*")$`, func(w locale.Refused, n []string) string { return w.ParseNumber(n[0], n[1]) }),
		say(`^(.+?): expected a float but got (".*") .*$`, func(w locale.Refused, n []string) string { return w.ParseNumber(n[0], n[1]) }),
		say(`^(.+?): expected duration but got (".*?"): .*$`, func(w locale.Refused, n []string) string { return w.ParseDuration(n[0], n[1]) }),
		say(`^(.+?): bool value must be .* but got (".*")$`, func(w locale.Refused, n []string) string { return w.ParseBool(n[0], n[1]) }),
		say(`^expected (.+)$`, func(w locale.Refused, n []string) string { return w.ParseExpected(n[0]) }),
	}
}

// valueSayings are the errors of domain types about a wrong value; a test makes them
// produce each.
func valueSayings() []parserSaying {
	say := func(form string, say func(w locale.Refused, value string) string) parserSaying {
		return parserSaying{regexp.MustCompile(form), func(w locale.Refused, named []string) string { return say(w, named[0]) }}
	}
	return []parserSaying{
		say(`^region (".*"): want 2, 4 or 6 digits of GB/T 2260$`, locale.Refused.ValueRegion),
		say(`^agency (".*"): want 1 to 40 of .*$`, locale.Refused.ValueAgency),
		say(`^member of staff (".*"): want 1 to 40 of .*$`, locale.Refused.ValueMember),
		say(`^channel id (".*"): want 1 to 40 of .*$`, locale.Refused.ValueChannel),
		say(`^role (".*"): want clerk, .*$`, locale.Refused.ValueRole),
		say(`^(a) member of staff needs a role$`, func(w locale.Refused, _ string) string { return w.ValueRoleNone() }),
		say(`^role (\w+) is named twice$`, locale.Refused.ValueRoleTwice),
		{regexp.MustCompile(`^nobody is (\w+) and (\w+): one checks what the other does$`), func(w locale.Refused, n []string) string { return w.ValueRolePair(n[0], n[1]) }},
		say(`^card id: (\d+) characters, want 32$`, locale.Refused.ValueCard),
		say(`^card id: (not) in lower case$`, func(w locale.Refused, _ string) string { return w.ValueCardCase() }),
	}
}

// parserSaid is a sentence of the parser in another language; an unknown one stays as
// it is.
func parserSaid(w locale.Refused, said string) string {
	return cmp.Or(saidAs(w, parserSayings(), said), said)
}

// saidAs is the catalogue's sentence by the first saying that matches; empty if none
// does.
func saidAs(w locale.Refused, sayings []parserSaying, said string) string {
	for _, s := range sayings {
		if named := s.form.FindStringSubmatch(said); named != nil {
			return s.say(w, named[1:])
		}
	}
	return ""
}
