package locale

import "strings"

// Refusal is an error whose sentence stands in the catalogue. As an error it speaks
// English, as every other error does, for logs and for programs; Told says it in the
// language of who reads it.
type Refusal struct {
	say   func(w *Words, why string) string
	cause error // nil where there is none
}

// Refuse makes a refusal.
func Refuse(say func(*Words) string) error {
	return &Refusal{say: func(w *Words, _ string) string { return say(w) }}
}

// RefuseFor makes one that has a cause; why is the cause in the same language. The
// cause is passed, not captured: a named result that holds it would hold the refusal
// itself by the time that it is said.
func RefuseFor(cause error, say func(w *Words, why string) string) error {
	return &Refusal{say: say, cause: cause}
}

// Error says it in English.
func (r *Refusal) Error() string {
	why := ""
	if r.cause != nil {
		why = r.cause.Error()
	}
	return r.say(In(English), why)
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.cause }

// Told says it in a language.
func (r *Refusal) Told(w *Words, leaf func(error) string) string {
	why := ""
	if r.cause != nil {
		why = w.Told(r.cause, leaf)
	}
	return r.say(w, why)
}

// Teller is an error that says itself in a language.
type Teller interface {
	error
	Told(w *Words, leaf func(error) string) string
}

// Told says an error in the language of the words: a Teller by its sentence, any
// other one in its own words, in which the errors that it wraps are said so. leaf says
// what wraps nothing, and is empty where it knows no sentence.
func (w *Words) Told(err error, leaf func(error) string) string {
	if w.Lang() == English {
		return err.Error()
	}
	if said := leaf(err); said != "" {
		return said
	}
	var causes []error
	//nolint:errorlint // each error of the chain is looked at by itself
	switch e := err.(type) {
	case Teller:
		return e.Told(w, leaf)
	case interface{ Unwrap() error }:
		causes = append(causes, e.Unwrap())
	case interface{ Unwrap() []error }:
		causes = e.Unwrap()
	}
	said := err.Error()
	for _, cause := range causes {
		if cause != nil {
			said = strings.Replace(said, cause.Error(), w.Told(cause, leaf), 1)
		}
	}
	return said
}
