package notify

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/liuma-pin/liuma"
)

// A code by voice call is the second way for who gets no texts or cannot read
// them. The call says who calls and for whom, and then the code, digit by digit
// and twice, so that there is time to write it down.

// spoken is what a call says, by language. Each placeholder stands in it once,
// and {code} twice.
type spoken struct{ zh, en string }

// maxSpoken bounds what a call says with the longest values, in units, by
// language: about half a minute.
func maxSpoken() map[string]int { return map[string]int{Chinese: 120, English: 320} }

// codeCall is the sentence for a one-time code.
func codeCall(zhFor, enFor string) spoken {
	return spoken{
		zh: "您好，这里是电子社保卡，为{holder}" + zhFor + "。您的验证码是：{code}。再念一遍：{code}。" +
			"{minutes}分钟内有效。不要告诉任何人，工作人员也不会向您要。",
		en: "Hello, this is the e-Social Security Card, with a code to " + enFor + " {holder}. Your code is: {code}. Again: {code}. " +
			"It is valid for {minutes} minutes. Tell nobody. No staff will ask for it.",
	}
}

// in picks the language.
func (s spoken) in(language string) string {
	if language == English {
		return s.en
	}
	return s.zh
}

// checkSpoken refuses what NewTemplates refuses of a text, and what is too long
// to listen to.
func checkSpoken(s shape, language string) error {
	said := s.call.in(language)
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

var stars = regexp.MustCompile(`\*+`)

// aloud turns values that a text shows into values to be read out: the digits of
// a code one by one, and no stars in a name.
func aloud(shown map[string]string, language string) map[string]string {
	pause, someone := "，", "某"
	if language == English {
		pause, someone = ", ", " "
	}
	out := make(map[string]string, len(shown))
	for name, v := range shown {
		switch name {
		case "code":
			v = strings.Join(strings.Split(v, ""), pause)
		case "holder":
			v = strings.Join(strings.Fields(stars.ReplaceAllString(v, someone)), " ")
		}
		out[name] = v
	}
	return out
}

// speak writes what a call says. Regions' wordings are of texts alone.
func (t *Templates) speak(template Template, language string, region liuma.Region, kept map[string]string) (Text, error) {
	s, ok := t.shapes[template]
	if !ok || s.kind != KindCode {
		return Text{}, fmt.Errorf("%w: none of that name is read out", ErrTemplate)
	}
	kept, err := s.checkParams(kept)
	if err != nil {
		return Text{}, err
	}
	language = languageOf(language)
	values := shown(kept, language)
	body := fill(s.call.in(language), aloud(values, language))
	if LooksLikeLink(body) {
		return Text{}, fmt.Errorf("%w %s: looks like a link", ErrTemplate, template)
	}
	return Text{Kind: s.kind, Way: liuma.ByVoice, Body: body, Template: template, Language: language, Region: region,
		Params: values}, nil
}
