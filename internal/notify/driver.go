package notify

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/liuma-pin/liuma"
)

// Driver hands texts to a gateway. Send returns once the gateway took the text,
// with the gateway's reference, which may be empty; or an error, best a
// *Failure. It may be called many times at once and should return when ctx
// ends; if it does not, the worker goes on without it. If a gateway can, it
// must drop a second text with an ID that it took before.
type Driver interface {
	Send(ctx context.Context, t Text) (ref string, err error)
}

// Speaker is a Driver whose gateway may also place calls: it then takes texts
// whose Way is ByVoice, and has Body read out to who answers. Send returns
// once the gateway took the call, not when it was answered.
type Speaker interface {
	Driver
	Speaks() bool
}

// speaks reports whether calls can be placed through a driver.
func speaks(d Driver) bool {
	s, ok := d.(Speaker)
	return ok && s.Speaks()
}

// Ways are the ways in which one-time codes go through a driver.
func Ways(d Driver) []liuma.CodeWay {
	if speaks(d) {
		return []liuma.CodeWay{liuma.ByText, liuma.ByVoice}
	}
	return []liuma.CodeWay{liuma.ByText}
}

// FailureKind says whether and when to try again.
type FailureKind uint8

const (
	// Temporary failures are tried again, each time later. Any error that is
	// not a Failure is one.
	Temporary FailureKind = iota
	// Permanent failures are not tried again.
	Permanent
	// Throttled failures hold up the whole queue for a while and do not count
	// as a try.
	Throttled
)

// Failure is the reason why a text was not taken. It holds nothing of the text.
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
	FaultInterrupted = "interrupted" // taken up again and again without an answer
	FaultUnreadable  = "unreadable"  // the sealed part cannot be opened
	FaultTemplate    = "template"    // the text cannot be written
	FaultUndelivered = "undelivered" // the gateway says that it did not reach the phone
	FaultNoVoice     = "no_voice"    // a call, and the gateway of today places none
)

var wordPattern = regexp.MustCompile(`^[a-z][a-z_]{0,39}$`)

// failureOf makes a Failure of any error. A word of another form than a word is
// replaced, so that nothing else gets into the database.
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

// safeRef drops a reference of an unexpected form: references are looked up,
// logged by gateways and shown to operators.
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
