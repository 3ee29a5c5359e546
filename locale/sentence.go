package locale

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// sentence is one value of a file: the text with placeholders, and its form for
// the plural category "one" where it has one.
type sentence struct {
	one, other string
	forms      bool // written as an object of plural forms
}

// The members that say something about the file's language itself.
const (
	memberName = "_name"
	memberDir  = "_dir"
)

// file is one language. Immutable once read.
type file struct {
	lang      Lang
	tag       language.Tag
	name      string
	dir       Dir
	keys      []string // in the order of the file
	sentences map[string]sentence
}

var (
	keyForm         = regexp.MustCompile(`^[a-z][a-z_]*(\.[a-z0-9_]+)+$`)
	placeholderForm = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)
)

// readFile reads the text of a language file. A member that stands twice, a
// value that is no sentence and a brace that belongs to no placeholder are
// refused, so that a slip of a translator never reaches a page.
func readFile(lang Lang, text []byte) (*file, error) {
	tag, err := language.Parse(string(lang))
	if err != nil {
		return nil, fmt.Errorf("%q is not a language tag: %w", lang, err)
	}
	f := &file{lang: lang, tag: tag, sentences: map[string]sentence{}}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := t.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if err := f.take(key, value); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	if f.name == "" || f.dir != LeftToRight && f.dir != RightToLeft {
		return nil, fmt.Errorf(`%s must be the language's own name, and %s "ltr" or "rtl"`, memberName, memberDir)
	}
	return f, nil
}

// take adds one member of the file.
func (f *file) take(key string, value json.RawMessage) error {
	if key == memberName || key == memberDir {
		into := &f.name
		if key == memberDir {
			into = (*string)(&f.dir)
		}
		if *into != "" {
			return errors.New("stands twice")
		}
		return json.Unmarshal(value, into)
	}
	if !keyForm.MatchString(key) {
		return errors.New("a key is an area and names of a-z, 0-9 and _, with dots between")
	}
	if _, twice := f.sentences[key]; twice {
		return errors.New("stands twice")
	}
	s, err := readSentence(value)
	if err != nil {
		return err
	}
	f.keys = append(f.keys, key)
	f.sentences[key] = s
	return nil
}

func readSentence(value json.RawMessage) (sentence, error) {
	var s sentence
	if value[0] == '{' {
		var forms struct{ One, Other string }
		d := json.NewDecoder(bytes.NewReader(value))
		d.DisallowUnknownFields()
		if err := d.Decode(&forms); err != nil {
			return s, fmt.Errorf(`want "one" and "other": %w`, err)
		}
		s = sentence{one: forms.One, other: forms.Other, forms: true}
	} else if err := json.Unmarshal(value, &s.other); err != nil {
		return s, errors.New("want a sentence, or its forms for one and other")
	}
	if strings.TrimSpace(s.other) == "" {
		return s, errors.New("is empty")
	}
	for _, text := range []string{s.one, s.other} {
		if strings.ContainsAny(placeholderForm.ReplaceAllString(text, ""), "{}") {
			return s, errors.New("a brace belongs to no placeholder; one is written as {name}")
		}
	}
	return s, nil
}

// placeholders lists the names in a text, each once, in the order of the text.
func placeholders(text string) []string {
	var names []string
	seen := map[string]bool{}
	for _, m := range placeholderForm.FindAllStringSubmatch(text, -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			names = append(names, m[1])
		}
	}
	return names
}

// form picks the plural form for n: CLDR's category "one" of the file's
// language where the sentence has that form, and "other" for everything else.
func (f *file) form(s sentence, n int) string {
	if s.one != "" && n >= 0 && plural.Cardinal.MatchPlural(f.tag, n, 0, 0, 0, 0) == plural.One {
		return s.one
	}
	return s.other
}

// fill replaces the placeholders. What stands in a value is never read as a
// placeholder again.
func fill(text string, pairs []string) string {
	if len(pairs) == 0 {
		return text
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
