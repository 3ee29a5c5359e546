package notify

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/liuma-pin/liuma"
)

// Driver passes texts to a gateway. Send returns the gateway's reference, which
// may be empty, once the gateway has accepted the text; or an error, preferably
// a *Failure. It may be called many times at once and should return when ctx
// ends; if it does not, the worker goes on without it. A gateway that can do so
// must drop a second text with an ID that it accepted before.
type Driver interface {
	Send(ctx context.Context, t Text) (ref string, err error)
}

// Speaker is a Driver whose gateway can also place calls: it accepts texts with
// Way ByVoice, and reads Body out to the person who answers. Send returns once
// the gateway has accepted the call, not when it is answered.
type Speaker interface {
	Driver
	Speaks() bool
}

// speaks reports whether calls can be placed through a driver.
func speaks(d Driver) bool {
	s, ok := d.(Speaker)
	return ok && s.Speaks()
}

// Ways returns the ways in which a driver can send one-time codes.
func Ways(d Driver) []liuma.CodeWay {
	if speaks(d) {
		return []liuma.CodeWay{liuma.ByText, liuma.ByVoice}
	}
	return []liuma.CodeWay{liuma.ByText}
}

// FailureKind says whether and when to try again.
type FailureKind uint8

const (
	// Temporary failures are tried again, each time after a longer pause. An
	// error that is not a Failure counts as temporary.
	Temporary FailureKind = iota
	// Permanent failures are not tried again.
	Permanent
	// Throttled failures stop the whole queue for a while and do not count as a
	// try.
	Throttled
)

// Failure is the reason why a gateway did not accept a text. It contains
// nothing of the text.
type Failure struct {
	Kind  FailureKind
	Word  string        // stable, for operators: a-z and _, at most 40
	After time.Duration // with Throttled: how long to wait; a default if zero
	Cause error         // for the log; must hold nothing of the text
}

func (f *Failure) Error() string {
	if f.Cause != nil {
		return "notify: " + f.Word + ": " + f.Cause.Error()
	}
	return "notify: " + f.Word
}

func (f *Failure) Unwrap() error { return f.Cause }

// The words of failures that the worker itself finds. Drivers add their own.
const (
	FaultTimeout     = "timeout"     // no answer within SendTimeout
	FaultTemporary   = "temporary"   // an error without details
	FaultPanic       = "panic"       // the driver broke
	FaultExpired     = "expired"     // too late to be of use
	FaultInterrupted = "interrupted" // leased again and again without an answer
	FaultUnreadable  = "unreadable"  // the sealed part cannot be opened
	FaultTemplate    = "template"    // the text cannot be written
	FaultUndelivered = "undelivered" // the gateway reports that the text did not reach the phone
	FaultNoVoice     = "no_voice"    // a call, but the present gateway places none
)

var wordPattern = regexp.MustCompile(`^[a-z][a-z_]{0,39}$`)

// failureOf turns any error into a Failure. A word that does not have the form
// of a word is replaced, so that nothing else gets into the database.
func failureOf(err error) *Failure {
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		// err may contain a URL with the message's text, so only its type is
		// logged.
		f = &Failure{Kind: Temporary, Word: FaultTemporary, Cause: fmt.Errorf("%T", err)}
		if errors.Is(err, context.DeadlineExceeded) {
			f.Word = FaultTimeout
		}
		return f
	}
	if !wordPattern.MatchString(f.Word) || f.Kind > Throttled {
		return &Failure{Kind: Temporary, Word: FaultTemporary}
	}
	return f
}

// safeRef drops a reference of an unexpected form, because references are
// looked up, logged by gateways and shown to operators.
func safeRef(ref string) string {
	if len(ref) > 128 {
		return ""
	}
	for i := range len(ref) {
		if ref[i] <= ' ' || ref[i] > '~' {
			return ""
		}
	}
	return ref
}
