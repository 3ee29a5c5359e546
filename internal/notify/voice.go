package notify

import (
	"fmt"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// A code by voice call is the second way, for people who get no texts or cannot
// read them. The call says who calls and for whom, and then the code, digit by
// digit and twice, so that there is time to write it down.

// maxSpoken bounds the words of a call with the longest values, in units, by
// language: about half a minute.
func maxSpoken() map[string]int { return map[string]int{Chinese: 120, English: 320} }

// checkSpoken refuses the same as NewTemplates refuses for a text, and words
// that are too long to listen to.
func checkSpoken(s shape, language, said string) error {
	fail := func(why string) error {
		return fmt.Errorf("%w %s (%s, by voice): %s", ErrTemplate, s.name, language, why)
	}
	count := map[string]int{}
	for _, m := range placeholder.FindAllStringSubmatch(said, -1) {
		count[m[1]]++
	}
	for _, name := range s.params {
		want := 1
		if name == "code" {
			want = 2
		}
		if count[name] != want {
			return fail("wants {" + name + "} as often as it is said")
		}
	}
	plain := placeholder.ReplaceAllString(said, " ")
	switch {
	case len(count) != len(s.params):
		return fail("a placeholder that the template does not have")
	case strings.ContainsAny(plain, "{}") || strip(said) != said:
		return fail("characters that cannot be said")
	case LooksLikeLink(plain) || LooksLikeLink(placeholder.ReplaceAllString(said, "xx")):
		return fail("no call may name an address")
	case units(fill(said, aloud(longest(language), language))) > maxSpoken()[language]:
		return fail("too long to listen to")
	}
	return nil
}

// aloud turns values as a text shows them into values to be read out: the digits
// of a code one by one, and no stars in a name.
func aloud(shown map[string]string, language string) map[string]string {
	w := locale.In(locale.Lang(language))
	out := make(map[string]string, len(shown))
	for name, v := range shown {
		switch name {
		case "code":
			v = w.ReadOut(v)
		case "holder":
			v = w.Unmasked(v)
		}
		out[name] = v
	}
	return out
}

// speak writes the words of a call. Regions' wordings apply only to texts.
func (t *Templates) speak(template Template, language string, region liuma.Region, kept map[string]string) (Text, error) {
	s, ok := t.shapes[template]
	if !ok || s.kind != KindCode || s.written {
		return Text{}, fmt.Errorf("%w: none of that name is read out", ErrTemplate)
	}
	kept, err := s.checkParams(kept)
	if err != nil {
		return Text{}, err
	}
	language = languageOf(language)
	values := shown(kept, language)
	body, ok := fillSafely(s.call(language), aloud(values, language))
	if !ok {
		return Text{}, fmt.Errorf("%w %s: looks like a link", ErrTemplate, template)
	}
	return Text{Kind: s.kind, Way: liuma.ByVoice, Body: body, Template: template, Language: language, Region: region,
		Params: values}, nil
}
