package notify

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Driver hands texts to a gateway. Send returns the gateway's reference, which
// may be empty, once the gateway took the text; or an error, best a *Failure.
// It may be called many times at once and should end when ctx does; the worker
// goes on without it if it does not. A second Send with an ID that the gateway
// took must not reach the phone again, as far as the gateway can help.
type Driver interface {
	Send(ctx context.Context, t Text) (ref string, err error)
}

// FailureKind says what trying again is good for.
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

// Failure is why a text was not taken. It holds nothing of the text.
type Failure struct {
	Kind  FailureKind
	Word  string        // stable, for operators: a-z and _, at most 40
	After time.Duration // of Throttled: how long to wait; a default if zero
	Cause error         // for the log; must hold nothing of the text
}

func (f *Failure) Error() string {
	if f.Cause != nil {
		return "notify: " + f.Word + ": " + f.Cause.Error()
	}
	return "notify: " + f.Word
}

func (f *Failure) Unwrap() error { return f.Cause }

// The words of failures that the worker itself finds. Drivers add theirs.
const (
	FaultTimeout     = "timeout"     // no answer within SendTimeout
	FaultTemporary   = "temporary"   // an error that says no more
	FaultPanic       = "panic"       // the driver broke
	FaultExpired     = "expired"     // too late to be of use
	FaultInterrupted = "interrupted" // taken up again and again, and never an answer
	FaultUnreadable  = "unreadable"  // the sealed part does not open
	FaultTemplate    = "template"    // the text cannot be written
	FaultUndelivered = "undelivered" // the gateway says that it did not reach the phone
)

var wordPattern = regexp.MustCompile(`^[a-z][a-z_]{0,39}$`)

// failureOf makes a Failure of any error. A word that could carry anything but
// a word does not get into the database.
func failureOf(err error) *Failure {
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		// Nobody knows what is in err, a URL with the text perhaps: its type says
		// enough.
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

// safeRef drops a reference that is not one: references are looked up, logged
// by gateways and shown to operators.
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
