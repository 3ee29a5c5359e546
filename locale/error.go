package locale

import "github.com/liuma-pin/liuma"

// NationalHotline is the help line that sentences name where none is configured.
const NationalHotline = "12333"

// MedicalLine is the nation's help line for medical insurance, which another authority
// runs.
const MedicalLine = "12393"

// Explanation tells a person about an error code in one language: what
// happened, and what to do next.
type Explanation struct{ What, Next string }

// Explanation returns the explanation of an error code, which may name the help
// line; an empty one is the national one. Unknown codes read as
// liuma.CodeInternal, so that a missing row cannot leak a raw code to a page.
func (w *Words) Explanation(c liuma.Code, hotline string) Explanation {
	if !w.has("error." + string(c) + ".what") {
		c = liuma.CodeInternal
	}
	if hotline == "" {
		hotline = NationalHotline
	}
	say := func(part string) string { return w.say("error."+string(c)+part, "{hotline}", hotline) }
	return Explanation{What: say(".what"), Next: say(".next")}
}

// Explained is an explanation in both languages of the documents that programs
// read.
type Explained struct{ What, Next liuma.Text }

// Explain returns the explanation of an error code in both languages.
func Explain(c liuma.Code, hotline string) Explained {
	return Explained{
		What: Both(func(w *Words) string { return w.Explanation(c, hotline).What }),
		Next: Both(func(w *Words) string { return w.Explanation(c, hotline).Next }),
	}
}
