// Package locale holds the sentences that people read, one JSON file a
// language, and the typed look-up of them. It guarantees that a sentence is asked
// for by a method, so that a missing key or parameter does not compile; that
// Chinese and English have every sentence with the same placeholders; and that a
// sentence which another language lacks is read in Chinese. It trusts its files,
// which are compiled into the program, to be written by the rules of
// docs/WORDS.md.
//
// Start here: In and Words, then zh-CN.json.
package locale

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

//go:generate go run ./genwords

// embedded is read only; the compiler fills it.
//
//go:embed *.json
var embedded embed.FS

// own reads the embedded catalogue once. A file with a fault is refused by the
// tests of this package, so it cannot be part of a release.
var own = sync.OnceValue(func() *Catalogue {
	c, err := Read(embedded)
	if err != nil {
		panic("locale: " + err.Error())
	}
	return c
})

// Catalogue holds the sentences of several languages. Immutable.
type Catalogue struct {
	langs []Lang // Chinese and English first, then by tag
	files map[Lang]*file
	words map[Lang]*Words
}

// Own returns the catalogue that is compiled into the program.
func Own() *Catalogue { return own() }

// In returns the sentences of a language in the program's own catalogue.
func In(l Lang) *Words { return own().In(l) }

// Read reads a catalogue: every *.json file at the top of a directory is a
// language, named by its tag. zh-CN.json and en.json must be there.
func Read(dir fs.FS) (*Catalogue, error) {
	names, err := fs.Glob(dir, "*.json")
	if err != nil {
		return nil, err
	}
	c := &Catalogue{files: map[Lang]*file{}, words: map[Lang]*Words{}}
	for _, name := range names {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		l := Lang(strings.TrimSuffix(name, ".json"))
		if c.files[l], err = readFile(l, text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		c.langs = append(c.langs, l)
	}
	for _, l := range []Lang{Chinese, English} {
		if c.files[l] == nil {
			return nil, fmt.Errorf("%s.json is missing", l)
		}
	}
	rank := func(l Lang) int { return slices.Index([]Lang{English, Chinese}, l) }
	slices.SortFunc(c.langs, func(a, b Lang) int {
		if r := rank(b) - rank(a); r != 0 {
			return r
		}
		return strings.Compare(string(a), string(b))
	})
	for _, l := range c.langs {
		c.words[l] = newWords(look{own: c.files[l], other: c.files[Chinese]})
	}
	return c, nil
}

// Languages lists the languages: Chinese, English, then the others by tag.
func (c *Catalogue) Languages() []Lang { return slices.Clone(c.langs) }

// In returns the sentences of a language, and the Chinese ones if the catalogue
// does not have it.
func (c *Catalogue) In(l Lang) *Words {
	if w, ok := c.words[l]; ok {
		return w
	}
	return c.words[Chinese]
}

// Missing lists the keys that a language lacks, in the order of the Chinese file.
func (c *Catalogue) Missing(l Lang) []string {
	var keys []string
	for _, key := range c.files[Chinese].keys {
		if f := c.files[l]; f == nil || f.sentences[key].other == "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// Key is a key of the catalogue, with what a look-up of it takes.
type Key struct {
	Name         string
	Placeholders []string // in the order of the Chinese sentence
	Forms        bool     // whether a language has plural forms of it
}

// Keys lists the keys in the order of the Chinese file.
func (c *Catalogue) Keys() []Key {
	var keys []Key
	for _, name := range c.files[Chinese].keys {
		k := Key{Name: name, Placeholders: placeholders(c.files[Chinese].sentences[name].other)}
		for _, f := range c.files {
			k.Forms = k.Forms || f.sentences[name].forms
		}
		keys = append(keys, k)
	}
	return keys
}

// look finds the sentences of one language.
type look struct{ own, other *file }

// Lang returns the language of the words.
func (l look) Lang() Lang { return l.own.lang }

// Dir returns the direction in which the language is written.
func (l look) Dir() Dir { return l.own.dir }

// Name returns the language's name in the language itself.
func (l look) Name() string { return l.own.name }

// find returns a sentence and the file that has it: the language's own, or the
// Chinese one.
func (l look) find(key string) (*file, sentence) {
	for _, f := range []*file{l.own, l.other} {
		if s, ok := f.sentences[key]; ok {
			return f, s
		}
	}
	return l.other, sentence{}
}

// say fills the placeholders of a sentence; pairs are "{name}", value.
func (l look) say(key string, pairs ...string) string {
	f, s := l.find(key)
	return l.asIs(f, fill(s.other, f.values(pairs)))
}

// sayOf does so with the plural form that n takes.
func (l look) sayOf(key string, n int, pairs ...string) string {
	f, s := l.find(key)
	return l.asIs(f, fill(f.form(s, n), f.values(pairs)))
}

// has reports whether the catalogue has a key, in any language.
func (l look) has(key string) bool {
	_, s := l.find(key)
	return s.other != ""
}
