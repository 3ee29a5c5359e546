package pin

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
)

// TestErrorsCarryNothing (I-6): no member of an error reveals the text that was
// typed. This includes the members that Error does not print and a door would
// show: reason, field, sentence, cause.
func TestErrorsCarryNothing(t *testing.T) {
	known := []string{ReasonNotSixDigits, ReasonTooShort, ReasonTooLong, ReasonCharacter, ReasonEncoding}
	for _, typed := range []string{"4951720", "49517a", "4951720\x00secret", "4951720\xffsecret", strings.Repeat("4951720", 40)} {
		for _, passphrase := range []bool{false, true} {
			_, err := Parse([]byte(typed), passphrase)
			e, ok := errors.AsType[*liuma.Error](err)
			if !ok {
				t.Fatalf("%v", err)
			}
			fits := false
			for _, r := range known {
				fits = fits || e.Reason == r
			}
			if !fits || e.Field != "" || e.Cause != nil || e.Sentence != (liuma.Text{}) || e.Challenge != "" {
				t.Errorf("the error of a refused PIN has more than a reason: %#v", *e)
			}
			if all := fmt.Sprintf("%#v", *e); strings.Contains(all, typed[:5]) || strings.Contains(all, "secret") {
				t.Error("the error says what was typed")
			}
		}
	}
}
