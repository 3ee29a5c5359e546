// Package consent has the text that a holder agrees to: which data is kept about them, why and
// for how long. It guarantees that a text has a version, is in both languages, short and whole,
// and that its hash covers all of it, so that a card that names version and hash records
// exactly what its holder read. It trusts the operator, whose file replaces the built-in text,
// to raise the version with each change.
//
// Start here: Text, then Load.
package consent

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

//go:embed text.json
var builtin []byte

// Paragraphs are the paragraphs of one text in both languages.
type Paragraphs struct {
	ZH []string `json:"zh-CN"`
	EN []string `json:"en"`
}

// Text is a version of the text. The zero Text is none.
type Text struct {
	Version string     `json:"version"` // 1 to 16 letters, digits, dots and dashes
	Short   Paragraphs `json:"short"`   // above the button that agrees
	Whole   Paragraphs `json:"whole"`   // on a page of its own
}

// ErrText says that a file holds no text to agree to.
var ErrText = errors.New("consent: want a version, and short and whole paragraphs in zh-CN and en")

const (
	maxFile       = 64 << 10 // bytes
	maxShort      = 5        // paragraphs
	maxWhole      = 100
	maxShortChars = 250 // of a paragraph: it stands on a phone, above a button
	maxWholeChars = 4000
)

var versionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,15}$`)

// Builtin is the text that is used if the operator has none.
func Builtin() (Text, error) { return parse(builtin) }

// Load reads a file in the form of the built-in text; an empty path means the built-in text.
func Load(path string) (Text, error) {
	if path == "" {
		return Builtin()
	}
	f, err := os.Open(path)
	if err != nil {
		return Text{}, fmt.Errorf("consent: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Text{}, fmt.Errorf("consent: %w", err)
	}
	if len(raw) > maxFile {
		return Text{}, fmt.Errorf("%w: more than %d bytes", ErrText, maxFile)
	}
	return parse(raw)
}

func parse(raw []byte) (t Text, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&t); err != nil {
		return Text{}, fmt.Errorf("%w: %w", ErrText, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Text{}, fmt.Errorf("%w: something follows the object", ErrText)
	}
	if !versionPattern.MatchString(t.Version) {
		return Text{}, fmt.Errorf("%w: the version is not 1 to 16 letters, digits, dots and dashes", ErrText)
	}
	for name, p := range map[string]struct {
		in         []string
		most, long int
	}{
		"short.zh-CN": {t.Short.ZH, maxShort, maxShortChars}, "short.en": {t.Short.EN, maxShort, 2 * maxShortChars},
		"whole.zh-CN": {t.Whole.ZH, maxWhole, maxWholeChars}, "whole.en": {t.Whole.EN, maxWhole, maxWholeChars},
	} {
		if len(p.in) == 0 || len(p.in) > p.most {
			return Text{}, fmt.Errorf("%w: %s has %d paragraphs, want 1 to %d", ErrText, name, len(p.in), p.most)
		}
		for i, s := range p.in {
			if strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > p.long {
				return Text{}, fmt.Errorf("%w: %s: paragraph %d is empty or longer than %d characters", ErrText, name, i+1, p.long)
			}
		}
	}
	return t, nil
}

// Hash covers version and text of both languages, each part with its length.
func (t Text) Hash() [32]byte {
	var all []byte
	add := func(s string) {
		all = binary.BigEndian.AppendUint32(all, uint32(len(s)))
		all = append(all, s...)
	}
	add(t.Version)
	for _, p := range [][]string{t.Short.ZH, t.Short.EN, t.Whole.ZH, t.Whole.EN} {
		all = binary.BigEndian.AppendUint32(all, uint32(len(p)))
		for _, s := range p {
			add(s)
		}
	}
	return sha256.Sum256(all)
}
