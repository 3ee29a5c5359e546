package notify

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// Override is a region's own wording of one template in one language. It applies in the
// region and in all regions within it that have no wording of their own.
type Override struct {
	Region   liuma.Region
	Template Template
	Language string // "zh-CN" or "en"
	Text     string // with placeholders, without the sender mark
}

// ErrTemplate means that a template is unknown or that a wording cannot be used.
var ErrTemplate = errors.New("notify: template")

type wordingKey struct {
	region   liuma.Region
	template Template
	language string
}

// Templates are the wordings of all texts. They are immutable.
type Templates struct {
	shapes     map[Template]shape
	wordings   map[wordingKey]string
	senderMark map[string]string // by language
	hotline    string
}

// NewTemplates takes the national wording, a sender mark (the default one for an empty
// member), the hotline that notices name (empty: the default one) and the regions'
// overrides. It refuses a wording that has anything like a link, lacks a placeholder or
// has one too many, does not name the hotline in a notice, or is too long with the
// longest values.
func NewTemplates(senderMark liuma.Text, hotline string, overrides []Override) (*Templates, error) {
	def := DefaultSenderMark()
	if senderMark.ZH == "" {
		senderMark.ZH = def.ZH
	}
	if senderMark.EN == "" {
		senderMark.EN = def.EN
	}
	if hotline == "" {
		hotline = locale.NationalHotline
	}
	t := &Templates{shapes: map[Template]shape{}, wordings: map[wordingKey]string{}, hotline: hotline,
		senderMark: map[string]string{Chinese: senderMark.ZH, English: senderMark.EN}}
	var errs []error
	for language, s := range t.senderMark {
		if LooksLikeLink(s) || strings.ContainsAny(s, "{}") {
			errs = append(errs, fmt.Errorf("%w: signature in %s: not a plain name", ErrTemplate, language))
		}
	}
	for _, s := range shapes() {
		t.shapes[s.name] = s
		errs = append(errs, t.add(Override{Template: s.name, Language: Chinese, Text: s.national(Chinese)}),
			t.add(Override{Template: s.name, Language: English, Text: s.national(English)}))
		if s.kind == KindCode && !s.written {
			errs = append(errs, checkSpoken(s, Chinese, s.call(Chinese)), checkSpoken(s, English, s.call(English)))
		}
	}
	for _, o := range overrides {
		if o.Region == "" {
			errs = append(errs, fmt.Errorf("%w %s: an override names its region", ErrTemplate, o.Template))
			continue
		}
		errs = append(errs, t.add(o))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

var placeholder = regexp.MustCompile(`\{([a-z]*)\}`)

func (t *Templates) add(o Override) error {
	fail := func(why string, args ...any) error {
		return fmt.Errorf("%w %s (%s, region %q): %s", ErrTemplate, o.Template, o.Language, string(o.Region), fmt.Sprintf(why, args...))
	}
	s, ok := t.shapes[o.Template]
	if !ok {
		return fail("there is none of that name")
	}
	if o.Language != Chinese && o.Language != English {
		return fail("languages are %s and %s", Chinese, English)
	}
	if r, err := liuma.ParseRegion(string(o.Region)); err != nil || r != o.Region {
		return fail("the region is not in its shortest form")
	}
	o.Text = strings.ReplaceAll(o.Text, "{hotline}", t.hotline)
	key := wordingKey{o.Region, o.Template, o.Language}
	if _, ok := t.wordings[key]; ok {
		return fail("given twice")
	}
	var names []string
	for _, m := range placeholder.FindAllStringSubmatch(o.Text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	if !slices.Equal(slices.Compact(slices.Clone(names)), s.params) || len(names) != len(s.params) {
		return fail("wants each of these once: %s", strings.Join(s.params, ", "))
	}
	plain := placeholder.ReplaceAllString(o.Text, " ")
	switch {
	case strings.ContainsAny(plain, "{}"):
		return fail("a brace that opens no placeholder")
	case strip(o.Text) != o.Text:
		return fail("characters that do not show, or brackets of a signature")
	case LooksLikeLink(plain) || LooksLikeLink(placeholder.ReplaceAllString(o.Text, "xx")):
		return fail("no text may carry a link")
	case s.kind == KindNotice && !strings.Contains(o.Text, t.hotline):
		return fail("a notice names the hotline, %s or {hotline}", t.hotline)
	}
	worst := t.senderMark[o.Language] + fill(o.Text, longest(o.Language))
	if n, limit := Segments(worst), s.limits[o.Language]; n > limit {
		return fail("%d units with the longest values make %d short messages, %d are allowed", units(worst), n, limit)
	}
	t.wordings[key] = o.Text
	return nil
}

// wording returns the text of the smallest region that has one.
func (t *Templates) wording(template Template, language string, region liuma.Region) string {
	for {
		if w, ok := t.wordings[wordingKey{region, template, language}]; ok || region == "" {
			return w
		}
		region = region[:max(0, len(region)-2)]
	}
}

// languageOf returns Chinese for an unknown language, because every agency reads
// Chinese.
func languageOf(language string) string {
	if language == English {
		return English
	}
	return Chinese
}

func fill(text string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string { return values[p[1:len(p)-1]] })
}

// fillSafely fills in the values so that nothing looks like a link, and reports whether it
// could. A name together with the sentence around it may look like one, for example a name
// that ends with a dot. Then the names are left out, in values too, because a message must
// not fail because of them. Codes are not checked: they are random, open nothing, and may
// begin with WWW.
func fillSafely(text string, values map[string]string) (body string, ok bool) {
	asked := maps.Clone(values)
	for _, name := range []string{"code", "freeze"} {
		if _, has := asked[name]; has {
			asked[name] = "0"
		}
	}
	if !LooksLikeLink(fill(text, asked)) {
		return fill(text, values), true
	}
	for _, name := range []string{"holder", "channel", "what"} {
		if _, has := asked[name]; has {
			asked[name], values[name] = noName, noName
		}
	}
	return fill(text, values), !LooksLikeLink(fill(text, asked))
}

// write joins sender mark and body and fills in the values.
func (t *Templates) write(template Template, language string, region liuma.Region, kept map[string]string) (Text, error) {
	s, ok := t.shapes[template]
	if !ok {
		return Text{}, fmt.Errorf("%w: there is none of that name", ErrTemplate)
	}
	// The values were checked when they were queued, but perhaps by an earlier release.
	kept, err := s.checkParams(kept)
	if err != nil {
		return Text{}, err
	}
	language = languageOf(language)
	values := shown(kept, language)
	body, ok := fillSafely(t.senderMark[language]+t.wording(template, language, region), values)
	if !ok {
		return Text{}, fmt.Errorf("%w %s: looks like a link", ErrTemplate, template)
	}
	return Text{Kind: s.kind, Body: body, Template: template, Language: language, Region: region,
		SenderMark: t.senderMark[language], Params: values, Segments: Segments(body)}, nil
}
