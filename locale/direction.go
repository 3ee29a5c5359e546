package locale

import "strings"

// Marks of the Unicode bidirectional algorithm. What stands between an opening one and
// popIsolate is laid out by itself and disturbs nothing around it.
const (
	leftToRight = "\u2066" // opens text that is written from the left
	rightToLeft = "\u2067" // the same from the right
	firstStrong = "\u2068" // opens text whose first letter decides
	popIsolate  = "\u2069"
)

// asIs is a sentence as a page of this language shows it. One of another direction,
// which the language lacks, keeps its own: else its full stop would stand at its
// beginning.
func (l look) asIs(f *file, s string) string {
	switch {
	case f.dir == l.own.dir || s == "":
		return s
	case f.dir == RightToLeft:
		return rightToLeft + s + popIsolate
	}
	return leftToRight + s + popIsolate
}

// Apart is text that is in no catalogue, such as the reason of a PIN rule, for the
// sentences of this language: on a page that is written from the right it is laid out
// by itself.
func (l look) Apart(text string) string {
	if l.own.dir != RightToLeft || text == "" {
		return text
	}
	return firstStrong + text + popIsolate
}

// values are the values of a sentence. In one that is written from the right each is
// laid out by itself: an app's name, a number with dashes or an address would change
// the order of the words beside it.
func (f *file) values(pairs []string) []string {
	if f.dir != RightToLeft {
		return pairs
	}
	out := make([]string, len(pairs))
	for i, v := range pairs {
		if out[i] = v; i%2 == 1 && v != "" {
			out[i] = firstStrong + v + popIsolate
		}
	}
	return out
}

// WithoutStop is a sentence as a heading, without its full stop.
func WithoutStop(sentence string) string {
	s, isolated := strings.CutSuffix(sentence, popIsolate)
	s = strings.TrimRight(s, "。.")
	if isolated {
		s += popIsolate
	}
	return s
}
